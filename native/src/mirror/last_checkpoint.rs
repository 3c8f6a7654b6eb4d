//! `_last_checkpoint`: what it says of a checkpoint that is there, and putting it.

use std::io::Read;

use deltalakedb_core::action::Action;
use deltalakedb_core::log::{Checkpoint, CheckpointReader, LogFile, LogFileKind, read_commit_line};
use deltalakedb_core::mirror::{LastCheckpoint, LastV2Checkpoint};
use deltalakedb_core::snapshot::Snapshot;
use deltalakedb_core::{Error, ErrorKind, Result};

use crate::store::{Fetched, LogStore};

pub(super) const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// Of what others put there, no more bytes are read.
const LONGEST: u64 = 1 << 20;
/// Parquet's last bytes: the length of the footer before them, and a mark.
const END_BYTES: u64 = 8;

/// Puts `_last_checkpoint`, unless the one that is there names a newer checkpoint. One that cannot be read is replaced.
pub(super) async fn name_checkpoint(log: &LogStore, last: &LastCheckpoint) -> Result<()> {
    if named_checkpoint(log).await? > Some(last.version) {
        return Ok(());
    }
    log.put(LAST_CHECKPOINT, Fetched::Bytes(last.to_json()?.into())).await
}

/// The version that `_last_checkpoint` names; none where it is not there or cannot be read.
pub(super) async fn named_checkpoint(log: &LogStore) -> Result<Option<i64>> {
    let content = match log.fetch(LAST_CHECKPOINT).await {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    let read = content.into_reader().take(LONGEST).read_to_end(&mut text);
    read.map_err(|error| Error::new(ErrorKind::Unavailable, format!("reading {LAST_CHECKPOINT}: {error}")))?;
    Ok(serde_json::from_slice::<Version>(&text).ok().map(|named| named.version))
}

/// All that matters of what others wrote there.
#[derive(serde::Deserialize)]
struct Version {
    version: i64,
}

/// What is to be said of a checkpoint of a snapshot's version that is in the log, whoever wrote it: its files are asked
/// for their ends alone.
pub(super) async fn describe(log: &LogStore, there: &Checkpoint, state: &Snapshot) -> Result<LastCheckpoint> {
    let mut last = LastCheckpoint {
        version: there.version,
        num_of_add_files: Some(state.file_count),
        size_in_bytes: Some(there.files.iter().map(|file| file.size as i64).sum()),
        ..LastCheckpoint::default()
    };
    let [file, ..] = there.files.as_slice() else { return Ok(last) };
    match file.kind {
        LogFileKind::UuidCheckpointJson | LogFileKind::UuidCheckpointParquet => describe_v2(log, file, last).await,
        _ => {
            let is_part = matches!(file.kind, LogFileKind::CheckpointPart { .. });
            last.parts = is_part.then_some(there.files.len() as i64);
            let mut schema = String::new();
            for file in &there.files {
                let (rows, of_file) = footer(log, &file.name, file.size).await?;
                last.size += rows;
                schema = of_file;
            }
            Ok(last.with_schema(&schema))
        }
    }
}

async fn describe_v2(log: &LogStore, file: &LogFile, mut last: LastCheckpoint) -> Result<LastCheckpoint> {
    let (count, others) = read_v2(log, file).await?;
    last.size = count;
    for action in &others {
        if let Action::Sidecar(sidecar) = action {
            let size = sidecar.size_in_bytes;
            let name = format!("_sidecars/{}", sidecar.path.rsplit('/').next().unwrap_or_default());
            last.size += footer(log, &name, size.unsigned_abs()).await?.0;
            last.size_in_bytes = last.size_in_bytes.map(|bytes| bytes.saturating_add(size));
        }
    }
    let v2 = LastV2Checkpoint::of_actions(file.name.clone(), file.size as i64, file.modified_ms, &others);
    last.v2_checkpoint = Some(v2);
    Ok(last)
}

/// How many actions the file of a V2 checkpoint has, and those that are of no file.
async fn read_v2(log: &LogStore, file: &LogFile) -> Result<(i64, Vec<Action>)> {
    let content = log.fetch(&file.name).await?;
    let (mut count, mut others) = (0, Vec::new());
    let mut see = |actions: Vec<Action>| {
        count += actions.len() as i64;
        others.extend(actions.into_iter().filter(|action| !matches!(action, Action::Add(_) | Action::Remove(_))));
    };
    if file.kind == LogFileKind::UuidCheckpointJson {
        content.for_each_line(|number, line| {
            let mut actions = Vec::new();
            read_commit_line(&file.name, number, line, &mut actions)?;
            see(actions);
            Ok(())
        })?;
    } else {
        for actions in content.checkpoint(&file.name)? {
            see(actions?);
        }
    }
    Ok((count, others))
}

/// The number of rows and the schema of a Parquet file of this size in bytes, by its footer.
async fn footer(log: &LogStore, name: &str, size: u64) -> Result<(i64, String)> {
    let end = log.tail(name, size, END_BYTES).await?;
    let length = end.first_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    let end = log.tail(name, size, (length + END_BYTES).min(size)).await?;
    CheckpointReader::footer(name, end.into()).map_err(|error| error.context(log.url()))
}
