//! What clients meant, were told and saw: what the checkers hold the catalog against.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::State;

/// In the `commitInfo` of a commit that only gives row ids to files.
pub(crate) const BACKFILL: &str = "ROW TRACKING BACKFILL";

/// How a commit bears what others do at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// The commits could have happened one after the other, in the order of their versions.
    Serializable,
    /// The same, where blind appends may count as later than they are.
    WriteSerializable,
    /// What it read or removes is there; what others added it may not have seen.
    Snapshot,
}

impl Isolation {
    /// What a commit has that asks for none.
    pub fn default_of(actions: &[Value]) -> Self {
        let keeps_data = |action: &Value| {
            action.get("commitInfo").is_some()
                || action.as_object().is_some_and(|action| action.values().all(|body| body["dataChange"] == false))
        };
        if actions.iter().all(keeps_data) { Isolation::Snapshot } else { Isolation::WriteSerializable }
    }
}

/// What a commit read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing of the table's rows.
    Nothing,
    /// How far this application has come, and nothing of the rows.
    Application(String),
    /// The rows of these files.
    Files(Vec<String>),
    /// All rows with a value in the partition column.
    Partition(String),
    /// All rows.
    Table,
}

impl Scope {
    pub fn has_rows(&self) -> bool {
        !matches!(self, Scope::Nothing | Scope::Application(_))
    }
}

/// What a client wanted of one table.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The table's key.
    pub table: i64,
    /// Each an object with one key.
    pub actions: Vec<Value>,
    /// The version that it read.
    pub base: i64,
    pub scope: Scope,
    pub isolation: Isolation,
    /// Whether the client asks for it, or it is what the actions have without that.
    pub is_isolation_asked: bool,
}

impl Intent {
    /// Whether the client says which version it read. One that removes files by name only does not: with a version it
    /// would be taken to have read the whole table.
    pub fn states_version(&self) -> bool {
        self.scope != Scope::Nothing || self.actions.iter().all(|action| action.get("remove").is_none())
    }
}

/// What a client was told of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is there: version and time by table.
    Committed(Vec<(i64, i64)>),
    /// It is not there and will not be.
    Refused(String),
    /// Nobody knows.
    Unknown,
    /// It did not happen, this time.
    Failed,
}

/// A commit to one table, or to several at once.
#[derive(Clone, Debug)]
pub struct Commit {
    pub kind: &'static str,
    pub intents: Vec<Intent>,
    /// It breaks a rule.
    pub is_invalid: bool,
    /// How often it was sent; more often than there are answers when its client died.
    pub sent_count: usize,
    pub answers: Vec<Answer>,
}

/// A snapshot as a reader saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub reader: String,
    pub table: i64,
    pub version: i64,
    pub timestamp_ms: i64,
    /// The table's latest version at the time.
    pub latest_version: i64,
    /// The time that was asked for.
    pub asked_ms: Option<i64>,
    pub file_count: i64,
    pub size_bytes: i64,
    pub state: State,
}

/// What all clients together meant, were told and saw.
#[derive(Default)]
pub struct Ledger {
    /// By commit id.
    pub commits: BTreeMap<String, Commit>,
    pub seen: Vec<Seen>,
    /// Paths of objects, as they appeared.
    pub published: Vec<String>,
    /// Paths of objects that were deleted; they may be there again.
    pub deleted: BTreeSet<String>,
    /// Keys of the tables that were made by import, each with the key of the table that it is a copy of.
    pub copies: BTreeMap<i64, i64>,
    /// Keys of the tables that somebody began to drop; they may be gone.
    pub dropped: BTreeSet<i64>,
    /// Ids of the commits that came by pages.
    pub large_commits: BTreeSet<String>,
    /// Rows that nothing accounts for in the end, by the table of the catalog that they are in.
    pub leftovers: BTreeMap<&'static str, i64>,
    pub violations: Vec<String>,
}

impl Ledger {
    /// Whether a table of the commit may be gone.
    pub(crate) fn touches_dropped(&self, commit: &Commit) -> bool {
        commit.intents.iter().any(|intent| self.dropped.contains(&intent.table))
    }
}
