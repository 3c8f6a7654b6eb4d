//! What statistics prove of one column in each file of a segment, as Arrow arrays.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, UInt8Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array};
use arrow_schema::{DataType, Field, Schema};

use super::zone::ZoneBuilder;
use crate::predicate::{Bound, Facts};
use crate::{Error, Result};

const ALL_NULL: u8 = 1;
const NO_NULL: u8 = 2;

/// A text of more bytes is not kept: as a lower bound its beginning is.
const LONGEST_TEXT: usize = 256;

/// The facts of one column, file by file.
#[derive(Default)]
pub(super) struct BoundsBuilder {
    state: Vec<u8>,
    lower: Vec<Option<Bound<'static>>>,
    upper: Vec<Option<Bound<'static>>>,
    zone: ZoneBuilder,
}

impl BoundsBuilder {
    pub(super) fn push(&mut self, facts: &Facts<'_>) {
        self.zone.add(facts);
        self.state.push(u8::from(facts.all_null) * ALL_NULL + u8::from(facts.no_null) * NO_NULL);
        self.lower.push(facts.lower.as_ref().map(|bound| match bound {
            Bound::Text(text) => Bound::Text(Cow::Owned(beginning(text).to_owned())),
            Bound::Ordinal(value) => Bound::Ordinal(*value),
            Bound::Float(value) => Bound::Float(*value),
        }));
        self.upper.push(facts.upper.as_ref().and_then(|bound| match bound {
            Bound::Text(text) if text.len() > LONGEST_TEXT => None,
            Bound::Text(text) => Some(Bound::Text(Cow::Owned(text.to_string()))),
            Bound::Ordinal(value) => Some(Bound::Ordinal(*value)),
            Bound::Float(value) => Some(Bound::Float(*value)),
        }));
    }

    /// The zone, and the files' facts in the given order; no batch where nothing is known of any.
    pub(super) fn finish(self, order: &[usize]) -> Result<(Facts<'static>, Option<RecordBatch>)> {
        let has_bounds = self.lower.iter().chain(&self.upper).any(Option::is_some);
        if !has_bounds && self.state.iter().all(|state| *state == 0) {
            return Ok((self.zone.finish(), None));
        }
        let state: UInt8Array = order.iter().map(|&index| self.state[index]).collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![("state", Arc::new(state))];
        for (name, bounds) in [("lower", &self.lower), ("upper", &self.upper)] {
            if let Some(array) = array_of(bounds, order) {
                columns.push((name, array));
            }
        }
        let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch =
            RecordBatch::try_new(Arc::new(schema), arrays).map_err(|error| Error::corrupt(error.to_string()))?;
        Ok((self.zone.finish(), Some(batch)))
    }
}

/// At most [`LONGEST_TEXT`] bytes of a text, which no text that it encloses from below is under.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `None` when there is no bound. Numbers that no 38 digits hold are left out.
fn array_of(bounds: &[Option<Bound<'static>>], order: &[usize]) -> Option<ArrayRef> {
    const MOST: i128 = 10_i128.pow(38) - 1;
    let ordinal = |index: &usize| match &bounds[*index] {
        Some(Bound::Ordinal(value)) => Some(*value),
        _ => None,
    };
    match bounds.iter().flatten().next()? {
        Bound::Ordinal(_) if bounds.iter().flatten().all(is_64_bits) => {
            Some(Arc::new(order.iter().map(|index| ordinal(index).map(|value| value as i64)).collect::<Int64Array>()))
        }
        Bound::Ordinal(_) => {
            let values = order.iter().map(|index| ordinal(index).filter(|value| (-MOST..=MOST).contains(value)));
            let array = values.collect::<Decimal128Array>().with_precision_and_scale(38, 0).ok()?;
            Some(Arc::new(array))
        }
        Bound::Float(_) => Some(Arc::new(
            order
                .iter()
                .map(|index| match &bounds[*index] {
                    Some(Bound::Float(value)) => Some(*value),
                    _ => None,
                })
                .collect::<Float64Array>(),
        )),
        Bound::Text(_) => Some(Arc::new(
            order
                .iter()
                .map(|index| match &bounds[*index] {
                    Some(Bound::Text(text)) => Some(text.as_ref()),
                    _ => None,
                })
                .collect::<StringArray>(),
        )),
    }
}

fn is_64_bits(bound: &Bound<'_>) -> bool {
    matches!(bound, Bound::Ordinal(value) if i64::try_from(*value).is_ok())
}

/// The facts of one column, as a segment has them.
pub(super) struct Bounds {
    state: UInt8Array,
    lower: Option<BoundArray>,
    upper: Option<BoundArray>,
}

enum BoundArray {
    Ordinal(Int64Array),
    WideOrdinal(Decimal128Array),
    Float(Float64Array),
    Text(StringArray),
}

impl Bounds {
    /// `None` for a batch of another form.
    pub(super) fn of(batch: &RecordBatch) -> Option<Self> {
        let bounds = |name| match batch.column_by_name(name) {
            None => Some(None),
            Some(array) => Some(Some(match array.data_type() {
                DataType::Int64 => BoundArray::Ordinal(array.as_primitive::<Int64Type>().clone()),
                DataType::Decimal128(38, 0) => BoundArray::WideOrdinal(array.as_primitive::<Decimal128Type>().clone()),
                DataType::Float64 => BoundArray::Float(array.as_primitive::<Float64Type>().clone()),
                DataType::Utf8 => BoundArray::Text(array.as_string::<i32>().clone()),
                _ => return None,
            })),
        };
        Some(Bounds {
            state: batch.column_by_name("state")?.as_primitive_opt::<UInt8Type>()?.clone(),
            lower: bounds("lower")?,
            upper: bounds("upper")?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.state.len()
    }

    /// What is known of a file, by its number in the segment.
    pub(super) fn facts(&self, file: usize) -> Facts<'_> {
        let state = self.state.value(file);
        Facts {
            all_null: state & ALL_NULL != 0,
            no_null: state & NO_NULL != 0,
            lower: self.lower.as_ref().and_then(|array| array.bound(file)),
            upper: self.upper.as_ref().and_then(|array| array.bound(file)),
            is_partition_value: false,
        }
    }
}

impl BoundArray {
    fn bound(&self, file: usize) -> Option<Bound<'_>> {
        match self {
            BoundArray::Ordinal(array) => array.is_valid(file).then(|| Bound::Ordinal(array.value(file).into())),
            BoundArray::WideOrdinal(array) => array.is_valid(file).then(|| Bound::Ordinal(array.value(file))),
            BoundArray::Float(array) => array.is_valid(file).then(|| Bound::Float(array.value(file))),
            BoundArray::Text(array) => array.is_valid(file).then(|| Bound::Text(Cow::Borrowed(array.value(file)))),
        }
    }
}
