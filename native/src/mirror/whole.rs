//! Whether the checkpoint that readers begin with is whole, by the ends and sizes of its files.

use std::collections::HashMap;

use deltalakedb_core::action::Action;
use deltalakedb_core::log::{Checkpoint, LogFile, LogFileKind, parse_file_name};
use deltalakedb_core::{Error, Result};

use super::last_checkpoint::footer;
use crate::import::read_actions;
use crate::log_reader::sidecar_name;
use crate::store::{LogStore, listed};

/// What every Parquet file ends with.
const PARQUET_END: &[u8] = b"PAR1";

/// The folder of sidecars in a log.
pub(super) const SIDECARS: &str = "_sidecars";

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

/// The names of the sidecars that a checkpoint names, and their bytes.
pub(super) async fn named_sidecars(log: &LogStore, checkpoint: &Checkpoint) -> Result<HashMap<String, i64>> {
    let [file] = checkpoint.files.as_slice() else { return Ok(HashMap::new()) };
    if !may_have_sidecars(log, file).await.map_err(listed)? {
        return Ok(HashMap::new());
    }
    sidecars_of(log, &file.name).await.map_err(listed)
}

/// Whether the sidecars that a checkpoint names are there, with their sizes.
pub(super) async fn check_has_sidecars(
    log: &LogStore,
    checkpoint: &Checkpoint,
    named: &HashMap<String, i64>,
) -> Result<()> {
    let Some(file) = checkpoint.files.first().filter(|_| !named.is_empty()) else { return Ok(()) };
    let there: HashMap<String, u64> =
        log.list_in(SIDECARS).await?.into_iter().map(|(name, size, _)| (name, size)).collect();
    let mut problems = named.iter().filter_map(|(name, &size)| match there.get(name) {
        None => Some(format!("the sidecar {name}, which is not there")),
        Some(&found) if i64::try_from(found) != Ok(size) => {
            Some(format!("the sidecar {name} of {size} bytes, which has {found}"))
        }
        Some(_) => None,
    });
    match problems.next() {
        None => Ok(()),
        Some(problem) => Err(Error::corrupt(format!("the checkpoint {} in {} names {problem}", file.name, log.url()))
            .version(file.version)
            .path(&file.name)
            .hint("delete the checkpoint where the commits since an older one are there. Nothing was changed")),
    }
}

/// Of a classic checkpoint, which may be large, the footer says whether it names sidecars.
async fn may_have_sidecars(log: &LogStore, file: &LogFile) -> Result<bool> {
    match file.kind {
        LogFileKind::UuidCheckpointJson => Ok(true),
        LogFileKind::UuidCheckpointParquet | LogFileKind::ClassicCheckpoint => {
            let (_, schema) = footer(log, &file.name, file.size).await?;
            Ok(schema.contains("\"name\":\"sidecar\""))
        }
        // The protocol has no sidecars of the parts of a checkpoint.
        _ => Ok(false),
    }
}

/// The names of the sidecars that a checkpoint's file names, and their bytes.
pub(super) async fn sidecars_of(log: &LogStore, checkpoint: &str) -> Result<HashMap<String, i64>> {
    let mut named = HashMap::new();
    let mut see = |actions: &[Action]| -> Result<()> {
        for action in actions {
            if let Action::Sidecar(sidecar) = action {
                let name = sidecar_name(&sidecar.path)?;
                named.insert(name.trim_start_matches("_sidecars/").to_owned(), sidecar.size_in_bytes);
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
    Ok(named)
}
