//! Commits in the log that the catalog does not have, or has as other ones.

use std::collections::{BTreeMap, BTreeSet};

use deltalakedb_core::catalog::Table;
use deltalakedb_core::import::{CommitSummary, catalog_digest};
use deltalakedb_core::log::{LogFile, LogListing};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::import::log_digest;
use crate::store::LogStore;

/// A commit as the log has it.
pub(crate) enum LogSide {
    Commit(CommitSummary),
    /// What is wrong with the file.
    Unreadable(Error),
    /// The catalog has a commit here, the log none any more or not yet.
    Absent,
}

/// A version from where the histories diverge on, or after the catalog's last one.
pub(crate) struct ForeignCommit {
    pub(crate) version: i64,
    /// When the file was written, in milliseconds since the epoch.
    pub(crate) modified_ms: Option<i64>,
    pub(crate) log: LogSide,
    /// What the catalog has instead.
    pub(crate) catalog: Option<CommitSummary>,
}

impl ForeignCommit {
    pub(crate) fn to_json(&self) -> Value {
        let log = match &self.log {
            LogSide::Commit(summary) => json!(summary),
            LogSide::Unreadable(error) => json!({ "error": error.to_json() }),
            LogSide::Absent => Value::Null,
        };
        json!({ "version": self.version, "modified_ms": self.modified_ms, "log": log, "catalog": self.catalog })
    }
}

/// How the log's commits compare with the catalog's.
#[derive(Default)]
pub(crate) struct History {
    /// Oldest first.
    pub(crate) foreign: Vec<ForeignCommit>,
    /// The first version at which both have a commit, and not the same.
    pub(crate) diverged_at: Option<i64>,
    /// A version whose commit is missing though the log goes on after it.
    pub(crate) gap: Option<i64>,
}

impl History {
    pub(crate) fn has_drift(&self) -> bool {
        !self.foreign.is_empty() || self.gap.is_some()
    }

    /// The first version that is another writer's.
    pub(crate) fn first_foreign(&self) -> Option<i64> {
        self.foreign.first().map(|commit| commit.version)
    }

    /// Whether nothing says that the log is one of this table: the oldest commit that both have differs, or there is none.
    pub(super) fn begins_differently(&self, listing: &LogListing, table: &Table) -> bool {
        let oldest = listing.commits(table.earliest_version..=table.version).next();
        oldest.is_none_or(|oldest| self.diverged_at == Some(oldest.version))
    }
}

/// Compares the commits that both have: those since the log's newest checkpoint, and the oldest one; where the newest ones
/// differ, all back to where they begin to. With `up_to`, up to that version.
pub(super) async fn compare_histories(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    listing: &LogListing,
    up_to: Option<i64>,
) -> Result<History> {
    let last = table.version.min(up_to.unwrap_or(i64::MAX));
    let commits: Vec<&LogFile> = listing.commits(table.earliest_version..=last).collect();
    let checkpoint = listing.newest_checkpoint(last).map_or(-1, |checkpoint| checkpoint.version);
    let mut compared: BTreeMap<i64, Option<ForeignCommit>> = BTreeMap::new();
    let mut later_differs = false;
    for (index, file) in commits.iter().enumerate().rev() {
        if later_differs || file.version > checkpoint || index == 0 || index + 1 == commits.len() {
            let foreign = compare_commit(database, table, log, file).await?;
            later_differs = foreign.is_some();
            compared.insert(file.version, foreign);
        }
    }
    let diverged_at = compared.iter().find_map(|(version, foreign)| foreign.as_ref().map(|_| *version));
    if let Some(first) = diverged_at {
        let seen: BTreeSet<i64> = compared.keys().copied().collect();
        for file in commits.iter().filter(|file| file.version > first && !seen.contains(&file.version)) {
            compared.insert(file.version, compare_commit(database, table, log, file).await?);
        }
    }
    let mut foreign: Vec<ForeignCommit> = compared.into_values().flatten().collect();
    if diverged_at.is_some() {
        // Both sides: also what only the catalog has.
        let log_last = commits.last().map_or(last, |file| file.version);
        for version in log_last + 1..=last {
            let catalog = catalog_digest(database, table, version).await?.map(|digest| digest.summary());
            foreign.push(ForeignCommit { version, modified_ms: None, log: LogSide::Absent, catalog });
        }
    }
    if up_to.is_none() {
        for file in listing.commits(table.version + 1..=i64::MAX) {
            let log = match log_digest(log, &file.name).await {
                Ok(digest) => LogSide::Commit(digest.summary()),
                Err(error) => unreadable(error)?,
            };
            let modified_ms = Some(file.modified_ms);
            foreign.push(ForeignCommit { version: file.version, modified_ms, log, catalog: None });
        }
    }
    Ok(History { foreign, diverged_at, gap: gap(listing, up_to) })
}

/// The catalog's commit beside another one in the log; none when they are the same, or the catalog does not know its own.
async fn compare_commit(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    file: &LogFile,
) -> Result<Option<ForeignCommit>> {
    let Some(ours) = catalog_digest(database, table, file.version).await? else { return Ok(None) };
    let log = match log_digest(log, &file.name).await {
        Ok(theirs) if theirs.is_same(&ours) => return Ok(None),
        Ok(theirs) => LogSide::Commit(theirs.summary()),
        Err(error) => unreadable(error)?,
    };
    let (modified_ms, catalog) = (Some(file.modified_ms), Some(ours.summary()));
    Ok(Some(ForeignCommit { version: file.version, modified_ms, log, catalog }))
}

fn unreadable(error: Error) -> Result<LogSide> {
    if error.kind() == ErrorKind::Corrupt { Ok(LogSide::Unreadable(error)) } else { Err(error) }
}

/// The first version that a reader of the log misses: a compacted log is no commit.
fn gap(listing: &LogListing, up_to: Option<i64>) -> Option<i64> {
    let last = listing.latest_version()?.min(up_to.unwrap_or(i64::MAX));
    let readable = listing.newest_by_commits(last).unwrap_or(-1);
    (readable < last).then_some(readable + 1)
}
