//! What may change in identity columns (protocol section "Identity Columns").

use serde_json::Value;

use crate::catalog::quoted;
use crate::schema::{Field, Schema};
use crate::{Error, Result};

use super::change::Past;

const START: &str = "delta.identity.start";
const STEP: &str = "delta.identity.step";
const ALLOW_EXPLICIT_INSERT: &str = "delta.identity.allowExplicitInsert";
const HIGH_WATER_MARK: &str = "delta.identity.highWaterMark";

/// Checks the identity columns that a table, whose files stay, had before. A table that is restored may get back one of
/// the name that was there then; what it shares with the one that is there now has that one's mark.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming the column.
pub(super) fn check_identities(current: &Schema, new: &Schema, past: Past) -> Result<()> {
    let physical = |schema: &Schema, field: &Field| field.physical_name(schema.column_mapping()).to_owned();
    for was in current.fields().iter().filter(|field| field.metadata.contains_key(START)) {
        let is_same = |is: &&Field| physical(current, was) == physical(new, is);
        if let Some(is) = new.fields().iter().find(is_same) {
            check_identity(was, is, past)?;
        }
    }
    Ok(())
}

fn check_identity(was: &Field, is: &Field, past: Past) -> Result<()> {
    let changed = |key: &&&str| was.metadata.get(**key) != is.metadata.get(**key);
    if let Some(key) = [START, STEP, ALLOW_EXPLICIT_INSERT].iter().find(changed) {
        return match past {
            Past::Stays => Err(Error::invalid(format!(
                "the `{key}` of the column {} may not change from {} to {}",
                quoted(&is.name),
                shown(was, key),
                shown(is, key)
            ))
            .hint("what a column's identities are made of stays as it was when the column was made")),
            Past::Replaced | Past::Restored => Ok(()),
        };
    }
    let number = |field: &Field, key: &str| field.metadata.get(key).and_then(Value::as_i64);
    let Some(mark) = number(was, HIGH_WATER_MARK) else { return Ok(()) };
    let goes_up = number(was, STEP).is_none_or(|step| step > 0);
    let is_kept = number(is, HIGH_WATER_MARK).is_some_and(|new| if goes_up { new >= mark } else { new <= mark });
    if is_kept {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the `{HIGH_WATER_MARK}` of the column {} goes back from {mark} to {}",
        quoted(&is.name),
        shown(is, HIGH_WATER_MARK)
    ))
    .hint(
        "identities up to it were given, and are not given again; keep it, also where an earlier version is restored",
    ))
}

fn shown(field: &Field, key: &str) -> String {
    field.metadata.get(key).map_or_else(|| "none".to_owned(), Value::to_string)
}
