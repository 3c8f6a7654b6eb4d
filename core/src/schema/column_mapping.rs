use std::collections::HashSet;
use std::fmt;

use super::{Field, Schema};
use crate::{Error, Result};

/// The key of a field's name in data files, statistics and partition values.
const PHYSICAL_NAME: &str = "delta.columnMapping.physicalName";

/// The key of a field's id, an integer that no other field of the table has or had.
const ID: &str = "delta.columnMapping.id";

/// The table property `delta.columnMapping.mode`.
///
/// ```
/// use deltalakedb_core::schema::ColumnMapping;
/// assert_eq!(ColumnMapping::from_property(None)?, ColumnMapping::None);
/// assert_eq!(ColumnMapping::from_property(Some("name"))?, ColumnMapping::Name);
/// assert!(ColumnMapping::from_property(Some("position")).is_err());
/// # Ok::<(), deltalakedb_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnMapping {
    /// Files use the logical names.
    #[default]
    None,
    /// Data files, statistics and partition values use physical names.
    Name,
    /// Data files use field ids; statistics and partition values use physical names.
    Id,
}

impl ColumnMapping {
    /// The table property that holds the mode.
    pub const PROPERTY: &'static str = "delta.columnMapping.mode";

    /// The table property that holds the largest id that a field has or had.
    pub const MAX_ID_PROPERTY: &'static str = "delta.columnMapping.maxColumnId";

    /// The mode from the property's value, in any case; `None` where the property is not set. Another
    /// value is `Unsupported`.
    pub fn from_property(value: Option<&str>) -> Result<Self> {
        match value.map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") => Ok(ColumnMapping::None),
            Some("name") => Ok(ColumnMapping::Name),
            Some("id") => Ok(ColumnMapping::Id),
            Some(other) => Err(Error::new(
                crate::ErrorKind::Unsupported,
                format!("`{}` is `{other}`; expected none, name or id", Self::PROPERTY),
            )),
        }
    }
}

impl fmt::Display for ColumnMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnMapping::None => "none",
            ColumnMapping::Name => "name",
            ColumnMapping::Id => "id",
        })
    }
}

impl Field {
    /// The column's id under column mapping; `None` where it has none.
    ///
    /// ```
    /// use deltalakedb_core::schema::Schema;
    /// let field = r#"{"name":"a","type":"long","nullable":true,"metadata":{"delta.columnMapping.id":7}}"#;
    /// let schema = Schema::parse(&format!(r#"{{"type":"struct","fields":[{field}]}}"#))?;
    /// assert_eq!(schema.fields()[0].column_id(), Some(7));
    /// # Ok::<(), deltalakedb_core::Error>(())
    /// ```
    pub fn column_id(&self) -> Option<i64> {
        self.metadata.get(ID)?.as_i64()
    }

    /// The name that statistics and partition values use under `mode`. A field that was never given a
    /// physical name goes by its logical one, as Delta-Spark has it.
    pub fn physical_name(&self, mode: ColumnMapping) -> &str {
        match mode {
            ColumnMapping::None => &self.name,
            ColumnMapping::Name | ColumnMapping::Id => {
                self.metadata.get(PHYSICAL_NAME).and_then(|name| name.as_str()).unwrap_or(&self.name)
            }
        }
    }
}

impl Schema {
    /// Checks what a writer owes to a table with column mapping: every field has a physical name and an id of its
    /// own, and `max_id`, the property, is not below any (protocol section "Writer Requirements for Column
    /// Mapping"). `Invalid` names the field.
    ///
    /// ```
    /// use deltalakedb_core::schema::{ColumnMapping, Schema};
    /// let schema = r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}"#;
    /// let schema = Schema::parse(schema)?.with_column_mapping(ColumnMapping::Name);
    /// let error = schema.check_column_mapping(Some("1")).unwrap_err();
    /// assert_eq!(error.to_string(), "the column `id` has no `delta.columnMapping.id`, which column mapping needs");
    /// # Ok::<(), deltalakedb_core::Error>(())
    /// ```
    pub fn check_column_mapping(&self, max_id: Option<&str>) -> Result<()> {
        if self.column_mapping == ColumnMapping::None {
            return Ok(());
        }
        let property = ColumnMapping::MAX_ID_PROPERTY;
        let max_id: i64 = max_id.and_then(|text| text.parse().ok()).ok_or_else(|| {
            Error::invalid(format!("the table has column mapping, but its property {property} is no integer"))
        })?;
        let mut ids = HashSet::new();
        for field in self.all_fields() {
            let invalid = |what: String| Error::invalid(format!("the column `{}` {what}", field.name));
            let lacks = |key: &str| invalid(format!("has no `{key}`, which column mapping needs"));
            let id = field.column_id().ok_or_else(|| lacks(ID))?;
            field.metadata.get(PHYSICAL_NAME).and_then(|name| name.as_str()).ok_or_else(|| lacks(PHYSICAL_NAME))?;
            if !ids.insert(id) {
                return Err(invalid(format!("has the id {id} of another column")));
            }
            if id > max_id {
                return Err(invalid(format!("has the id {id}, which is over {property} ({max_id})")));
            }
        }
        Ok(())
    }
}
