//! The value of a partition column in a file, read from its text (protocol section "Partition Value
//! Serialization").

use crate::scalar::{Instant, Scalar, Zone, parse_date, parse_instant, parse_scaled};
use crate::schema::{DataType, Primitive};

/// Hive's folder name for null. It belongs into paths; as a value, one cannot tell what was meant.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// What a partition value's text says.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionValue {
    /// The column is null in every row.
    Null,
    /// The column has this value in every row.
    Known(Scalar),
    /// The text is no value of the type, or could be several: nothing is known about the rows.
    Unknown,
}

impl PartitionValue {
    /// Reads the text of a value of a column of `data_type`. Null and the empty string are null for
    /// every type.
    ///
    /// A `timestamp` without a zone is on the clock of the system that wrote it, which is not recorded:
    /// its [`Instant`] has [`Zone::Unknown`]. A `binary` is known only where it is all ASCII, as writers
    /// disagree on the other bytes.
    ///
    /// ```
    /// use deltalakedb_core::partition_values::PartitionValue;
    /// use deltalakedb_core::scalar::Scalar;
    /// use deltalakedb_core::schema::Primitive;
    /// let read = |text, primitive: Primitive| PartitionValue::parse(text, &primitive.into());
    /// assert_eq!(read(Some("1970-01-03"), Primitive::Date), PartitionValue::Known(Scalar::Date(2)));
    /// assert_eq!(read(Some(""), Primitive::String), PartitionValue::Null);
    /// assert_eq!(read(Some("yesterday"), Primitive::Date), PartitionValue::Unknown);
    /// ```
    pub fn parse(text: Option<&str>, data_type: &DataType) -> Self {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return PartitionValue::Null;
        };
        let DataType::Primitive(primitive) = data_type else {
            return PartitionValue::Unknown;
        };
        if text == HIVE_NULL {
            return PartitionValue::Unknown;
        }
        parse(text, primitive).map_or(PartitionValue::Unknown, PartitionValue::Known)
    }
}

fn parse(text: &str, primitive: &Primitive) -> Option<Scalar> {
    match primitive {
        Primitive::String => Some(Scalar::String(text.to_owned())),
        Primitive::Long | Primitive::Integer | Primitive::Short | Primitive::Byte => {
            let number = parse_scaled(text, 0).filter(|number| number.exact)?;
            i64::try_from(number.floor).ok().map(Scalar::Integer)
        }
        Primitive::Decimal { scale, .. } => {
            let number = parse_scaled(text, *scale).filter(|number| number.exact)?;
            Some(Scalar::Decimal { unscaled: number.floor, scale: *scale })
        }
        Primitive::Float => text.parse().ok().map(Scalar::Float),
        Primitive::Double => text.parse().ok().map(Scalar::Double),
        Primitive::Boolean if text.eq_ignore_ascii_case("true") => Some(Scalar::Boolean(true)),
        Primitive::Boolean if text.eq_ignore_ascii_case("false") => Some(Scalar::Boolean(false)),
        Primitive::Date => parse_date(text).map(Scalar::Date),
        Primitive::Timestamp => parse_instant(text).filter(|instant| !instant.is_cut).map(Scalar::Timestamp),
        Primitive::TimestampNtz => match parse_instant(text)? {
            Instant { micros, zone: Zone::Unknown, is_cut: false } => Some(Scalar::TimestampNtz(micros)),
            _ => None,
        },
        // A backslash may begin an escape that the writer left in.
        Primitive::Binary if text.is_ascii() && !text.contains('\\') => Some(Scalar::Binary(text.as_bytes().to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_type() {
        let instant = |micros, zone| Some(Scalar::Timestamp(Instant { micros, zone, is_cut: false }));
        let cases = [
            ("string", " a ", Some(Scalar::String(" a ".into()))),
            ("string", HIVE_NULL, None),
            ("long", "-9223372036854775808", Some(Scalar::Integer(i64::MIN))),
            ("long", "9223372036854775808", None),
            ("integer", "007", Some(Scalar::Integer(7))),
            ("integer", "7.5", None),
            ("byte", "x", None),
            (
                "decimal(38,2)",
                "123456789012345678901234567890123456.78",
                Some(Scalar::Decimal { unscaled: 12345678901234567890123456789012345678, scale: 2 }),
            ),
            ("decimal(5,2)", "1E+1", Some(Scalar::Decimal { unscaled: 1000, scale: 2 })),
            ("decimal(5,2)", "1.005", None),
            ("float", "0.1", Some(Scalar::Float(0.1))),
            ("double", "-Infinity", Some(Scalar::Double(f64::NEG_INFINITY))),
            ("double", "1,5", None),
            ("boolean", "TRUE", Some(Scalar::Boolean(true))),
            ("boolean", "False", Some(Scalar::Boolean(false))),
            ("boolean", "1", None),
            ("date", "1970-01-02", Some(Scalar::Date(1))),
            ("date", "1970-01-02 00:00:00", None),
            ("timestamp", "1970-01-01 00:00:00.000001", instant(1, Zone::Unknown)),
            ("timestamp", "1970-01-01T00:00:00.000001Z", instant(1, Zone::Utc)),
            ("timestamp", "1970-01-01T01:00:00+01:00", instant(0, Zone::Offset)),
            ("timestamp", "1970-01-01 00:00:00.0000001", None),
            ("timestamp_ntz", "1970-01-01 00:00:01", Some(Scalar::TimestampNtz(1_000_000))),
            ("timestamp_ntz", "1970-01-01T00:00:01Z", None),
            ("binary", "\u{1}\u{2}", Some(Scalar::Binary(vec![1, 2]))),
            ("binary", "\u{e9}", None),
            ("binary", "\\u0001", None),
            ("interval day", "1", None),
        ];
        for (name, text, expected) in cases {
            let data_type = Primitive::from_name(name).into();
            let expected = expected.map_or(PartitionValue::Unknown, PartitionValue::Known);
            assert_eq!(PartitionValue::parse(Some(text), &data_type), expected, "{name} {text}");
            assert_eq!(PartitionValue::parse(Some(""), &data_type), PartitionValue::Null);
            assert_eq!(PartitionValue::parse(None, &data_type), PartitionValue::Null);
        }
    }
}
