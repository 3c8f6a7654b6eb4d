//! Deleting what a log no longer needs.

use std::collections::HashSet;

use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::mirror::{cleanup_cutoff_ms, newest_version_at, orphaned_sidecars, plan_cleanup};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::cleanup_floor;
use deltalakedb_core::{ErrorKind, Result};

use super::last_checkpoint::{LAST_CHECKPOINT, named_checkpoint};
use super::whole::{SIDECARS, check_has_sidecars, check_is_whole, named_sidecars, sidecars_of};
use crate::store::LogStore;

/// Cleans up a log, which the caller knows to be the table's: deletes commits, checksums, compacted logs and checkpoints
/// whose versions were replaced longer ago than `delta.logRetentionDuration`, where a checkpoint that stays covers them, and
/// sidecars that no checkpoint names. The catalog keeps its history. The times of versions are the catalog's.
///
/// It may be killed at any point, and run in several copies; whatever is left can be read. The answer is what was deleted;
/// nothing when the table says `delta.enableExpiredLogCleanup = false`, its features may need its old files, or there is
/// nothing to do.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) when the checkpoint that would stay is not whole: then nothing is deleted; those of the
/// database and the store.
pub(crate) async fn clean_up(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    now_ms: i64,
) -> Result<Vec<String>> {
    let state = snapshot(database, &TableSelector::Key(table.key), At::Latest).await?;
    let Some(floor) = cleanup_floor(&state.metadata, &state.protocol) else { return Ok(Vec::new()) };
    // Readers that follow it must find its checkpoint.
    let Some(named) = named_checkpoint(log).await? else { return Ok(Vec::new()) };
    let objects = log.list().await?;
    let now_ms = now_ms.min(named_at_ms(&objects).unwrap_or(now_ms));
    let Some(cutoff_ms) = cleanup_cutoff_ms(&state.metadata, now_ms) else { return Ok(Vec::new()) };
    let Some(cutoff) = newest_version_at(database, &state.table, cutoff_ms).await? else { return Ok(Vec::new()) };
    let Some(cleanup) = plan_cleanup(&objects, cutoff.min(named.version), floor) else {
        return Ok(Vec::new());
    };

    check_is_whole(log, &cleanup.checkpoint).await?;
    let named = named_sidecars(log, &cleanup.checkpoint).await?;
    check_has_sidecars(log, &cleanup.checkpoint, &named).await?;
    let mut deleted = cleanup.deletions;
    for name in &deleted {
        log.delete(name).await?;
    }
    if cleanup.deletes_checkpoints {
        deleted.extend(delete_orphaned_sidecars(log, now_ms).await?);
    }
    Ok(deleted)
}

/// When the log's newest checkpoint was named, by the clock of the store. It was so moments ago where the clean-up follows a
/// checkpoint of its own; a clock here that is ahead of it must not delete what is young.
fn named_at_ms(objects: &[(String, u64, i64)]) -> Option<i64> {
    objects.iter().find(|(name, ..)| name == LAST_CHECKPOINT).map(|(_, _, modified_ms)| *modified_ms)
}

async fn delete_orphaned_sidecars(log: &LogStore, now_ms: i64) -> Result<Vec<String>> {
    let sidecars = log.list_in(SIDECARS).await?;
    if orphaned_sidecars(&sidecars, &HashSet::new(), now_ms).is_empty() {
        return Ok(Vec::new());
    }
    let mut named = HashSet::new();
    for (name, ..) in log.list().await? {
        match sidecars_of(log, &name).await {
            Ok(sidecars) => named.extend(sidecars.into_keys()),
            // Another clean-up was first.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut deleted = Vec::new();
    for name in orphaned_sidecars(&sidecars, &named, now_ms) {
        let name = format!("{SIDECARS}/{name}");
        log.delete(&name).await?;
        deleted.push(name);
    }
    Ok(deleted)
}
