//! Rows of `dl_add_files` as segments hold them.

use crate::Result;
use crate::sql::{Row, Statement};

/// ?1 after this file id, ?2 before this one, ?3 rows at the most.
const PAGE: &str = "
SELECT file_id, version, removed_version, path, size, modification_time, row_count, partition_values, stats,
  deletion_vector, base_row_id, default_row_commit_version
FROM dl_add_files WHERE file_id > ?1 AND file_id < ?2 ORDER BY file_id LIMIT ?3";

/// A file as a list has it, and what a condition is tried on.
#[derive(Clone, Debug)]
pub(super) struct FileRow {
    pub(super) file_id: i64,
    pub(super) version: i64,
    pub(super) removed_version: Option<i64>,
    pub(super) path: String,
    pub(super) size: i64,
    pub(super) modification_time: i64,
    pub(super) row_count: Option<i64>,
    /// JSON.
    pub(super) partition_values: String,
    /// JSON.
    pub(super) stats: Option<String>,
    /// JSON.
    pub(super) deletion_vector: Option<String>,
    pub(super) base_row_id: Option<i64>,
    pub(super) default_row_commit_version: Option<i64>,
}

impl FileRow {
    /// The query of the rows of a range of ids, both ends excluded.
    pub(super) fn page(after: i64, before: i64, limit: usize) -> Statement {
        Statement::new(PAGE, vec![after.into(), before.into(), (limit as i64).into()])
    }

    pub(super) fn from_row(mut row: Row) -> Result<Self> {
        Ok(FileRow {
            file_id: row.integer(0)?,
            version: row.integer(1)?,
            removed_version: row.optional_integer(2)?,
            path: row.text(3)?,
            size: row.integer(4)?,
            modification_time: row.integer(5)?,
            row_count: row.optional_integer(6)?,
            partition_values: row.text(7)?,
            stats: row.optional_text(8)?,
            deletion_vector: row.optional_text(9)?,
            base_row_id: row.optional_integer(10)?,
            default_row_commit_version: row.optional_integer(11)?,
        })
    }

    /// Whether it is in the snapshot of a version.
    pub(super) fn is_in(&self, version: i64) -> bool {
        self.version <= version && self.removed_version.is_none_or(|removed| removed > version)
    }
}
