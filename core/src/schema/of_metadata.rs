use super::{ColumnMapping, Schema};
use crate::Result;
use crate::action::Metadata;

impl Schema {
    /// The schema of a `metaData` action, with its partition columns and column mapping. The protocol
    /// must support column mapping where the property is set.
    pub fn of(metadata: &Metadata) -> Result<Self> {
        // A table that has no schema yet has no columns.
        let schema_string = metadata.schema_string.as_deref().unwrap_or(r#"{"type":"struct","fields":[]}"#);
        let mode = metadata.configuration.value(ColumnMapping::PROPERTY);
        Schema::parse(schema_string)?
            .with_column_mapping(ColumnMapping::from_property(mode)?)
            .partitioned_by(&metadata.partition_columns)
    }
}
