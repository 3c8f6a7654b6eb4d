//! JSON as what it means, for comparing: the order of names does not matter, a null or an empty object is as good as no
//! field, and numbers are compared by their value, exactly.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::value::RawValue;

/// Deeper values are compared as texts.
const DEEPEST: usize = 64;

/// A JSON value, with its numbers as they were written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(BTreeMap<Cow<'a, str>, Value<'a>>),
    /// Too deep to be taken apart.
    Deep(&'a str),
}

impl<'a> Value<'a> {
    /// Of a JSON text; of any other text, that text.
    pub(super) fn of_json(text: &'a str) -> Self {
        serde_json::from_str::<&RawValue>(text).map_or(Value::Text(text.into()), |raw| Self::read(raw.get(), DEEPEST))
    }

    fn read(json: &'a str, depth: usize) -> Self {
        let deep = || Value::Deep(json);
        match json.as_bytes().first() {
            Some(b'{') if depth > 0 => {
                let fields: Result<BTreeMap<Cow<'a, str>, &'a RawValue>, _> = serde_json::from_str(json);
                fields.map_or_else(
                    |_| deep(),
                    |fields| {
                        let read = |(name, value): (_, &'a RawValue)| (name, Self::read(value.get(), depth - 1));
                        Value::Object(fields.into_iter().map(read).collect())
                    },
                )
            }
            Some(b'[') if depth > 0 => {
                let items: Result<Vec<&'a RawValue>, _> = serde_json::from_str(json);
                items.map_or_else(
                    |_| deep(),
                    |items| Value::List(items.into_iter().map(|item| Self::read(item.get(), depth - 1)).collect()),
                )
            }
            Some(b'{' | b'[') => deep(),
            Some(b'"') => serde_json::from_str(json).map_or_else(|_| deep(), |text: String| Value::Text(text.into())),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(json.into()),
        }
    }

    pub(super) fn number(number: i64) -> Self {
        Value::Number(number.to_string().into())
    }

    /// Whether a field with this value says no more than none.
    fn is_nothing(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Object(fields) => fields.values().all(Value::is_nothing),
            _ => false,
        }
    }

    /// Appends the one text that all values of this meaning have.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Number(text) => write_number(text, out),
            Value::Text(text) => write_text(text, out),
            Value::Deep(text) => out.push_str(text),
            Value::List(items) => {
                out.push('[');
                for item in items {
                    item.write(out);
                    out.push(',');
                }
                out.push(']');
            }
            Value::Object(fields) => {
                out.push('{');
                for (name, value) in fields.iter().filter(|(_, value)| !value.is_nothing()) {
                    write_text(name, out);
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Whether both mean the same.
    pub(super) fn means(&self, other: &Self) -> bool {
        let text = |value: &Self| {
            let mut text = String::new();
            value.write(&mut text);
            text
        };
        text(self) == text(other)
    }

    /// The values by the names that lead to them; lists are not taken apart.
    pub(super) fn leaves(&self) -> BTreeMap<Vec<&str>, &Value<'a>> {
        let mut leaves = BTreeMap::new();
        self.collect(&mut Vec::new(), &mut leaves);
        leaves
    }

    fn collect<'s>(&'s self, path: &mut Vec<&'s str>, leaves: &mut BTreeMap<Vec<&'s str>, &'s Value<'a>>) {
        match self {
            _ if self.is_nothing() => {}
            Value::Object(fields) => {
                for (name, value) in fields {
                    path.push(name);
                    value.collect(path, leaves);
                    path.pop();
                }
            }
            _ => {
                leaves.insert(path.clone(), self);
            }
        }
    }

    /// As JSON, its numbers as they were written.
    pub(super) fn to_json(&self) -> String {
        match self {
            Value::Number(text) => text.clone().into_owned(),
            Value::Text(text) => serde_json::to_string(text).unwrap_or_default(), // a text always has a form
            Value::Deep(text) => (*text).to_owned(),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::to_json).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(fields) => {
                let field = |(name, value): (&Cow<'_, str>, &Value<'_>)| {
                    format!("{}:{}", serde_json::to_string(name).unwrap_or_default(), value.to_json())
                };
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
            Value::Null | Value::Bool(_) => {
                let mut text = String::new();
                self.write(&mut text);
                text
            }
        }
    }
}

/// With its length before it, so that two texts do not run together.
fn write_text(text: &str, out: &mut String) {
    let _ = write!(out, "\"{}:", text.len());
    out.push_str(text);
}

/// Digits without zeros around them, and the power of ten: 1, 1.0 and 10e-1 are one number, and none goes through a float.
fn write_number(text: &str, out: &mut String) {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (digits, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|exponent| exponent.unsigned_abs() < 1 << 60) else {
        out.push_str(text); // such a number is its text
        return;
    };
    let all: String = [whole, fraction].concat();
    let significant = all.trim_start_matches('0');
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        out.push('0');
        return;
    }
    let power = exponent - fraction.len() as i64 + (significant.len() - trimmed.len()) as i64;
    let _ = write!(out, "{sign}{trimmed}e{power}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(Value::of_json(one).means(&Value::of_json(other)), same, "{one} and {other}");
    }

    #[test]
    fn numbers_are_compared_by_value_and_exactly() {
        for same in ["1", "1.0", "1e0", "10e-1", "0.1E1", "1.000"] {
            check("1", same, true);
        }
        for zero in ["0", "-0", "0.0", "0e7", "-0.00"] {
            check("0", zero, true);
        }
        check("9007199254740993", "9007199254740992", false);
        check("9007199254740993.0", "9007199254740993", true);
        check("1e400", "1e401", false);
        check("-1", "1", false);
        check("1", "\"1\"", false);
        check("1e99999999999999999999", "1e99999999999999999999", true);
        check("0.1", "0.10000000000000000001", false);
        check("120", "12", false);
    }

    #[test]
    fn fields_without_a_value_and_their_order_do_not_matter() {
        check(r#"{"a":1,"b":{"c":null}}"#, r#"{"d":{},"a":1.0}"#, true);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true);
        check(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false);
        check(r#"{"a":[]}"#, "{}", false);
        check(r#"{"a":""}"#, "{}", false);
        check(r#"{"a":"b\u0041"}"#, r#"{"a":"bA"}"#, true);
        check(r#"{"ab":"c"}"#, r#"{"a":"bc"}"#, false);
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_its_text() {
        check("{\"a\":", "{\"a\":", true);
        check("{\"a\":", "{\"a\": ", false);
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(100_000), &nested(100_000), true);
        check(&nested(100), &nested(101), false);
    }
}
