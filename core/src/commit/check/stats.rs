//! The statistics of a file (protocol section "Per-file Statistics").

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use serde_json::value::RawValue;

/// Checks a file's statistics; the error ends a sentence that begins with them.
pub(super) fn check_stats(stats: &str) -> Result<(), String> {
    let Fields(stats) = serde_json::from_str(stats).map_err(|_| "are not a JSON object")?;
    // Readers differ in which one they take.
    let mut names = HashSet::new();
    if let Some((name, _)) = stats.iter().find(|(name, _)| !names.insert(name)) {
        return Err(format!("have two values for {:?}", name.chars().take(40).collect::<String>()));
    }
    let part = |wanted| {
        let found = stats.iter().find(|(name, _)| name == wanted);
        found.map(|(_, json)| json.get()).filter(|text| *text != "null")
    };
    if let Some(count) = part("numRecords") {
        match serde_json::from_str::<i64>(count).ok() {
            Some(0..) => {}
            Some(_) => return Err("have less than no rows".to_owned()),
            None => return Err(format!("have the `numRecords` {}, which is no count", shown(count))),
        }
    }
    if let Some(tight) = part("tightBounds").filter(|tight| !matches!(*tight, "true" | "false")) {
        return Err(format!("have the `tightBounds` {}, which is no boolean", shown(tight)));
    }
    for name in ["minValues", "maxValues", "nullCount"] {
        if part(name).is_some_and(|values| !values.starts_with('{')) {
            return Err(format!("have `{name}` that are no object"));
        }
    }
    match part("nullCount").and_then(wrong_count) {
        Some((column, count)) => {
            let count: String = count.chars().take(40).collect();
            Err(format!("have the null count {count} for {column:?}"))
        }
        None => Ok(()),
    }
}

/// The fields of an object, also those that come twice.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The first count in an object of counts, and of objects of counts, that is none. The text is well-formed, so nested no
/// deeper than serde_json reads.
fn wrong_count(counts: &str) -> Option<(String, String)> {
    let Ok(Fields(counts)) = serde_json::from_str(counts) else { return Some((String::new(), shown(counts))) };
    counts.into_iter().find_map(|(name, count)| match count.get() {
        "null" => None,
        below if below.starts_with('{') => {
            wrong_count(below).map(|(column, count)| (format!("{name}.{column}"), count))
        }
        count if matches!(count.parse::<i64>(), Ok(0..)) => None,
        other => Some((name.into_owned(), other.to_owned())),
    })
}

fn shown(json: &str) -> String {
    json.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::check_stats;

    #[test]
    fn statistics_as_engines_write_them() {
        for stats in [
            "{}",
            r#"{"numRecords":9007199254740993,"minValues":{"a":1.50,"b":{"c":"x"}},"nullCount":{"a":0,"b":{"c":1}}}"#,
            r#"{"numRecords":null,"minValues":null,"maxValues":null,"nullCount":null,"tightBounds":false}"#,
            r#"{"numRecords":3,"nullCount":{"a":null},"other":[1]}"#,
        ] {
            assert_eq!(check_stats(stats), Ok(()), "{stats}");
        }
    }

    #[test]
    fn hostile_statistics() {
        for (stats, wrong) in [
            ("", "JSON object"),
            ("{", "JSON object"),
            ("[]", "JSON object"),
            ("null", "JSON object"),
            ("{} {}", "JSON object"),
            (r#"{"numRecords":1,"num\u0052ecords":10}"#, "two values for \"numRecords\""),
            (r#"{"numRecords":-1}"#, "less than no rows"),
            (r#"{"numRecords":"3"}"#, "no count"),
            (r#"{"numRecords":1.5}"#, "no count"),
            (r#"{"numRecords":9223372036854775808}"#, "no count"),
            (r#"{"tightBounds":"no"}"#, "no boolean"),
            (r#"{"minValues":[1]}"#, "`minValues`"),
            (r#"{"maxValues":"x"}"#, "`maxValues`"),
            (r#"{"nullCount":3}"#, "`nullCount`"),
            (r#"{"nullCount":{"a":{"b":-1}}}"#, "\"a.b\""),
            (r#"{"nullCount":{"a":"x"}}"#, "\"a\""),
        ] {
            let error = check_stats(stats).unwrap_err();
            assert!(error.contains(wrong), "{stats}: {error}");
        }
    }
}
