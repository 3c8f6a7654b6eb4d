//! The values of one primitive column, as the protocol maps its types to Parquet (section "Delta Data Type to Parquet
//! Type Mappings").

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_schema::{DataType, TimeUnit};

use crate::scalar::{Instant, Scalar};
use crate::schema::Primitive;
use crate::stats;
use crate::stats_value::stats_value;

/// The Arrow type of a primitive one. Types that no column of a checkpoint has count as text.
pub(super) fn arrow_type(primitive: &Primitive) -> DataType {
    match primitive {
        Primitive::Boolean => DataType::Boolean,
        Primitive::Byte => DataType::Int8,
        Primitive::Short => DataType::Int16,
        Primitive::Integer => DataType::Int32,
        Primitive::Long => DataType::Int64,
        Primitive::Float => DataType::Float32,
        Primitive::Double => DataType::Float64,
        Primitive::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        Primitive::Date => DataType::Date32,
        Primitive::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Primitive::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
        Primitive::Binary => DataType::Binary,
        Primitive::String | Primitive::Void | Primitive::Variant | Primitive::Other(_) => DataType::Utf8,
    }
}

/// A primitive column under construction.
pub(super) struct Leaf {
    primitive: Primitive,
    values: Values,
}

enum Values {
    Boolean(BooleanBuilder),
    Byte(Int8Builder),
    Short(Int16Builder),
    Integer(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Micros(TimestampMicrosecondBuilder),
    Binary(BinaryBuilder),
    Text(StringBuilder),
}

impl Leaf {
    pub(super) fn new(primitive: &Primitive) -> Self {
        let data_type = arrow_type(primitive);
        let values = match primitive {
            Primitive::Boolean => Values::Boolean(BooleanBuilder::new()),
            Primitive::Byte => Values::Byte(Int8Builder::new()),
            Primitive::Short => Values::Short(Int16Builder::new()),
            Primitive::Integer => Values::Integer(Int32Builder::new()),
            Primitive::Long => Values::Long(Int64Builder::new()),
            Primitive::Float => Values::Float(Float32Builder::new()),
            Primitive::Double => Values::Double(Float64Builder::new()),
            Primitive::Decimal { .. } => Values::Decimal(Decimal128Builder::new().with_data_type(data_type)),
            Primitive::Date => Values::Date(Date32Builder::new()),
            Primitive::Timestamp | Primitive::TimestampNtz => {
                Values::Micros(TimestampMicrosecondBuilder::new().with_data_type(data_type))
            }
            Primitive::Binary => Values::Binary(BinaryBuilder::new()),
            _ => Values::Text(StringBuilder::new()),
        };
        Leaf { primitive: primitive.clone(), values }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Boolean(values) => values.len(),
            Values::Byte(values) => values.len(),
            Values::Short(values) => values.len(),
            Values::Integer(values) => values.len(),
            Values::Long(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Double(values) => values.len(),
            Values::Decimal(values) => values.len(),
            Values::Date(values) => values.len(),
            Values::Micros(values) => values.len(),
            Values::Binary(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }

    /// The rows so far, and begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match &mut self.values {
            Values::Boolean(values) => values,
            Values::Byte(values) => values,
            Values::Short(values) => values,
            Values::Integer(values) => values,
            Values::Long(values) => values,
            Values::Float(values) => values,
            Values::Double(values) => values,
            Values::Decimal(values) => values,
            Values::Date(values) => values,
            Values::Micros(values) => values,
            Values::Binary(values) => values,
            Values::Text(values) => values,
        };
        builder.finish()
    }

    /// A value as statistics have it.
    pub(super) fn append_json(&mut self, json: &str) {
        match &mut self.values {
            Values::Text(values) => values.append_option(stats::text(json)),
            _ => self.append(stats_value(json, &self.primitive)),
        }
    }

    /// A value that is not of the type, or does not fit it, becomes null.
    pub(super) fn append(&mut self, value: Option<Scalar>) {
        let integer = match value {
            Some(Scalar::Integer(value)) => Some(value),
            _ => None,
        };
        match (&mut self.values, value) {
            (Values::Byte(values), _) => values.append_option(integer.and_then(|value| value.try_into().ok())),
            (Values::Short(values), _) => values.append_option(integer.and_then(|value| value.try_into().ok())),
            (Values::Integer(values), _) => values.append_option(integer.and_then(|value| value.try_into().ok())),
            (Values::Long(values), _) => values.append_option(integer),
            (Values::Boolean(values), Some(Scalar::Boolean(value))) => values.append_value(value),
            (Values::Boolean(values), _) => values.append_null(),
            (Values::Float(values), Some(Scalar::Float(value))) => values.append_value(value),
            (Values::Float(values), _) => values.append_null(),
            (Values::Double(values), Some(Scalar::Double(value))) => values.append_value(value),
            (Values::Double(values), _) => values.append_null(),
            (Values::Decimal(values), Some(Scalar::Decimal { unscaled, .. })) => {
                values.append_option(has_digits(&self.primitive, unscaled).then_some(unscaled));
            }
            (Values::Decimal(values), _) => values.append_null(),
            (Values::Date(values), Some(Scalar::Date(days))) => values.append_value(days),
            (Values::Date(values), _) => values.append_null(),
            // A partition value without a zone is taken for one in UTC, as engines do that are in no zone themselves.
            (
                Values::Micros(values),
                Some(Scalar::Timestamp(Instant { micros, .. }) | Scalar::TimestampNtz(micros)),
            ) => values.append_value(micros),
            (Values::Micros(values), _) => values.append_null(),
            (Values::Binary(values), Some(Scalar::Binary(bytes))) => values.append_value(bytes),
            (Values::Binary(values), _) => values.append_null(),
            (Values::Text(values), Some(Scalar::String(text))) => values.append_value(text),
            (Values::Text(values), _) => values.append_null(),
        }
    }
}

/// Whether a value of a type is among those that its column holds.
pub(crate) fn has_room(primitive: &Primitive, value: &Scalar) -> bool {
    match (primitive, value) {
        (Primitive::Byte, Scalar::Integer(value)) => i8::try_from(*value).is_ok(),
        (Primitive::Short, Scalar::Integer(value)) => i16::try_from(*value).is_ok(),
        (Primitive::Integer, Scalar::Integer(value)) => i32::try_from(*value).is_ok(),
        (Primitive::Decimal { .. }, Scalar::Decimal { unscaled, .. }) => has_digits(primitive, *unscaled),
        _ => true,
    }
}

/// Whether a decimal has no more digits than its type.
fn has_digits(primitive: &Primitive, unscaled: i128) -> bool {
    let Primitive::Decimal { precision, .. } = primitive else { return false };
    10_u128.checked_pow((*precision).into()).is_some_and(|limit| unscaled.unsigned_abs() < limit)
}
