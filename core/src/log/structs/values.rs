//! The columns of a struct, as values of their types.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
};
use arrow_array::{Array, StructArray};
use arrow_schema::{DataType, TimeUnit};

use crate::log::json_encoder::{JsonEncoder, TextArray};
use crate::scalar::{Instant, Scalar, Zone};
use crate::schema::Primitive;

/// Reads a row that is not null.
type Read<'a> = Box<dyn Fn(usize) -> Option<Scalar> + 'a>;

/// A column of a struct, taken apart once a batch.
pub(super) enum Part<'a> {
    Struct(Vec<(&'a str, Part<'a>)>, &'a StructArray),
    Leaf(Values<'a>),
    /// Of a type that has no text to compare with.
    Other,
}

/// The values of a column without others below it.
pub(super) struct Values<'a> {
    /// The table's type that the column's one is of.
    pub(super) primitive: Primitive,
    array: &'a dyn Array,
    read: Read<'a>,
}

impl<'a> Part<'a> {
    pub(super) fn of_struct(array: &'a StructArray) -> Self {
        Part::Struct(columns(array), array)
    }

    fn of(array: &'a dyn Array) -> Self {
        match array.as_struct_opt() {
            Some(array) => Part::of_struct(array),
            None => Values::of(array).map_or(Part::Other, Part::Leaf),
        }
    }
}

/// The columns of a struct by their names.
pub(super) fn columns(array: &StructArray) -> Vec<(&str, Part<'_>)> {
    let columns = array.fields().iter().zip(array.columns());
    columns.map(|(field, column)| (field.name().as_str(), Part::of(column.as_ref()))).collect()
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        let read_text = || TextArray::of(array).ok();
        let (primitive, read): (_, Read<'a>) = match array.data_type() {
            DataType::Boolean => {
                let values = array.as_boolean();
                (Primitive::Boolean, Box::new(move |row| Some(Scalar::Boolean(values.value(row)))))
            }
            DataType::Int8 => (Primitive::Byte, integers::<Int8Type>(array)),
            DataType::Int16 => (Primitive::Short, integers::<Int16Type>(array)),
            DataType::Int32 => (Primitive::Integer, integers::<Int32Type>(array)),
            DataType::Int64 => (Primitive::Long, integers::<Int64Type>(array)),
            DataType::Float32 => (Primitive::Float, read::<Float32Type>(array, |value| Some(Scalar::Float(value)))),
            DataType::Float64 => (Primitive::Double, read::<Float64Type>(array, |value| Some(Scalar::Double(value)))),
            DataType::Decimal128(precision, scale) => {
                let scale = u8::try_from(*scale).ok()?;
                let primitive = Primitive::Decimal { precision: *precision, scale };
                let value = move |unscaled| Some(Scalar::Decimal { unscaled, scale });
                (primitive, read::<Decimal128Type>(array, value))
            }
            DataType::Date32 => (Primitive::Date, read::<Date32Type>(array, |days| Some(Scalar::Date(days)))),
            DataType::Timestamp(unit, zone) => times(array, *unit, zone.is_some())?,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let texts = read_text()?;
                let value = move |row| texts.text(row).map(|text| Scalar::String(text.to_owned()));
                (Primitive::String, Box::new(value))
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                let bytes = read_text()?;
                (Primitive::Binary, Box::new(move |row| Some(Scalar::Binary(bytes.bytes(row).to_vec()))))
            }
            _ => return None,
        };
        Some(Values { primitive, array, read })
    }

    /// The value of a row; none for null.
    pub(super) fn value(&self, row: usize) -> Option<Scalar> {
        if self.array.is_null(row) { None } else { (self.read)(row) }
    }

    /// The value of a row as JSON.
    pub(super) fn json(&self, row: usize) -> Option<String> {
        let encoder = JsonEncoder::new(self.array).ok().filter(|encoder| !encoder.is_null(row))?;
        let mut text = String::new();
        encoder.write(row, &mut text);
        Some(text)
    }
}

fn read<'a, T: ArrowPrimitiveType>(array: &'a dyn Array, value: impl Fn(T::Native) -> Option<Scalar> + 'a) -> Read<'a> {
    let values = array.as_primitive::<T>();
    Box::new(move |row| value(values.value(row)))
}

fn integers<'a, T: ArrowPrimitiveType>(array: &'a dyn Array) -> Read<'a>
where
    T::Native: Into<i64>,
{
    read::<T>(array, |value| Some(Scalar::Integer(value.into())))
}

/// The reader has made microseconds of nanoseconds; seconds are in no Parquet file.
fn times<'a>(array: &'a dyn Array, unit: TimeUnit, has_zone: bool) -> Option<(Primitive, Read<'a>)> {
    let value = move |micros: i64| match has_zone {
        true => Scalar::Timestamp(Instant { micros, zone: Zone::Utc, is_cut: false }),
        false => Scalar::TimestampNtz(micros),
    };
    let primitive = if has_zone { Primitive::Timestamp } else { Primitive::TimestampNtz };
    let read: Read<'a> = match unit {
        TimeUnit::Microsecond => read::<TimestampMicrosecondType>(array, move |micros| Some(value(micros))),
        TimeUnit::Millisecond => {
            read::<TimestampMillisecondType>(array, move |millis| millis.checked_mul(1_000).map(value))
        }
        TimeUnit::Second | TimeUnit::Nanosecond => return None,
    };
    Some((primitive, read))
}
