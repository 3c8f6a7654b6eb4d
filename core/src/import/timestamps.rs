use crate::action::{CommitInfo, Metadata, Protocol};
use crate::table_features::in_commit_timestamps_enabled;

const ENABLEMENT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";

/// The time of a version: its in-commit timestamp where the table has them at that version (protocol section
/// "In-Commit Timestamps"), else the time of the commit file. The catalog makes it strictly increasing, as Delta does.
pub(super) fn version_timestamp(
    version: i64,
    modified_ms: i64,
    commit_info: Option<&CommitInfo>,
    metadata: Option<&Metadata>,
    protocol: Option<&Protocol>,
) -> i64 {
    let (Some(metadata), Some(protocol)) = (metadata, protocol) else { return modified_ms };
    let from = metadata.configuration.value(ENABLEMENT_VERSION).and_then(|text| text.parse().ok()).unwrap_or(0);
    if !in_commit_timestamps_enabled(metadata, protocol) || version < from {
        return modified_ms;
    }
    commit_info.and_then(CommitInfo::in_commit_timestamp).unwrap_or(modified_ms)
}
