use super::wire::wire_struct;
use super::{DeletionVector, Json, StringMap};

wire_struct! {
    /// `add`: a logical file, with or without a deletion vector, belongs to the table (protocol
    /// section "Add File and Remove File").
    Add as "add" {
        /// Relative to the table's folder, or absolute; a URI, kept with its escapes.
        required path: String = "path",
        /// By column, physical names under column mapping.
        required partition_values: StringMap = "partitionValues",
        /// Bytes.
        required size: i64 = "size",
        /// Milliseconds since the epoch.
        required modification_time: i64 = "modificationTime",
        /// False when the commit only rearranges rows or adds statistics.
        required data_change: bool = "dataChange",
        /// JSON text.
        optional stats: String = "stats",
        /// Map of strings.
        optional tags: Json = "tags",
        /// Rows of the file that are not in the table.
        optional deletion_vector: DeletionVector = "deletionVector",
        /// Row tracking: id of the file's first row.
        optional base_row_id: i64 = "baseRowId",
        /// Row tracking: the version that first added the path.
        optional default_row_commit_version: i64 = "defaultRowCommitVersion",
        /// Name of the clustering implementation.
        optional clustering_provider: String = "clusteringProvider",
    }
}

/// No file holds more rows; statistics that say so are wrong, and must not spoil the table's sum.
const LARGEST_ROW_COUNT: i64 = 1 << 53;

impl Add {
    /// The unique id of the deletion vector; empty without one. With `path` it is the key of a logical file.
    pub fn dv_id(&self) -> String {
        DeletionVector::id_or_empty(self.deletion_vector.as_ref())
    }

    /// `numRecords` of the statistics: the rows in the file, deleted ones included.
    pub fn num_records(&self) -> Option<i64> {
        crate::stats::num_records(self.stats.as_deref()?)
    }

    /// Rows that a reader of the file sees: `numRecords` less those in the deletion vector, if known.
    pub fn row_count(&self) -> Option<i64> {
        let num_records = self.num_records()?;
        let row_count = num_records.checked_sub(self.deletion_vector.as_ref().map_or(0, |dv| dv.cardinality))?;
        (0..=LARGEST_ROW_COUNT).contains(&row_count).then_some(row_count)
    }
}
