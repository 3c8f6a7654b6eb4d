//! Whether two commits say the same, without holding either.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::Result;
use crate::action::{Action, CommitInfo};
use crate::catalog::Table;
use crate::mirror::{commit_actions, read_commit};
use crate::sql::Database;

const PAGE: usize = 8192;

/// What a commit says, as a sum of its actions' hashes: the order of actions and of their fields does not matter.
///
/// A writer that names one thing twice in a version breaks the protocol; the catalog keeps the first `add` of a logical
/// file and the last of other actions, and so does this. For people it shows as what was done by whom.
///
/// ```
/// use deltalakedb_core::action::parse_line;
/// use deltalakedb_core::import::CommitDigest;
/// let digest = |lines: &[&str]| {
///     let mut digest = CommitDigest::default();
///     lines.iter().for_each(|line| digest.insert(&parse_line(line).unwrap()));
///     digest
/// };
/// let info = r#"{"commitInfo":{"operation":"WRITE"}}"#;
/// let (one, same) = (r#"{"txn":{"appId":"a","version":1}}"#, r#"{"txn":{"version":1,"appId":"a"}}"#);
/// assert!(digest(&[info, one]).is_same(&digest(&[same, info])));
/// assert!(!digest(&[info, one]).is_same(&digest(&[one])));
/// assert!(digest(&[info, one]).makes_same_changes(&digest(&[one])));
/// assert_eq!(digest(&[info, one]).to_string(), "WRITE, 0 added, 0 removed");
/// ```
#[derive(Clone, Debug, Default)]
pub struct CommitDigest {
    /// Of file actions and unknown ones.
    sum: u128,
    /// Hashes of the added files: eight bytes each.
    added: HashSet<u64>,
    removed_count: usize,
    /// Of actions that stand alone for their name and key.
    single: BTreeMap<(&'static str, String), u128>,
    commit_info: Option<CommitInfo>,
    table_id: Option<String>,
}

impl CommitDigest {
    /// Takes in some of the commit's actions.
    pub fn insert(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Add(add) => {
                    if !self.added.insert(hash(&(&add.path, add.dv_id()))) {
                        continue;
                    }
                    self.sum = self.sum.wrapping_add(hash_of_action(action));
                }
                Action::Txn(txn) => self.insert_single("txn", &txn.app_id, action),
                Action::DomainMetadata(domain) => self.insert_single("domainMetadata", &domain.domain, action),
                Action::Metadata(metadata) => {
                    self.table_id = Some(metadata.id.clone());
                    self.insert_single("metaData", "", action);
                }
                Action::Protocol(_) => self.insert_single("protocol", "", action),
                Action::CommitInfo(info) => self.commit_info = Some(info.clone()),
                // They belong to checkpoints: in a commit nobody reads them.
                Action::Sidecar(_) | Action::CheckpointMetadata(_) => {}
                _ => {
                    self.removed_count += usize::from(matches!(action, Action::Remove(_)));
                    self.sum = self.sum.wrapping_add(hash_of_action(action));
                }
            }
        }
    }

    fn insert_single(&mut self, name: &'static str, key: &str, action: &Action) {
        self.single.insert((name, key.to_owned()), hash_of_action(action));
    }

    /// Whether both commits say the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let info = |digest: &Self| digest.commit_info.clone().map(|info| hash_of_action(&Action::CommitInfo(info)));
        self.makes_same_changes(other) && info(self) == info(other)
    }

    /// The table's id, where the commit has metadata.
    pub fn table_id(&self) -> Option<&str> {
        self.table_id.as_deref()
    }

    /// What people want to know of it.
    pub fn summary(&self) -> CommitSummary {
        let info = self.commit_info.as_ref();
        CommitSummary {
            operation: info.and_then(CommitInfo::operation),
            engine_info: info.and_then(CommitInfo::engine_info),
            timestamp_ms: info.and_then(CommitInfo::timestamp_ms),
            added_files: self.added.len(),
            removed_files: self.removed_count,
        }
    }

    /// Whether both commits do the same to the table, whatever they say of themselves in `commitInfo`.
    pub fn makes_same_changes(&self, other: &Self) -> bool {
        self.sum == other.sum && self.single == other.single && self.added.len() == other.added.len()
    }
}

/// A commit, as a line of a history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommitSummary {
    /// As the writer named it.
    pub operation: Option<String>,
    /// The writer.
    pub engine_info: Option<String>,
    /// The writer's own time, in milliseconds since the epoch.
    pub timestamp_ms: Option<i64>,
    /// Its add actions.
    pub added_files: usize,
    /// Its remove actions.
    pub removed_files: usize,
}

impl fmt::Display for CommitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

impl fmt::Display for CommitSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation.as_deref().unwrap_or("a commit"))?;
        if let Some(engine) = &self.engine_info {
            write!(f, " by {engine}")?;
        }
        if let Some(timestamp_ms) = self.timestamp_ms {
            write!(f, " at {}", crate::time::format_ms(timestamp_ms))?;
        }
        write!(f, ", {} added, {} removed", self.added_files, self.removed_files)
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn hash_of_action(action: &Action) -> u128 {
    let text = normal_form(action);
    u128::from(hash(&(0, &text))) << 64 | u128::from(hash(&(1, &text)))
}

fn normal_form(action: &Action) -> String {
    let text = action.to_json();
    match action {
        // Of these there are many, and their fields are written in one order.
        Action::Add(_) | Action::Remove(_) => text,
        // `serde_json::Value` sorts the fields. Numbers beyond its precision may fall together: no reason to call two
        // commits different.
        _ => serde_json::from_str::<serde_json::Value>(&text).map_or(text, |value| value.to_string()),
    }
}

/// The digest of a version as the catalog has it; `None` when the version is known from a checkpoint only.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the version is not there; those of the database.
pub async fn catalog_digest(database: &impl Database, table: &Table, version: i64) -> Result<Option<CommitDigest>> {
    let commit = read_commit(database, table, version).await?;
    if !commit.is_known {
        return Ok(None);
    }
    let mut digest = CommitDigest::default();
    digest.insert(&commit.actions);
    let mut cursor = commit.start();
    while let Some(at) = cursor {
        let (page, next) = commit_actions(database, &commit, at, PAGE).await?;
        digest.insert(&page);
        cursor = next;
    }
    Ok(Some(digest))
}
