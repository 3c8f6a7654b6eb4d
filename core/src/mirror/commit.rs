//! A version's own actions, as its commit file holds them.

use std::ops::Range;

use crate::action::{Action, Remove};
use crate::catalog::Table;
use crate::snapshot::{add_from_row, parse_stored};
use crate::sql::{Batch, Database, PageStart, ResultSet, Row, Statement, Value};
use crate::{Error, ErrorKind, Result};

const VERSION: &str = "
SELECT timestamp_ms, commit_known, commit_info, first_file_id, end_file_id, first_remove_id, end_remove_id
FROM dl_table_versions WHERE version_id = (?1 << 40) + 1 + ?2";

const PROTOCOL: &str = "SELECT protocol FROM dl_protocol_updates WHERE table_id = ?1 AND version = ?2";
const METADATA: &str = "SELECT metadata FROM dl_metadata_updates WHERE table_id = ?1 AND version = ?2";
const TXNS: &str = "SELECT txn FROM dl_txn_actions WHERE table_id = ?1 AND version = ?2 ORDER BY app_id";
const DOMAINS: &str =
    "SELECT domain_metadata FROM dl_domain_metadata WHERE table_id = ?1 AND version = ?2 ORDER BY domain";

/// Behind the last one.
const CDC_END: &str = "SELECT max(ordinal) + 1 FROM dl_cdc_files WHERE table_id = ?1 AND version = ?2";
const UNKNOWN_END: &str = "SELECT max(ordinal) + 1 FROM dl_unknown_actions WHERE table_id = ?1 AND version = ?2";

/// ?1 first id, ?2 before this one, ?3 rows at the most.
const REMOVES: &str = "
SELECT remove_id, action FROM dl_remove_files WHERE remove_id >= ?1 AND remove_id < ?2 ORDER BY remove_id LIMIT ?3";
const ADDS: &str = "
SELECT file_id, path, size, modification_time, data_change, partition_values, stats, deletion_vector, tags,
  base_row_id, default_row_commit_version, clustering_provider, extra
FROM dl_add_files WHERE file_id >= ?1 AND file_id < ?2 ORDER BY file_id LIMIT ?3";

/// As above, ?4 table, ?5 version.
const CDC: &str = "
SELECT ordinal, action FROM dl_cdc_files
WHERE table_id = ?4 AND version = ?5 AND ordinal >= ?1 AND ordinal < ?2 ORDER BY ordinal LIMIT ?3";
const UNKNOWN: &str = "
SELECT ordinal, action, name FROM dl_unknown_actions
WHERE table_id = ?4 AND version = ?5 AND ordinal >= ?1 AND ordinal < ?2 ORDER BY ordinal LIMIT ?3";

/// A version and those of its actions that are few; the others come by pages.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCommit {
    /// The version.
    pub version: i64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// False when the version is known from a checkpoint only: then there is no commit file to write.
    pub is_known: bool,
    /// What there is once: `commitInfo` first, as in-commit timestamps demand, protocol, metadata; and transactions and
    /// domains.
    pub actions: Vec<Action>,
    /// The ids of the others, in the order of [`KINDS`].
    ids: [Range<i64>; KINDS.len()],
    table: Table,
}

/// Kinds of actions of which a commit may have many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Remove,
    Add,
    Cdc,
    Unknown,
}

const KINDS: [Kind; 4] = [Kind::Remove, Kind::Add, Kind::Cdc, Kind::Unknown];

/// Where the next page of a commit's actions begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionCursor {
    /// Place in [`KINDS`].
    kind: usize,
    page: PageStart,
}

impl StoredCommit {
    /// The first page; none where there are no such actions.
    pub fn start(&self) -> Option<ActionCursor> {
        self.start_from(0)
    }

    fn start_from(&self, first: usize) -> Option<ActionCursor> {
        let kind = (first..KINDS.len()).find(|&kind| !self.ids[kind].is_empty())?;
        Some(ActionCursor { kind, page: PageStart::after(self.ids[kind].start - 1) })
    }
}

/// Reads a version of a table, without its file actions and those that the protocol does not name.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the version is not there; those of the database.
pub async fn read_commit(database: &impl Database, table: &Table, version: i64) -> Result<StoredCommit> {
    let params = || vec![Value::from(table.key), version.into()];
    let queries = [VERSION, PROTOCOL, METADATA, TXNS, DOMAINS, CDC_END, UNKNOWN_END];
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
    let mut end = || next().rows.first().map_or(Ok(None), |row| row.optional_integer(0));
    let (cdc_end, unknown_end) = (end()?.unwrap_or(0), end()?.unwrap_or(0));
    Ok(StoredCommit {
        version,
        timestamp_ms: row.integer(0)?,
        is_known: row.integer(1)? != 0,
        actions,
        ids: [row.integer(5)?..row.integer(6)?, row.integer(3)?..row.integer(4)?, 0..cdc_end, 0..unknown_end],
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

/// Up to `limit` actions of a commit from `cursor` on, removes before adds, and where the next ones begin.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
pub async fn commit_actions(
    database: &impl Database,
    commit: &StoredCommit,
    cursor: ActionCursor,
    limit: usize,
) -> Result<(Vec<Action>, Option<ActionCursor>)> {
    let (kind, page) = (KINDS[cursor.kind], cursor.page);
    let (end, rows) = (commit.ids[cursor.kind].end, page.limit(limit) as i64);
    let mut params: Vec<Value> = vec![(page.id + 1).into(), end.into(), rows.into()];
    let sql = match kind {
        Kind::Remove => REMOVES,
        Kind::Add => ADDS,
        Kind::Cdc => CDC,
        Kind::Unknown => UNKNOWN,
    };
    if matches!(kind, Kind::Cdc | Kind::Unknown) {
        params.extend([commit.table.key.into(), commit.version.into()]);
    }
    let rows = commit.table.read_rows(database, Statement::new(sql, params)).await?;
    let next = page.next(&rows, limit)?.filter(|next| next.id + 1 < end);
    let next = next.map(|page| ActionCursor { page, ..cursor }).or_else(|| commit.start_from(cursor.kind + 1));
    let actions = rows.into_iter().map(|row| action(kind, row, &commit.table.name)).collect::<Result<_>>()?;
    Ok((actions, next))
}

fn action(kind: Kind, mut row: Row, table: &str) -> Result<Action> {
    Ok(match kind {
        Kind::Add => Action::Add(add_from_row(row, table)?),
        Kind::Remove => Action::Remove(parse_stored::<Remove>("remove", table, row.text(1)?)?),
        Kind::Cdc => Action::Cdc(parse_stored("cdc", table, row.text(1)?)?),
        Kind::Unknown => Action::Unknown { name: row.text(2)?, value: parse_stored("action", table, row.text(1)?)? },
    })
}
