//! Arrow values as JSON text: checkpoint rows take the same way into actions as commit lines do, so a
//! column that the protocol does not name is kept just as a field is.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, Decimal128Array, Decimal256Array,
    LargeBinaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow_schema::{DataType, TimeUnit};
use chrono::DateTime;

use crate::{Error, Result};

/// Of quotes, commas, numbers.
const BYTES_OF_AN_ITEM: usize = 8;

/// Appends the value of a row.
type WriteRow<'a> = Box<dyn Fn(usize, &mut String) + 'a>;
/// The range of a row's elements.
type RowRange<'a> = Box<dyn Fn(usize) -> (usize, usize) + 'a>;

/// Writes the values of one array. Built once an array, so that a row costs no look-up of types.
pub(super) enum JsonEncoder<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Scalar(WriteRow<'a>, &'a dyn Array),
    Text(TextArray<'a>, &'a dyn Array),
    Struct(Vec<(String, JsonEncoder<'a>)>, &'a dyn Array),
    List(Box<JsonEncoder<'a>>, RowRange<'a>, &'a dyn Array),
    Map(TextArray<'a>, Box<JsonEncoder<'a>>, &'a arrow_array::MapArray),
}

pub(super) enum TextArray<'a> {
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
}

impl<'a> TextArray<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Result<Self> {
        text_array(array)
    }

    /// The bytes of a row that is not null.
    pub(super) fn bytes(&self, row: usize) -> &[u8] {
        match self {
            TextArray::Utf8(array) => array.value(row).as_bytes(),
            TextArray::LargeUtf8(array) => array.value(row).as_bytes(),
            TextArray::View(array) => array.value(row).as_bytes(),
            TextArray::Binary(array) => array.value(row),
            TextArray::LargeBinary(array) => array.value(row),
            TextArray::BinaryView(array) => array.value(row),
        }
    }

    /// The text of a row that is not null; none where it is no text.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(row)).ok()
    }

    fn write(&self, row: usize, out: &mut String) {
        match self {
            TextArray::Utf8(array) => write_text(array.value(row), out),
            TextArray::LargeUtf8(array) => write_text(array.value(row), out),
            TextArray::View(array) => write_text(array.value(row), out),
            TextArray::Binary(array) => write_bytes(array.value(row), out),
            TextArray::LargeBinary(array) => write_bytes(array.value(row), out),
            TextArray::BinaryView(array) => write_bytes(array.value(row), out),
        }
    }
}

impl<'a> JsonEncoder<'a> {
    pub(super) fn new(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Null => JsonEncoder::Null,
            DataType::Boolean => JsonEncoder::Boolean(array.as_boolean()),
            DataType::Int8 => integer::<Int8Type>(array),
            DataType::Int16 => integer::<Int16Type>(array),
            DataType::Int32 => integer::<Int32Type>(array),
            DataType::Int64 => integer::<Int64Type>(array),
            DataType::UInt8 => integer::<UInt8Type>(array),
            DataType::UInt16 => integer::<UInt16Type>(array),
            DataType::UInt32 => integer::<UInt32Type>(array),
            DataType::UInt64 => integer::<UInt64Type>(array),
            DataType::Float32 => {
                number::<Float32Type>(array, |value, out| write_float(value, f32::is_finite(value), out))
            }
            DataType::Float64 => {
                number::<Float64Type>(array, |value, out| write_float(value, f64::is_finite(value), out))
            }
            DataType::Decimal128(..) => {
                let values: &Decimal128Array = array.as_primitive::<Decimal128Type>();
                JsonEncoder::Scalar(Box::new(move |row, out| out.push_str(&values.value_as_string(row))), array)
            }
            DataType::Decimal256(..) => {
                let values: &Decimal256Array = array.as_primitive::<Decimal256Type>();
                JsonEncoder::Scalar(Box::new(move |row, out| out.push_str(&values.value_as_string(row))), array)
            }
            DataType::Date32 => number::<Date32Type>(array, write_date),
            DataType::Timestamp(unit, zone) => {
                let zone = if zone.is_some() { "Z" } else { "" };
                match unit {
                    TimeUnit::Second => number::<TimestampSecondType>(array, move |v, out| {
                        write_timestamp(v.checked_mul(1_000_000), zone, out)
                    }),
                    TimeUnit::Millisecond => number::<TimestampMillisecondType>(array, move |v, out| {
                        write_timestamp(v.checked_mul(1_000), zone, out)
                    }),
                    TimeUnit::Microsecond => {
                        number::<TimestampMicrosecondType>(array, move |v, out| write_timestamp(Some(v), zone, out))
                    }
                    TimeUnit::Nanosecond => number::<TimestampNanosecondType>(array, move |v, out| {
                        write_timestamp(Some(v.div_euclid(1_000)), zone, out)
                    }),
                }
            }
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView => JsonEncoder::Text(text_array(array)?, array),
            DataType::Struct(fields) => {
                let columns = array.as_struct();
                let encoders = fields.iter().zip(columns.columns()).map(|(field, column)| {
                    let mut key = String::new();
                    write_text(field.name(), &mut key);
                    key.push(':');
                    Ok((key, JsonEncoder::new(column.as_ref())?))
                });
                JsonEncoder::Struct(encoders.collect::<Result<_>>()?, array)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.value_offsets();
                let range = move |row: usize| (offsets[row] as usize, offsets[row + 1] as usize);
                JsonEncoder::List(Box::new(JsonEncoder::new(list.values().as_ref())?), Box::new(range), array)
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let offsets = list.value_offsets();
                let range = move |row: usize| (offsets[row] as usize, offsets[row + 1] as usize);
                JsonEncoder::List(Box::new(JsonEncoder::new(list.values().as_ref())?), Box::new(range), array)
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let values = JsonEncoder::new(map.values().as_ref())?;
                JsonEncoder::Map(text_array(map.keys().as_ref())?, Box::new(values), map)
            }
            other => return Err(Error::corrupt(format!("a column of type {other} cannot be part of a checkpoint"))),
        })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            JsonEncoder::Null => true,
            JsonEncoder::Boolean(array) => array.is_null(row),
            JsonEncoder::Scalar(_, array)
            | JsonEncoder::Text(_, array)
            | JsonEncoder::Struct(_, array)
            | JsonEncoder::List(_, _, array) => array.is_null(row),
            JsonEncoder::Map(_, _, array) => array.is_null(row),
        }
    }

    /// Bytes of the texts in a row, and some for each item of a list or map: what it takes to write it, about.
    pub(super) fn text_bytes(&self, row: usize) -> usize {
        if self.is_null(row) {
            return 0;
        }
        match self {
            JsonEncoder::Null | JsonEncoder::Boolean(_) | JsonEncoder::Scalar(..) => 0,
            JsonEncoder::Text(array, _) => array.bytes(row).len(),
            JsonEncoder::Struct(fields, _) => fields.iter().map(|(_, value)| value.text_bytes(row)).sum(),
            JsonEncoder::List(values, range, _) => {
                let (start, end) = range(row);
                (start..end).map(|index| BYTES_OF_AN_ITEM + values.text_bytes(index)).sum()
            }
            JsonEncoder::Map(keys, values, map) => {
                let offsets = map.value_offsets();
                let items = offsets[row] as usize..offsets[row + 1] as usize;
                items.map(|index| BYTES_OF_AN_ITEM + keys.bytes(index).len() + values.text_bytes(index)).sum()
            }
        }
    }

    /// Appends the value of a row. Null fields of a struct are left out; null values of maps and lists are kept.
    pub(super) fn write(&self, row: usize, out: &mut String) {
        if self.is_null(row) {
            out.push_str("null");
            return;
        }
        match self {
            JsonEncoder::Null => {}
            JsonEncoder::Boolean(array) => out.push_str(if array.value(row) { "true" } else { "false" }),
            JsonEncoder::Scalar(write, _) => write(row, out),
            JsonEncoder::Text(array, _) => array.write(row, out),
            JsonEncoder::Struct(fields, _) => write_fields(fields, row, out),
            JsonEncoder::List(values, range, _) => {
                let (start, end) = range(row);
                out.push('[');
                for index in start..end {
                    separate(index > start, out);
                    values.write(index, out);
                }
                out.push(']');
            }
            JsonEncoder::Map(keys, values, map) => {
                let offsets = map.value_offsets();
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                out.push('{');
                for index in start..end {
                    separate(index > start, out);
                    keys.write(index, out);
                    out.push(':');
                    values.write(index, out);
                }
                out.push('}');
            }
        }
    }
}

fn write_fields(fields: &[(String, JsonEncoder<'_>)], row: usize, out: &mut String) {
    out.push('{');
    let present = fields.iter().filter(|(_, value)| !value.is_null(row));
    for (index, (key, value)) in present.enumerate() {
        separate(index > 0, out);
        out.push_str(key);
        value.write(row, out);
    }
    out.push('}');
}

fn separate(needed: bool, out: &mut String) {
    if needed {
        out.push(',');
    }
}

fn text_array(array: &dyn Array) -> Result<TextArray<'_>> {
    Ok(match array.data_type() {
        DataType::Utf8 => TextArray::Utf8(array.as_string()),
        DataType::LargeUtf8 => TextArray::LargeUtf8(array.as_string()),
        DataType::Utf8View => TextArray::View(array.as_string_view()),
        DataType::Binary => TextArray::Binary(array.as_binary()),
        DataType::LargeBinary => TextArray::LargeBinary(array.as_binary()),
        DataType::BinaryView => TextArray::BinaryView(array.as_binary_view()),
        other => return Err(Error::corrupt(format!("expected text, found a column of type {other}"))),
    })
}

fn number<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    write: impl Fn(T::Native, &mut String) + 'a,
) -> JsonEncoder<'a> {
    let values: &PrimitiveArray<T> = array.as_primitive();
    JsonEncoder::Scalar(Box::new(move |row, out| write(values.value(row), out)), array)
}

fn integer<T: ArrowPrimitiveType>(array: &dyn Array) -> JsonEncoder<'_>
where
    T::Native: std::fmt::Display,
{
    number::<T>(array, |value, out| {
        let _ = write!(out, "{value}");
    })
}

/// Infinities and NaN as text, as Delta-Spark writes them in statistics.
fn write_float<T: serde::Serialize + std::fmt::Display>(value: T, finite: bool, out: &mut String) {
    if finite {
        // The shortest text that reads back to the same number.
        out.push_str(&serde_json::to_string(&value).unwrap_or_default());
    } else {
        let text = match value.to_string().as_str() {
            "inf" => "\"Infinity\"",
            "-inf" => "\"-Infinity\"",
            _ => "\"NaN\"",
        };
        out.push_str(text);
    }
}

fn write_date(days: i32, out: &mut String) {
    match DateTime::from_timestamp(i64::from(days) * 86_400, 0) {
        Some(time) => write_text(&time.date_naive().to_string(), out),
        None => out.push_str("null"),
    }
}

/// Milliseconds as Delta-Spark writes them, microseconds only where there are any.
fn write_timestamp(micros: Option<i64>, zone: &str, out: &mut String) {
    let Some((micros, time)) = micros.and_then(|micros| Some((micros, DateTime::from_timestamp_micros(micros)?)))
    else {
        out.push_str("null");
        return;
    };
    let format = if micros % 1_000 == 0 { "%Y-%m-%dT%H:%M:%S%.3f" } else { "%Y-%m-%dT%H:%M:%S%.6f" };
    let _ = write!(out, "\"{}{zone}\"", time.format(format));
}

fn write_text(text: &str, out: &mut String) {
    // Text always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Text where it is UTF-8 (a writer forgot the annotation). Other bytes become an object, which is kept in a field that
/// the protocol does not name and refused where it asks for text.
fn write_bytes(bytes: &[u8], out: &mut String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => write_text(text, out),
        Err(_) => {
            out.push_str("{\"hex\":\"");
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.push_str("\"}");
        }
    }
}
