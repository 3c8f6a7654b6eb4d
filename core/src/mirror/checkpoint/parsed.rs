//! Columns whose types are the table's own: statistics and partition values as structs.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow_array::builder::NullBufferBuilder;
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Fields};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::leaf::{Leaf, arrow_type};
use crate::scalar::Scalar;
use crate::schema::Primitive;

/// The type of such a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ParsedType {
    Struct(Vec<(String, ParsedType)>),
    Leaf(Primitive),
}

impl ParsedType {
    /// A struct of these fields; `None` without any, as Parquet has no empty ones. Of fields that share a name the first
    /// one counts.
    pub(super) fn of_fields(fields: impl IntoIterator<Item = (String, ParsedType)>) -> Option<Self> {
        let mut kept: Vec<(String, ParsedType)> = Vec::new();
        let mut names = HashSet::new();
        for (name, field) in fields {
            if names.insert(name.clone()) {
                kept.push((name, field));
            }
        }
        (!kept.is_empty()).then_some(ParsedType::Struct(kept))
    }

    pub(super) fn arrow_type(&self) -> DataType {
        match self {
            ParsedType::Struct(fields) => DataType::Struct(arrow_fields(fields)),
            ParsedType::Leaf(primitive) => arrow_type(primitive),
        }
    }
}

fn arrow_fields(fields: &[(String, ParsedType)]) -> Fields {
    fields.iter().map(|(name, field)| Field::new(name, field.arrow_type(), true)).collect()
}

/// A struct column under construction.
pub(super) struct ParsedColumn {
    fields: Vec<ParsedField>,
    by_name: HashMap<String, usize>,
    validity: NullBufferBuilder,
    arrow_fields: Fields,
}

struct ParsedField {
    name: String,
    values: Values,
}

enum Values {
    Struct(ParsedColumn),
    Leaf(Leaf),
}

impl ParsedColumn {
    /// An empty column; a type that is no struct has no fields.
    pub(super) fn new(data_type: &ParsedType) -> Self {
        let types = match data_type {
            ParsedType::Struct(fields) => fields.as_slice(),
            ParsedType::Leaf(_) => &[],
        };
        let fields = types.iter().map(|(name, field)| {
            let values = match field {
                ParsedType::Struct(_) => Values::Struct(ParsedColumn::new(field)),
                ParsedType::Leaf(primitive) => Values::Leaf(Leaf::new(primitive)),
            };
            ParsedField { name: name.clone(), values }
        });
        ParsedColumn {
            fields: fields.collect(),
            by_name: types.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect(),
            validity: NullBufferBuilder::new(0),
            arrow_fields: arrow_fields(types),
        }
    }

    pub(super) fn data_type(&self) -> DataType {
        DataType::Struct(self.arrow_fields.clone())
    }

    /// A row from a JSON object; null from anything else. What the object does not name, and a value that is none of its
    /// field's type, is null.
    pub(super) fn append_json(&mut self, json: Option<&str>) {
        let row = self.validity.len();
        let is_object = json.is_some_and(|json| {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            let read = RowOf { column: self, row }.deserialize(&mut deserializer);
            matches!(read, Ok(true)) && deserializer.end().is_ok()
        });
        // Half an object says as little as none: the struct's null hides what was read of it.
        self.end_row(row, is_object);
    }

    /// A row of which each field has the value that `value` gives for its name.
    pub(super) fn append_values(&mut self, mut value: impl FnMut(usize, &str) -> Option<Scalar>) {
        let row = self.validity.len();
        for (index, field) in self.fields.iter_mut().enumerate() {
            if let Values::Leaf(leaf) = &mut field.values {
                leaf.append(value(index, &field.name));
            }
        }
        self.end_row(row, true);
    }

    /// Fills what the row lacks. Rows of a field are appended at most once, and in order.
    fn end_row(&mut self, row: usize, is_valid: bool) {
        for field in &mut self.fields {
            match &mut field.values {
                Values::Struct(column) if column.validity.len() == row => column.end_row(row, false),
                Values::Leaf(leaf) if leaf.len() == row => leaf.append(None),
                _ => {}
            }
        }
        self.validity.append(is_valid);
    }

    /// The rows so far, and begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let columns = self.fields.iter_mut().map(|field| match &mut field.values {
            Values::Struct(column) => column.finish(),
            Values::Leaf(leaf) => leaf.finish(),
        });
        let columns = columns.collect();
        Arc::new(StructArray::new(self.arrow_fields.clone(), columns, self.validity.finish()))
    }
}

/// Reads an object into a row of a column; false for another value.
struct RowOf<'c> {
    column: &'c mut ParsedColumn,
    row: usize,
}

impl<'de> DeserializeSeed<'de> for RowOf<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowOf<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut expected = 0;
        while let Some(index) = map.next_key_seed(IndexOf { column: self.column, expected })? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = index + 1;
            match &mut self.column.fields[index].values {
                // A key that is there twice: its first value counts, as everywhere.
                Values::Struct(column) if column.validity.len() > self.row => drop(map.next_value::<IgnoredAny>()?),
                Values::Leaf(leaf) if leaf.len() > self.row => drop(map.next_value::<IgnoredAny>()?),
                Values::Struct(column) => {
                    let is_object = map.next_value_seed(RowOf { column: &mut *column, row: self.row })?;
                    column.end_row(self.row, is_object);
                }
                Values::Leaf(leaf) => leaf.append_json(map.next_value::<&RawValue>()?.get()),
            }
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }
}

/// The index of the field of a key. Writers keep to the schema's order, so that the next field is tried first.
struct IndexOf<'c> {
    column: &'c ParsedColumn,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for IndexOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IndexOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        match self.column.fields.get(self.expected) {
            Some(field) if field.name == key => Ok(Some(self.expected)),
            _ => Ok(self.column.by_name.get(key).copied()),
        }
    }
}
