//! Whether a log and the catalog tell the same of a version.

use std::collections::BTreeMap;

use crate::Result;
use crate::action::Action;
use crate::catalog::Table;
use crate::mirror::{commit_actions, read_commit};
use crate::sql::Database;

const PAGE: usize = 8192;

/// A version's actions as the catalog has them.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogCommit {
    /// False when the version is known from a checkpoint only.
    pub is_known: bool,
    /// All actions.
    pub actions: Vec<Action>,
}

/// Reads all actions of a version.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the version is not there; those of the database.
pub async fn read_catalog_commit(database: &impl Database, table: &Table, version: i64) -> Result<CatalogCommit> {
    let commit = read_commit(database, table, version).await?;
    let mut actions = commit.actions.clone();
    let mut cursor = Some(commit.start());
    while let Some(at) = cursor {
        let (page, next) = commit_actions(database, &commit, at, PAGE).await?;
        actions.extend(page);
        cursor = next;
    }
    Ok(CatalogCommit { is_known: commit.is_known, actions })
}

/// Whether two commits are the same, whatever the order of their actions and fields.
pub fn same_actions(left: &[Action], right: &[Action]) -> bool {
    let sorted = |actions: &[Action]| {
        let mut texts: Vec<String> = reduced(actions).into_iter().map(normal_form).collect();
        texts.sort_unstable();
        texts
    };
    sorted(left) == sorted(right)
}

/// A writer that names one thing twice in a version breaks the protocol; the catalog keeps the first `add` of a logical
/// file and the last of other actions.
fn reduced(actions: &[Action]) -> Vec<&Action> {
    let key = |action: &Action| match action {
        Action::Add(add) => Some((add.path.clone(), add.dv_id())),
        Action::Txn(txn) => Some((txn.app_id.clone(), String::new())),
        Action::DomainMetadata(domain) => Some((domain.domain.clone(), String::new())),
        Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) => Some(Default::default()),
        _ => None,
    };
    let mut kept: BTreeMap<(&str, (String, String)), &Action> = BTreeMap::new();
    let mut reduced = Vec::with_capacity(actions.len());
    for action in actions {
        match (key(action), action) {
            (None, _) => reduced.push(action),
            (Some(key), Action::Add(_)) => {
                kept.entry((action.name(), key)).or_insert(action);
            }
            (Some(key), _) => {
                kept.insert((action.name(), key), action);
            }
        }
    }
    reduced.extend(kept.into_values());
    reduced
}

/// `serde_json::Value` sorts the fields. Numbers beyond its precision may fall together: no reason to
/// call two commits different.
fn normal_form(action: &Action) -> String {
    let text = action.to_json();
    serde_json::from_str::<serde_json::Value>(&text).map_or(text, |value| value.to_string())
}
