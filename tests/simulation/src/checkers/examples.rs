//! Histories to try the checkers on.

use serde_json::{Value, json};

use crate::history::{TableHistory, Version};
use crate::ledger::{Commit, Intent, Isolation, Ledger, Scope, Seen};

pub(crate) fn version(number: i64, commit_id: &str, actions: &[Value]) -> Version {
    Version {
        version: number,
        timestamp_ms: 100 + number,
        commit_id: Some(commit_id.to_owned()),
        is_known: true,
        actions: actions.to_vec(),
    }
}

pub(crate) fn table(versions: Vec<Version>) -> TableHistory {
    let latest_version = versions.last().map_or(0, |entry| entry.version);
    TableHistory { key: 1, name: "table".into(), earliest_version: 0, latest_version, versions }
}

pub(crate) fn add(path: &str, rows: &str) -> Value {
    json!({"add": {"path": path, "partitionValues": {"p": "a"}, "size": 1, "dataChange": true, "tags": {"rows": rows}}})
}

pub(crate) fn remove(path: &str) -> Value {
    json!({"remove": {"path": path, "dataChange": true}})
}

pub(crate) fn intent(base: i64, scope: Scope, actions: &[Value]) -> Intent {
    Intent {
        table: 1,
        actions: actions.to_vec(),
        base,
        scope,
        isolation: Isolation::Serializable,
        is_isolation_asked: true,
    }
}

/// A ledger in which the commits were sent once each, without answers.
pub(crate) fn ledger(commits: Vec<(&str, Intent)>) -> Ledger {
    let commit = |intent| Commit {
        kind: "example",
        intents: vec![intent],
        is_invalid: false,
        sent_count: 1,
        answers: Vec::new(),
    };
    let commits = commits.into_iter().map(|(id, intent)| (id.to_owned(), commit(intent)));
    Ledger { commits: commits.collect(), ..Ledger::default() }
}

/// A snapshot as it was at a version.
pub(crate) fn seen(version: i64, table: &TableHistory) -> Seen {
    let state = table.states().remove(&version).unwrap_or_default();
    Seen {
        reader: "reader".into(),
        table: 1,
        version,
        timestamp_ms: 100 + version,
        latest_version: version,
        asked_ms: None,
        file_count: state.files.len() as i64,
        size_bytes: state.size_bytes(),
        state,
    }
}
