use std::fmt;

use super::Field;
use crate::{Error, Result};

/// The key of a field's name in data files, statistics and partition values.
const PHYSICAL_NAME: &str = "delta.columnMapping.physicalName";

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
