use super::wire::wire_struct;

wire_struct! {
    /// Where a file's deletion vector is (protocol section "Deletion Vector Descriptor Schema").
    DeletionVector as "deletionVector" {
        /// `u` relative path, `i` inline, `p` absolute path.
        required storage_type: String = "storageType",
        /// A path, or the vector itself in base85.
        required path_or_inline_dv: String = "pathOrInlineDv",
        /// Bytes from the file's start.
        optional offset: i64 = "offset",
        /// Bytes of the vector.
        required size_in_bytes: i64 = "sizeInBytes",
        /// Rows that it deletes.
        required cardinality: i64 = "cardinality",
    }
}

impl DeletionVector {
    /// The id by which the protocol tells vectors of one file apart (section "Derived Fields").
    pub fn unique_id(&self) -> String {
        match self.offset {
            Some(offset) => format!("{}{}@{offset}", self.storage_type, self.path_or_inline_dv),
            None => format!("{}{}", self.storage_type, self.path_or_inline_dv),
        }
    }

    pub(crate) fn id_or_empty(vector: Option<&Self>) -> String {
        vector.map(Self::unique_id).unwrap_or_default()
    }
}
