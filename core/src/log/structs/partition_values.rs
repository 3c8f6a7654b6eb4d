//! `partitionValues_parsed` and `partitionValues`.

use arrow_array::{Array, MapArray, StructArray};

use super::Difference;
use super::values::{Part, Values};
use crate::Result;
use crate::log::json_encoder::TextArray;
use crate::mirror::has_room;
use crate::partition_values::PartitionValue;
use crate::scalar::{Instant, Scalar, Zone};
use crate::schema::Primitive;

/// Zones reach from UTC-18 to UTC+18.
pub(super) const ZONE_SLACK_MICROS: i64 = 18 * 3_600 * 1_000_000;

/// The texts of a batch's partition values.
pub(super) struct Texts<'a> {
    map: &'a MapArray,
    names: TextArray<'a>,
    values: TextArray<'a>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(map: &'a MapArray) -> Result<Self> {
        let (names, values) = (TextArray::of(map.keys().as_ref())?, TextArray::of(map.values().as_ref())?);
        Ok(Texts { map, names, values })
    }

    fn text(&self, row: usize, name: &str) -> Option<&str> {
        let offsets = self.map.value_offsets();
        let mut entries = offsets[row] as usize..offsets[row + 1] as usize;
        let entry = entries.find(|&entry| self.names.text(entry) == Some(name))?;
        if self.map.values().is_valid(entry) { self.values.text(entry) } else { None }
    }
}

/// The first value of a row that is not what the text says. A struct that is null has null for each: engines prune by it.
pub(super) fn difference(
    columns: &[(&str, Part<'_>)],
    parsed: &StructArray,
    texts: &Texts<'_>,
    row: usize,
) -> Option<Difference> {
    columns.iter().find_map(|(name, part)| {
        let Part::Leaf(values) = part else { return None };
        let value = if parsed.is_valid(row) { values.value(row) } else { None };
        let text = texts.text(row, name);
        let told = || text.and_then(|text| serde_json::to_string(text).ok());
        let json = || value.as_ref().and_then(|_| values.json(row));
        let is_same = is_same(values, value.as_ref(), text);
        (!is_same).then(|| Difference { field: (*name).to_owned(), value: json(), text: told() })
    })
}

fn is_same(values: &Values<'_>, value: Option<&Scalar>, text: Option<&str>) -> bool {
    let primitive = &values.primitive;
    match (PartitionValue::parse(text, &primitive.clone().into()), value) {
        (PartitionValue::Null, None) => true,
        // Some writers do not make null of an empty text.
        (PartitionValue::Null, Some(value)) => matches!(value, Scalar::String(text) if text.is_empty()),
        // Null is all that the column has for it.
        (PartitionValue::Known(told), None) => !has_room(primitive, &told),
        (PartitionValue::Known(told), Some(value)) => is_same_value(&told, value),
        // Writers read Hive's name for null as null, or as the text that it is.
        (PartitionValue::Unknown, value) if *primitive == Primitive::String => {
            value.is_none_or(|value| matches!(value, Scalar::String(value) if Some(value.as_str()) == text))
        }
        // One text, several meanings.
        (PartitionValue::Unknown, _) => true,
    }
}

fn is_same_value(told: &Scalar, value: &Scalar) -> bool {
    match (told, value) {
        (Scalar::Timestamp(told), Scalar::Timestamp(value)) => is_same_instant(told, value),
        (Scalar::Float(told), Scalar::Float(value)) if told.is_nan() => value.is_nan(),
        (Scalar::Double(told), Scalar::Double(value)) => is_same_double(*told, *value),
        _ => told == value,
    }
}

/// A text without a zone is by its writer's clock (protocol section "Partition Value Serialization").
fn is_same_instant(told: &Instant, value: &Instant) -> bool {
    let slack = if told.zone == Zone::Unknown { ZONE_SLACK_MICROS } else { 0 };
    told.micros.abs_diff(value.micros) <= slack.unsigned_abs()
}

/// Also where the column was one of floats, and its values were widened: 0.1 then is 0.10000000149.
pub(super) fn is_same_double(told: f64, value: f64) -> bool {
    let was_float = f64::from(value as f32) == value && told as f32 == value as f32;
    told == value || was_float || told.is_nan() && value.is_nan()
}
