use std::collections::HashSet;

use crate::action::{Action, CommitInfo, Json};
use crate::catalog::Table;
use crate::log::MAX_VERSION;
use crate::snapshot::Snapshot;
use crate::sql::{Batch, Limits, Rows, Statement, Value, with_rows};
use crate::table_features::in_commit_timestamps_enabled;
use crate::{Error, Result};

use super::check::check;
use super::write::{VersionStart, VersionWriter};
use super::{CommitRequest, conflict};

const ADVANCE_VERSION: &str = "
UPDATE dl_tables SET current_version = current_version + 1 WHERE table_id = ?1 AND import_id IS NULL";

const GUARD_TABLE: &str = "INSERT INTO dl_guard (guard) SELECT 'table_not_found' WHERE changes() <> 1";

/// ?1 table, ?2 version that the commit was planned on.
const GUARD_METADATA: &str = "
INSERT INTO dl_guard (guard) SELECT 'metadata_changed'
WHERE EXISTS (SELECT 1 FROM dl_metadata_updates WHERE table_id = ?1 AND version > ?2)";

const GUARD_PROTOCOL: &str = "
INSERT INTO dl_guard (guard) SELECT 'protocol_changed'
WHERE EXISTS (SELECT 1 FROM dl_protocol_updates WHERE table_id = ?1 AND version > ?2)";

/// Nothing was added since the version that the writer looked at.
const GUARD_APPEND: &str = "
INSERT INTO dl_guard (guard) SELECT 'concurrent_append' WHERE EXISTS (
  SELECT 1 FROM dl_table_versions v JOIN dl_add_files f
    ON f.file_id >= v.end_file_id AND f.file_id < (v.table_id + 1) << 40 AND f.data_change = 1
  WHERE v.table_id = ?1 AND v.version = ?2)";

const GUARD_REMOVES: &str = "
WITH rows (path, dv_id) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'removed_file_not_live' WHERE EXISTS (
  SELECT 1 FROM rows r WHERE NOT EXISTS (
    SELECT 1 FROM dl_add_files f
    WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.removed_version IS NULL))";

/// A path is live with one deletion vector at the most: who adds it with another one removes the entry that it has
/// (protocol section "Add File and Remove File"). The rows are added files whose path the commit does not remove.
const GUARD_PATHS: &str = "
WITH rows (path, dv_id) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'path_added_again' WHERE EXISTS (
  SELECT 1 FROM rows r JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path AND f.dv_id <> r.dv_id
    AND f.removed_version IS NULL)";

/// The first of such paths.
const PATH_ADDED_AGAIN: &str = "
WITH rows (path, dv_id) AS ({rows})
SELECT r.path FROM rows r JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path AND f.dv_id <> r.dv_id
  AND f.removed_version IS NULL LIMIT 1";

const GUARD_TXNS: &str = "
WITH rows (app_id, txn_version) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'concurrent_transaction' WHERE EXISTS (
  SELECT 1 FROM rows r WHERE
    EXISTS (SELECT 1 FROM dl_txn_actions a WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.version > ?2)
    OR r.txn_version <= (SELECT a.txn_version FROM dl_txn_actions a WHERE a.table_id = ?1 AND a.app_id = r.app_id
      ORDER BY a.version DESC LIMIT 1))";

const COMMITTED: &str = "
SELECT v.version, v.timestamp_ms FROM dl_tables t
JOIN dl_table_versions v ON v.table_id = t.table_id AND v.version = t.current_version WHERE t.table_id = ?1";

/// A commit, ready to run.
#[derive(Clone, Debug)]
pub struct CommitPlan {
    /// The commit.
    pub batch: Batch,
    /// Queries that find out who won when a guard does not hold.
    pub(super) explanation: Vec<Statement>,
    /// How many of those queries are about `txn` actions.
    pub(super) txn_queries: usize,
    /// Queries for the path that is in the table with another deletion vector.
    pub(super) path_queries: Vec<Statement>,
    pub(super) table: Table,
    pub(super) actions: Vec<Action>,
}

/// Plans a commit on a table whose latest known state is `state`.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) or [`Unsupported`](crate::ErrorKind::Unsupported), with the reason, for a
/// commit that the table's rules forbid.
pub fn plan_commit(state: &Snapshot, request: &CommitRequest, limits: &Limits) -> Result<CommitPlan> {
    check(state, &request.actions)?;
    let key = state.table.key;
    if state.version >= MAX_VERSION {
        return Err(Error::invalid(format!("the table is at version {}, the last that a log can name", state.version)));
    }
    let read_version = request.read_version.unwrap_or(state.version);
    if read_version > state.version || read_version < state.table.earliest_version {
        return Err(Error::invalid(format!(
            "the read version is {read_version}; the table has versions {} to {}",
            state.table.earliest_version, state.version
        ))
        .version(read_version));
    }

    let versioned = || vec![Value::from(key), read_version.into()];
    let mut statements = vec![
        Statement::new(ADVANCE_VERSION, [key.into()]),
        Statement::new(GUARD_TABLE, []),
        Statement::new(GUARD_METADATA, versioned()),
        Statement::new(GUARD_PROTOCOL, versioned()),
    ];
    let removes = removed_keys(&request.actions);
    let reads_the_table = request.read_version.is_some() && removes_data(&request.actions);
    if reads_the_table {
        statements.push(Statement::new(GUARD_APPEND, versioned()));
    }
    statements.extend(with_rows(limits, GUARD_REMOVES, &[key.into()], removes.clone()));
    let added = added_keys(&request.actions);
    statements.extend(with_rows(limits, GUARD_PATHS, &[key.into()], added.clone()));
    let txns = txn_keys(&request.actions);
    let guard_txns = with_rows(limits, GUARD_TXNS, &versioned(), txns.clone());
    let txn_queries = guard_txns.len();
    statements.extend(guard_txns);

    let mut writer = VersionWriter::new(key, *limits);
    let commit_info = commit_info(request)?;
    statements.push(writer.begin(VersionStart {
        timestamp_ms: request.now_ms,
        commit_id: Some(request.commit_id.clone()),
        commit_info: Some(commit_info.json().text().to_owned()),
        commit_known: true,
        in_commit_timestamp: has_in_commit_timestamp(state, &request.actions),
    }));
    statements.extend(writer.actions(request.actions.clone(), |_, _| true));
    statements.extend(writer.end());
    statements.push(Statement::new(COMMITTED, [key.into()]));

    Ok(CommitPlan {
        batch: Batch::write(statements),
        explanation: conflict::queries(limits, key, read_version, &request.commit_id, removes, txns),
        txn_queries,
        path_queries: with_rows(limits, PATH_ADDED_AGAIN, &[key.into()], added),
        table: state.table.clone(),
        actions: request.actions.clone(),
    })
}

fn removed_keys(actions: &[Action]) -> Rows {
    let mut keys = Rows::new(2);
    for action in actions {
        if let Action::Remove(remove) = action {
            keys.push([remove.path.as_str().into(), remove.dv_id().into()]);
        }
    }
    keys
}

/// The added files whose path the commit does not remove.
fn added_keys(actions: &[Action]) -> Rows {
    let removed: HashSet<&str> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Remove(remove) => Some(remove.path.as_str()),
            _ => None,
        })
        .collect();
    let mut keys = Rows::new(2);
    for action in actions {
        if let Action::Add(add) = action
            && !removed.contains(add.path.as_str())
        {
            keys.push([add.path.as_str().into(), add.dv_id().into()]);
        }
    }
    keys
}

fn removes_data(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Remove(remove) if remove.data_change))
}

fn txn_keys(actions: &[Action]) -> Rows {
    let mut keys = Rows::new(2);
    for action in actions {
        if let Action::Txn(txn) = action {
            keys.push([txn.app_id.as_str().into(), txn.version.into()]);
        }
    }
    keys
}

fn has_in_commit_timestamp(state: &Snapshot, actions: &[Action]) -> bool {
    let (mut metadata, mut protocol) = (&state.metadata, &state.protocol);
    for action in actions {
        match action {
            Action::Metadata(new) => metadata = new,
            Action::Protocol(new) => protocol = new,
            _ => {}
        }
    }
    in_commit_timestamps_enabled(metadata, protocol)
}

/// The writer's own commit info, with what it left out.
fn commit_info(request: &CommitRequest) -> Result<CommitInfo> {
    let given = request.actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => Some(info.fields()),
        _ => None,
    });
    let mut fields = given.unwrap_or_default();
    let is_blind_append =
        request.read_version.is_none() && !request.actions.iter().any(|action| matches!(action, Action::Remove(_)));
    let engine = concat!("deltalakedb/", env!("CARGO_PKG_VERSION"));
    let operation = request.operation.as_deref();
    let json = |value: serde_json::Value| Json::of(&value).map_err(|error| Error::invalid(error.to_string()));
    if let Some(operation) = operation {
        fields.insert("operation".into(), json(operation.into())?);
    }
    for (name, value) in [
        ("timestamp", request.now_ms.into()),
        ("operation", "WRITE".into()),
        ("operationParameters", serde_json::json!({})),
        ("isBlindAppend", is_blind_append.into()),
        ("engineInfo", engine.into()),
        ("txnId", request.commit_id.as_str().into()),
    ] {
        if !fields.contains_key(name) {
            fields.insert(name.into(), json(value)?);
        }
    }
    CommitInfo::from_fields(&fields).map_err(|error| Error::invalid(error.to_string()))
}
