//! Makes a literal a value of its column's type.

use super::expr::Literal;
use crate::scalar::{Zone, parse_date, parse_instant, parse_scaled};
use crate::schema::Primitive;

/// A literal as the bounds of its column are compared with it. Where engines differ in what it means,
/// `low` and `high` enclose all meanings.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number in units of the column's scale, a day, a microsecond, false and true.
    Ordinal {
        low: i128,
        high: i128,
        /// The literal is strictly between `low` and `high`, where the column has no values.
        between: bool,
    },
    /// Never NaN.
    Float {
        low: f64,
        high: f64,
    },
    Text(String),
}

impl Value {
    fn exactly(ordinal: impl Into<i128>) -> Self {
        let ordinal = ordinal.into();
        Value::Ordinal { low: ordinal, high: ordinal, between: false }
    }

    pub(super) fn boolean(value: bool) -> Self {
        Value::exactly(i128::from(value))
    }
}

/// Why a literal is no value of the type.
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: &'static str,
}

/// The value of a literal that is not NULL. `None` where it has a meaning, but not one that bounds can
/// be compared with.
pub(super) fn coerce(literal: &Literal, primitive: &Primitive) -> Result<Option<Value>, Wrong> {
    match primitive {
        Primitive::Byte | Primitive::Short | Primitive::Integer | Primitive::Long => {
            match literal {
                Literal::Number(text) => exact(text, 0, false),
                // Engines cut, refuse or round a fraction in quotes.
                Literal::Text(text) if parse_scaled(text, 0).is_some_and(|n| n.exact && !text.contains('.')) => {
                    exact(text, 0, true)
                }
                other => wrong(other, "a whole number", "write it as 5, without quotes"),
            }
        }
        Primitive::Decimal { scale, .. } => match literal {
            Literal::Number(text) => exact(text, *scale, false),
            Literal::Text(text) if parse_scaled(text, *scale).is_some() => exact(text, *scale, true),
            other => wrong(other, "a number", "write it as 10.25, without quotes"),
        },
        Primitive::Float | Primitive::Double => match literal {
            Literal::Number(text) | Literal::Text(text) => match text.parse::<f64>() {
                Ok(value) if value.is_nan() => Ok(None),
                Ok(value) => Ok(Some(float(value, text, *primitive == Primitive::Float))),
                Err(_) => wrong(literal, "a number", "write it as 10.25, without quotes"),
            },
            other => wrong(other, "a number", "write it as 10.25, without quotes"),
        },
        Primitive::Boolean => match literal {
            Literal::Boolean(value) => Ok(Some(Value::boolean(*value))),
            Literal::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Some(Value::boolean(true))),
            Literal::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Some(Value::boolean(false))),
            other => wrong(other, "a boolean", "write TRUE or FALSE"),
        },
        Primitive::String => match literal {
            Literal::Text(text) => Ok(Some(Value::Text(text.clone()))),
            other => wrong(other, "a text", "put it in single quotes"),
        },
        Primitive::Date => match literal {
            Literal::Date(text) | Literal::Text(text) => match parse_date(text) {
                Some(days) => Ok(Some(Value::exactly(days))),
                None => wrong(literal, "a date", "write it as '2024-01-31'"),
            },
            // When a day begins is a matter of the session's zone.
            Literal::Timestamp(text) if parse_instant(text).is_some() => Ok(None),
            other => wrong(other, "a date", "write it as '2024-01-31'"),
        },
        Primitive::Timestamp | Primitive::TimestampNtz => time(literal, *primitive == Primitive::Timestamp),
        Primitive::Binary | Primitive::Void | Primitive::Variant | Primitive::Other(_) => Ok(None),
    }
}

fn wrong<T>(literal: &Literal, expected: &str, hint: &'static str) -> Result<T, Wrong> {
    let shown = match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Boolean(value) => value.to_string().to_uppercase(),
        Literal::Number(text) => shortened(text),
        Literal::Text(text) => format!("'{}'", shortened(text)),
        Literal::Date(text) => format!("DATE '{}'", shortened(text)),
        Literal::Timestamp(text) => format!("TIMESTAMP '{}'", shortened(text)),
    };
    let expected = expected.strip_prefix("a ").unwrap_or(expected);
    Err(Wrong { what: format!("{shown} is no {expected}"), hint })
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A number for a column that holds whole numbers of units. What some engines take for a double, a
/// number with an exponent or in quotes, may be off by the last of a double's digits.
fn exact(text: &str, scale: u8, is_quoted: bool) -> Result<Option<Value>, Wrong> {
    let Some(number) = parse_scaled(text, scale) else {
        // Larger than any value of any column.
        return Ok(Some(if text.starts_with('-') {
            Value::Ordinal { low: i128::MIN, high: i128::MIN + 1, between: true }
        } else {
            Value::Ordinal { low: i128::MAX - 1, high: i128::MAX, between: true }
        }));
    };
    let (mut low, mut high) = (number.floor, number.ceil());
    let mut between = !number.exact;
    if number.has_exponent || is_quoted {
        // A double is right to 2.3e-16 of its size; this is four times as much.
        let slack =
            low.saturating_abs().max(high.saturating_abs()) / 10i128.pow(15) + i128::from(number.digit_count > 15);
        low = low.saturating_sub(slack);
        high = high.saturating_add(slack);
        between &= slack == 0;
    }
    Ok(Some(Value::Ordinal { low, high, between }))
}

/// A number for a float column. Engines compare it as a double, a float column perhaps as a float, some
/// by its exact decimal value.
fn float(value: f64, text: &str, is_single: bool) -> Value {
    let (mut low, mut high) = (value, value);
    if !is_dyadic(value, text) && value.is_finite() {
        (low, high) = (value.next_down(), value.next_up());
    }
    if is_single {
        let single = f64::from(value as f32);
        (low, high) = (low.min(single), high.max(single));
    }
    Value::Float { low, high }
}

/// Whether the text is exactly that double; asked of multiples of 1/1024 only.
fn is_dyadic(value: f64, text: &str) -> bool {
    let parts = value * 1024.0;
    if parts.fract() != 0.0 || parts.abs() >= 9_007_199_254_740_992.0 {
        return false;
    }
    // 10^10 / 1024 is whole.
    parse_scaled(text, 10).is_some_and(|number| number.exact && number.floor == parts as i128 * 9_765_625)
}

fn time(literal: &Literal, has_zone: bool) -> Result<Option<Value>, Wrong> {
    const EXPECTED: &str = "a timestamp";
    let hint = if has_zone {
        "write it as '2024-01-31 12:30:00.123456', in UTC, or with an offset as '2024-01-31T12:30:00+01:00'"
    } else {
        "write it as '2024-01-31 12:30:00.123456', without a zone"
    };
    let (Literal::Timestamp(text) | Literal::Date(text) | Literal::Text(text)) = literal else {
        return wrong(literal, EXPECTED, hint);
    };
    if matches!(literal, Literal::Date(_)) && parse_date(text).is_none() {
        return wrong(literal, "a date", "write it as '2024-01-31'");
    }
    match parse_instant(text) {
        Some(instant) if !instant.is_cut && (has_zone || instant.zone == Zone::Unknown) => {
            Ok(Some(Value::exactly(instant.micros)))
        }
        _ => wrong(literal, EXPECTED, hint),
    }
}
