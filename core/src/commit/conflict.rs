//! Who won, and why.

use crate::action::CommitInfo;
use crate::catalog::{Table, quoted};
use crate::sql::{Batch, Database, DatabaseError, Limits, ResultSet, Rows, Statement, Value, with_rows};
use crate::{Error, ErrorKind, Result};

use super::{CommitPlan, Outcome};

/// Delta's kinds of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// Files were added that the commit should have read.
    ConcurrentAppend,
    /// A file that the commit removes was removed.
    ConcurrentDeleteDelete,
    /// The table's metadata changed.
    MetadataChanged,
    /// The table's protocol changed.
    ProtocolChanged,
    /// The same application committed.
    ConcurrentTransaction,
}

impl ConflictKind {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            ConflictKind::ConcurrentAppend => "concurrentAppend",
            ConflictKind::ConcurrentDeleteDelete => "concurrentDeleteDelete",
            ConflictKind::MetadataChanged => "metadataChanged",
            ConflictKind::ProtocolChanged => "protocolChanged",
            ConflictKind::ConcurrentTransaction => "concurrentTransaction",
        }
    }
}

/// A commit that lost, and the one that won.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The table's name.
    pub table: String,
    /// Why both cannot be.
    pub kind: ConflictKind,
    /// The version that won.
    pub winner: i64,
    /// What that version did, in its writer's word.
    pub winner_operation: Option<String>,
    /// The file, or the application, that both are about.
    pub subject: Option<String>,
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        let operation = conflict.winner_operation.map_or(String::new(), |operation| format!(" ({operation})"));
        let subject = conflict.subject.as_deref().map_or(String::new(), |subject| format!(": {}", quoted(subject)));
        let what = match conflict.kind {
            ConflictKind::ConcurrentAppend => "added files after the version that this commit read",
            ConflictKind::ConcurrentDeleteDelete => "removed a file that this commit removes, too",
            ConflictKind::MetadataChanged => "changed the table's metadata",
            ConflictKind::ProtocolChanged => "changed the table's protocol",
            ConflictKind::ConcurrentTransaction => "holds the same application's transaction, or a later one",
        };
        let error = Error::new(
            ErrorKind::Conflict,
            format!(
                "committing to table {}: version {}{operation} {what}{subject}; nothing was committed",
                quoted(&conflict.table),
                conflict.winner
            ),
        )
        .table(conflict.table)
        .version(conflict.winner)
        .conflict_kind(conflict.kind.as_str())
        .hint("read the table again at that version, decide anew and commit");
        match (conflict.kind, conflict.subject) {
            (ConflictKind::ConcurrentDeleteDelete, Some(path)) => error.path(path),
            _ => error,
        }
    }
}

const SAME_COMMIT: &str = "SELECT version, timestamp_ms FROM dl_table_versions WHERE table_id = ?1 AND commit_id = ?2";

const METADATA_WINNER: &str = "SELECT min(version) FROM dl_metadata_updates WHERE table_id = ?1 AND version > ?2";

const PROTOCOL_WINNER: &str = "SELECT min(version) FROM dl_protocol_updates WHERE table_id = ?1 AND version > ?2";

const APPEND_WINNER: &str = "
SELECT f.version, f.path FROM dl_table_versions v
JOIN dl_add_files f ON f.file_id >= v.end_file_id AND f.file_id < (v.table_id + 1) << 40 AND f.data_change = 1
WHERE v.table_id = ?1 AND v.version = ?2 ORDER BY f.file_id LIMIT 1";

/// ?1 table; of the rows that are not live: the path and the version that last removed it.
const REMOVE_WINNER: &str = "
WITH rows (path, dv_id) AS ({rows})
SELECT (SELECT max(f.removed_version) FROM dl_add_files f
    WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id), r.path
FROM rows r WHERE NOT EXISTS (
  SELECT 1 FROM dl_add_files f
  WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.removed_version IS NULL)
LIMIT 1";

/// ?1 table, ?2 version that the commit was planned on: the first transaction after it, else the latest one where that
/// is not older than the row's.
const TXN_WINNER: &str = "
WITH rows (app_id, txn_version) AS ({rows}), winners (version, app_id) AS (
  SELECT coalesce(
    (SELECT min(a.version) FROM dl_txn_actions a WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.version > ?2),
    (SELECT latest.version FROM (SELECT a.version, a.txn_version FROM dl_txn_actions a
      WHERE a.table_id = ?1 AND a.app_id = r.app_id ORDER BY a.version DESC LIMIT 1) latest
      WHERE latest.txn_version >= r.txn_version)), r.app_id
  FROM rows r)
SELECT version, app_id FROM winners WHERE version IS NOT NULL ORDER BY version LIMIT 1";

const OPERATIONS: &str = "
SELECT version, commit_info FROM dl_table_versions WHERE table_id = ?1 AND version > ?2 ORDER BY version LIMIT 1000";

/// The queries whose results [`same_commit`] (the first) and [`explain`] read, in this order; the last two in any number.
pub(super) fn queries(
    limits: &Limits,
    key: i64,
    read_version: i64,
    commit_id: &str,
    removes: Rows,
    txns: Rows,
) -> Vec<Statement> {
    let versioned = || vec![Value::from(key), read_version.into()];
    let mut statements = vec![
        Statement::new(SAME_COMMIT, vec![key.into(), commit_id.into()]),
        Statement::new(OPERATIONS, versioned()),
        Statement::new(METADATA_WINNER, versioned()),
        Statement::new(PROTOCOL_WINNER, versioned()),
        Statement::new(APPEND_WINNER, versioned()),
    ];
    statements.extend(with_rows(limits, TXN_WINNER, &versioned(), txns));
    statements.extend(with_rows(limits, REMOVE_WINNER, &[key.into()], removes));
    statements
}

/// The version and time of the commit with an id, if there is one.
pub(super) async fn committed_before(
    database: &impl Database,
    table: &Table,
    commit_id: &str,
) -> Result<Option<(i64, i64)>> {
    let query = Statement::new(SAME_COMMIT, vec![table.key.into(), commit_id.into()]);
    same_commit(&mut database.batch(Batch::read(vec![query])).await?)
}

/// The version and time of the commit with the same id, if there is one.
pub(super) fn same_commit(results: &mut Vec<ResultSet>) -> Result<Option<(i64, i64)>> {
    let first = if results.is_empty() { ResultSet::default() } else { results.remove(0) };
    first.rows.first().map(|row| Ok((row.integer(0)?, row.integer(1)?))).transpose()
}

/// The outcome of a commit whose batch was refused with `error`.
pub(super) fn explain(plan: &CommitPlan, error: DatabaseError, results: Vec<ResultSet>) -> Result<Outcome> {
    let mut results = results.into_iter();
    let DatabaseError::Guard(guard) = &error else { return Err(error.into()) };
    let mut operations = results.next().unwrap_or_default();
    let results: Vec<ResultSet> = results.collect();
    let (metadata, protocol, append) = (results.first(), results.get(1), results.get(2));
    let (txns, removes) = results.get(3..).unwrap_or_default().split_at_checked(plan.txn_queries).unwrap_or_default();
    let kind = match guard.as_str() {
        "metadata_changed" => ConflictKind::MetadataChanged,
        "protocol_changed" => ConflictKind::ProtocolChanged,
        "concurrent_append" => ConflictKind::ConcurrentAppend,
        "concurrent_transaction" => ConflictKind::ConcurrentTransaction,
        "removed_file_not_live" => ConflictKind::ConcurrentDeleteDelete,
        "table_not_found" => {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("table {} was dropped meanwhile", quoted(&plan.table.name)),
            )
            .table(plan.table.name.clone()));
        }
        _ => return Err(error.into()),
    };
    let found = match kind {
        ConflictKind::MetadataChanged => metadata.into_iter().collect::<Vec<_>>(),
        ConflictKind::ProtocolChanged => protocol.into_iter().collect(),
        ConflictKind::ConcurrentAppend => append.into_iter().collect(),
        ConflictKind::ConcurrentTransaction => txns.iter().collect(),
        ConflictKind::ConcurrentDeleteDelete => removes.iter().collect(),
    };
    let Some(mut row) = found.into_iter().find_map(|result| result.rows.first().cloned()) else {
        return Err(error.into());
    };
    let subject = if row.0.len() > 1 { row.optional_text(1)? } else { None };
    let Some(winner) = row.optional_integer(0)? else {
        let path = subject.unwrap_or_default();
        return Err(Error::invalid(format!("the commit removes {}, which is not in the table", quoted(&path)))
            .table(plan.table.name.clone())
            .path(path)
            .hint("path and deletion vector must be those of the file's `add`; `dl files` shows them"));
    };
    let winner_operation = operations
        .rows
        .iter_mut()
        .find(|row| row.integer(0) == Ok(winner))
        .and_then(|row| row.optional_text(1).ok()?)
        .and_then(|text| serde_json::from_str::<CommitInfo>(&text).ok()?.operation());
    Ok(Outcome::Conflicted(Conflict { table: plan.table.name.clone(), kind, winner, winner_operation, subject }))
}
