use crate::Result;
use crate::action::{Add, StringMap};
use crate::sql::{Database, PageStart, Row, Statement};

use super::{Snapshot, parse_stored};

/// ?1 after this file id, ?2 before this one, ?3 version, ?4 rows at the most.
const PAGE: &str = "
SELECT file_id, path, size, modification_time, data_change, partition_values, stats, deletion_vector, tags,
  base_row_id, default_row_commit_version, clustering_provider, extra
FROM dl_add_files
WHERE file_id > ?1 AND file_id < ?2 AND version <= ?3 AND (removed_version IS NULL OR removed_version > ?3)
ORDER BY file_id LIMIT ?4";

/// The file of a path and vector. ?1 table, ?2 path, ?3 vector, ?4 version.
pub(crate) const FILE_OF_PATH: &str = "
SELECT file_id, path, size, modification_time, data_change, partition_values, stats, deletion_vector, tags,
  base_row_id, default_row_commit_version, clustering_provider, extra
FROM dl_add_files
WHERE table_id = ?1 AND path = ?2 AND dv_id = ?3 AND version <= ?4 AND (removed_version IS NULL OR removed_version > ?4)
ORDER BY version DESC LIMIT 1";

/// The files of ids, as JSON. ?1 ids.
const FILES_OF_IDS: &str = "
SELECT f.file_id, f.path, f.size, f.modification_time, f.data_change, f.partition_values, f.stats, f.deletion_vector, f.tags,
  f.base_row_id, f.default_row_commit_version, f.clustering_provider, f.extra
FROM json_each(?1) i CROSS JOIN dl_add_files f ON f.file_id = i.value ORDER BY i.key";

/// The columns of a query that [`add_from_row`] reads, after its first.
pub(crate) const ADD_COLUMNS: usize = 13;

/// Where the next page of a snapshot's files begins. A snapshot never changes, so pages fit together
/// however long a reader takes and whatever is committed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCursor(PageStart);

impl FileCursor {
    /// Before the snapshot's first file.
    pub fn start(snapshot: &Snapshot) -> Self {
        FileCursor(PageStart::after((snapshot.table.key << 40) - 1))
    }
}

/// Some of a snapshot's files.
#[derive(Clone, Debug, PartialEq)]
pub struct FilePage {
    /// In the order in which they were added.
    pub files: Vec<Add>,
    /// The next page, if there is one.
    pub next: Option<FileCursor>,
}

/// Up to `limit` files of a snapshot after `cursor`, fewer where their statistics or tags are large.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped meanwhile; those of the database;
/// [`Corrupt`](crate::ErrorKind::Corrupt) when a row cannot be read.
pub async fn files(
    database: &impl Database,
    snapshot: &Snapshot,
    cursor: FileCursor,
    limit: usize,
) -> Result<FilePage> {
    let rows = cursor.0.limit(limit) as i64;
    let params = vec![cursor.0.id.into(), snapshot.end_file_id.into(), snapshot.version.into(), rows.into()];
    let rows = snapshot.table.read_rows(database, Statement::new(PAGE, params)).await?;
    let next = cursor.0.next(&rows, limit)?.map(FileCursor);
    let files = rows.into_iter().map(|row| add_from_row(row, &snapshot.table.name)).collect::<Result<_>>()?;
    Ok(FilePage { files, next })
}

/// The files of a snapshot with these [ids](crate::segment::columns::FILE_ID), in their order.
///
/// # Errors
/// As [`files`].
pub async fn files_by_id(database: &impl Database, snapshot: &Snapshot, ids: &[i64]) -> Result<Vec<Add>> {
    let ids = serde_json::to_string(ids).unwrap_or_default();
    let rows = snapshot.table.read_rows(database, Statement::new(FILES_OF_IDS, [ids.into()])).await?;
    rows.into_iter().map(|row| add_from_row(row, &snapshot.table.name)).collect()
}

/// Reads the columns of [`PAGE`].
pub(crate) fn add_from_row(mut row: Row, table: &str) -> Result<Add> {
    debug_assert_eq!(row.0.len(), ADD_COLUMNS);
    Ok(Add {
        path: row.text(1)?,
        size: row.integer(2)?,
        modification_time: row.integer(3)?,
        data_change: row.integer(4)? != 0,
        partition_values: parse_stored::<StringMap>("partitionValues", table, row.text(5)?)?,
        stats: row.optional_text(6)?,
        deletion_vector: row.optional_text(7)?.map(|text| parse_stored("deletionVector", table, text)).transpose()?,
        tags: row.optional_text(8)?.map(|text| parse_stored("tags", table, text)).transpose()?,
        base_row_id: row.optional_integer(9)?,
        default_row_commit_version: row.optional_integer(10)?,
        clustering_provider: row.optional_text(11)?,
        extra: row.optional_text(12)?.map(|text| parse_stored("add", table, text)).transpose()?.unwrap_or_default(),
    })
}
