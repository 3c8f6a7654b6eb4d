//! Per-file statistics (protocol section "Per-file Statistics"), read from their JSON text without
//! building trees and without sending a number through a float.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The statistics of one file: parts of the JSON text, each read when asked for.
///
/// Nothing here fails. What is missing, null or of an unexpected type is `None`; text that is no JSON
/// object has no statistics at all.
///
/// ```
/// use deltalakedb_core::stats::Stats;
/// let stats = Stats::parse(
///     r#"{"numRecords":3,"minValues":{"id":9007199254740993,"a":{"b":"x"}},"nullCount":{"id":1}}"#,
/// );
/// assert_eq!(stats.num_records(), Some(3));
/// assert_eq!(stats.min(&["id"]), Some("9007199254740993"));
/// assert_eq!(stats.min(&["a", "b"]), Some("\"x\""));
/// assert_eq!(stats.null_count(&["id"]), Some(1));
/// assert_eq!(stats.max(&["id"]), None);
/// assert_eq!(Stats::parse("{\"numRecords\":").num_records(), None);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats<'a> {
    num_records: Option<i64>,
    wide_bounds: bool,
    min_values: Option<&'a RawValue>,
    max_values: Option<&'a RawValue>,
    null_count: Option<&'a RawValue>,
}

impl<'a> Stats<'a> {
    /// Reads the `stats` of an `add` or `remove` action.
    pub fn parse(text: &'a str) -> Self {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let stats = deserializer.deserialize_map(StatsVisitor).and_then(|stats| {
            deserializer.end()?;
            Ok(stats)
        });
        stats.unwrap_or_default()
    }

    /// The rows in the data file, those in a deletion vector included.
    pub fn num_records(&self) -> Option<i64> {
        self.num_records
    }

    /// Whether min and max are values of rows that are still there; else they only enclose them. True
    /// where the statistics do not say.
    pub fn tight_bounds(&self) -> bool {
        !self.wide_bounds
    }

    /// `minValues`, `maxValues` and `nullCount`.
    pub(crate) fn parts(&self) -> (Option<&'a RawValue>, Option<&'a RawValue>, Option<&'a RawValue>) {
        (self.min_values, self.max_values, self.null_count)
    }

    /// The JSON text of a column's smallest value, by physical path.
    pub fn min(&self, path: &[impl AsRef<str>]) -> Option<&'a str> {
        lookup(self.min_values?, path)
    }

    /// The JSON text of a column's largest value, by physical path.
    pub fn max(&self, path: &[impl AsRef<str>]) -> Option<&'a str> {
        lookup(self.max_values?, path)
    }

    /// How many nulls a column has, by physical path. With wide bounds only 0 and all rows mean anything.
    pub fn null_count(&self, path: &[impl AsRef<str>]) -> Option<i64> {
        count(lookup(self.null_count?, path)?)
    }
}

/// What statistics say of one column: the JSON texts of its smallest and largest values, and how many nulls it has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColumnStats<'a> {
    pub(crate) min: Option<&'a str>,
    pub(crate) max: Option<&'a str>,
    pub(crate) null_count: Option<i64>,
}

/// The `numRecords` of a statistics text, for importing millions of them: it reads up to that number
/// and no further, so that damage behind it goes unseen.
///
/// ```
/// use deltalakedb_core::stats::num_records;
/// assert_eq!(num_records(r#"{"numRecords":9007199254740993,"minValues":{}}"#), Some(9007199254740993));
/// assert_eq!(num_records(r#"{"minValues":{"numRecords":1}}"#), None);
/// assert_eq!(num_records(r#"{"numRecords":"3"}"#), None);
/// assert_eq!(num_records("no JSON"), None);
/// ```
pub fn num_records(stats: &str) -> Option<i64> {
    count(find(stats, "numRecords")?)
}

/// A count of rows.
pub(crate) fn count(text: &str) -> Option<i64> {
    text.parse().ok().filter(|count| *count >= 0)
}

/// The JSON text of the value at `path`; `None` also for null.
fn lookup<'a>(object: &'a RawValue, path: &[impl AsRef<str>]) -> Option<&'a str> {
    let mut text = object.get();
    for name in path {
        text = find(text, name.as_ref())?;
    }
    (text != "null").then_some(text)
}

/// The JSON text of the value of `key` in an object.
pub(crate) fn find<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let mut found = None;
    // An error that stops the reading is the way out: the rest need not be read.
    let _ = serde_json::Deserializer::from_str(object).deserialize_map(FindVisitor { key, found: &mut found });
    found.map(RawValue::get)
}

/// The content of a JSON string that is known to be well-formed; `None` for another JSON value.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let content = json.strip_prefix('"')?.strip_suffix('"')?;
    if content.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(content)) }
}

struct FindVisitor<'k, 'f, 'a> {
    key: &'k str,
    found: &'f mut Option<&'a RawValue>,
}

impl<'de> Visitor<'de> for FindVisitor<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(is_key) = map.next_key_seed(KeyIs(self.key))? {
            if is_key {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Whether a key of an object is this one, without copying it.
struct KeyIs<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

enum Part {
    NumRecords,
    TightBounds,
    MinValues,
    MaxValues,
    NullCount,
    Other,
}

struct PartSeed;

impl<'de> DeserializeSeed<'de> for PartSeed {
    type Value = Part;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for PartSeed {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Part, E> {
        Ok(match key {
            "numRecords" => Part::NumRecords,
            "tightBounds" => Part::TightBounds,
            "minValues" => Part::MinValues,
            "maxValues" => Part::MaxValues,
            "nullCount" => Part::NullCount,
            _ => Part::Other,
        })
    }
}

struct StatsVisitor;

impl<'de> Visitor<'de> for StatsVisitor {
    type Value = Stats<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("statistics as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stats<'de>, A::Error> {
        let mut stats = Stats::default();
        while let Some(part) = map.next_key_seed(PartSeed)? {
            match part {
                Part::NumRecords => stats.num_records = count(map.next_value::<&RawValue>()?.get()),
                // Whatever is neither true nor null is taken as the weaker promise.
                Part::TightBounds => {
                    stats.wide_bounds = !matches!(map.next_value::<&RawValue>()?.get(), "true" | "null")
                }
                Part::MinValues => stats.min_values = Some(map.next_value()?),
                Part::MaxValues => stats.max_values = Some(map.next_value()?),
                Part::NullCount => stats.null_count = Some(map.next_value()?),
                Part::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_path() {
        let text = r#" {"x":[{"minValues":1}], "numRecords" : 12 ,"tightBounds":false,
            "minValues":{"a.b":1.50,"a":{"b":{"c":-0.0}},"n":null,"\u0071":"\"é"},
            "maxValues":null,"nullCount":{"a":{"b":2},"n":"3","m":1.5,"o":-1}} "#;
        let stats = Stats::parse(text);
        assert_eq!((stats.num_records(), stats.tight_bounds()), (Some(12), false));
        let paths: [(&[&str], _); 8] = [
            (&["a.b"], Some("1.50")),
            (&["a", "b", "c"], Some("-0.0")),
            (&["a", "b"], Some(r#"{"c":-0.0}"#)),
            (&["a", "b", "c", "d"], None),
            (&["n"], None),
            (&["q"], Some(r#""\"é""#)),
            (&["z"], None),
            (&["a.b", "x"], None),
        ];
        for (path, expected) in paths {
            assert_eq!(stats.min(path), expected, "{path:?}");
            assert_eq!(stats.max(path), None);
        }
        assert_eq!(stats.null_count(&["a", "b"]), Some(2));
        for odd in ["a", "n", "m", "o", "z"] {
            assert_eq!(stats.null_count(&[odd]), None, "{odd}");
        }
    }

    #[test]
    fn what_is_no_statistics_is_unknown() {
        for text in ["", "null", "[]", "3", "{", r#"{"numRecords":1"#, r#"{"numRecords":1}x"#, r#"{"numRecords":NaN}"#]
        {
            let stats = Stats::parse(text);
            assert_eq!((stats.num_records(), stats.tight_bounds()), (None, true), "{text}");
        }
        for odd in ["-1", "1.0", "1e3", "\"1\"", "null", "{}", "9223372036854775808"] {
            let text = format!(r#"{{"numRecords":{odd},"minValues":{{"a":1}}}}"#);
            assert_eq!((Stats::parse(&text).num_records(), num_records(&text)), (None, None), "{odd}");
            assert_eq!(Stats::parse(&text).min(&["a"]), Some("1"));
        }
    }
}
