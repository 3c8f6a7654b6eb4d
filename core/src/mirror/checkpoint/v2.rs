//! The file of a V2 checkpoint that names its sidecars (protocol section "V2 Spec").

use serde_json::json;
use twox_hash::XxHash3_128;
use uuid::{Builder, Uuid};

use super::{CheckpointSummary, WrittenCheckpoint};
use crate::action::{Action, Extra, Json, Sidecar};
use crate::{Error, ErrorKind, Result};

/// Longer schemas are left to the files themselves, as in Delta-Spark.
pub(super) const MAX_SCHEMA_BYTES: usize = 20_000;

/// A name for a sidecar, or for the file that names it: of what is in it, and of the time at which it is written. So one
/// content has one name in a run, a later run has names of its own, and whoever deletes old files that no checkpoint
/// names cannot meet one that is about to be named.
///
/// ```
/// use deltalakedb_core::mirror::content_id;
/// let id = content_id(b"a checkpoint", 1_704_067_200_000);
/// assert_eq!(id, content_id(b"a checkpoint", 1_704_067_200_000));
/// assert_ne!(id, content_id(b"a checkpoint", 1_704_067_200_001));
/// ```
pub fn content_id(content: &[u8], now_ms: i64) -> Uuid {
    id_of_hash(XxHash3_128::oneshot(content), now_ms)
}

impl CheckpointSummary {
    /// As [`content_id`] of the file.
    pub fn content_id(&self, now_ms: i64) -> Uuid {
        id_of_hash(self.content_hash, now_ms)
    }
}

fn id_of_hash(content_hash: u128, now_ms: i64) -> Uuid {
    let time = u128::from(now_ms.cast_unsigned());
    Builder::from_custom_bytes((content_hash ^ time << 64 ^ time).to_be_bytes()).into_uuid()
}

/// The lines of the file that names the sidecars `names`, one for each of `written`'s files, which were written at
/// `now_ms`; and how many actions they are.
///
/// # Errors
/// [`Internal`](ErrorKind::Internal) when an action has no JSON form.
pub fn v2_checkpoint<W>(
    version: i64,
    now_ms: i64,
    written: &WrittenCheckpoint<W>,
    names: &[String],
) -> Result<Vec<Action>> {
    let mut tags = json!({
        "sidecarNumActions": written.actions().to_string(),
        "sidecarSizeInBytes": written.size_in_bytes().to_string(),
        "numOfAddFiles": written.add_files().to_string(),
    });
    if let Some((_, first)) = written.files.first().filter(|(_, file)| file.schema.len() <= MAX_SCHEMA_BYTES) {
        tags["sidecarFileSchema"] = first.schema.as_str().into();
    }
    let internal = |error: serde_json::Error| Error::new(ErrorKind::Internal, error.to_string());
    let metadata = Json::of(&json!({ "version": version, "tags": tags })).map_err(internal)?;
    let no_tags = Json::of(&json!({})).map_err(internal)?;
    let sidecars = names.iter().zip(&written.files).map(|(name, (_, file))| {
        Action::Sidecar(Sidecar {
            path: name.clone(),
            size_in_bytes: file.size_in_bytes,
            modification_time: now_ms,
            tags: Some(no_tags.clone()),
            extra: Extra::new(),
        })
    });
    let mut actions = vec![Action::CheckpointMetadata(metadata)];
    actions.extend(written.other_actions.iter().cloned());
    actions.extend(sidecars);
    Ok(actions)
}
