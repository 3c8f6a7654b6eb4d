//! Writing the checkpoints that are due.
//!
//! The files of a checkpoint go out before the one that completes it: sidecars before the file that names them, and
//! `_last_checkpoint` after all. A run that is killed leaves sidecars that no checkpoint names, or some parts of a
//! checkpoint, which readers pass over for that.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use deltalakedb_core::Result;
use deltalakedb_core::action::Metadata;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::{
    LogListing, MAX_VERSION, checkpoint_file_name, checkpoint_part_file_name, sidecar_file_name,
    v2_checkpoint_file_name,
};
use deltalakedb_core::mirror::{
    CheckpointForm, CheckpointState, CheckpointWriter, LastCheckpoint, LastV2Checkpoint, StateCursor, UnknownFields,
    WrittenCheckpoint, content_id, has_unknown_fields, state_actions, tombstone_count, v2_checkpoint,
};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Database;

use super::last_checkpoint::{LAST_CHECKPOINT, describe, name_checkpoint, named_checkpoint};
use super::{Paths, no_space, temporary_file};
use crate::store::{Fetched, LogStore, Put};

const CHECKPOINT_INTERVAL: &str = "delta.checkpointInterval";
/// Commits between checkpoints, where the table does not say (protocol section "Table Properties").
const DEFAULT_CHECKPOINT_INTERVAL: i64 = 10;
/// Actions that are in memory at once; twice as many while the next ones are read.
const PAGE: usize = 4096;

/// The newest version at which a checkpoint is due.
pub(super) fn due_checkpoint(state: &Snapshot) -> i64 {
    state.version - state.version % checkpoint_interval(&state.metadata)
}

fn checkpoint_interval(metadata: &Metadata) -> i64 {
    let interval = metadata.configuration.value(CHECKPOINT_INTERVAL).and_then(|text| text.trim().parse().ok());
    interval.filter(|&interval| interval > 0).unwrap_or(DEFAULT_CHECKPOINT_INTERVAL)
}

/// Writes the checkpoint of a version in the form that the table asks for, unless there is one, and names it in
/// `_last_checkpoint`, unless that names a newer one that is there.
pub(super) async fn write_checkpoint(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    version: i64,
    now_ms: i64,
) -> Result<()> {
    write_checkpoint_with(database, table, log, version, now_ms, Paths::AsStored).await
}

/// The same, with its paths in this form.
pub(super) async fn write_checkpoint_with(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    version: i64,
    now_ms: i64,
    paths: Paths,
) -> Result<()> {
    let state = snapshot(database, &TableSelector::Key(table.key), At::Version(version)).await?;
    let last = match LogListing::new(log.list().await?).checkpoint(version) {
        Some(there) => describe(log, there, Some(state.file_count)).await?,
        None => write_files(database, &state, log, now_ms, paths).await?,
    };
    name_checkpoint(log, &last).await
}

/// Lets `_last_checkpoint` name the newest checkpoint that is there, unless it names one that is. Where there is none the file
/// goes: readers look without it.
pub(super) async fn name_newest_checkpoint(database: &impl Database, table: &Table, log: &LogStore) -> Result<()> {
    let named = named_checkpoint(log).await?;
    let listing = LogListing::new(log.list().await?);
    if named.is_some_and(|named| named.is_in(&listing)) {
        return Ok(());
    }
    let Some(newest) = listing.newest_checkpoint(MAX_VERSION) else { return log.delete(LAST_CHECKPOINT).await };
    // Another writer's may be of a version before those that the catalog knows.
    let file_count = match (table.earliest_version..=table.version).contains(&newest.version) {
        true => Some(snapshot(database, &TableSelector::Key(table.key), At::Version(newest.version)).await?.file_count),
        false => None,
    };
    let last = describe(log, newest, file_count).await?;
    name_checkpoint(log, &last).await
}

async fn write_files(
    database: &impl Database,
    snapshot: &Snapshot,
    log: &LogStore,
    now_ms: i64,
    paths: Paths,
) -> Result<LastCheckpoint> {
    // A clock that is ahead must not forget a removed file that is still read.
    let state = CheckpointState::new(snapshot.clone(), now_ms.min(snapshot.timestamp_ms));
    let file_actions = snapshot.file_count + tombstone_count(database, &state).await?;
    let mut form = CheckpointForm::of(&snapshot.metadata, &snapshot.protocol, file_actions)?;
    let mut unknown_fields = UnknownFields::Absent;
    let written = loop {
        match checkpoint_files(database, state.clone(), form.clone(), unknown_fields, paths).await? {
            Files::Written(written) => break written,
            Files::UnknownFields => unknown_fields = UnknownFields::Kept,
            Files::OddPartitionValue => form = form.without_partition_values_parsed(),
        }
    };
    if form.has_sidecars() {
        return publish_sidecars(log, snapshot.version, now_ms, written).await;
    }
    let schema = written.files.first().map(|(_, file)| file.schema.clone()).unwrap_or_default();
    let last = LastCheckpoint {
        version: snapshot.version,
        size: written.actions(),
        parts: (written.files.len() > 1).then_some(written.files.len() as i64),
        size_in_bytes: Some(written.size_in_bytes()),
        num_of_add_files: Some(written.add_files()),
        ..LastCheckpoint::default()
    }
    .with_schema(&schema);
    if publish_files(log, snapshot, written).await? == Put::Written {
        return Ok(last);
    }
    // Another mirror was first, or this one in an earlier run that was killed: it is the same state, but tombstones may
    // have expired since.
    let there = match LogListing::new(log.list().await?).checkpoint(snapshot.version) {
        Some(there) => describe(log, there, Some(snapshot.file_count)).await?,
        None => return Ok(last),
    };
    let measures = |last: &LastCheckpoint| (last.size, last.parts, last.size_in_bytes);
    Ok(if measures(&there) == measures(&last) { last } else { there })
}

/// What came of writing a checkpoint's files. Few tables have actions that have no place in them; the first one that is met
/// makes the files anew.
enum Files {
    Written(WrittenCheckpoint<File>),
    /// Fields that the protocol does not name.
    UnknownFields,
    /// A partition value that `partitionValues_parsed` could only tell as null.
    OddPartitionValue,
}

/// The files of a checkpoint in this form.
async fn checkpoint_files(
    database: &impl Database,
    mut state: CheckpointState,
    form: CheckpointForm,
    unknown_fields: UnknownFields,
    paths: Paths,
) -> Result<Files> {
    let location = state.snapshot().table.location.clone();
    let mut writer = CheckpointWriter::new(form.clone(), unknown_fields, temporary_file)?;
    let (mut actions, mut cursor) = state_actions(database, &mut state, StateCursor::Head, PAGE).await?;
    loop {
        paths.write_in(&mut actions, &location)?;
        if unknown_fields == UnknownFields::Absent && actions.iter().any(has_unknown_fields) {
            return Ok(Files::UnknownFields);
        }
        if actions.iter().any(|action| form.lacks_partition_value(action)) {
            return Ok(Files::OddPartitionValue);
        }
        let Some(at) = cursor else {
            writer.write(&actions)?;
            return writer.finish().map(Files::Written);
        };
        // The database reads the next page while this one is written.
        let write = async { writer.write(&actions) };
        let (next, written) = futures::future::join(state_actions(database, &mut state, at, PAGE), write).await;
        written?;
        (actions, cursor) = next?;
    }
}

/// The only file, or the parts. Whether all of them were written, or some were there.
async fn publish_files(log: &LogStore, snapshot: &Snapshot, written: WrittenCheckpoint<File>) -> Result<Put> {
    let parts = written.files.len();
    let mut all = Put::Written;
    for (index, (file, _)) in written.files.into_iter().enumerate() {
        let name = match parts {
            1 => checkpoint_file_name(snapshot.version),
            _ => checkpoint_part_file_name(snapshot.version, index + 1, parts),
        };
        if log.put_if_absent(&name, from_start(file)?, snapshot.timestamp_ms).await? == Put::AlreadyThere {
            all = Put::AlreadyThere;
        }
    }
    Ok(all)
}

/// The sidecars, then the file that names them. Their time is that of writing, by which cleaners of old files go.
async fn publish_sidecars(
    log: &LogStore,
    version: i64,
    now_ms: i64,
    mut written: WrittenCheckpoint<File>,
) -> Result<LastCheckpoint> {
    let mut names = Vec::new();
    for (file, summary) in &mut written.files {
        let name = sidecar_file_name(summary.content_id(now_ms));
        // One of that name has the same content.
        log.put_if_absent(&name, from_start(file.try_clone().map_err(no_space)?)?, now_ms).await?;
        names.push(name.rsplit('/').next().unwrap_or_default().to_owned());
    }
    let actions = v2_checkpoint(version, now_ms, &written, &names)?;
    let lines: String = actions.iter().map(|action| action.to_json() + "\n").collect();
    let name = v2_checkpoint_file_name(version, content_id(lines.as_bytes(), now_ms));
    let size_in_bytes = lines.len() as i64;
    log.put_if_absent(&name, Fetched::Bytes(lines.into()), now_ms).await?;
    Ok(LastCheckpoint {
        version,
        size: written.actions() + actions.len() as i64,
        size_in_bytes: Some(written.size_in_bytes() + size_in_bytes),
        num_of_add_files: Some(written.add_files()),
        v2_checkpoint: Some(LastV2Checkpoint::of_actions(name, size_in_bytes, now_ms, &actions)),
        ..LastCheckpoint::default()
    })
}

fn from_start(mut file: File) -> Result<Fetched> {
    file.seek(SeekFrom::Start(0)).map_err(no_space)?;
    Ok(Fetched::File(file))
}
