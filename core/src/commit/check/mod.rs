//! What a commit may not do, found before anything is written.

mod change;
mod columns;
mod commit_info;
mod domains;
mod evolution;
mod files;
mod identity;
mod mapping;
mod metadata;
mod needed_features;
mod partition;
mod path;
mod placed;
mod properties;
mod protocol;
mod row_tracking;
mod size;
mod spelling;
mod stats;
mod unusual_path;
mod vector;
mod widening;

use std::collections::HashSet;

use crate::action::Action;
use crate::catalog::quoted;
use crate::snapshot::Snapshot;
use crate::table_features::{check_writable, is_append_only};
use crate::{Error, Result};

use change::Change;
pub(super) use change::{Past, ends_column_mapping, operation_of};
use commit_info::check_commit_info;
use domains::{check_domain, check_live_domains};
use files::FileRules;
pub(super) use mapping::A_NAME;
use mapping::new_physical_paths;
use metadata::check_metadata;
use needed_features::check_needed_features;
use path::check_path;
use protocol::check_protocol;
use row_tracking::{check_row_counts, check_row_tracking};
use size::check_size;
use spelling::check_spellings;
pub(super) use spelling::{Spellings, other_spellings};
pub(super) use unusual_path::{unusual_path, unusual_vector};

/// Checks that a table's rules allow a commit of `actions`, where `state` is the table's latest version. Whether the
/// files that it removes are live only the commit's own batch can tell.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) or [`Unsupported`](crate::ErrorKind::Unsupported), with the path, column,
/// property or feature, and mostly with a hint.
pub fn check_commit(state: &Snapshot, actions: &[Action]) -> Result<()> {
    check(state, actions, None)
}

/// `operation`: what the commit is said to be, before what its `commitInfo` says.
pub(super) fn check(state: &Snapshot, actions: &[Action], operation: Option<&str>) -> Result<()> {
    if actions.is_empty() {
        return Err(Error::invalid("there is nothing to commit: no actions were given")
            .hint("give at least one, such as {\"add\":{...}}"));
    }
    check_rest(state, actions, operation, Past::Stays)?;
    check_file_rules(Change::of(state, actions, None), actions)
}

/// What a commit's check took for granted, which only its batch can make sure of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assumptions {
    /// No file comes meanwhile: the new metadata would not fit it.
    pub(super) no_new_files: bool,
    /// The table had the new schema before.
    pub(super) had_schema: bool,
    /// No column had these physical paths before.
    pub(super) new_columns: Vec<String>,
}

/// What [`check`] takes for granted.
pub(super) fn assumptions(state: &Snapshot, actions: &[Action], operation: Option<&str>, past: Past) -> Assumptions {
    let change = Change::of(state, actions, operation).with_past(past);
    if change.metadata == &state.metadata {
        return Assumptions::default();
    }
    let new_columns = match change.past {
        Past::Stays => new_physical_paths(&state.metadata, change.metadata),
        Past::Replaced | Past::Restored => Ok(Vec::new()),
    };
    Assumptions {
        no_new_files: change.past != Past::Stays || state.file_count == 0,
        had_schema: change.past == Past::Restored,
        // A schema that cannot be read is refused.
        new_columns: new_columns.unwrap_or_default(),
    }
}

/// What is checked of a commit as a whole; its files may be elsewhere, and `past` is what becomes of the table's by them.
pub(super) fn check_rest(state: &Snapshot, actions: &[Action], operation: Option<&str>, past: Past) -> Result<()> {
    check_writable(&state.protocol)?;
    actions.iter().try_for_each(check_size)?;
    one_of_a_kind(actions)?;
    let change = Change::of(state, actions, operation).with_past(past);
    check_protocol(&state.protocol, change.protocol)?;
    if change.has_metadata() {
        check_metadata(&change)?;
        check_needed_features(&state.metadata, change.metadata, change.protocol)?;
    }
    check_row_tracking(&change)?;
    check_live_domains(&change, actions)?;
    actions.iter().try_for_each(|action| check_other(&change, action))
}

/// What is checked of a page of file actions, of a commit whose other actions are `actions` and whose earlier pages have
/// removed files at the ill-formed paths `removed`.
pub(super) fn check_page(
    state: &Snapshot,
    actions: &[Action],
    removed: &HashSet<String>,
    files: &[Action],
) -> Result<()> {
    files.iter().try_for_each(check_size)?;
    one_of_a_kind(files)?;
    let mut change = Change::of(state, actions, None);
    change.removed.extend(removed.iter().map(String::as_str));
    change.removed.extend(ill_formed_removes(files));
    check_file_rules(change, files)
}

/// Paths of removed files that no commit could bring in.
pub(super) fn ill_formed_removes(files: &[Action]) -> impl Iterator<Item = &str> {
    files.iter().filter_map(|action| match action {
        Action::Remove(remove) if check_path(&remove.path).is_err() => Some(remove.path.as_str()),
        _ => None,
    })
}

/// What the table, as a commit leaves it, asks of the file actions among `files`.
fn check_file_rules(change: Change<'_>, files: &[Action]) -> Result<()> {
    not_added_and_removed(files)?;
    check_spellings(files)?;
    check_row_counts(&change, files)?;
    let rules = FileRules::of(&change)?;
    files.iter().try_for_each(|action| rules.check(action))
}

/// What is no action on a file.
fn check_other(change: &Change, action: &Action) -> Result<()> {
    match action {
        Action::CommitInfo(info) => check_commit_info(info),
        Action::DomainMetadata(domain) => check_domain(domain, change),
        Action::Txn(txn) if txn.app_id.is_empty() => Err(Error::invalid("a `txn` action has an empty `appId`")
            .hint("name the application; how far it has come is kept under its name")),
        Action::Sidecar(_) | Action::CheckpointMetadata(_) => {
            Err(Error::invalid(format!("`{}` belongs to checkpoints, not to commits", action.name()))
                .hint("leave it out"))
        }
        _ => Ok(()),
    }
}

/// A commit has at most one metadata, protocol and commit info, and one action of a kind for a path
/// (protocol section "Add File and Remove File"), an application or a domain.
fn one_of_a_kind(actions: &[Action]) -> Result<()> {
    if actions.len() < 2 {
        return Ok(());
    }
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for action in actions {
        let key = match action {
            Action::Add(add) => add.path.as_str(),
            Action::Remove(remove) => remove.path.as_str(),
            Action::Txn(txn) => txn.app_id.as_str(),
            Action::DomainMetadata(domain) => domain.domain.as_str(),
            Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) => "",
            _ => continue,
        };
        if !seen.insert((action.name(), key)) {
            let of = if key.is_empty() { String::new() } else { format!(" of {}", quoted(key)) };
            return Err(Error::invalid(format!("the commit has two `{}` actions{of}; one is allowed", action.name()))
                .hint("leave one of them out, or make two commits"));
        }
    }
    Ok(())
}

fn not_added_and_removed(actions: &[Action]) -> Result<()> {
    let removed: HashSet<(&str, String)> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Remove(remove) => Some((remove.path.as_str(), remove.dv_id())),
            _ => None,
        })
        .collect();
    if removed.is_empty() {
        return Ok(());
    }
    for action in actions {
        if let Action::Add(add) = action
            && removed.contains(&(add.path.as_str(), add.dv_id()))
        {
            return Err(added_and_removed(&add.path));
        }
    }
    Ok(())
}

pub(super) fn added_and_removed(path: &str) -> Error {
    Error::invalid(format!("the commit both adds and removes {} with the same deletion vector", quoted(path)))
        .path(path)
        .hint("an `add` alone replaces the file's entry")
}

/// Whether the table takes no new deletion vectors: those of files that a commit removes are new.
pub(super) fn refuses_vectors(state: &Snapshot, actions: &[Action]) -> bool {
    let change = Change::of(state, actions, None);
    !change.metadata.is_enabled("delta.enableDeletionVectors") || is_append_only(&state.metadata, &state.protocol)
}

/// Names for a message.
fn joined<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
