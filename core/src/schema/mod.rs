//! A table's schema: its columns, their types and the names that data files know them by (protocol
//! sections "Schema Serialization Format" and "Column Mapping").

mod column;
mod column_mapping;
mod data_type;
mod of_metadata;

pub use column::Column;
pub use column_mapping::ColumnMapping;
pub use data_type::{DataType, Field, Primitive};

use std::fmt;

use crate::{Error, Result};

/// The columns of a table, with what is needed to find a column's values in a file: the partition
/// columns and the column mapping.
///
/// ```
/// use deltalakedb_core::schema::{ColumnMapping, Schema};
/// let schema = Schema::parse(
///     r#"{"type":"struct","fields":[
///         {"name":"id","type":"long","nullable":false,"metadata":{}},
///         {"name":"day","type":"date","nullable":true,
///          "metadata":{"delta.columnMapping.physicalName":"col-7"}}]}"#,
/// )?
/// .with_column_mapping(ColumnMapping::Name)
/// .partitioned_by(&["day"])?;
///
/// assert_eq!(schema.to_string(), "id: long, day: date");
/// let day = schema.column(&["DAY"])?;
/// assert_eq!(day.physical, ["col-7"]);
/// assert!(day.is_partition);
///
/// let error = schema.column(&["dya"]).unwrap_err();
/// assert_eq!(error.to_string(), "there is no column `dya`");
/// assert_eq!(error.hint_text(), Some("did you mean `day`?"));
/// # Ok::<(), deltalakedb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    fields: Vec<Field>,
    /// Indexes into `fields`.
    partition_columns: Vec<usize>,
    column_mapping: ColumnMapping,
}

impl Schema {
    /// Reads the `schemaString` of a `metaData` action; no partition columns, no column mapping yet.
    ///
    /// An unknown type is kept by name as [`Primitive::Other`]. Errors are `Corrupt`: text that is no
    /// JSON, a top level that is no struct, a field without a name or type, nesting over about 40 levels.
    ///
    /// ```
    /// use deltalakedb_core::{ErrorKind, schema::Schema};
    /// let error = Schema::parse(r#"{"type":"array"}"#).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Corrupt);
    /// ```
    pub fn parse(schema_string: &str) -> Result<Self> {
        // serde_json refuses more than 128 levels; so all that recurses over the value is bounded too.
        let json: serde_json::Value = serde_json::from_str(schema_string)
            .map_err(|error| Error::corrupt(error.to_string()).context("reading the schema"))?;
        match DataType::from_json(&json).map_err(|error| error.context("reading the schema"))? {
            DataType::Struct(fields) => {
                Ok(Schema { fields, partition_columns: Vec::new(), column_mapping: ColumnMapping::None })
            }
            other => Err(Error::corrupt(format!("reading the schema: expected a struct, found {other}"))),
        }
    }

    /// The same schema under `mode`. The table property counts only where the protocol supports the
    /// feature `columnMapping`; the caller has checked that.
    #[must_use]
    pub fn with_column_mapping(mut self, mode: ColumnMapping) -> Self {
        self.column_mapping = mode;
        self
    }

    /// The same schema with the `partitionColumns` of the `metaData` action, which are logical names.
    /// A name that is no top-level column is `Corrupt`.
    pub fn partitioned_by(mut self, names: &[impl AsRef<str>]) -> Result<Self> {
        let mut indexes = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref();
            let index = column::position(&self.fields, name).map_err(|_| {
                Error::corrupt(format!("the partition column `{name}` is not in the schema"))
                    .context("reading the schema")
            })?;
            indexes.push(index);
        }
        self.partition_columns = indexes;
        Ok(self)
    }

    /// The top-level columns, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The columns and the fields of structs at any depth, also in arrays and maps; a struct before its fields.
    pub fn all_fields(&self) -> Vec<&Field> {
        let mut found = Vec::new();
        self.fields.iter().for_each(|field| field.collect(&mut found));
        found
    }

    /// The top-level columns that a file has one value of, in the order of `partitionColumns`.
    pub fn partition_columns(&self) -> impl Iterator<Item = &Field> {
        self.partition_columns.iter().filter_map(|&index| self.fields.get(index))
    }

    /// How columns are named in files, statistics and partition values.
    pub fn column_mapping(&self) -> ColumnMapping {
        self.column_mapping
    }

    /// Finds a column by its logical path, `["a", "b"]` being field `b` of the struct `a`.
    ///
    /// At each level an exact name wins, then one that differs in case only. Errors are `Invalid`,
    /// with the nearest name or the list of names as hint.
    pub fn column(&self, path: &[impl AsRef<str>]) -> Result<Column<'_>> {
        Column::find(self, path)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        data_type::write_fields(f, &self.fields)
    }
}

#[cfg(test)]
mod tests;
