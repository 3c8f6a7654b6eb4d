use super::StringMap;
use super::wire::wire_struct;

wire_struct! {
    /// `metaData`: schema, partition columns and properties (protocol section "Change Metadata").
    Metadata as "metaData" {
        /// The table's id.
        required id: String = "id",
        /// The table's name, as its users gave it.
        optional name: String = "name",
        /// What the table is for.
        optional description: String = "description",
        /// The encoding of data files.
        required format: Format = "format",
        /// The schema in JSON; a table that has none yet has no columns.
        optional schema_string: String = "schemaString",
        /// Logical names.
        required partition_columns: Vec<String> = "partitionColumns",
        /// Milliseconds since the epoch.
        optional created_time: i64 = "createdTime",
        /// Table properties.
        defaulted configuration: StringMap = "configuration",
    }
}

impl Metadata {
    /// Whether a boolean property is `true`, in any case.
    pub fn is_enabled(&self, property: &str) -> bool {
        self.configuration.value(property).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

wire_struct! {
    /// The encoding of a table's data files.
    Format as "format" {
        /// `parquet`, in all tables made since Delta 0.3.
        required provider: String = "provider",
        /// Options of the provider.
        defaulted options: StringMap = "options",
    }
}
