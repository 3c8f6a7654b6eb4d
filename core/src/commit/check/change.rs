//! A commit beside the table that it is for.

use std::collections::HashSet;

use crate::action::{Action, Metadata, Protocol};
use crate::schema::ColumnMapping;
use crate::snapshot::Snapshot;

/// What becomes of the table's files, as far as its schema is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commit) enum Past {
    /// Files stay that were written by the schema before.
    Stays,
    /// No file of the table stays, so that its schema and partition columns may be others.
    Replaced,
    /// The table goes back to an earlier version: columns that came since go, dropped ones come back.
    Restored,
}

/// What a commit changes, seen as a whole.
pub(super) struct Change<'a> {
    pub(super) state: &'a Snapshot,
    /// As it is after the commit.
    pub(super) metadata: &'a Metadata,
    /// As it is after the commit.
    pub(super) protocol: &'a Protocol,
    /// Paths of removed files. The commit's guards make sure that they are in the table.
    pub(super) removed: HashSet<&'a str>,
    pub(super) past: Past,
}

impl<'a> Change<'a> {
    /// Whether the commit brings metadata, be they the same again.
    pub(super) fn has_metadata(&self) -> bool {
        !std::ptr::eq(self.metadata, &raw const self.state.metadata)
    }

    /// Of a commit whose files are elsewhere: what it does to them is told.
    pub(super) fn with_past(mut self, past: Past) -> Self {
        if self.past == Past::Stays {
            self.past = past;
        }
        self
    }

    /// `operation`: what the commit is said to be, before what its `commitInfo` says.
    pub(super) fn of(state: &'a Snapshot, actions: &'a [Action], operation: Option<&str>) -> Self {
        let (mut metadata, mut protocol) = (&state.metadata, &state.protocol);
        let mut removed = HashSet::new();
        for action in actions {
            match action {
                Action::Metadata(new) => metadata = new,
                Action::Protocol(new) => protocol = new,
                Action::Remove(remove) => drop(removed.insert(remove.path.as_str())),
                _ => {}
            }
        }
        let operation = operation_of(actions, operation);
        let past = if replaces(state, metadata, actions, &removed, &operation) {
            Past::Replaced
        } else if operation == "RESTORE" {
            Past::Restored
        } else {
            Past::Stays
        };
        Change { state, metadata, protocol, removed, past }
    }
}

/// What a commit is said to be, in upper case: `given`, or what its `commitInfo` says.
pub(in crate::commit) fn operation_of(actions: &[Action], given: Option<&str>) -> String {
    let named = || {
        actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => info.operation(),
            _ => None,
        })
    };
    given.map(str::to_owned).or_else(named).unwrap_or_default().to_ascii_uppercase()
}

/// A commit replaces a table when it removes each of its files, and adds none of them again with a deletion vector.
/// Of an empty table it is known by what the commit says that it does, or by the files that it adds. Its rows go, too,
/// unless column mapping ends: then they are in files that know their columns by name.
fn replaces(
    state: &Snapshot,
    metadata: &Metadata,
    actions: &[Action],
    removed: &HashSet<&str>,
    operation: &str,
) -> bool {
    if removed.len() as i64 != state.file_count {
        return false;
    }
    let stays = |action: &Action| match action {
        Action::Add(add) => removed.contains(add.path.as_str()),
        Action::Remove(remove) => !remove.data_change && !ends_column_mapping(&state.metadata, metadata),
        _ => false,
    };
    let adds = actions.iter().any(|action| matches!(action, Action::Add(_)));
    !actions.iter().any(stays) && (state.file_count > 0 || adds || names_a_replacement(operation))
}

/// Whether files know their columns by name from now on.
pub(in crate::commit) fn ends_column_mapping(current: &Metadata, new: &Metadata) -> bool {
    let is_none = |metadata: &Metadata| {
        let mode = metadata.configuration.value(ColumnMapping::PROPERTY);
        mode.is_none_or(|mode| mode.eq_ignore_ascii_case("none"))
    };
    is_none(new) && !is_none(current)
}

/// `CREATE OR REPLACE TABLE`, `REPLACE TABLE AS SELECT`, or a write that overwrites.
fn names_a_replacement(operation: &str) -> bool {
    operation.contains("REPLACE TABLE") || operation == "WRITE" || operation == "OVERWRITE"
}
