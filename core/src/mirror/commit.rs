//! A version's own actions, as its commit file holds them.

use crate::action::{Action, Remove};
use crate::catalog::Table;
use crate::snapshot::{add_from_row, parse_stored};
use crate::sql::{Batch, Database, ResultSet, Statement, Value};
use crate::{Error, ErrorKind, Result};

const VERSION: &str = "
SELECT timestamp_ms, commit_known, commit_info, first_file_id, end_file_id, first_remove_id, end_remove_id
FROM dl_table_versions WHERE version_id = (?1 << 40) + 1 + ?2";

const PROTOCOL: &str = "SELECT protocol FROM dl_protocol_updates WHERE table_id = ?1 AND version = ?2";
const METADATA: &str = "SELECT metadata FROM dl_metadata_updates WHERE table_id = ?1 AND version = ?2";
const TXNS: &str = "SELECT txn FROM dl_txn_actions WHERE table_id = ?1 AND version = ?2 ORDER BY app_id";
const DOMAINS: &str =
    "SELECT domain_metadata FROM dl_domain_metadata WHERE table_id = ?1 AND version = ?2 ORDER BY domain";
const CDC: &str = "SELECT action FROM dl_cdc_files WHERE table_id = ?1 AND version = ?2 ORDER BY ordinal";
const UNKNOWN: &str =
    "SELECT name, action FROM dl_unknown_actions WHERE table_id = ?1 AND version = ?2 ORDER BY ordinal";

/// ?1 first id, ?2 before this one, ?3 rows at the most.
const REMOVES: &str = "
SELECT remove_id, action FROM dl_remove_files WHERE remove_id >= ?1 AND remove_id < ?2 ORDER BY remove_id LIMIT ?3";
const ADDS: &str = "
SELECT file_id, path, size, modification_time, data_change, partition_values, stats, deletion_vector, tags,
  base_row_id, default_row_commit_version, clustering_provider, extra
FROM dl_add_files WHERE file_id >= ?1 AND file_id < ?2 ORDER BY file_id LIMIT ?3";

/// A version and those of its actions that are few; its files come by pages.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCommit {
    /// The version.
    pub version: i64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// False when the version is known from a checkpoint only: then there is no commit file to write.
    pub is_known: bool,
    /// All but the file actions; `commitInfo` first, as in-commit timestamps demand.
    pub actions: Vec<Action>,
    files: std::ops::Range<i64>,
    removes: std::ops::Range<i64>,
    table: Table,
}

/// Where the next page of a commit's file actions begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionCursor {
    file_id: i64,
    remove_id: i64,
}

impl StoredCommit {
    /// Before the first file action.
    pub fn start(&self) -> ActionCursor {
        ActionCursor { file_id: self.files.start, remove_id: self.removes.start }
    }
}

/// Reads a version of a table, without its file actions.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the version is not there; those of the database.
pub async fn read_commit(database: &impl Database, table: &Table, version: i64) -> Result<StoredCommit> {
    let params = || vec![Value::from(table.key), version.into()];
    let queries = [VERSION, PROTOCOL, METADATA, TXNS, DOMAINS, CDC, UNKNOWN];
    let statements = queries.into_iter().map(|sql| Statement::new(sql, params())).collect();
    let mut results = database.batch(Batch::read(statements)).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    let row = next().rows.into_iter().next().filter(|_| version >= table.earliest_version);
    let mut row = row.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("table {} has no version {version}", crate::catalog::quoted(&table.name)),
        )
        .table(&table.name)
        .version(version)
    })?;

    let name = &table.name;
    let mut actions = Vec::new();
    if let Some(info) = row.optional_text(2)? {
        actions.push(Action::CommitInfo(parse_stored("commitInfo", name, info)?));
    }
    actions.extend(stored(next(), name, "protocol", Action::Protocol)?);
    actions.extend(stored(next(), name, "metaData", Action::Metadata)?);
    actions.extend(stored(next(), name, "txn", Action::Txn)?);
    actions.extend(stored(next(), name, "domainMetadata", Action::DomainMetadata)?);
    actions.extend(stored(next(), name, "cdc", Action::Cdc)?);
    for mut row in next().rows {
        actions.push(Action::Unknown { name: row.text(0)?, value: parse_stored("action", name, row.text(1)?)? });
    }
    Ok(StoredCommit {
        version,
        timestamp_ms: row.integer(0)?,
        is_known: row.integer(1)? != 0,
        actions,
        files: row.integer(3)?..row.integer(4)?,
        removes: row.integer(5)?..row.integer(6)?,
        table: table.clone(),
    })
}

fn stored<T: serde::de::DeserializeOwned>(
    result: ResultSet,
    table: &str,
    name: &str,
    action: fn(T) -> Action,
) -> Result<Vec<Action>> {
    result.rows.into_iter().map(|mut row| Ok(action(parse_stored(name, table, row.text(0)?)?))).collect()
}

/// Up to `limit` file actions of a commit from `cursor` on, removes before adds, and where the next ones begin.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
pub async fn commit_actions(
    database: &impl Database,
    commit: &StoredCommit,
    cursor: ActionCursor,
    limit: usize,
) -> Result<(Vec<Action>, Option<ActionCursor>)> {
    let query = |sql, from: i64, end: i64| Statement::new(sql, vec![from.into(), end.into(), (limit as i64).into()]);
    if cursor.remove_id < commit.removes.end {
        let statement = query(REMOVES, cursor.remove_id, commit.removes.end);
        let rows = commit.table.read_rows(database, statement).await?;
        let last = rows.last().filter(|_| rows.len() == limit).map(|row| row.integer(0)).transpose()?;
        let remove_id = last.map_or(commit.removes.end, |last| last + 1);
        let actions = rows
            .into_iter()
            .map(|mut row| parse_stored::<Remove>("remove", &commit.table.name, row.text(1)?).map(Action::Remove));
        return Ok((actions.collect::<Result<_>>()?, Some(ActionCursor { remove_id, ..cursor })));
    }
    let statement = query(ADDS, cursor.file_id, commit.files.end);
    let rows = commit.table.read_rows(database, statement).await?;
    let last = rows.last().filter(|_| rows.len() == limit).map(|row| row.integer(0)).transpose()?;
    let actions = rows.into_iter().map(|row| add_from_row(row, &commit.table.name).map(Action::Add));
    Ok((actions.collect::<Result<_>>()?, last.map(|last| ActionCursor { file_id: last + 1, ..cursor })))
}
