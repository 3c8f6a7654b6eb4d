use super::Json;
use super::wire::wire_struct;

wire_struct! {
    /// `sidecar`: a Parquet file of a V2 checkpoint's file actions (protocol section "Sidecar File Information").
    Sidecar as "sidecar" {
        /// A file name in `_delta_log/_sidecars`, or an absolute URI.
        required path: String = "path",
        /// Bytes.
        required size_in_bytes: i64 = "sizeInBytes",
        /// Milliseconds since the epoch.
        required modification_time: i64 = "modificationTime",
        /// Map of strings.
        optional tags: Json = "tags",
    }
}
