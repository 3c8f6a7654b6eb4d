//! `_last_checkpoint`: what it says of a checkpoint that is there, and putting it.

use deltalakedb_core::action::Action;
use deltalakedb_core::log::{Checkpoint, CheckpointReader, LogFile, LogFileKind, LogListing, read_commit_line};
use deltalakedb_core::mirror::{LastCheckpoint, LastV2Checkpoint};
use deltalakedb_core::{ErrorKind, Result};

use crate::store::{Fetched, LogStore};

pub(super) const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// Parquet's last bytes: the length of the footer before them, and a mark.
const END_BYTES: u64 = 8;

/// What matters of the checkpoint that `_last_checkpoint` names, whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct NamedCheckpoint {
    pub(crate) version: i64,
    /// How many files it has, where it is one of several parts.
    parts: Option<i64>,
}

impl NamedCheckpoint {
    /// Whether it is in a log, with all its parts. A checkpoint is named after it was written, so that of a log that is
    /// listed after the name was read one can tell.
    pub(crate) fn is_in(&self, listing: &LogListing) -> bool {
        let files = self.parts.unwrap_or(1);
        listing.checkpoints_of(self.version).any(|there| i64::try_from(there.files.len()) == Ok(files))
    }

    /// Whether readers of a log that begin with it find a checkpoint: where it is not there, a newer one serves as well.
    pub(crate) fn leads_to_one_in(&self, listing: &LogListing) -> bool {
        self.is_in(listing) || listing.checkpoint_version() > Some(self.version)
    }
}

/// Puts `_last_checkpoint`, unless the one that is there names a newer checkpoint that is there, too. One that cannot be
/// read is replaced.
pub(super) async fn name_checkpoint(log: &LogStore, last: &LastCheckpoint) -> Result<()> {
    let newer = named_checkpoint(log).await?.filter(|named| named.version > last.version);
    if let Some(newer) = newer
        && newer.is_in(&LogListing::new(log.list().await?))
    {
        return Ok(());
    }
    log.put(LAST_CHECKPOINT, Fetched::Bytes(last.to_json()?.into())).await
}

/// What `_last_checkpoint` names; none when there is no such file, or it cannot be read.
pub(crate) async fn named_checkpoint(log: &LogStore) -> Result<Option<NamedCheckpoint>> {
    let there = match log.fetch_small(LAST_CHECKPOINT).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => None,
        there => there?,
    };
    Ok(there.and_then(|there| serde_json::from_slice(&there).ok()))
}

/// What is to be said of a checkpoint that is in the log, of so many files of the table, whoever wrote it: its own files are
/// asked for their ends alone.
pub(super) async fn describe(log: &LogStore, there: &Checkpoint, file_count: Option<i64>) -> Result<LastCheckpoint> {
    let mut last = LastCheckpoint {
        version: there.version,
        num_of_add_files: file_count,
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
        content.for_each_line(&file.name, |number, line| {
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
pub(super) async fn footer(log: &LogStore, name: &str, size: u64) -> Result<(i64, String)> {
    let end = log.tail(name, size, END_BYTES).await?;
    let length = end.first_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    let end = log.tail(name, size, (length + END_BYTES).min(size)).await?;
    CheckpointReader::footer(name, end.into()).map_err(|error| error.context(log.url()))
}
