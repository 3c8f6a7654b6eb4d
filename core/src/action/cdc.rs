use super::wire::wire_struct;
use super::{Json, StringMap};

wire_struct! {
    /// `cdc`: a file of row changes (protocol section "Add CDC File").
    Cdc as "cdc" {
        /// Relative to the table's folder, or absolute; a URI.
        required path: String = "path",
        /// By column.
        required partition_values: StringMap = "partitionValues",
        /// Bytes.
        required size: i64 = "size",
        /// Always false.
        required data_change: bool = "dataChange",
        /// Map of strings.
        optional tags: Json = "tags",
    }
}
