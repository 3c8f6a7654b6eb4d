use crate::Result;
use crate::action::CommitInfo;
use crate::catalog::{MATCHING_TABLE, Table, TableSelector, one_table};
use crate::sql::{Batch, Database, Statement};

use super::{Queries, parse_stored, target};

/// ?2 newest version or NULL, ?3 rows at the most.
const HISTORY: Queries = target!(
    " SELECT v.version, v.timestamp_ms, v.commit_info, v.added_files, v.removed_files, v.commit_known, v.commit_id
     FROM target JOIN dl_tables t ON t.table_id = target.table_id
     JOIN dl_table_versions v ON v.version_id >= (t.table_id << 40) + 1 + t.earliest_version
       AND v.version_id <= (t.table_id << 40) + 1 + min(target.version, 0xfffffffffe)
     ORDER BY v.version_id DESC LIMIT ?3"
);

/// What one version did.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// The version.
    pub version: i64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The operation, as the writer named it.
    pub operation: Option<String>,
    /// Its add actions; `None` when the version is known from a checkpoint only.
    pub added_files: Option<i64>,
    /// Its remove actions; likewise.
    pub removed_files: Option<i64>,
    /// What the writer said of the commit.
    pub commit_info: Option<CommitInfo>,
    /// The id that its writer gave it: of an imported commit its `txnId`.
    pub commit_id: Option<String>,
}

/// Some of a table's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The table.
    pub table: Table,
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
}

/// Up to `limit` versions, newest first, from `newest` (or the latest) down.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) for an unknown table; those of the database.
pub async fn history(
    database: &impl Database,
    selector: &TableSelector,
    newest: Option<i64>,
    limit: usize,
) -> Result<HistoryPage> {
    let params = vec![selector.param(), newest.into(), (limit as i64).into()];
    let statements =
        vec![Statement::new(MATCHING_TABLE, [selector.param()]), Statement::new(HISTORY.of_version, params)];
    let mut results = database.batch(Batch::read(statements)).await?;
    let rows = results.remove(1).rows;
    let table = one_table(results.remove(0), selector)?;
    let mut entries = Vec::with_capacity(rows.len());
    for mut row in rows {
        let commit_info: Option<CommitInfo> =
            row.optional_text(2)?.map(|text| parse_stored("commitInfo", &table.name, text)).transpose()?;
        let known = row.integer(5)? != 0;
        entries.push(HistoryEntry {
            version: row.integer(0)?,
            timestamp_ms: row.integer(1)?,
            operation: commit_info.as_ref().and_then(CommitInfo::operation),
            added_files: if known { Some(row.integer(3)?) } else { None },
            removed_files: if known { Some(row.integer(4)?) } else { None },
            commit_info,
            commit_id: row.optional_text(6)?,
        });
    }
    Ok(HistoryPage { table, entries })
}
