//! What a log has of a table, and what it lacks.

use deltalakedb_core::action::Protocol;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::LogListing;
use deltalakedb_core::mirror::{due_compaction, read_commit};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::{check_publishable, has_writer_feature};
use deltalakedb_core::{Error, ErrorKind, Result};

use super::last_checkpoint::{LAST_CHECKPOINT, named_checkpoint};
use super::whole::{check_has_sidecars, check_is_whole, named_sidecars};
use crate::import::{Disagreement, disagreement};
use crate::store::LogStore;

/// What a look at a log found.
pub(super) struct Look {
    /// The table as the catalog has it: at least all that the log had.
    pub(super) state: Snapshot,
    /// The versions that the log lacks, in order.
    pub(super) missing: Vec<i64>,
    /// The history begins with a state, of which the log has no checkpoint yet.
    pub(super) needs_first_checkpoint: bool,
    pub(super) newest_checkpoint: Option<i64>,
    /// Whether `_last_checkpoint` names a checkpoint that is there, or there is neither.
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
    // The name before the log: whoever names a checkpoint has written it. Where it cannot be fetched, upkeep finds that, too,
    // and tells it; versions are published without it.
    let named = named_checkpoint(log).await;
    // The log before the catalog: what other mirrors write after this look is no reason to think that the log is ahead.
    let objects = log.list().await?;
    let state = snapshot(database, &TableSelector::Key(table), At::Latest).await?;
    let table = &state.table;
    check_publishable(&state.protocol)?;
    let has_name = objects.iter().any(|(name, ..)| name == LAST_CHECKPOINT);
    let listing = LogListing::new(objects);
    let newest_checkpoint = listing.checkpoint_version();
    let is_checkpoint_named = match named {
        Ok(Some(named)) => named.is_in(&listing),
        Ok(None) => !has_name && newest_checkpoint.is_none(),
        Err(_) => false,
    };
    let (needs_first_checkpoint, first) = match listing.latest_version() {
        None => (begins_with_a_state(database, table).await?, table.earliest_version),
        Some(latest) => {
            check_same_table(database, table, log, &listing).await?;
            check_not_ahead(table, log, latest)?;
            check_checkpoint_is_whole(log, &listing, latest, &state.protocol).await?;
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
async fn check_checkpoint_is_whole(
    log: &LogStore,
    listing: &LogListing,
    latest: i64,
    protocol: &Protocol,
) -> Result<()> {
    let Some(checkpoint) = listing.newest_checkpoint(latest) else { return Ok(()) };
    check_is_whole(log, checkpoint).await?;
    // Without the feature no checkpoint has sidecars (protocol section "V2 Checkpoint Table Feature").
    match has_writer_feature(protocol, "v2Checkpoint") {
        true => match named_sidecars(log, checkpoint).await {
            // What is in a checkpoint is not looked at here but for this: `dl verify` reads it.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(()),
            named => check_has_sidecars(log, checkpoint, &named?).await,
        },
        false => Ok(()),
    }
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
