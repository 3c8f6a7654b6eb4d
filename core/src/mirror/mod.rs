//! Writing the catalog out as a `_delta_log`: what each file holds. A host puts the files into place.

#[cfg(feature = "parquet")]
mod checkpoint;
#[cfg(feature = "parquet")]
mod checksum_of_json;
mod commit;
#[cfg(feature = "parquet")]
mod last_checkpoint;
mod state;

#[cfg(feature = "parquet")]
pub(crate) use checkpoint::delta_schema;
#[cfg(feature = "parquet")]
pub use checkpoint::{
    CheckpointFiles, CheckpointForm, CheckpointSummary, CheckpointWriter, PART_SIZE, UnknownFields, WHOLE_ACTION,
    WrittenCheckpoint, content_id, has_unknown_fields, v2_checkpoint,
};
pub use commit::{ActionCursor, StoredCommit, commit_actions, read_commit};
#[cfg(feature = "parquet")]
pub use last_checkpoint::{LastCheckpoint, LastV2Checkpoint};
pub use state::{CheckpointState, StateCursor, state_actions, tombstone_count};
