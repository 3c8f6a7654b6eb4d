use crate::action::{CommitInfo, Metadata, Protocol};
use crate::table_features::in_commit_timestamps_enabled;
use crate::time::LATEST_TIME_MS;
use crate::{Error, Result};

const ENABLEMENT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";

/// The in-commit timestamp of a version, where the table has them at that version (protocol section "In-Commit
/// Timestamps"). Other versions have the time of their commit file; the catalog makes times strictly increasing.
pub(super) fn in_commit_timestamp(
    version: i64,
    commit_info: Option<&CommitInfo>,
    metadata: Option<&Metadata>,
    protocol: Option<&Protocol>,
) -> Result<Option<i64>> {
    let (Some(metadata), Some(protocol)) = (metadata, protocol) else { return Ok(None) };
    let from = metadata.configuration.value(ENABLEMENT_VERSION).and_then(|text| text.parse().ok()).unwrap_or(0);
    if !in_commit_timestamps_enabled(metadata, protocol) || version < from {
        return Ok(None);
    }
    let Some(timestamp_ms) = commit_info.and_then(CommitInfo::in_commit_timestamp) else { return Ok(None) };
    if !(-LATEST_TIME_MS..=LATEST_TIME_MS).contains(&timestamp_ms) {
        return Err(Error::corrupt(format!(
            "the in-commit timestamp of version {version} is {timestamp_ms} ms, which is no time"
        ))
        .version(version));
    }
    Ok(Some(timestamp_ms))
}
