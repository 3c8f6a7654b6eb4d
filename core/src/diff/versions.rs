//! The states of many versions of the catalog, from one pass over the table's files.

use std::ops::RangeInclusive;

use super::FileSum;
use super::fields::FileHash;
use super::state::FileKey;
use crate::action::Add;
use crate::catalog::Table;
use crate::snapshot::{ADD_COLUMNS, add_from_row};
use crate::sql::{Database, Row, Statement};
use crate::{Error, Result};

/// Rows that are read at once.
const PAGE: usize = 4096;

/// The files that are in the snapshot of any version from ?3 to ?4. ?1 after this file id, ?2 table, ?5 rows at the most.
const FILES: &str = "
SELECT file_id, path, size, modification_time, data_change, partition_values, stats, deletion_vector, tags,
  base_row_id, default_row_commit_version, clustering_provider, extra, version, removed_version
FROM dl_add_files
WHERE file_id > ?1 AND file_id < (?2 + 1) << 40 AND version <= ?4 AND (removed_version IS NULL OR removed_version > ?3)
ORDER BY file_id LIMIT ?5";

/// What the catalog says of a version. ?1 table, ?2 first version, ?3 last one.
const VERSIONS: &str = "
SELECT version, timestamp_ms, commit_known, file_count, size_bytes FROM dl_table_versions
WHERE version_id >= (?1 << 40) + 1 + ?2 AND version_id <= (?1 << 40) + 1 + ?3 ORDER BY version_id";

/// A version's files in the catalog, by what their rows say and by the version's totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogVersion {
    /// The version.
    pub version: i64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// False when the version is known from a checkpoint only.
    pub is_commit_known: bool,
    /// Its files.
    pub files: FileSum,
    /// Their sizes, summed.
    pub size_bytes: i64,
    /// Files with a deletion vector.
    pub deletion_vectors: i64,
    /// Rows that the vectors delete.
    pub deleted_rows: i64,
    /// Files, by the version's totals.
    pub total_file_count: i64,
    /// Bytes, likewise.
    pub total_size_bytes: i64,
}

/// The versions of a table, which must all be there. `on_files` is told how many files were read.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
pub async fn catalog_versions(
    database: &impl Database,
    table: &Table,
    versions: RangeInclusive<i64>,
    mut on_files: impl FnMut(usize),
) -> Result<Vec<CatalogVersion>> {
    let (first, last) = (*versions.start(), *versions.end());
    let query = Statement::new(VERSIONS, vec![table.key.into(), first.into(), last.into()]);
    let rows = table.read_rows(database, query).await?;
    let mut found = rows.into_iter().map(empty_version).collect::<Result<Vec<_>>>()?;
    if !found.iter().map(|at| at.version).eq(versions) {
        return Err(Error::corrupt(format!("the catalog lacks some of the versions {first} to {last}"))
            .table(&table.name)
            .hint("the catalog was changed by other software; restore it, or import the table again"));
    }
    let mut after = (table.key << 40) - 1;
    let mut text = String::new();
    loop {
        let params = vec![after.into(), table.key.into(), first.into(), last.into(), (PAGE as i64).into()];
        let rows = table.read_rows(database, Statement::new(FILES, params)).await?;
        let count = rows.len();
        for mut row in rows {
            after = row.integer(0)?;
            let (version, removed_version) = (row.integer(ADD_COLUMNS)?, row.optional_integer(ADD_COLUMNS + 1)?);
            row.0.truncate(ADD_COLUMNS);
            let add = add_from_row(row, &table.name)?;
            let (key, hash) = (FileKey::of_add(&add), FileHash::of(&add, &mut text));
            if let Some(at) = at(&mut found, first, version.max(first)) {
                at.files.insert(key, hash);
                at.count(&add, 1);
            }
            if let Some(at) = removed_version.and_then(|version| at(&mut found, first, version)) {
                at.files.remove(key, hash);
                at.count(&add, -1);
            }
        }
        on_files(count);
        if count < PAGE {
            break;
        }
    }
    // So far each has what it changes.
    for index in 1..found.len() {
        let before = found[index - 1];
        found[index].follow(before);
    }
    Ok(found)
}

fn at(versions: &mut [CatalogVersion], first: i64, version: i64) -> Option<&mut CatalogVersion> {
    versions.get_mut(usize::try_from(version - first).ok()?)
}

fn empty_version(row: Row) -> Result<CatalogVersion> {
    Ok(CatalogVersion {
        version: row.integer(0)?,
        timestamp_ms: row.integer(1)?,
        is_commit_known: row.integer(2)? != 0,
        files: FileSum::default(),
        size_bytes: 0,
        deletion_vectors: 0,
        deleted_rows: 0,
        total_file_count: row.integer(3)?,
        total_size_bytes: row.integer(4)?,
    })
}

impl CatalogVersion {
    fn count(&mut self, add: &Add, times: i64) {
        self.size_bytes = self.size_bytes.saturating_add(times * add.size);
        if let Some(vector) = &add.deletion_vector {
            self.deletion_vectors += times;
            self.deleted_rows = self.deleted_rows.saturating_add(times.saturating_mul(vector.cardinality));
        }
    }

    fn follow(&mut self, before: Self) {
        self.files = before.files.and(self.files);
        self.size_bytes = self.size_bytes.saturating_add(before.size_bytes);
        self.deletion_vectors += before.deletion_vectors;
        self.deleted_rows = self.deleted_rows.saturating_add(before.deleted_rows);
    }

    /// Whether the version's totals are those of its files.
    pub fn has_right_totals(&self) -> bool {
        self.total_file_count == self.files.file_count && self.total_size_bytes == self.size_bytes
    }
}
