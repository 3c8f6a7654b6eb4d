//! Writing what a log lacks: commits in order, then the checkpoint that is due.

mod checkpoint;
mod last_checkpoint;

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::import::catalog_digest;
use deltalakedb_core::log::{LogFileKind, LogListing, commit_file_name};
use deltalakedb_core::mirror::{StoredCommit, commit_actions, read_commit};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::check_publishable;
use deltalakedb_core::{Error, ErrorKind, Result};

use checkpoint::{due_checkpoint, write_checkpoint};
use last_checkpoint::LAST_CHECKPOINT;

use crate::import::{disagreement, log_digest};
use crate::store::{Fetched, LogStore, Put};

const PAGE: usize = 4096;
/// What every Parquet file ends with.
const PARQUET_END: &[u8] = b"PAR1";

/// What a mirror run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The log's address.
    pub target: String,
    /// The last version in the log.
    pub version: i64,
    /// By this run.
    pub commits_written: i64,
    /// The checkpoint that was written, if one was due.
    pub checkpoint_version: Option<i64>,
}

/// Writes to `log` the commits of `table` that it lacks, in order, then a checkpoint if one is due. It may be killed
/// at any point and run again, in several copies at once. `on_version` is called for each version that is done.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when the log is another one's or goes on past the catalog;
/// [`Corrupt`](ErrorKind::Corrupt) when a checkpoint in it is not whole; those of the database and the store.
pub async fn mirror_table(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    now_ms: i64,
    mut on_version: impl FnMut(),
) -> Result<Mirrored> {
    // The log before the catalog: what other mirrors write after this look is no reason to think that the log is ahead.
    let objects = log.list().await?;
    let state = snapshot(database, &TableSelector::Key(table.key), At::Latest).await?;
    // The table may have gone on since the caller looked: commits and checkpoint must end at the same version, or the
    // next run would find the checkpoint and leave the commits before it out.
    let table = &state.table;
    check_publishable(&state.protocol)?;
    let is_checkpoint_named = objects.iter().any(|(name, ..)| name == LAST_CHECKPOINT);
    let listing = LogListing::new(objects);
    let mut mirrored = Mirrored {
        target: log.url().to_string(),
        version: table.version,
        commits_written: 0,
        checkpoint_version: None,
    };
    log.sweep_temporary_files()?;
    let mut newest_checkpoint = listing.checkpoint_version();
    let needs_first_checkpoint;
    let missing: Vec<i64> = match listing.latest_version() {
        None => {
            needs_first_checkpoint = begins_with_a_state(database, table).await?;
            (table.earliest_version..=table.version).collect()
        }
        Some(latest) => {
            check_same_table(database, table, log, &listing).await?;
            check_not_ahead(table, log, latest)?;
            check_checkpoint_is_whole(log, &listing, latest).await?;
            // A run that was killed between its first commit and the checkpoint that it stands on.
            needs_first_checkpoint = newest_checkpoint.is_none()
                && listing.first_commit() >= Some(table.earliest_version)
                && begins_with_a_state(database, table).await?;
            let first = match newest_checkpoint {
                _ if needs_first_checkpoint => table.earliest_version,
                // The checkpoint's own commit, too, where the catalog has it.
                Some(version) if version < table.earliest_version => version + 1,
                Some(version) => version,
                None => 0,
            };
            let missing = (first..=table.version).filter(|&version| listing.commit(version).is_none());
            missing.collect()
        }
    };
    check_known(table, log, &missing)?;
    for version in missing {
        if needs_first_checkpoint && version > table.earliest_version && mirrored.checkpoint_version.is_none() {
            write_first_checkpoint(database, table, log, now_ms, &mut mirrored).await?;
        }
        let commit = read_commit(database, table, version).await?;
        // A version that is known from a checkpoint only has no commit to write.
        if commit.is_known && write_commit(database, table, log, &commit).await? == Put::Written {
            mirrored.commits_written += 1;
        }
        on_version();
    }
    if needs_first_checkpoint {
        write_first_checkpoint(database, table, log, now_ms, &mut mirrored).await?;
        newest_checkpoint = mirrored.checkpoint_version;
    }
    // Whoever wrote the commits: a run that was killed before its checkpoint is finished by the next one.
    let due = due_checkpoint(&state);
    let is_written = newest_checkpoint >= Some(due) && (is_checkpoint_named || newest_checkpoint > Some(due));
    if due >= table.earliest_version.max(1) && !is_written && mirrored.checkpoint_version != Some(due) {
        write_checkpoint(database, table, log, due, now_ms).await?;
        mirrored.checkpoint_version = Some(due);
    }
    Ok(mirrored)
}

/// The checkpoint that the history begins with, after the commit of its own version as the protocol has it.
async fn write_first_checkpoint(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    now_ms: i64,
    mirrored: &mut Mirrored,
) -> Result<()> {
    if mirrored.checkpoint_version.is_none() {
        write_checkpoint(database, table, log, table.earliest_version, now_ms).await?;
        mirrored.checkpoint_version = Some(table.earliest_version);
    }
    Ok(())
}

/// Whether the catalog knows the table's first version as a state, and not by the commits that led to it.
async fn begins_with_a_state(database: &impl Database, table: &Table) -> Result<bool> {
    Ok(table.earliest_version > 0 || !read_commit(database, table, 0).await?.is_known)
}

/// The log must be one of this table, and tell the same of the oldest and the newest version that both have.
async fn check_same_table(database: &impl Database, table: &Table, log: &LogStore, listing: &LogListing) -> Result<()> {
    match disagreement(database, table, log, listing).await? {
        None => Ok(()),
        Some(disagreement) => Err(Error::new(
            ErrorKind::Conflict,
            format!("the log at {} is another one: {}", log.url(), disagreement.text),
        )
        .version(disagreement.version)
        .hint("nothing was written; mirror to another folder, or import that log under another name")),
    }
}

/// Commits on top of half a checkpoint could not be read.
async fn check_checkpoint_is_whole(log: &LogStore, listing: &LogListing, latest: i64) -> Result<()> {
    let files = listing.newest_checkpoint(latest).map_or(&[][..], |checkpoint| &checkpoint.files);
    for file in files.iter().filter(|file| file.kind != LogFileKind::UuidCheckpointJson) {
        if log.tail(&file.name, file.size, PARQUET_END.len() as u64).await? != PARQUET_END {
            return Err(Error::corrupt(format!("the checkpoint {} in {} is not whole", file.name, log.url()))
                .version(file.version)
                .path(&file.name)
                .hint("delete it; the next `dl mirror` writes one when it is due. Nothing was written"));
        }
    }
    Ok(())
}

fn check_not_ahead(table: &Table, log: &LogStore, latest: i64) -> Result<()> {
    if latest <= table.version {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "the log at {} goes on to version {latest}, the catalog ends at version {}: another writer committed there",
            log.url(),
            table.version
        ),
    )
    .version(latest)
    .hint("`dl import --incremental` takes those commits in"))
}

/// What the catalog does not know it cannot write.
fn check_known(table: &Table, log: &LogStore, missing: &[i64]) -> Result<()> {
    let Some(&first) = missing.first().filter(|&&version| version < table.earliest_version) else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "the log at {} lacks version {first}, and the catalog knows the table from version {} on",
            log.url(),
            table.earliest_version
        ),
    )
    .version(first)
    .hint("mirror to an empty folder, where the history begins with a checkpoint"))
}

async fn write_commit(database: &impl Database, table: &Table, log: &LogStore, commit: &StoredCommit) -> Result<Put> {
    let mut file = temporary_file()?;
    {
        let mut out = BufWriter::new(&mut file);
        write_lines(&mut out, &commit.actions)?;
        let mut cursor = Some(commit.start());
        while let Some(at) = cursor {
            let (actions, next) = commit_actions(database, commit, at, PAGE).await?;
            write_lines(&mut out, &actions)?;
            cursor = next;
        }
        out.flush().map_err(no_space)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(no_space)?;
    let name = commit_file_name(commit.version);
    match log.put_if_absent(&name, Fetched::File(file), commit.timestamp_ms).await? {
        Put::Written => Ok(Put::Written),
        Put::AlreadyThere => check_equal(database, table, log, commit, &name).await.map(|()| Put::AlreadyThere),
    }
}

/// Another mirror may have been first; then the file says the same.
async fn check_equal(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    commit: &StoredCommit,
    name: &str,
) -> Result<()> {
    let theirs = log_digest(log, name).await?;
    let ours = catalog_digest(database, table, commit.version).await?.unwrap_or_default();
    if ours.is_same(&theirs) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!("{name} appeared in {} meanwhile, with {theirs}; the catalog has {ours}", log.url()),
    )
    .version(commit.version)
    .path(name)
    .hint("another writer committed to the log; nothing was overwritten"))
}

fn write_lines(out: &mut impl Write, actions: &[Action]) -> Result<()> {
    for action in actions {
        serde_json::to_writer(&mut *out, action).map_err(std::io::Error::from).map_err(no_space)?;
        out.write_all(b"\n").map_err(no_space)?;
    }
    Ok(())
}

fn temporary_file() -> Result<File> {
    tempfile::tempfile().map_err(no_space)
}

fn no_space(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("writing a temporary file: {error}"))
        .hint("check the temporary folder (TMPDIR): that it is there, and has space")
}
