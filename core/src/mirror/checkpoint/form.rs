//! In which form a table wants its checkpoints.

use parquet::basic::{Compression, GzipLevel};

use super::parsed::ParsedType;
use super::partition_values::have_room;
use super::stats_parsed::{partition_values_type, stats_type};
use crate::Result;
use crate::action::{Action, Metadata, Protocol};
use crate::schema::Schema;

const POLICY: &str = "delta.checkpointPolicy";
const V2_CHECKPOINT: &str = "v2Checkpoint";
const STATS_AS_JSON: &str = "delta.checkpoint.writeStatsAsJson";
const STATS_AS_STRUCT: &str = "delta.checkpoint.writeStatsAsStruct";
const CODEC: &str = "delta.parquet.compression.codec";

/// The property that says how many actions a file of a checkpoint holds at the most: a part, or a sidecar.
pub const PART_SIZE: &str = "deltalakedb.checkpointPartSize";

/// The protocol advises against parts, which readers cannot be given at once, so that a classic checkpoint is one file
/// until that file would come near the 5 GB that object stores take in one request.
const ACTIONS_OF_A_PART: i64 = 10_000_000;
/// As in Delta-Spark; engines read sidecars side by side.
const ACTIONS_OF_A_SIDECAR: i64 = 50_000;
/// Each is an open file while the checkpoint is written.
const MAX_FILES: i64 = 100;

/// How a checkpoint is divided into files (protocol section "Checkpoints").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointFiles {
    /// One file of all actions, of the V1 spec.
    Single,
    /// So many files, more than one, of the V1 spec; logical files are spread over them by their hash.
    MultiPart {
        /// How many.
        parts: u32,
    },
    /// Of the V2 spec: file actions in sidecars, the others in a file that names these.
    Sidecars {
        /// Actions of a sidecar, at the most.
        actions: u64,
    },
}

/// In which form a table wants a checkpoint, by its protocol and properties.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointForm {
    /// Its files.
    pub files: CheckpointFiles,
    /// Whether files of one path differ by their deletion vectors.
    pub(super) has_deletion_vectors: bool,
    /// Whether statistics are written as JSON.
    pub(super) stats_as_json: bool,
    /// The column `stats_parsed`.
    pub(super) stats_parsed: Option<ParsedType>,
    /// The column `partitionValues_parsed`.
    pub(super) partition_values_parsed: Option<ParsedType>,
    pub(super) compression: Compression,
}

impl CheckpointForm {
    /// The form of a table's checkpoint with so many adds and removes, at the most.
    ///
    /// Delta-Spark's default for `delta.checkpoint.writeStatsAsStruct` is true, the protocol's is false; here it is
    /// the protocol's.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when structs are wanted and the table's schema cannot be read.
    pub fn of(metadata: &Metadata, protocol: &Protocol, file_actions: i64) -> Result<Self> {
        let mut form = CheckpointForm {
            files: divide(metadata, protocol, file_actions),
            has_deletion_vectors: supports(protocol, "deletionVectors"),
            stats_as_json: flag(metadata, STATS_AS_JSON).unwrap_or(true),
            stats_parsed: None,
            partition_values_parsed: None,
            compression: compression(metadata),
        };
        if flag(metadata, STATS_AS_STRUCT).unwrap_or(false) {
            let schema = Schema::of(metadata)?;
            form.stats_parsed = Some(stats_type(&schema, metadata, form.has_deletion_vectors));
            form.partition_values_parsed = partition_values_type(&schema);
        }
        Ok(form)
    }

    /// Whether the column `partitionValues_parsed` lacks a value of an action, which it could only tell as null.
    pub fn lacks_partition_value(&self, action: &Action) -> bool {
        match (&self.partition_values_parsed, action) {
            (Some(data_type), Action::Add(add)) => !have_room(data_type, add),
            _ => false,
        }
    }

    /// The same without the column `partitionValues_parsed`.
    #[must_use]
    pub fn without_partition_values_parsed(self) -> Self {
        CheckpointForm { partition_values_parsed: None, ..self }
    }

    /// Whether it is of the V2 spec, with the file actions in sidecars.
    pub fn has_sidecars(&self) -> bool {
        matches!(self.files, CheckpointFiles::Sidecars { .. })
    }
}

/// Parts are not allowed where readers know of V2 checkpoints, whatever the policy.
fn divide(metadata: &Metadata, protocol: &Protocol, file_actions: i64) -> CheckpointFiles {
    let wanted = metadata.configuration.value(PART_SIZE).and_then(|text| text.trim().parse().ok());
    let size_or = |default: i64| wanted.filter(|&size| size > 0).unwrap_or(default).max(file_actions / MAX_FILES);
    let is_v2 = metadata.configuration.value(POLICY).is_some_and(|policy| policy.eq_ignore_ascii_case("v2"));
    match (supports(protocol, V2_CHECKPOINT), is_v2) {
        (true, true) => CheckpointFiles::Sidecars { actions: size_or(ACTIONS_OF_A_SIDECAR).unsigned_abs() },
        (true, false) => CheckpointFiles::Single,
        (false, _) => match (file_actions.max(1) - 1) / size_or(ACTIONS_OF_A_PART) + 1 {
            ..=1 => CheckpointFiles::Single,
            parts => CheckpointFiles::MultiPart { parts: parts as u32 }, // not over MAX_FILES, but for the remainder
        },
    }
}

fn supports(protocol: &Protocol, feature: &str) -> bool {
    protocol.reader_features.iter().flatten().any(|name| name == feature)
}

fn flag(metadata: &Metadata, property: &str) -> Option<bool> {
    metadata.configuration.value(property).and_then(|text| text.trim().to_ascii_lowercase().parse().ok())
}

/// Snappy where the table does not say: every reader has it, and every host of this code can write it. A codec that this
/// build does not have becomes Snappy, too, as the protocol allows (section "Table Properties").
fn compression(metadata: &Metadata) -> Compression {
    match metadata.configuration.value(CODEC).map(str::to_ascii_lowercase).as_deref() {
        Some("uncompressed" | "none") => Compression::UNCOMPRESSED,
        Some("gzip") => Compression::GZIP(GzipLevel::default()),
        Some("lz4_raw" | "lz4") => Compression::LZ4_RAW,
        #[cfg(feature = "zstd")]
        Some("zstd") => Compression::ZSTD(parquet::basic::ZstdLevel::default()),
        _ => Compression::SNAPPY,
    }
}
