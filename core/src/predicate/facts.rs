//! What a file's partition values and statistics say about one column. Everything here encloses the
//! truth: a bound may be too wide, never too narrow.

use std::borrow::Cow;

use super::PartitionValues;
use super::bound_column::BoundColumn;
use crate::partition_values::PartitionValue;
use crate::scalar::{Instant, Scalar, Scaled, Zone, parse_date, parse_instant, parse_scaled};
use crate::schema::{DataType, Primitive};
use crate::stats::{self, ColumnStats, Stats};

/// Zones reach from UTC-18 to UTC+18, as Java has them.
const ZONE_SLACK_MICROS: i128 = 18 * 3_600 * 1_000_000;
/// Statistics hold timestamps cut to milliseconds.
const CUT_MICROS: i128 = 999;
/// The offsets of zones have whole minutes since 1972; writers that print them leave earlier ones' seconds out.
const WHOLE_MINUTES_FROM: i64 = 63_072_000_000_000;

/// An end of the range that a column's values are in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bound<'a> {
    Ordinal(i128),
    Float(f64),
    Text(Cow<'a, str>),
}

/// What is known about the rows of a file; all `false` and `None` where nothing is.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Facts<'a> {
    /// Proven: every row is null.
    pub(crate) all_null: bool,
    /// Proven: no row is null.
    pub(crate) no_null: bool,
    /// No value is under it; NaN counts as no value.
    pub(crate) lower: Option<Bound<'a>>,
    /// No value is over it, save for cut strings; NaN counts as no value.
    pub(crate) upper: Option<Bound<'a>>,
    /// The bounds are the one value of all rows, not statistics.
    pub(crate) is_partition_value: bool,
}

impl<'a> Facts<'a> {
    /// From a partition value. A column that the values do not mention is not known.
    pub(crate) fn of_partition(column: &BoundColumn, values: PartitionValues<'a>) -> Self {
        let Some(text) = column.physical.first().and_then(|name| partition_text(values, name)) else {
            return Facts::default();
        };
        let scalar = match PartitionValue::parse(text.as_deref(), &column.data_type) {
            PartitionValue::Null => {
                return Facts { all_null: true, ..Facts::default() };
            }
            PartitionValue::Unknown => return Facts::default(),
            PartitionValue::Known(scalar) => scalar,
        };
        let both = |bound: Bound<'a>| (Some(bound.clone()), Some(bound));
        let (lower, upper) = match scalar {
            Scalar::Boolean(value) => both(Bound::Ordinal(value.into())),
            Scalar::Integer(value) => both(Bound::Ordinal(value.into())),
            Scalar::Decimal { unscaled, .. } => both(Bound::Ordinal(unscaled)),
            Scalar::Date(days) => both(Bound::Ordinal(days.into())),
            Scalar::TimestampNtz(micros) => both(Bound::Ordinal(micros.into())),
            Scalar::Timestamp(Instant { micros, zone, .. }) => {
                let slack = if zone == Zone::Unknown { ZONE_SLACK_MICROS } else { 0 };
                let micros = i128::from(micros);
                (Some(Bound::Ordinal(micros - slack)), Some(Bound::Ordinal(micros + slack)))
            }
            // Whether NaN equals itself is a matter of the engine.
            Scalar::Float(value) if !value.is_nan() => both(Bound::Float(value.into())),
            Scalar::Double(value) if !value.is_nan() => both(Bound::Float(value)),
            Scalar::String(text) => both(Bound::Text(text.into())),
            Scalar::Float(_) | Scalar::Double(_) | Scalar::Binary(_) => (None, None),
        };
        Facts { all_null: false, no_null: true, lower, upper, is_partition_value: true }
    }

    /// From statistics.
    pub(super) fn of_stats(column: &BoundColumn, stats: &Stats<'a>) -> Self {
        let path = &column.physical;
        let of_column = ColumnStats { min: stats.min(path), max: stats.max(path), null_count: stats.null_count(path) };
        Self::of_column_stats(column, of_column, stats.num_records())
    }

    /// From what statistics say of the column alone.
    pub(crate) fn of_column_stats(column: &BoundColumn, stats: ColumnStats<'a>, num_records: Option<i64>) -> Self {
        let path = &column.physical;
        let ColumnStats { min, max, null_count } = stats;
        let mut facts = Facts::default();
        match (null_count, &column.data_type) {
            (_, DataType::Primitive(Primitive::Void)) | (None, _) => {}
            // Of a nested field some writers leave out the nulls of the structs around it.
            (Some(0), _) => facts.no_null = path.len() == 1,
            // Of a list some writers count the items. With values there, the count is in doubt.
            (count, DataType::Primitive(primitive))
                if !matches!(primitive, Primitive::Variant | Primitive::Other(_)) =>
            {
                facts.all_null = count == num_records && min.is_none() && max.is_none();
            }
            _ => {}
        }
        if let (true, DataType::Primitive(primitive)) = (column.is_ordered, &column.data_type) {
            facts.lower = min.and_then(|text| bound(primitive, text, End::Lower));
            facts.upper = max.and_then(|text| bound(primitive, text, End::Upper));
            if let (Some(lower), Some(upper)) = (&facts.lower, &facts.upper)
                && is_over(lower, upper)
            {
                // Damaged, or cut in a way that is not foreseen here.
                (facts.lower, facts.upper) = (None, None);
            }
        }
        facts
    }
}

fn is_over(lower: &Bound<'_>, upper: &Bound<'_>) -> bool {
    match (lower, upper) {
        (Bound::Ordinal(lower), Bound::Ordinal(upper)) => lower > upper,
        (Bound::Float(lower), Bound::Float(upper)) => lower > upper,
        (Bound::Text(lower), Bound::Text(upper)) => lower > upper,
        _ => true,
    }
}

/// The text of a partition value; `None` where the column is not mentioned.
fn partition_text<'a>(values: PartitionValues<'a>, name: &str) -> Option<Option<Cow<'a, str>>> {
    let json = match values {
        PartitionValues::Map(map) => {
            return map.get(name).map(|text| text.as_deref().map(Cow::Borrowed));
        }
        PartitionValues::Json(json) => json,
    };
    let whole: &serde_json::value::RawValue = serde_json::from_str(json).ok()?;
    match stats::find(whole.get(), name)? {
        "null" => Some(None),
        value if value.starts_with('"') => stats::text(value).map(Some),
        value if value.starts_with(['{', '[']) => None,
        // A number or boolean that the writer left unquoted.
        value => Some(Some(Cow::Borrowed(value))),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Lower,
    Upper,
}

/// Reads a bound of a column from its JSON text, made wider by what its writer may have cut off.
fn bound<'a>(primitive: &Primitive, json: &'a str, end: End) -> Option<Bound<'a>> {
    match primitive {
        Primitive::Byte | Primitive::Short | Primitive::Integer | Primitive::Long => {
            let number = parse_scaled(json, 0)?;
            let is_whole = !json.contains('.') && !number.has_exponent;
            Some(widened(number, if is_whole { 0 } else { number.double_slack() }, end))
        }
        Primitive::Decimal { scale, .. } => {
            let number = parse_scaled(json, *scale)?;
            Some(widened(number, number.double_slack(), end))
        }
        Primitive::Float | Primitive::Double => float_bound(json, end).map(Bound::Float),
        Primitive::Boolean => match json {
            "true" => Some(Bound::Ordinal(1)),
            "false" => Some(Bound::Ordinal(0)),
            _ => None,
        },
        Primitive::String => stats::text(json).map(Bound::Text),
        Primitive::Date => parse_date(&stats::text(json)?).map(|days| Bound::Ordinal(days.into())),
        Primitive::Timestamp | Primitive::TimestampNtz => {
            let text = stats::text(json)?;
            let instant = parse_instant(&text)?;
            let is_odd_offset = instant.micros < WHOLE_MINUTES_FROM && !text.ends_with(['Z', 'z']);
            let slack = match (primitive, instant.zone) {
                (Primitive::Timestamp, Zone::Unknown) => ZONE_SLACK_MICROS,
                (Primitive::TimestampNtz, Zone::Offset) => return None,
                (Primitive::Timestamp, Zone::Offset) if is_odd_offset => 60_000_000,
                _ => 0,
            };
            let micros = i128::from(instant.micros);
            Some(Bound::Ordinal(match end {
                // Before 1970 a writer that cuts toward zero cuts upward.
                End::Lower if micros <= 0 => micros - slack - CUT_MICROS,
                End::Lower => micros - slack,
                End::Upper => micros + slack + CUT_MICROS,
            }))
        }
        Primitive::Binary | Primitive::Void | Primitive::Variant | Primitive::Other(_) => None,
    }
}

fn widened<'a>(number: Scaled, slack: i128, end: End) -> Bound<'a> {
    Bound::Ordinal(match end {
        End::Lower => number.floor.saturating_sub(slack),
        End::Upper => number.ceil().saturating_add(slack),
    })
}

fn float_bound(json: &str, end: End) -> Option<f64> {
    let value = match json {
        "\"Infinity\"" => return Some(f64::INFINITY),
        "\"-Infinity\"" => return Some(f64::NEG_INFINITY),
        // A text, `"NaN"` among them, is no number here.
        number => number.parse::<f64>().ok().filter(|value| value.is_finite())?,
    };
    // The text may be a float's, shorter than its value: 0.1 for 0.10000000149, also where the column
    // has become a double since.
    let single = f64::from(value as f32);
    Some(match end {
        _ if !single.is_finite() => value,
        End::Lower => value.min(single),
        End::Upper => value.max(single),
    })
}
