//! Builders of the columns that the protocol names, from the fields of actions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::StructArray;
use arrow_array::builder::{
    BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, MapFieldNames, NullBufferBuilder,
    StringBuilder,
};
use arrow_schema::{DataType, Field, Fields};

use crate::action::{DeletionVector, Format, Json, StringMap};

/// A column under construction, for one field of an action.
pub(super) trait Column: Default {
    /// What a row of it is made of.
    type Value<'a>;
    fn data_type() -> DataType;
    fn append(&mut self, value: Self::Value<'_>);
    /// The rows so far, and begins anew.
    fn finish(&mut self) -> ArrayRef;
}

/// The columns of an action, or of a struct in one.
pub(super) trait Columns: Default {
    type Row;
    fn fields() -> Vec<Field>;
    /// A row, of nulls where there is no struct.
    fn append(&mut self, row: Option<&Self::Row>);
    fn finish(&mut self) -> Vec<ArrayRef>;
}

/// Columns for the fields of `$row`, each with the expression that takes its value from the row.
macro_rules! columns {
    ($(#[$meta:meta])* $name:ident of $row:ty { $($field:ident $wire:literal: $column:ty = |$value:ident| $take:expr,)* }) => {
        $(#[$meta])*
        #[derive(Default)]
        pub(super) struct $name { $($field: $column,)* }

        impl $crate::mirror::checkpoint::fields::Columns for $name {
            type Row = $row;

            fn fields() -> Vec<arrow_schema::Field> {
                vec![$(arrow_schema::Field::new($wire, <$column as $crate::mirror::checkpoint::fields::Column>::data_type(), true),)*]
            }

            fn append(&mut self, row: Option<&$row>) {
                $($crate::mirror::checkpoint::fields::Column::append(&mut self.$field, row.and_then(|$value| $take));)*
            }

            fn finish(&mut self) -> Vec<arrow_array::ArrayRef> {
                vec![$($crate::mirror::checkpoint::fields::Column::finish(&mut self.$field),)*]
            }
        }
    };
}
pub(super) use columns;

macro_rules! simple_column {
    ($(#[$meta:meta])* $name:ident, $builder:ty, $data_type:expr, $value:ty) => {
        $(#[$meta])*
        #[derive(Default)]
        pub(super) struct $name($builder);

        impl Column for $name {
            type Value<'a> = Option<$value>;

            fn data_type() -> DataType {
                $data_type
            }

            fn append(&mut self, value: Self::Value<'_>) {
                self.0.append_option(value);
            }

            fn finish(&mut self) -> ArrayRef {
                Arc::new(self.0.finish())
            }
        }
    };
}

simple_column!(Text, StringBuilder, DataType::Utf8, &'a str);
simple_column!(Long, Int64Builder, DataType::Int64, i64);
simple_column!(Integer, Int32Builder, DataType::Int32, i32);
simple_column!(Boolean, BooleanBuilder, DataType::Boolean, bool);

/// A list of texts.
#[derive(Default)]
pub(super) struct TextList(ListBuilder<StringBuilder>);

impl Column for TextList {
    type Value<'a> = Option<&'a Vec<String>>;

    fn data_type() -> DataType {
        DataType::List(Arc::new(element()))
    }

    fn append(&mut self, value: Self::Value<'_>) {
        value.into_iter().flatten().for_each(|text| self.0.values().append_value(text));
        self.0.append(value.is_some());
    }

    fn finish(&mut self) -> ArrayRef {
        let (_, offsets, values, nulls) = self.0.finish().into_parts();
        Arc::new(arrow_array::ListArray::new(Arc::new(element()), offsets, values, nulls))
    }
}

fn element() -> Field {
    Field::new("element", DataType::Utf8, true)
}

/// A map of texts.
pub(super) struct TextMap(MapBuilder<StringBuilder, StringBuilder>);

impl Default for TextMap {
    fn default() -> Self {
        let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
        let [key, value] = key_and_value();
        let builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        TextMap(builder.with_keys_field(key).with_values_field(value))
    }
}

fn key_and_value() -> [Field; 2] {
    [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]
}

impl TextMap {
    fn append_map(&mut self, map: Option<&BTreeMap<String, Option<String>>>) {
        for (key, value) in map.into_iter().flatten() {
            self.0.keys().append_value(key);
            self.0.values().append_option(value.as_deref());
        }
        // There are as many keys as values.
        let _ = self.0.append(map.is_some());
    }
}

impl Column for TextMap {
    type Value<'a> = Option<&'a StringMap>;

    fn data_type() -> DataType {
        let entries = DataType::Struct(Fields::from(key_and_value().to_vec()));
        DataType::Map(Arc::new(Field::new("key_value", entries, false)), false)
    }

    fn append(&mut self, value: Self::Value<'_>) {
        self.append_map(value.map(|map| &map.0));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Tags: a map of strings; numbers go in by their text, what is no map at all is null.
#[derive(Default)]
pub(super) struct Tags(TextMap);

impl Column for Tags {
    type Value<'a> = Option<&'a Json>;

    fn data_type() -> DataType {
        TextMap::data_type()
    }

    fn append(&mut self, value: Self::Value<'_>) {
        let map: Option<StringMap> = value.and_then(Json::read);
        self.0.append(map.as_ref());
    }

    fn finish(&mut self) -> ArrayRef {
        self.0.finish()
    }
}

/// A struct.
pub(super) struct Struct<C> {
    columns: C,
    validity: NullBufferBuilder,
}

impl<C: Columns> Default for Struct<C> {
    fn default() -> Self {
        Struct { columns: C::default(), validity: NullBufferBuilder::new(0) }
    }
}

impl<C: Columns> Struct<C> {
    fn append_struct(&mut self, row: Option<&C::Row>) {
        self.columns.append(row);
        self.validity.append(row.is_some());
    }

    fn finish_struct(&mut self) -> ArrayRef {
        let columns = self.columns.finish();
        Arc::new(StructArray::new(Fields::from(C::fields()), columns, self.validity.finish()))
    }
}

macro_rules! struct_column {
    ($columns:ident, $row:ty) => {
        impl Column for Struct<$columns> {
            type Value<'a> = Option<&'a $row>;

            fn data_type() -> DataType {
                DataType::Struct(Fields::from($columns::fields()))
            }

            fn append(&mut self, value: Self::Value<'_>) {
                self.append_struct(value);
            }

            fn finish(&mut self) -> ArrayRef {
                self.finish_struct()
            }
        }
    };
}

struct_column!(DeletionVectorColumns, DeletionVector);
struct_column!(FormatColumns, Format);

columns! {
    DeletionVectorColumns of DeletionVector {
        storage_type "storageType": Text = |vector| Some(vector.storage_type.as_str()),
        path_or_inline_dv "pathOrInlineDv": Text = |vector| Some(vector.path_or_inline_dv.as_str()),
        offset "offset": Integer = |vector| vector.offset?.try_into().ok(),
        size_in_bytes "sizeInBytes": Integer = |vector| vector.size_in_bytes.try_into().ok(),
        cardinality "cardinality": Long = |vector| Some(vector.cardinality),
    }
}

columns! {
    FormatColumns of Format {
        provider "provider": Text = |format| Some(format.provider.as_str()),
        options "options": TextMap = |format| Some(&format.options),
    }
}
