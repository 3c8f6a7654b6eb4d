//! What a commit may not do, found before anything is written.

mod files;
mod metadata;
mod needed_features;
mod protocol;

use std::collections::{BTreeMap, HashSet};

use crate::action::{Action, Json};
use crate::catalog::quoted;
use crate::snapshot::Snapshot;
use crate::table_features::check_writable;
use crate::{Error, Result};

use files::FileRules;
use metadata::check_metadata;
use needed_features::check_needed_features;
use protocol::check_protocol;

pub(super) fn check(state: &Snapshot, actions: &[Action]) -> Result<()> {
    check_writable(&state.protocol)?;
    if actions.is_empty() {
        return Err(Error::invalid("there is nothing to commit: no actions were given"));
    }
    one_of_a_kind(actions)?;
    not_added_and_removed(actions)?;
    let (mut metadata, mut protocol) = (&state.metadata, &state.protocol);
    for action in actions {
        match action {
            Action::Metadata(new) => metadata = new,
            Action::Protocol(new) => protocol = new,
            Action::CommitInfo(info) if info.json().read::<BTreeMap<String, Json>>().is_none() => {
                return Err(Error::invalid("`commitInfo` must be an object"));
            }
            _ => {}
        }
    }
    check_protocol(&state.protocol, protocol)?;
    check_metadata(&state.metadata, metadata)?;
    check_needed_features(&state.metadata, metadata, protocol)?;
    let rules = FileRules::of(state, metadata, protocol)?;
    actions.iter().try_for_each(|action| rules.check(action))
}

/// A commit has at most one metadata, protocol and commit info, and one action of a kind for a path
/// (protocol section "Add File and Remove File"), an application or a domain.
fn one_of_a_kind(actions: &[Action]) -> Result<()> {
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
            return Err(Error::invalid(format!("the commit has two `{}` actions{of}; one is allowed", action.name())));
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
    for action in actions {
        if let Action::Add(add) = action
            && removed.contains(&(add.path.as_str(), add.dv_id()))
        {
            return Err(Error::invalid(format!(
                "the commit both adds and removes {} with the same deletion vector",
                quoted(&add.path)
            ))
            .path(&add.path)
            .hint("an `add` alone replaces the file's entry"));
        }
    }
    Ok(())
}

/// Names for a message.
fn joined<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
