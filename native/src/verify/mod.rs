//! Reading a log back, version by version, and comparing it with the catalog.

mod checkpoint;
mod checksum;
mod problem;
mod versions;

pub(crate) use problem::Problem;
pub(crate) use versions::{VerifiedVersion, Verifier};

use deltalakedb_core::action::Json;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::diff::catalog_versions;
use deltalakedb_core::log::{LogFileKind, checksum_file_name};
use deltalakedb_core::mirror::LastCheckpoint;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::cli::VersionRange;
use crate::diff::{check_same_table, list_target};
use crate::store::LogStore;

/// Which versions to look at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) last: Option<i64>,
    pub(crate) range: Option<VersionRange>,
}

/// What was looked at, and what is wrong.
pub(crate) struct Verified {
    pub(crate) table: Table,
    pub(crate) target: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Versions that the catalog has after the log's last one: they may be published yet. 0 where an end was asked for.
    pub(crate) lag_versions: i64,
    pub(crate) checkpoints: u64,
    pub(crate) compacted: u64,
    pub(crate) checksums: u64,
    /// Versions at which something is wrong.
    pub(crate) unequal_versions: u64,
    /// What is wrong with the log as a whole.
    pub(crate) problems: Vec<Problem>,
}

impl Verified {
    pub(crate) fn is_equal(&self) -> bool {
        self.unequal_versions == 0 && self.problems.is_empty()
    }
}

/// Compares a log with the catalog at each version; `on_version` is called for each, `begin` before with their number.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when there is no log, or no version of those wanted in the catalog; those of the
/// database and the store. What is wrong in the log is no error.
pub(crate) async fn verify(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    wanted: Wanted,
    now_ms: i64,
    begin: impl FnOnce(u64),
    on_version: &mut impl FnMut(&VerifiedVersion) -> Result<()>,
) -> Result<Verified> {
    // The log before the catalog: what is committed and published after this look is not yet in either.
    let listing = list_target(log).await?;
    let selector = TableSelector::Key(table.key);
    let latest = snapshot(database, &selector, At::Latest).await?;
    let table = &latest.table;
    let mut problems = Vec::new();
    let readable = listing.oldest_readable().unwrap_or(i64::MAX);
    let log_version = listing.latest_version().unwrap_or(-1);
    let (asked_first, last) = asked(table, wanted, log_version)?;
    let first = asked_first.max(if wanted.range.is_none_or(|range| range.first.is_none()) { readable } else { 0 });
    if first > last {
        let text = format!(
            "the log can be read from version {readable} on and ends at {log_version}, the catalog has {} to {}: there is \
             nothing to compare",
            table.earliest_version, table.version
        );
        problems.push(Problem::of_log(text));
    }
    if wanted.range.is_none() && log_version > table.version {
        let text = format!("the log goes on to version {log_version}, the catalog ends at {}", table.version);
        problems.push(Problem::of_log(text));
    }
    let is_end_asked = wanted.range.is_some_and(|range| range.last.is_some());
    let mut verified = Verified {
        table: table.clone(),
        target: log.url().to_string(),
        first,
        last,
        lag_versions: if is_end_asked { 0 } else { (table.version - log_version).max(0) },
        checkpoints: 0,
        compacted: 0,
        checksums: 0,
        unequal_versions: 0,
        problems,
    };
    if first <= last {
        begin((last - first + 1).unsigned_abs());
        let catalog = catalog_versions(database, table, first..=last, |_| ()).await?;
        let mut verifier = Verifier::new(database, table, log, &listing, now_ms, first..=last);
        for version in &catalog {
            let found = verifier.verify(version).await?;
            verified.checkpoints += found.checkpoints;
            verified.compacted += found.compacted;
            verified.checksums += u64::from(found.has_checksum);
            verified.unequal_versions += u64::from(!found.problems.is_empty());
            on_version(&found)?;
        }
    }
    if verified.unequal_versions > 0 && verified.unequal_versions == (last - first + 1).unsigned_abs() {
        check_same_table(&latest, log, &listing).await?;
    }
    verified.problems.extend(check_last_checkpoint(database, table, log).await?);
    verified.problems.extend(check_newest_checksum(log).await?);
    Ok(verified)
}

/// The first and the last version to look at. Where nobody asks for an end, it is the newest version that both have.
fn asked(table: &Table, wanted: Wanted, log_version: i64) -> Result<(i64, i64)> {
    let (earliest, latest) = (table.earliest_version, table.version);
    let common = latest.min(log_version);
    let Some(range) = wanted.range else {
        let first = wanted.last.map_or(earliest, |count| earliest.max(common - count + 1));
        return Ok((first, common));
    };
    // The first version that is asked for is looked at whether the log has it or not.
    let (first, last) = (range.first.unwrap_or(earliest), range.last.unwrap_or(common.max(range.first.unwrap_or(0))));
    if first < earliest || last > latest || first > last {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("the catalog has the versions {earliest} to {latest}, not all from {first} to {last}"),
        )
        .table(&table.name)
        .hint("`dl history` lists the versions"));
    }
    Ok((first, last))
}

/// A small file of JSON; none where there is none.
async fn read_json<T: DeserializeOwned>(log: &LogStore, name: &str) -> Result<Option<std::result::Result<T, Problem>>> {
    let content = match log.fetch_small(name).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Some(Err(Problem::of(name, error.to_string())))),
        content => content?,
    };
    let read = |content: bytes::Bytes| {
        serde_json::from_slice(&content).map_err(|error| Problem::of(name, format!("it cannot be read: {error}")))
    };
    Ok(content.map(read))
}

/// A `.crc` of a version that the log does not have stops some readers.
async fn check_newest_checksum(log: &LogStore) -> Result<Option<Problem>> {
    // Listed anew: a mirror writes the commit first, but a listing may have come by before.
    let listing = list_target(log).await?;
    let log_version = listing.latest_version().unwrap_or(-1);
    let newest = listing.newest_checksum(i64::MAX).filter(|&version| version > log_version);
    Ok(newest.map(|version| {
        Problem::of(
            &checksum_file_name(version),
            format!("it is newer than the log, which ends at version {log_version}"),
        )
    }))
}

/// How many files a version has, if the catalog knows it.
async fn file_count(database: &impl Database, table: &Table, version: i64) -> Result<Option<i64>> {
    match snapshot(database, &TableSelector::Key(table.key), At::Version(version)).await {
        Ok(state) => Ok(Some(state.file_count)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `_last_checkpoint` must name a checkpoint that is there, and tell of it what is so; its checksum must be its own.
async fn check_last_checkpoint(database: &impl Database, table: &Table, log: &LogStore) -> Result<Vec<Problem>> {
    const NAME: &str = "_last_checkpoint";
    let text: Json = match read_json(log, NAME).await? {
        Some(Ok(text)) => text,
        Some(Err(problem)) => return Ok(vec![problem]),
        None => return Ok(Vec::new()),
    };
    let last: LastCheckpoint = match serde_json::from_str(text.text()) {
        Ok(last) => last,
        Err(error) => return Ok(vec![Problem::of(NAME, format!("it cannot be read: {error}"))]),
    };
    // Listed anew: a mirror may have written both since.
    let listing = list_target(log).await?;
    let mut problems = Vec::new();
    let mut tell = |text: String| problems.push(Problem::of(NAME, text));
    if LastCheckpoint::has_wrong_checksum(text.text()) {
        tell("its `checksum` is not that of what it says".to_owned());
    }
    let checkpoints: Vec<_> = listing.checkpoints_of(last.version).collect();
    let Some(checkpoint) = checkpoints.first() else {
        tell(format!("it names a checkpoint of version {}, which is not there", last.version));
        return Ok(problems);
    };
    if let Some(v2) = &last.v2_checkpoint
        && !checkpoints.iter().any(|checkpoint| checkpoint.files.iter().any(|file| file.name == v2.path))
    {
        tell(format!("it names the checkpoint {}, which is not there", v2.path));
    }
    if let Some(parts) = last.parts
        && !checkpoints.iter().any(|checkpoint| i64::try_from(checkpoint.files.len()) == Ok(parts))
    {
        tell(format!("it names a checkpoint of {parts} parts, which is not there"));
    }
    let bytes: u64 = checkpoint.files.iter().map(|file| file.size).sum();
    let is_classic = checkpoint.files.iter().all(|file| file.kind == LogFileKind::ClassicCheckpoint);
    // Of a V2 checkpoint the sidecars count, too.
    let is_size = |told: u64| if is_classic { told == bytes } else { told >= bytes };
    if let Some(told) = last.size_in_bytes
        && checkpoints.len() == 1
        && checkpoint.files.len() == 1
        && !u64::try_from(told).is_ok_and(is_size)
    {
        tell(format!("it tells {told} bytes of the checkpoint of version {}, which has {bytes}", last.version));
    }
    if let Some(adds) = file_count(database, table, last.version).await? {
        if let Some(told) = last.num_of_add_files.filter(|&told| told != adds) {
            tell(format!("its `numOfAddFiles` is {told}, and the table has {adds} files at version {}", last.version));
        }
        // A protocol and a metadata besides.
        if last.size < adds + 2 {
            tell(format!(
                "its `size` is {}, and a checkpoint of version {} holds {adds} files",
                last.size, last.version
            ));
        }
    }
    Ok(problems)
}
