//! Fields that the protocol does not name, in columns that it does not name either.

use std::collections::BTreeMap;

use crate::action::{Action, DeletionVector, Json};
use crate::{Error, Result};

/// Whether a checkpoint keeps the fields that the protocol does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// There are none: the checkpoint has the protocol's columns alone.
    Absent,
    /// An action that has some carries its own JSON in one more column, [`WHOLE_ACTION`], which other readers
    /// pass over.
    Kept,
}

/// The field of an action's column that holds the action's JSON, where the other fields do not hold all of it.
pub const WHOLE_ACTION: &str = "deltalakedbAction";

/// Whether an action has fields that the protocol does not name: then its checkpoint keeps them only with
/// [`UnknownFields::Kept`].
pub fn has_unknown_fields(action: &Action) -> bool {
    let in_vector = |vector: &Option<DeletionVector>| vector.as_ref().is_some_and(|vector| !vector.extra.is_empty());
    match action {
        Action::Add(add) => {
            !add.extra.is_empty() || in_vector(&add.deletion_vector) || add.tags.as_ref().is_some_and(are_odd)
        }
        Action::Remove(remove) => !remove.extra.is_empty() || in_vector(&remove.deletion_vector),
        Action::Metadata(metadata) => !metadata.extra.is_empty() || !metadata.format.extra.is_empty(),
        Action::Protocol(protocol) => !protocol.extra.is_empty(),
        Action::Txn(txn) => !txn.extra.is_empty(),
        Action::DomainMetadata(domain) => !domain.extra.is_empty(),
        _ => false,
    }
}

/// Tags that are no map of strings.
fn are_odd(tags: &Json) -> bool {
    tags.read::<BTreeMap<String, Option<String>>>().is_none()
}

/// The action's JSON, without its name and what a checkpoint leaves out.
pub(super) fn whole_action(action: &Action, stats_as_json: bool) -> String {
    let mut action = action.clone();
    match &mut action {
        Action::Add(add) if !stats_as_json => add.stats = None,
        Action::Remove(remove) => (remove.stats, remove.tags) = (None, None),
        _ => {}
    }
    let json = action.to_json();
    // `{"add":{...}}`
    json[action.name().len() + 4..json.len() - 1].to_owned()
}

/// Checks that the protocol's columns have room for an action's numbers.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt), naming the field.
pub(super) fn check_fits(action: &Action) -> Result<()> {
    let vector = match action {
        Action::Add(add) => add.deletion_vector.as_ref(),
        Action::Remove(remove) => remove.deletion_vector.as_ref(),
        Action::Protocol(protocol) => {
            return is_integer("minReaderVersion", protocol.min_reader_version)
                .and(is_integer("minWriterVersion", protocol.min_writer_version));
        }
        _ => None,
    };
    let Some(vector) = vector else { return Ok(()) };
    is_integer("offset", vector.offset.unwrap_or_default()).and(is_integer("sizeInBytes", vector.size_in_bytes))
}

fn is_integer(field: &str, value: i64) -> Result<()> {
    i32::try_from(value).map(drop).map_err(|_| {
        Error::corrupt(format!(
            "writing a checkpoint: an action does not fit the protocol's columns: `{field}` is {value}, beyond 32 bits"
        ))
        .hint("a value has another type than the protocol gives it; `dl files` and `dl snapshot` show the actions")
    })
}
