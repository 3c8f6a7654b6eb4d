//! Writing the checkpoints that are due.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use deltalakedb_core::action::Metadata;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::checkpoint_file_name;
use deltalakedb_core::mirror::{
    CheckpointState, CheckpointSummary, CheckpointWriter, LastCheckpoint, StateCursor, UnknownFields,
    has_unknown_fields, state_actions,
};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::{PAGE, no_space, temporary_file};
use crate::store::{Fetched, LogStore, Put};

pub(super) const LAST_CHECKPOINT: &str = "_last_checkpoint";
const CHECKPOINT_INTERVAL: &str = "delta.checkpointInterval";
/// Commits between checkpoints, where the table does not say (protocol section "Table Properties").
const DEFAULT_CHECKPOINT_INTERVAL: i64 = 10;

/// The newest version at which a checkpoint is due.
pub(super) fn due_checkpoint(state: &Snapshot) -> i64 {
    state.version - state.version % checkpoint_interval(&state.metadata)
}

fn checkpoint_interval(metadata: &Metadata) -> i64 {
    let interval = metadata.configuration.value(CHECKPOINT_INTERVAL).and_then(|text| text.trim().parse().ok());
    interval.filter(|&interval| interval > 0).unwrap_or(DEFAULT_CHECKPOINT_INTERVAL)
}

/// Writes the checkpoint of a version, unless it is there, and names it in `_last_checkpoint`.
pub(super) async fn write_checkpoint(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    version: i64,
    now_ms: i64,
) -> Result<()> {
    let state = snapshot(database, &TableSelector::Key(table.key), At::Version(version)).await?;
    let timestamp_ms = state.timestamp_ms;
    // Few tables have fields that the protocol does not name; the first one that is met makes the file anew.
    let written = match checkpoint_file(database, state.clone(), now_ms, UnknownFields::Absent).await? {
        Some(written) => Some(written),
        None => checkpoint_file(database, state, now_ms, UnknownFields::Kept).await?,
    };
    let (mut file, summary) = written.ok_or_else(|| Error::new(ErrorKind::Internal, "a checkpoint kept nothing"))?;
    let size_in_bytes = file.stream_position().map_err(no_space)?;
    file.seek(SeekFrom::Start(0)).map_err(no_space)?;
    let name = checkpoint_file_name(version);
    let size_in_bytes = match log.put_if_absent(&name, Fetched::File(file), timestamp_ms).await? {
        Put::Written => Some(size_in_bytes),
        // Another mirror was first; of its file the content is known, which is the same.
        Put::AlreadyThere => log.list().await?.into_iter().find(|(there, ..)| *there == name).map(|(_, size, _)| size),
    };
    let last = LastCheckpoint {
        version,
        size: summary.actions,
        size_in_bytes: size_in_bytes.and_then(|size| i64::try_from(size).ok()),
        num_of_add_files: Some(summary.add_files),
    };
    let text = serde_json::to_vec(&last).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    log.put(LAST_CHECKPOINT, Fetched::Bytes(text.into())).await
}

/// The checkpoint of a snapshot; nothing when fields are met that `unknown_fields` has no place for.
async fn checkpoint_file(
    database: &impl Database,
    state: Snapshot,
    now_ms: i64,
    unknown_fields: UnknownFields,
) -> Result<Option<(File, CheckpointSummary)>> {
    let mut state = CheckpointState::new(state, now_ms);
    let mut writer = CheckpointWriter::new(temporary_file()?, unknown_fields)?;
    let mut cursor = Some(StateCursor::Head);
    while let Some(at) = cursor {
        let (actions, next) = state_actions(database, &mut state, at, PAGE).await?;
        if unknown_fields == UnknownFields::Absent && actions.iter().any(has_unknown_fields) {
            return Ok(None);
        }
        writer.write(&actions)?;
        cursor = next;
    }
    writer.finish().map(Some)
}
