//! What a log has of a table, and what it lacks.

use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::{Checkpoint, LogFileKind, LogListing};
use deltalakedb_core::mirror::{due_compaction, read_commit};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::check_publishable;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::last_checkpoint::{LAST_CHECKPOINT, named_version};
use crate::import::{Disagreement, disagreement};
use crate::store::{LogStore, listed};

/// What every Parquet file ends with.
const PARQUET_END: &[u8] = b"PAR1";

/// What a look at a log found.
pub(super) struct Look {
    /// The table as the catalog has it: at least all that the log had.
    pub(super) state: Snapshot,
    /// The versions that the log lacks, in order.
    pub(super) missing: Vec<i64>,
    /// The history begins with a state, of which the log has no checkpoint yet.
    pub(super) needs_first_checkpoint: bool,
    pub(super) newest_checkpoint: Option<i64>,
    /// Whether `_last_checkpoint` is there, and says of which version.
    pub(super) is_checkpoint_named: bool,
    /// The last version of the compacted log that is due, where that is there.
    pub(super) compacted: Option<i64>,
    pub(super) newest_checksum: Option<i64>,
}

/// Compares a log with the catalog.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when the log is another one's or goes on past the catalog;
/// [`Corrupt`](ErrorKind::Corrupt) when a checkpoint in it is not whole; those of the database and the store.
pub(super) async fn look(database: &impl Database, table: i64, log: &LogStore) -> Result<Look> {
    // The log before the catalog: what other mirrors write after this look is no reason to think that the log is ahead.
    let objects = log.list().await?;
    let state = snapshot(database, &TableSelector::Key(table), At::Latest).await?;
    let table = &state.table;
    check_publishable(&state.protocol)?;
    // Where it cannot be fetched, upkeep finds that, too, and tells it; versions are published without it.
    let is_checkpoint_named = objects.iter().any(|(name, ..)| name == LAST_CHECKPOINT)
        && named_version(log).await.is_ok_and(|named| named.is_some());
    let listing = LogListing::new(objects);
    let newest_checkpoint = listing.checkpoint_version();
    let (needs_first_checkpoint, first) = match listing.latest_version() {
        None => (begins_with_a_state(database, table).await?, table.earliest_version),
        Some(latest) => {
            check_same_table(database, table, log, &listing).await?;
            check_not_ahead(table, log, latest)?;
            check_checkpoint_is_whole(log, &listing, latest).await?;
            // A run that was killed between its first commit and the checkpoint that it stands on.
            let needs_first_checkpoint = newest_checkpoint.is_none()
                && listing.first_commit() >= Some(table.earliest_version)
                && begins_with_a_state(database, table).await?;
            let first = match newest_checkpoint {
                _ if needs_first_checkpoint => table.earliest_version,
                // The checkpoint's own commit, too, where the catalog has it.
                Some(version) if version < table.earliest_version => version + 1,
                Some(version) => version,
                None => 0,
            };
            (needs_first_checkpoint, first)
        }
    };
    let missing: Vec<i64> = (first..=table.version).filter(|&version| listing.commit(version).is_none()).collect();
    check_known(table, log, &missing)?;
    let compaction = due_compaction(&state, newest_checkpoint);
    let compacted = compaction.filter(|&(from, to)| listing.has_compacted(from, to)).map(|(_, to)| to);
    let newest_checksum = listing.newest_checksum(state.version);
    Ok(Look {
        missing,
        needs_first_checkpoint,
        newest_checkpoint,
        is_checkpoint_named,
        compacted,
        newest_checksum,
        state,
    })
}

/// Whether the catalog knows the table's first version as a state, and not by the commits that led to it.
async fn begins_with_a_state(database: &impl Database, table: &Table) -> Result<bool> {
    Ok(table.earliest_version > 0 || !read_commit(database, table, 0).await?.is_known)
}

/// The log must be one of this table, and tell the same of the oldest and the newest version that both have.
async fn check_same_table(database: &impl Database, table: &Table, log: &LogStore, listing: &LogListing) -> Result<()> {
    match disagreement(database, table, log, listing).await? {
        None => Ok(()),
        Some(Disagreement { version, text, is_other_table }) => {
            let hint = match is_other_table {
                true => "nothing was written; mirror to another folder, or import that log under another name",
                false => "nothing was written; `dl diff` shows both sides, and with --resolve one of them wins",
            };
            let text = format!("the log at {} is another one: {text}", log.url());
            Err(Error::new(ErrorKind::Conflict, text).version(version).hint(hint))
        }
    }
}

/// Commits on top of half a checkpoint could not be read.
async fn check_checkpoint_is_whole(log: &LogStore, listing: &LogListing, latest: i64) -> Result<()> {
    match listing.newest_checkpoint(latest) {
        Some(checkpoint) => check_is_whole(log, checkpoint).await,
        None => Ok(()),
    }
}

/// Whether the files of a checkpoint end as they should.
pub(super) async fn check_is_whole(log: &LogStore, checkpoint: &Checkpoint) -> Result<()> {
    for file in checkpoint.files.iter().filter(|file| file.kind != LogFileKind::UuidCheckpointJson) {
        let end = log.tail(&file.name, file.size, PARQUET_END.len() as u64).await.map_err(listed)?;
        if end != PARQUET_END {
            return Err(Error::corrupt(format!("the checkpoint {} in {} is not whole", file.name, log.url()))
                .version(file.version)
                .path(&file.name)
                .hint("delete it; the next `dl mirror` writes one when it is due. Nothing was changed"));
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
