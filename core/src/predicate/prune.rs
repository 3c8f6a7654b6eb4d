//! The proofs: when no row of a file can make a condition true.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

use super::FileView;
use super::bind::{Node, Test};
use super::bound_column::BoundColumn;
use super::coerce::Value;
use super::expr::Op;
use super::facts::{Bound, Facts};
use crate::stats::Stats;

/// Writers cut strings to 32 characters or more; a largest value of as many bytes may be cut.
const CUT_LENGTH: usize = 32;

/// Whether the condition may be true for a row of a file, given what is known of each column.
pub(super) fn may_match(root: &Node, columns: &[BoundColumn], file: &FileView<'_>) -> bool {
    let stats = OnceCell::new();
    // Read of the file what the leaves ask for, once.
    let facts: Vec<OnceCell<Facts<'_>>> = columns.iter().map(|_| OnceCell::new()).collect();
    let read = |column: &BoundColumn| match file.stats {
        _ if column.is_partition => Facts::of_partition(column, file.partition_values),
        Some(text) => Facts::of_stats(column, stats.get_or_init(|| Stats::parse(text))),
        None => Facts::default(),
    };
    may_be_true(root, &mut |index, test| match (columns.get(index), facts.get(index)) {
        (Some(column), Some(cell)) => holds(test, cell.get_or_init(|| read(column))),
        _ => true,
    })
}

/// Whether a condition may be true; `leaf` says whether a test of a column may be.
pub(super) fn may_be_true(node: &Node, leaf: &mut impl FnMut(usize, &Test) -> bool) -> bool {
    match node {
        Node::Always => true,
        Node::Never => false,
        Node::All(parts) => parts.iter().all(|part| may_be_true(part, leaf)),
        Node::Any(parts) => parts.iter().any(|part| may_be_true(part, leaf)),
        Node::Leaf { column, test } => leaf(*column, test),
    }
}

/// Whether a test may be true for a row that the facts are about.
pub(super) fn holds(test: &Test, facts: &Facts<'_>) -> bool {
    match test {
        Test::IsNull => !facts.no_null,
        Test::IsNotNull => !facts.all_null,
        Test::Compare(Op::NullSafeNe, value) => !(facts.no_null && is_always(facts, value)),
        Test::Compare(op, value) => !facts.all_null && !is_never(*op, facts, value),
        Test::CompareNumber(op, value) => !facts.all_null && !is_never_for_numbers(*op, facts, value),
        Test::StartsWith(prefix) => !facts.all_null && !never_starts_with(facts, prefix),
    }
}

/// Whether the comparison is proven true for no value that is there.
fn is_never(op: Op, facts: &Facts<'_>, value: &Value) -> bool {
    // NaN is over everything and left out of the statistics.
    let counts_nan = matches!(op, Op::Gt | Op::Ge);
    !(counts_nan && may_be_nan(facts)) && is_never_for_numbers(op, facts, value)
}

/// The same, of values other than NaN.
fn is_never_for_numbers(op: Op, facts: &Facts<'_>, value: &Value) -> bool {
    match op {
        Op::Lt => all_over(facts, value, OrEqual::Yes),
        Op::Le => all_over(facts, value, OrEqual::No),
        Op::Gt => all_under(facts, value, OrEqual::Yes),
        Op::Ge => all_under(facts, value, OrEqual::No),
        Op::Eq | Op::NullSafeEq => {
            matches!(value, Value::Ordinal { between: true, .. })
                || all_over(facts, value, OrEqual::No)
                || all_under(facts, value, OrEqual::No)
        }
        Op::Ne | Op::NullSafeNe => is_always(facts, value),
    }
}

fn may_be_nan(facts: &Facts<'_>) -> bool {
    matches!(facts.upper, Some(Bound::Float(_))) && !facts.is_partition_value
}

/// Whether every value that is there is proven to equal `value`.
fn is_always(facts: &Facts<'_>, value: &Value) -> bool {
    match (&facts.lower, &facts.upper, value) {
        (Some(Bound::Ordinal(lower)), Some(Bound::Ordinal(upper)), Value::Ordinal { low, high, .. }) => {
            lower == upper && low == high && lower == low
        }
        (Some(Bound::Float(lower)), Some(Bound::Float(upper)), Value::Float { low, high }) => {
            facts.is_partition_value && lower == upper && low == high && lower == low
        }
        (Some(Bound::Text(lower)), Some(Bound::Text(upper)), Value::Text(text)) => {
            lower == upper && lower == text && !is_cut(facts, upper)
        }
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum OrEqual {
    Yes,
    No,
}

impl OrEqual {
    fn allows(self, ordering: Option<Ordering>, strict: Ordering) -> bool {
        ordering == Some(strict) || (self == OrEqual::Yes && ordering == Some(Ordering::Equal))
    }
}

/// Whether all values are proven to be over `value`, or equal to it.
fn all_over(facts: &Facts<'_>, value: &Value, or_equal: OrEqual) -> bool {
    match (&facts.lower, value) {
        (Some(Bound::Ordinal(lower)), Value::Ordinal { high, between, .. }) => {
            let or_equal = if *between { OrEqual::Yes } else { or_equal };
            or_equal.allows(Some(lower.cmp(high)), Ordering::Greater)
        }
        (Some(Bound::Float(lower)), Value::Float { high, .. }) => {
            or_equal.allows(lower.partial_cmp(high), Ordering::Greater)
        }
        (Some(Bound::Text(lower)), Value::Text(text)) => {
            or_equal.allows(Some(lower.as_ref().cmp(text.as_str())), Ordering::Greater)
        }
        _ => false,
    }
}

/// Whether all values, NaN aside, are proven to be under `value`, or equal to it.
fn all_under(facts: &Facts<'_>, value: &Value, or_equal: OrEqual) -> bool {
    match (&facts.upper, value) {
        (Some(Bound::Ordinal(upper)), Value::Ordinal { low, between, .. }) => {
            let or_equal = if *between { OrEqual::Yes } else { or_equal };
            or_equal.allows(Some(upper.cmp(low)), Ordering::Less)
        }
        (Some(Bound::Float(upper)), Value::Float { low, .. }) => {
            or_equal.allows(upper.partial_cmp(low), Ordering::Less)
        }
        (Some(Bound::Text(upper)), Value::Text(text)) => {
            if is_cut(facts, upper) {
                return upper.as_ref() < text.as_str() && !text.starts_with(certain_prefix(upper));
            }
            or_equal.allows(Some(upper.as_ref().cmp(text.as_str())), Ordering::Less)
        }
        _ => false,
    }
}

/// Whether no value begins with `prefix`.
fn never_starts_with(facts: &Facts<'_>, prefix: &str) -> bool {
    let all_over = match &facts.lower {
        Some(Bound::Text(lower)) => lower.as_ref() > prefix && !lower.starts_with(prefix),
        _ => false,
    };
    // All that begin with the prefix are at least the prefix.
    let value = Value::Text(prefix.to_owned());
    all_over || all_under(facts, &value, OrEqual::No)
}

/// Whether there may be strings over this largest one, which begin like it.
fn is_cut(facts: &Facts<'_>, upper: &str) -> bool {
    !facts.is_partition_value && upper.len() >= CUT_LENGTH
}

/// A string that no value is over that has this largest one in its statistics; `None` where there is no such string.
pub(super) fn over_all(upper: &str) -> Option<Cow<'_, str>> {
    if upper.len() < CUT_LENGTH {
        return Some(Cow::Borrowed(upper));
    }
    let mut prefix = certain_prefix(upper).to_owned();
    while let Some(last) = prefix.pop() {
        let next = char::from_u32(u32::from(last) + 1).or((last == '\u{d7ff}').then_some('\u{e000}'));
        if let Some(next) = next {
            prefix.push(next);
            return Some(Cow::Owned(prefix));
        }
    }
    None
}

/// What a string that was cut began with: all but what a writer appends to make the rest larger, and
/// but the last character, which may have been raised or broken.
fn certain_prefix(upper: &str) -> &str {
    let cut = upper.trim_end_matches(['\u{7f}', '\u{fffd}', '\u{10ffff}']);
    let mut chars = cut.chars();
    chars.next_back();
    chars.as_str()
}
