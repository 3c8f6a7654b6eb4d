//! Deleting what a log no longer needs.

use std::collections::HashSet;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::{LogFileKind, parse_file_name};
use deltalakedb_core::mirror::{cleanup_cutoff_ms, newest_version_at, orphaned_sidecars, plan_cleanup};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::cleanup_floor;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::last_checkpoint::named_version;
use super::look::check_is_whole;
use crate::import::read_actions;
use crate::log_reader::sidecar_name;
use crate::store::{LogStore, listed};

const SIDECARS: &str = "_sidecars";

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
    let Some(cutoff_ms) = cleanup_cutoff_ms(&state.metadata, now_ms) else { return Ok(Vec::new()) };
    let Some(cutoff) = newest_version_at(database, &state.table, cutoff_ms).await? else { return Ok(Vec::new()) };
    // Readers that follow it must find its checkpoint.
    let Some(named) = named_version(log).await? else { return Ok(Vec::new()) };
    let Some(cleanup) = plan_cleanup(&log.list().await?, cutoff.min(named), floor) else { return Ok(Vec::new()) };

    check_is_whole(log, &cleanup.checkpoint).await?;
    check_has_sidecars(log, &cleanup.checkpoint.files[0].name).await.map_err(listed)?;
    let mut deleted = cleanup.deletions;
    for name in &deleted {
        log.delete(name).await?;
    }
    if cleanup.deletes_checkpoints {
        deleted.extend(delete_orphaned_sidecars(log, now_ms).await?);
    }
    Ok(deleted)
}

async fn check_has_sidecars(log: &LogStore, checkpoint: &str) -> Result<()> {
    let named = sidecars_of(log, checkpoint).await?;
    if named.is_empty() {
        return Ok(());
    }
    let there: HashSet<String> = log.list_in(SIDECARS).await?.into_iter().map(|(name, ..)| name).collect();
    match named.iter().find(|name| !there.contains(*name)) {
        None => Ok(()),
        Some(name) => Err(Error::corrupt(format!(
            "the checkpoint {checkpoint} in {} names the sidecar {name}, which is not there",
            log.url()
        ))
        .path(checkpoint)
        .hint("delete the checkpoint where the commits since an older one are there. Nothing was deleted")),
    }
}

/// The names of the sidecars that a checkpoint's file names.
async fn sidecars_of(log: &LogStore, checkpoint: &str) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    let mut see = |actions: &[Action]| -> Result<()> {
        for action in actions {
            if let Action::Sidecar(sidecar) = action {
                names.insert(sidecar_name(&sidecar.path)?.trim_start_matches("_sidecars/").to_owned());
            }
        }
        Ok(())
    };
    match parse_file_name(checkpoint) {
        Some((_, LogFileKind::UuidCheckpointJson)) => see(&read_actions(log.fetch(checkpoint).await?, checkpoint)?)?,
        Some((_, LogFileKind::UuidCheckpointParquet | LogFileKind::ClassicCheckpoint)) => {
            for actions in log.fetch(checkpoint).await?.sidecars(checkpoint)? {
                see(&actions?)?;
            }
        }
        // The protocol has no sidecars of the parts of a checkpoint.
        _ => {}
    }
    Ok(names)
}

async fn delete_orphaned_sidecars(log: &LogStore, now_ms: i64) -> Result<Vec<String>> {
    let sidecars = log.list_in(SIDECARS).await?;
    if orphaned_sidecars(&sidecars, &HashSet::new(), now_ms).is_empty() {
        return Ok(Vec::new());
    }
    let mut named = HashSet::new();
    for (name, ..) in log.list().await? {
        match sidecars_of(log, &name).await {
            Ok(sidecars) => named.extend(sidecars),
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
