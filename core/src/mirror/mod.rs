//! Writing the catalog out as a `_delta_log`: what each file holds. A host puts the files into place.

mod absolute_paths;
#[cfg(feature = "parquet")]
mod checkpoint;
mod checksum;
#[cfg(feature = "parquet")]
mod checksum_of_json;
mod cleanup;
mod commit;
mod compaction;
#[cfg(feature = "parquet")]
mod last_checkpoint;
mod leases;
mod state;
mod targets;

pub use absolute_paths::absolute_paths;
#[cfg(feature = "parquet")]
pub use checkpoint::{
    CheckpointFiles, CheckpointForm, CheckpointSummary, CheckpointWriter, PART_SIZE, UnknownFields, WHOLE_ACTION,
    WrittenCheckpoint, content_id, has_unknown_fields, v2_checkpoint,
};
#[cfg(feature = "parquet")]
pub(crate) use checkpoint::{delta_schema, has_room};
pub use checksum::{Checksum, DeletedRecordCountsHistogram, FileSizeHistogram, FileTotals};
pub use cleanup::{Cleanup, cleanup_cutoff_ms, newest_version_at, orphaned_sidecars, plan_cleanup};
pub use commit::{ActionCursor, StoredCommit, commit_actions, read_commit};
pub use compaction::{Compaction, CompactionCursor, compacted_actions, due_compaction, plan_compaction};
#[cfg(feature = "parquet")]
pub use last_checkpoint::{LastCheckpoint, LastV2Checkpoint};
pub use leases::{
    Beat, Behind, Daemon, Held, Selection, Wanted, balance, beat, behind, give_up, held_targets, leave, register_daemon,
};
pub use state::{CheckpointState, StateCursor, state_actions, tombstone_count};
pub use targets::{
    Target, TargetReport, TargetStatus, add_target, lag_ms, remove_target, report_targets, target_statuses,
};
