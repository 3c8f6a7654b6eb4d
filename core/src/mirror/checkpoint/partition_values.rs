//! The column `partitionValues_parsed`.
//!
//! Readers pass files over by it, so it is never null for a value that is not: where a text is read by writers in several
//! ways, or by none, a checkpoint goes without the column, and readers go by the texts.

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::leaf::has_room;
use super::parsed::{ParsedColumn, ParsedType};
use crate::action::Add;
use crate::partition_values::PartitionValue;
use crate::scalar::Scalar;
use crate::schema::Primitive;

/// The column under construction.
pub(super) struct PartitionValuesColumn {
    column: ParsedColumn,
    types: Vec<Primitive>,
}

impl PartitionValuesColumn {
    pub(super) fn new(data_type: &ParsedType) -> Self {
        let types = columns(data_type).map(|(_, primitive)| primitive.clone());
        PartitionValuesColumn { column: ParsedColumn::new(data_type), types: types.collect() }
    }

    pub(super) fn append(&mut self, add: &Add) {
        self.column.append_values(|index, name| value(add.partition_values.value(name), self.types.get(index)?)?);
    }

    pub(super) fn data_type(&self) -> DataType {
        self.column.data_type()
    }

    /// The rows so far, and begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        self.column.finish()
    }
}

/// Whether a column of this type has room for all partition values of a file.
pub(super) fn have_room(data_type: &ParsedType, add: &Add) -> bool {
    columns(data_type).all(|(name, primitive)| value(add.partition_values.value(name), primitive).is_some())
}

fn columns(data_type: &ParsedType) -> impl Iterator<Item = (&str, &Primitive)> {
    let fields = match data_type {
        ParsedType::Struct(fields) => fields.as_slice(),
        ParsedType::Leaf(_) => &[],
    };
    fields.iter().filter_map(|(name, field)| match field {
        ParsedType::Leaf(primitive) => Some((name.as_str(), primitive)),
        ParsedType::Struct(_) => None,
    })
}

/// The value of a text, which may be null; `None` where the type has none for it.
fn value(text: Option<&str>, primitive: &Primitive) -> Option<Option<Scalar>> {
    match PartitionValue::parse(text, &primitive.clone().into()) {
        PartitionValue::Known(value) => has_room(primitive, &value).then_some(Some(value)),
        PartitionValue::Null => Some(None),
        // Of a text nothing else can be meant.
        PartitionValue::Unknown if *primitive == Primitive::String => {
            Some(text.map(|text| Scalar::String(text.to_owned())))
        }
        PartitionValue::Unknown => None,
    }
}
