//! A bound of a column, from the JSON of statistics to a value of the column's type.

use crate::scalar::{Instant, Scalar, Zone, parse_date, parse_instant, parse_scaled};
use crate::schema::Primitive;
use crate::stats::text;

/// The value that the JSON is, exactly; `None` where it is none of the type. A bound that were rounded could leave out
/// rows that are there.
pub(crate) fn stats_value(json: &str, primitive: &Primitive) -> Option<Scalar> {
    match primitive {
        Primitive::Byte | Primitive::Short | Primitive::Integer | Primitive::Long => {
            let number = parse_scaled(json, 0).filter(|number| number.exact)?;
            i64::try_from(number.floor).ok().map(Scalar::Integer)
        }
        Primitive::Decimal { scale, .. } => {
            // Some writers put decimals into quotes.
            let digits = text(json);
            let number = parse_scaled(digits.as_deref().unwrap_or(json), *scale).filter(|number| number.exact)?;
            Some(Scalar::Decimal { unscaled: number.floor, scale: *scale })
        }
        Primitive::Float => float(json, f32::is_finite, [f32::NAN, f32::INFINITY]).map(Scalar::Float),
        Primitive::Double => float(json, f64::is_finite, [f64::NAN, f64::INFINITY]).map(Scalar::Double),
        Primitive::Boolean => json.parse().ok().map(Scalar::Boolean),
        Primitive::String => text(json).map(|text| Scalar::String(text.into_owned())),
        Primitive::Date => parse_date(&text(json)?).map(Scalar::Date),
        Primitive::Timestamp => match parse_instant(&text(json)?)? {
            // On whose clock one without a zone is, is not known.
            Instant { zone: Zone::Unknown, .. } | Instant { is_cut: true, .. } => None,
            instant => Some(Scalar::Timestamp(instant)),
        },
        Primitive::TimestampNtz => match parse_instant(&text(json)?)? {
            // A `Z` is there because the writer prints all times with it.
            Instant { zone: Zone::Offset, .. } | Instant { is_cut: true, .. } => None,
            Instant { micros, .. } => Some(Scalar::TimestampNtz(micros)),
        },
        Primitive::Binary | Primitive::Void | Primitive::Variant | Primitive::Other(_) => None,
    }
}

/// What no JSON number can be is a text, as Delta-Spark writes it.
fn float<T>(json: &str, is_finite: fn(T) -> bool, [nan, infinity]: [T; 2]) -> Option<T>
where
    T: std::str::FromStr + std::ops::Neg<Output = T> + Copy,
{
    match json {
        r#""NaN""# => Some(nan),
        r#""Infinity""# => Some(infinity),
        r#""-Infinity""# => Some(-infinity),
        number => number.parse().ok().filter(|value| is_finite(*value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_type() {
        let timestamp = |micros, zone| Some(Scalar::Timestamp(Instant { micros, zone, is_cut: false }));
        for (name, json, expected) in [
            ("byte", "-128", Some(Scalar::Integer(-128))),
            ("long", "9223372036854775807", Some(Scalar::Integer(i64::MAX))),
            ("long", "9223372036854775808", None),
            ("long", "7.0", Some(Scalar::Integer(7))),
            ("long", "7.5", None),
            ("long", "\"7\"", None),
            ("long", "null", None),
            ("long", "{}", None),
            ("integer", "1e2", Some(Scalar::Integer(100))),
            ("decimal(5,2)", "1.5", Some(Scalar::Decimal { unscaled: 150, scale: 2 })),
            ("decimal(5,2)", "\"1.50\"", Some(Scalar::Decimal { unscaled: 150, scale: 2 })),
            ("decimal(5,2)", "1.505", None),
            (
                "decimal(38,0)",
                "12345678901234567890123456789012345678",
                Some(Scalar::Decimal { unscaled: 12345678901234567890123456789012345678, scale: 0 }),
            ),
            ("float", "0.1", Some(Scalar::Float(0.1))),
            ("float", "1e39", None),
            ("double", "1.7976931348623157e308", Some(Scalar::Double(f64::MAX))),
            ("double", "1e309", None),
            ("double", "\"Infinity\"", Some(Scalar::Double(f64::INFINITY))),
            ("float", "\"-Infinity\"", Some(Scalar::Float(f32::NEG_INFINITY))),
            ("double", "\"1.5\"", None),
            ("boolean", "true", Some(Scalar::Boolean(true))),
            ("boolean", "1", None),
            ("string", r#""a\"b""#, Some(Scalar::String("a\"b".into()))),
            ("string", "5", None),
            ("date", "\"1970-01-02\"", Some(Scalar::Date(1))),
            ("date", "\"yesterday\"", None),
            ("date", "1", None),
            ("timestamp", "\"1970-01-01T00:00:00.001Z\"", timestamp(1000, Zone::Utc)),
            ("timestamp", "\"1970-01-01T01:00:00.000+01:00\"", timestamp(0, Zone::Offset)),
            ("timestamp", "\"1970-01-01T00:00:00.001\"", None),
            ("timestamp", "\"1970-01-01T00:00:00.0000001Z\"", None),
            ("timestamp_ntz", "\"1970-01-01T00:00:00.001\"", Some(Scalar::TimestampNtz(1000))),
            ("timestamp_ntz", "\"1970-01-01T00:00:00.001Z\"", Some(Scalar::TimestampNtz(1000))),
            ("timestamp_ntz", "\"1970-01-01T00:00:00.001+01:00\"", None),
            ("binary", "\"abc\"", None),
            ("variant", "\"abc\"", None),
        ] {
            assert_eq!(stats_value(json, &Primitive::from_name(name)), expected, "{name} from {json}");
        }
        let Some(Scalar::Double(nan)) = stats_value("\"NaN\"", &Primitive::Double) else { panic!() };
        assert!(nan.is_nan());
    }
}
