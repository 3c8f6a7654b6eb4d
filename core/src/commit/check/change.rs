//! A commit beside the table that it is for.

use std::collections::HashSet;

use crate::action::{Action, Metadata, Protocol};
use crate::snapshot::Snapshot;

/// What becomes of the table's files, as far as its schema is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
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
    pub(super) fn of(state: &'a Snapshot, actions: &'a [Action]) -> Self {
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
        let past = if replaces(state, actions, &removed) {
            Past::Replaced
        } else if actions.iter().any(|action| operation(action) == "RESTORE") {
            Past::Restored
        } else {
            Past::Stays
        };
        Change { state, metadata, protocol, removed, past }
    }
}

/// The operation that a `commitInfo` names, in upper case.
fn operation(action: &Action) -> String {
    match action {
        Action::CommitInfo(info) => info.operation().unwrap_or_default().to_ascii_uppercase(),
        _ => String::new(),
    }
}

/// A commit replaces a table when it removes each of its files, and adds none of them again with a deletion vector.
/// Of an empty table it is known by what the commit says that it does, or by the files that it adds.
fn replaces(state: &Snapshot, actions: &[Action], removed: &HashSet<&str>) -> bool {
    if removed.len() as i64 != state.file_count {
        return false;
    }
    let stays = |action: &Action| match action {
        Action::Add(add) => removed.contains(add.path.as_str()),
        Action::Remove(remove) => !remove.data_change,
        _ => false,
    };
    let says_so = |action: &Action| matches!(action, Action::Add(_)) || names_a_replacement(&operation(action));
    !actions.iter().any(stays) && (state.file_count > 0 || actions.iter().any(says_so))
}

/// `CREATE OR REPLACE TABLE`, `REPLACE TABLE AS SELECT`, or a write that overwrites.
fn names_a_replacement(operation: &str) -> bool {
    operation.contains("REPLACE TABLE") || operation == "WRITE" || operation == "OVERWRITE"
}
