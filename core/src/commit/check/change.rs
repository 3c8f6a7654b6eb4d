//! A commit beside the table that it is for.

use std::collections::HashSet;

use crate::action::{Action, CommitInfo, Metadata, Protocol};
use crate::snapshot::Snapshot;

/// What a commit changes, seen as a whole.
pub(super) struct Change<'a> {
    pub(super) state: &'a Snapshot,
    /// As it is after the commit.
    pub(super) metadata: &'a Metadata,
    /// As it is after the commit.
    pub(super) protocol: &'a Protocol,
    /// Paths of removed files. The commit's guards make sure that they are in the table.
    pub(super) removed: HashSet<&'a str>,
    /// Whether no file of the table stays, so that its schema and partition columns may be others.
    pub(super) replaces: bool,
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
        let replaces = replaces(state, actions, &removed);
        Change { state, metadata, protocol, removed, replaces }
    }

    /// Whether rows that are in the table now are in it after the commit, as far as that can be told.
    pub(super) fn keeps_files(&self) -> bool {
        self.state.file_count > 0 && !self.replaces
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
    let says_so = |action: &Action| match action {
        Action::Add(_) => true,
        Action::CommitInfo(info) => names_a_replacement(info),
        _ => false,
    };
    !actions.iter().any(stays) && (state.file_count > 0 || actions.iter().any(says_so))
}

/// `CREATE OR REPLACE TABLE`, `REPLACE TABLE AS SELECT`, or a write that overwrites.
fn names_a_replacement(info: &CommitInfo) -> bool {
    let operation = info.operation().unwrap_or_default().to_ascii_uppercase();
    operation.contains("REPLACE TABLE") || operation == "WRITE" || operation == "OVERWRITE"
}
