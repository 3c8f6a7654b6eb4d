//! What is known of a column in all files of a segment at once.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::predicate::{Bound, BoundColumn, Facts, over_all};

/// Facts that enclose those of many files, in the making.
#[derive(Default)]
pub(super) struct ZoneBuilder {
    all_null: Option<bool>,
    no_null: Option<bool>,
    ends: Option<Ends>,
    is_partition_value: bool,
}

struct Ends {
    lower: Option<Bound<'static>>,
    upper: Option<Bound<'static>>,
}

impl ZoneBuilder {
    pub(super) fn add(&mut self, facts: &Facts<'_>) {
        self.all_null = Some(self.all_null.unwrap_or(true) && facts.all_null);
        self.no_null = Some(self.no_null.unwrap_or(true) && facts.no_null);
        self.is_partition_value |= facts.is_partition_value;
        if facts.all_null {
            return;
        }
        let upper = match &facts.upper {
            Some(Bound::Text(text)) if !facts.is_partition_value => over_all(text).map(Bound::Text),
            other => other.clone(),
        };
        match &mut self.ends {
            None => self.ends = Some(Ends { lower: facts.lower.clone().map(owned), upper: upper.map(owned) }),
            Some(ends) => {
                widen(&mut ends.lower, facts.lower.as_ref(), is_under);
                widen(&mut ends.upper, upper.as_ref(), |new, old| is_under(old, new));
            }
        }
    }

    pub(super) fn finish(self) -> Facts<'static> {
        let ends = self.ends.unwrap_or(Ends { lower: None, upper: None });
        Facts {
            all_null: self.all_null.unwrap_or(false),
            no_null: self.no_null.unwrap_or(false),
            lower: ends.lower,
            upper: ends.upper,
            is_partition_value: self.is_partition_value,
        }
    }
}

/// One end that is not known makes that of all unknown.
fn widen(end: &mut Option<Bound<'static>>, new: Option<&Bound<'_>>, is_wider: impl Fn(&Bound<'_>, &Bound<'_>) -> bool) {
    match (&end, new) {
        (None, _) => {}
        (_, None) => *end = None,
        (Some(old), Some(new)) if is_wider(new, old) => *end = Some(owned(new.clone())),
        _ => {}
    }
}

fn is_under(one: &Bound<'_>, other: &Bound<'_>) -> bool {
    match (one, other) {
        (Bound::Ordinal(one), Bound::Ordinal(other)) => one < other,
        (Bound::Float(one), Bound::Float(other)) => one < other,
        (Bound::Text(one), Bound::Text(other)) => one < other,
        // Of one column all bounds are of one kind.
        _ => false,
    }
}

fn owned(bound: Bound<'_>) -> Bound<'static> {
    match bound {
        Bound::Ordinal(value) => Bound::Ordinal(value),
        Bound::Float(value) => Bound::Float(value),
        Bound::Text(text) => Bound::Text(Cow::Owned(text.into_owned())),
    }
}

/// A zone as `dl_segment_chunks` has it, with what its bounds, and those of the chunk, were made by: a column whose type has
/// changed since is read from the files' own statistics.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Zone {
    #[serde(rename = "type")]
    data_type: String,
    is_ordered: bool,
    all_null: bool,
    no_null: bool,
    lower: Option<ZoneBound>,
    upper: Option<ZoneBound>,
    #[serde(default)]
    is_partition_value: bool,
}

/// Numbers as text: JSON has neither 128 bits nor infinity.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ZoneBound {
    Ordinal(String),
    Float(String),
    Text(String),
}

/// A text of more bytes is no bound of a zone.
const LONGEST_TEXT: usize = 256;

impl Zone {
    pub(super) fn new(column: &BoundColumn, facts: &Facts<'_>) -> Self {
        let bound = |bound: &Option<Bound<'_>>| match bound {
            Some(Bound::Ordinal(value)) => Some(ZoneBound::Ordinal(value.to_string())),
            Some(Bound::Float(value)) => Some(ZoneBound::Float(value.to_string())),
            Some(Bound::Text(text)) if text.len() <= LONGEST_TEXT => Some(ZoneBound::Text(text.to_string())),
            _ => None,
        };
        Zone {
            data_type: column.data_type.to_string(),
            is_ordered: column.is_ordered,
            all_null: facts.all_null,
            no_null: facts.no_null,
            lower: bound(&facts.lower),
            upper: bound(&facts.upper),
            is_partition_value: facts.is_partition_value,
        }
    }

    /// Whether its bounds were made for a column as it is now.
    pub(super) fn fits(&self, column: &BoundColumn) -> bool {
        self.data_type == column.data_type.to_string() && self.is_ordered == column.is_ordered
    }

    pub(super) fn facts(&self) -> Facts<'static> {
        let bound = |bound: &Option<ZoneBound>| match bound.as_ref()? {
            ZoneBound::Ordinal(text) => text.parse().ok().map(Bound::Ordinal),
            ZoneBound::Float(text) => text.parse().ok().map(Bound::Float),
            ZoneBound::Text(text) => Some(Bound::Text(Cow::Owned(text.clone()))),
        };
        Facts {
            all_null: self.all_null,
            no_null: self.no_null,
            lower: bound(&self.lower),
            upper: bound(&self.upper),
            is_partition_value: self.is_partition_value,
        }
    }
}
