use super::wire::wire_struct;

wire_struct! {
    /// `protocol`: what a client must know to read or write the table (protocol section "Protocol Evolution").
    Protocol as "protocol" {
        /// Smallest reader version.
        required min_reader_version: i64 = "minReaderVersion",
        /// Smallest writer version.
        required min_writer_version: i64 = "minWriterVersion",
        /// Table features a reader must know; with reader version 3 only.
        optional reader_features: Vec<String> = "readerFeatures",
        /// Table features a writer must know; with writer version 7 only.
        optional writer_features: Vec<String> = "writerFeatures",
    }
}
