use super::wire::wire_struct;
use super::{DeletionVector, Json, StringMap};

wire_struct! {
    /// `remove`: a logical file leaves the table and stays as a tombstone until it expires (protocol
    /// section "Add File and Remove File").
    Remove as "remove" {
        /// As in the `add`.
        required path: String = "path",
        /// Milliseconds since the epoch.
        optional deletion_timestamp: i64 = "deletionTimestamp",
        /// False when the commit only rearranges rows.
        required data_change: bool = "dataChange",
        /// True when `partition_values` and `size` are there.
        optional extended_file_metadata: bool = "extendedFileMetadata",
        /// By column, physical names under column mapping.
        optional partition_values: StringMap = "partitionValues",
        /// Bytes.
        optional size: i64 = "size",
        /// JSON text.
        optional stats: String = "stats",
        /// Map of strings.
        optional tags: Json = "tags",
        /// The vector of the logical file that is removed.
        optional deletion_vector: DeletionVector = "deletionVector",
        /// Row tracking.
        optional base_row_id: i64 = "baseRowId",
        /// Row tracking.
        optional default_row_commit_version: i64 = "defaultRowCommitVersion",
    }
}

impl Remove {
    /// The unique id of the deletion vector; empty without one.
    pub fn dv_id(&self) -> String {
        DeletionVector::id_or_empty(self.deletion_vector.as_ref())
    }
}
