//! `stats_parsed` and `stats` (protocol section "Per-file Statistics").

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use arrow_array::Array;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Difference;
use super::partition_values::{ZONE_SLACK_MICROS, is_same_double};
use super::values::{Part, Values};
use crate::scalar::{Instant, Scalar, Zone, parse_date, parse_instant, parse_scaled};
use crate::schema::Primitive;
use crate::stats::text;
use crate::stats_value::stats_value;

const TIGHT_BOUNDS: [&str; 1] = ["tightBounds"];
const MAX_VALUES: &str = "maxValues";
/// Texts of bounds are cut off at a length that is the writer's; none cuts earlier than this.
const SHORTEST_CUT_BYTES: usize = 32;
const MICROS_PER_MILLI: u64 = 1_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The offsets of zones have whole minutes since 1972; writers that print them leave earlier ones' seconds out.
const WHOLE_MINUTES_FROM: i64 = 63_072_000_000_000;

/// The first value of a row that is not what `stats` says.
pub(super) fn difference(parsed: &Part<'_>, row: usize, stats: &str) -> Option<Difference> {
    below(parsed, row, Some(stats), &mut Vec::new())
}

fn below<'p>(part: &'p Part<'_>, row: usize, json: Option<&str>, path: &mut Vec<&'p str>) -> Option<Difference> {
    match part {
        Part::Struct(_, array) if array.is_null(row) => None,
        Part::Struct(fields, _) => {
            // Where a struct has something else beside it, such as the bounds of a variant, there is no comparing them.
            let texts = json.map_or(Ok(FirstFields::default()), serde_json::from_str).ok()?;
            fields.iter().find_map(|(name, part)| {
                path.push(name);
                let found = below(part, row, texts.value(name), path);
                path.pop();
                found
            })
        }
        Part::Leaf(values) if values.primitive != Primitive::Binary => {
            let is_same = is_same(path, values, values.value(row), json);
            let field = || path.join(".");
            (!is_same).then(|| Difference { field: field(), value: values.json(row), text: json.map(str::to_owned) })
        }
        Part::Leaf(_) | Part::Other => None,
    }
}

/// The fields of a JSON object that have a value; of a name that is there twice the first one counts, as everywhere.
#[derive(Default)]
struct FirstFields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl FirstFields<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get()).filter(|value| *value != "null")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FirstFields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(FirstFields)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = BTreeMap<Cow<'de, str>, &'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            fields.entry(name).or_insert(value);
        }
        Ok(fields)
    }
}

/// A value that the struct lacks is one that it leaves out; but bounds are tight where it does not say.
fn is_same(path: &[&str], values: &Values<'_>, value: Option<Scalar>, json: Option<&str>) -> bool {
    match (value, json) {
        (None, json) => path != TIGHT_BOUNDS || json != Some("false"),
        // No JSON number is one, so that texts leave it out.
        (Some(Scalar::Float(value)), None) => value.is_nan(),
        (Some(Scalar::Double(value)), None) => value.is_nan(),
        (Some(value), None) => path == TIGHT_BOUNDS && value == Scalar::Boolean(true),
        (Some(value), Some(json)) => says(json, &value, &values.primitive, path.first() == Some(&MAX_VALUES)),
    }
}

/// Whether the text's value is the struct's, as far as writers keep it. What is no text of the type says nothing.
fn says(json: &str, value: &Scalar, primitive: &Primitive, is_max: bool) -> bool {
    match value {
        Scalar::Integer(value) => is_near(json, i128::from(*value), 0),
        Scalar::Decimal { unscaled, scale } => is_near(json, *unscaled, *scale),
        Scalar::String(value) => text(json).is_some_and(|told| is_same_text(&told, value, is_max)),
        Scalar::Date(days) => says_date(json, *days),
        Scalar::Timestamp(Instant { micros, .. }) => says_instant(json, *micros, true),
        Scalar::TimestampNtz(micros) => says_instant(json, *micros, false),
        Scalar::Double(value) => match stats_value(json, primitive) {
            Some(Scalar::Double(told)) => is_same_double(told, *value),
            _ => true,
        },
        Scalar::Float(value) => match stats_value(json, &Primitive::Double) {
            Some(Scalar::Double(told)) => told as f32 == *value || told.is_nan() && value.is_nan(),
            _ => true,
        },
        Scalar::Boolean(value) => stats_value(json, primitive).is_none_or(|told| told == Scalar::Boolean(*value)),
        Scalar::Binary(_) => true,
    }
}

/// Some writers round decimals to their column's scale, some have them as doubles in between, some put them into quotes.
fn is_near(json: &str, unscaled: i128, scale: u8) -> bool {
    let digits = text(json);
    let Some(number) = parse_scaled(digits.as_deref().unwrap_or(json), scale) else { return false };
    let is_whole = scale == 0 && !json.contains('.') && !number.has_exponent;
    let slack = if is_whole { 0 } else { number.double_slack() };
    let (least, greatest) = (number.floor.saturating_sub(slack), number.ceil().saturating_add(slack));
    let is_rounded = scale > 0 || number.exact;
    is_rounded && (least..=greatest).contains(&unscaled)
}

/// Both may be cut, and not at the same length: a least value then is a part of the other, a greatest one is made greater.
fn is_same_text(one: &str, other: &str, is_max: bool) -> bool {
    if one == other {
        return true;
    }
    let (cut, whole) = if one.len() < other.len() { (one, other) } else { (other, one) };
    if cut.len() < SHORTEST_CUT_BYTES {
        return false;
    }
    let Some((last, _)) = cut.char_indices().next_back() else { return false };
    if is_max { cut >= whole && whole.starts_with(&cut[..last]) } else { whole.starts_with(cut) }
}

fn says_date(json: &str, days: i32) -> bool {
    let Some(text) = text(json) else { return true };
    let told = parse_date(&text).map(i64::from);
    let told = told.or_else(|| parse_instant(&text).map(|told| told.micros.div_euclid(MICROS_PER_DAY)));
    told.is_none_or(|told| told == i64::from(days))
}

/// Texts, or structs, are cut to milliseconds; a text without a zone is by a clock that is not known.
fn says_instant(json: &str, micros: i64, has_zone: bool) -> bool {
    let Some(text) = text(json) else { return true };
    let Some(told) = parse_instant(&text) else { return true };
    let is_old = told.micros < WHOLE_MINUTES_FROM;
    let slack = match told.zone {
        Zone::Unknown if has_zone => ZONE_SLACK_MICROS.unsigned_abs(),
        Zone::Offset if !has_zone => return true,
        Zone::Offset if is_old => 60_000_000,
        _ => 0,
    };
    let is_cut = [told.micros, micros].iter().any(|micros| micros % MICROS_PER_MILLI as i64 == 0);
    let cut = if is_cut { MICROS_PER_MILLI - 1 } else { u64::from(told.is_cut) };
    told.micros.abs_diff(micros) <= slack + cut
}
