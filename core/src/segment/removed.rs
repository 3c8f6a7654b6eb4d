//! Files that were removed since the version that all segments of a table know of.

use std::collections::HashMap;

use crate::Result;
use crate::sql::{ResultSet, Statement};

/// File id and version of what was removed, or added again, after the segments' common version. Both are found by what
/// did it: so removing a file writes no index entry. ?1 table, ?2 up to this version.
const REMOVED: &str = "
WITH state AS (
  SELECT as_of_version, as_of_end_file_id, as_of_end_remove_id FROM dl_segment_state
  WHERE table_id = ?1 AND as_of_version < ?2
), latest AS (
  SELECT end_file_id, end_remove_id FROM dl_table_versions WHERE version_id = (?1 << 40) + 1 + ?2
), closed (path, dv_id, version) AS (
  SELECT r.path, r.dv_id, r.version FROM state s CROSS JOIN latest l CROSS JOIN dl_remove_files r
    ON r.remove_id >= s.as_of_end_remove_id AND r.remove_id < l.end_remove_id
  UNION ALL
  SELECT a.path, a.dv_id, a.version FROM state s CROSS JOIN latest l CROSS JOIN dl_add_files a
    ON a.file_id >= s.as_of_end_file_id AND a.file_id < l.end_file_id
)
SELECT f.file_id, f.removed_version FROM closed c CROSS JOIN dl_add_files f
  ON f.table_id = ?1 AND f.path = c.path AND f.dv_id = c.dv_id AND f.removed_version = c.version";

pub(super) fn removed_query(table: i64, version: i64) -> Statement {
    Statement::new(REMOVED, vec![table.into(), version.into()])
}

/// By file id the version that removed it.
pub(super) fn removed(result: ResultSet) -> Result<HashMap<i64, i64>> {
    result.rows.iter().map(|row| Ok((row.integer(0)?, row.integer(1)?))).collect()
}
