//! Reading an existing `_delta_log`: which objects to read, in which order, and what is in them.
//!
//! Planning is pure: a host lists the log, [`LogListing::plan`] says what to read, the host reads it and
//! hands the bytes to [`read_commit_line`] or [`CheckpointReader`].

#[cfg(feature = "parquet")]
mod checkpoint;
mod commit;
mod file_name;
#[cfg(feature = "parquet")]
mod json_encoder;
mod listing;
mod plan;
#[cfg(feature = "parquet")]
mod structs;

#[cfg(feature = "parquet")]
pub use checkpoint::CheckpointReader;
pub use commit::read_commit_line;
pub use file_name::{
    LogFileKind, MAX_VERSION, checkpoint_file_name, checkpoint_part_file_name, checksum_file_name, commit_file_name,
    compacted_file_name, parse_checksum_name, parse_file_name, sidecar_file_name, v2_checkpoint_file_name,
};
pub use listing::{Checkpoint, LogFile, LogListing};
pub use plan::{HistoryMode, LogPlan, Step};
#[cfg(feature = "parquet")]
pub use structs::wrong_structs;
