//! What a proof needs to know of a column.

use crate::schema::{Column, DataType, Primitive};

/// A column of a predicate, as a file knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundColumn {
    pub(crate) physical: Vec<String>,
    pub(crate) data_type: DataType,
    pub(crate) is_partition: bool,
    /// Whether its values have the order that statistics are made by.
    pub(crate) is_ordered: bool,
}

impl BoundColumn {
    pub(crate) fn new(column: &Column<'_>) -> Self {
        BoundColumn {
            physical: column.physical.iter().map(|name| (*name).to_owned()).collect(),
            data_type: column.field.data_type.clone(),
            is_partition: column.is_partition,
            is_ordered: is_ordered(column),
        }
    }

    /// Whether a file may hold NaN that its statistics do not show.
    pub(super) fn may_hold_nan(&self) -> bool {
        matches!(self.data_type, DataType::Primitive(Primitive::Float | Primitive::Double)) && !self.is_partition
    }
}

/// Whether values compare as statistics do: by number, time or code points.
pub(super) fn is_ordered(column: &Column<'_>) -> bool {
    let DataType::Primitive(primitive) = &column.field.data_type else {
        return false;
    };
    match primitive {
        Primitive::String => {
            // A collation may find 'A' equal to 'a'; char(5) finds 'a' equal to 'a    '.
            let metadata = &column.field.metadata;
            let declared = metadata.get("__CHAR_VARCHAR_TYPE_STRING").and_then(|declared| declared.as_str());
            !metadata.contains_key("__COLLATIONS") && !declared.is_some_and(|declared| declared.starts_with("char"))
        }
        Primitive::Binary | Primitive::Void | Primitive::Variant | Primitive::Other(_) => false,
        _ => true,
    }
}
