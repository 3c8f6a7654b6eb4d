//! How large and how deep an action may be: what is stored is read by SQL and by other engines.

use crate::action::{Action, Add};
use crate::{Error, Result};

/// SQLite reads JSON of 1,000 levels; part of an action may come to lie deeper than it was.
const DEEPEST: usize = 500;

/// Statistics and schemas of very wide tables have some megabytes.
const LARGEST_BYTES: usize = 32 << 20;

pub(super) fn check_size(action: &Action) -> Result<()> {
    if matches!(action, Action::Add(add) if is_small(add)) {
        return Ok(());
    }
    let text = action.to_json();
    if text.len() > LARGEST_BYTES {
        return Err(Error::invalid(format!(
            "an `{}` has {} bytes; {LARGEST_BYTES} are allowed",
            action.name(),
            text.len()
        ))
        .hint("leave out what readers can do without, such as statistics of some columns"));
    }
    if depth(&text) > DEEPEST {
        return Err(Error::invalid(format!("an `{}` is nested more than {DEEPEST} levels deep", action.name()))
            .hint("put what is so deep into a text"));
    }
    Ok(())
}

/// Whether an `add` cannot be too large nor too deep, seen without writing it out.
fn is_small(add: &Add) -> bool {
    if add.tags.is_some() || add.deletion_vector.is_some() || !add.extra.is_empty() {
        return false;
    }
    let values = add.partition_values.0.iter().flat_map(|(name, value)| [Some(name.as_str()), value.as_deref()]);
    let others = [Some(add.path.as_str()), add.stats.as_deref(), add.clustering_provider.as_deref()];
    let (mut bytes, mut openings) = (0_usize, 0_usize);
    for text in values.chain(others).flatten() {
        // Escaping makes six bytes of one, at the most.
        bytes = bytes.saturating_add(text.len().saturating_mul(6));
        openings += text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    }
    bytes < LARGEST_BYTES / 2 && openings < DEEPEST / 2
}

/// The deepest level of objects and arrays in JSON; of text in it, too, which may be JSON itself: that is only too careful.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in json.bytes() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        deepest = deepest.max(depth);
    }
    deepest
}
