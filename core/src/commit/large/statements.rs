//! `dl_large_commits` and `dl_large_commit_files`.
//!
//! ?1 is the key of the large commit where nothing else is said. A file's key is (key << 40) + its place.

/// An earlier large commit with the id can go on no more. ?1 table, ?2 commit id.
pub(super) const TAKE_OVER: &str =
    "UPDATE dl_large_commits SET is_over = 1, commit_id = NULL WHERE table_id = ?1 AND commit_id = ?2";

/// ?1 table, ?2 commit id, ?3 time.
pub(super) const BEGIN: &str = "
INSERT INTO dl_large_commits (table_id, commit_id, begun_ms, written_ms, action_count, is_over)
SELECT table_id, ?2, ?3, ?3, 0, 0 FROM dl_tables WHERE table_id = ?1
RETURNING large_commit_id";

/// ?2 time, ?3 actions that are there afterwards. Sent again, it does the same.
pub(super) const WRITTEN: &str = "
UPDATE dl_large_commits SET written_ms = ?2, action_count = ?3
WHERE large_commit_id = ?1 AND is_over = 0 AND action_count <= ?3";

pub(super) const GUARD_WRITTEN: &str =
    "INSERT INTO dl_guard (guard) SELECT 'large_commit_not_found' WHERE changes() <> 1";

pub(super) const STAGE_ADDS: &str = "
WITH rows (place, ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
  deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra, rows_before, other_spellings)
  AS ({rows})
INSERT INTO dl_large_commit_files (file_key, large_commit_id, name, ordinal, path, dv_id, size, modification_time,
  data_change, row_count, partition_values, stats, deletion_vector, tags, base_row_id, default_row_commit_version,
  clustering_provider, extra, rows_before, other_spellings)
SELECT (?1 << 40) + r.place, ?1, 'add', r.ordinal, r.path, r.dv_id, r.size, r.modification_time, r.data_change,
  r.row_count, r.partition_values, r.stats, r.deletion_vector, r.tags, r.base_row_id, r.default_row_commit_version,
  r.clustering_provider, r.extra, r.rows_before, r.other_spellings
FROM rows r WHERE NOT EXISTS (SELECT 1 FROM dl_large_commit_files f WHERE f.file_key = (?1 << 40) + r.place)";

pub(super) const STAGE_REMOVES: &str = "
WITH rows (place, ordinal, path, dv_id, deletion_timestamp, action) AS ({rows})
INSERT INTO dl_large_commit_files (file_key, large_commit_id, name, ordinal, path, dv_id, deletion_timestamp, action)
SELECT (?1 << 40) + r.place, ?1, 'remove', r.ordinal, r.path, r.dv_id, r.deletion_timestamp, r.action
FROM rows r WHERE NOT EXISTS (SELECT 1 FROM dl_large_commit_files f WHERE f.file_key = (?1 << 40) + r.place)";

pub(super) const STAGE_CDC: &str = "
WITH rows (place, ordinal, action) AS ({rows})
INSERT INTO dl_large_commit_files (file_key, large_commit_id, name, ordinal, action)
SELECT (?1 << 40) + r.place, ?1, 'cdc', r.ordinal, r.action
FROM rows r WHERE NOT EXISTS (SELECT 1 FROM dl_large_commit_files f WHERE f.file_key = (?1 << 40) + r.place)";

/// The first of the rows whose path has another action of the name.
pub(super) const DUPLICATE: &str = "
WITH rows (place, name, path) AS ({rows})
SELECT r.path, r.name FROM rows r CROSS JOIN dl_large_commit_files f
  ON f.large_commit_id = ?1 AND f.name = r.name AND f.path = r.path AND f.file_key <> (?1 << 40) + r.place
ORDER BY r.place LIMIT 1";

/// The staged rows, for templates that read rows; {key} is a parameter.
pub(in crate::commit) const REMOVED: &str =
    "SELECT path, dv_id FROM dl_large_commit_files WHERE large_commit_id = {key} AND name = 'remove'";

/// Added files.
pub(in crate::commit) const ADDED: &str =
    "SELECT path FROM dl_large_commit_files WHERE large_commit_id = {key} AND name = 'add'";

/// Added files whose path is not removed.
pub(in crate::commit) const ADDED_PATHS: &str = "
SELECT a.path, a.dv_id FROM dl_large_commit_files a WHERE a.large_commit_id = {key} AND a.name = 'add'
  AND NOT EXISTS (SELECT 1 FROM dl_large_commit_files r
    WHERE r.large_commit_id = {key} AND r.name = 'remove' AND r.path = a.path)";

/// The rows of added files, those that a deletion vector deletes, too.
pub(in crate::commit) const ADDED_ROWS: &str = "
SELECT path, row_count + coalesce(json_extract(deletion_vector, '$.cardinality'), 0)
FROM dl_large_commit_files WHERE large_commit_id = {key} AND name = 'add'";

/// Added files that tell row ids.
pub(in crate::commit) const GIVEN_ROW_IDS: &str = "
SELECT path, base_row_id, default_row_commit_version FROM dl_large_commit_files
WHERE large_commit_id = {key} AND name = 'add'
  AND (base_row_id IS NOT NULL OR default_row_commit_version IS NOT NULL)";

/// Added files with the other spellings of their path.
pub(in crate::commit) const OTHER_SPELLINGS: &str = "
SELECT f.path, s.value FROM dl_large_commit_files f CROSS JOIN json_each(f.other_spellings) s
WHERE f.large_commit_id = {key} AND f.name = 'add' AND f.other_spellings IS NOT NULL";

/// Added files that change data.
pub(in crate::commit) const NEW_DATA: &str =
    "SELECT path FROM dl_large_commit_files WHERE large_commit_id = {key} AND name = 'add' AND data_change";

/// Files whose entry ends. None is named twice: a guard sees to it.
pub(in crate::commit) const CLOSED: &str =
    "SELECT path, dv_id FROM dl_large_commit_files WHERE large_commit_id = {key} AND name IN ('add', 'remove')";

/// In the order in which they were written.
pub(in crate::commit) const ADDS: &str = "
SELECT ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
  deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra
FROM dl_large_commit_files WHERE file_key >= {key} << 40 AND file_key < ({key} + 1) << 40 AND name = 'add'
ORDER BY file_key";

pub(in crate::commit) const ADDS_WITH_ROWS: &str = "
SELECT ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
  deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra, rows_before
FROM dl_large_commit_files WHERE file_key >= {key} << 40 AND file_key < ({key} + 1) << 40 AND name = 'add'
ORDER BY file_key";

pub(in crate::commit) const REMOVES: &str = "
SELECT ordinal, path, dv_id, deletion_timestamp, action
FROM dl_large_commit_files WHERE file_key >= {key} << 40 AND file_key < ({key} + 1) << 40 AND name = 'remove'
ORDER BY file_key";

pub(in crate::commit) const CDC: &str = "
SELECT ordinal, action
FROM dl_large_commit_files WHERE file_key >= {key} << 40 AND file_key < ({key} + 1) << 40 AND name = 'cdc'
ORDER BY file_key";

/// All that was written must be there, when it becomes visible. ?2 actions.
pub(super) const GUARD_COMPLETE: &str = "
INSERT INTO dl_guard (guard) SELECT 'large_commit_not_found' WHERE NOT EXISTS (
  SELECT 1 FROM dl_large_commits WHERE large_commit_id = ?1 AND is_over = 0 AND action_count = ?2)";

pub(super) const GUARD_ADDED_OR_REMOVED: &str = "
INSERT INTO dl_guard (guard) SELECT 'added_and_removed' WHERE EXISTS (
  SELECT 1 FROM dl_large_commit_files r CROSS JOIN dl_large_commit_files a
    ON a.large_commit_id = ?1 AND a.name = 'add' AND a.path = r.path AND a.dv_id = r.dv_id
  WHERE r.large_commit_id = ?1 AND r.name = 'remove')";

/// Who replaces a table keeps none of its files.
pub(super) const GUARD_REPLACED: &str = "
INSERT INTO dl_guard (guard) SELECT 'path_kept' WHERE EXISTS (
  SELECT 1 FROM dl_large_commit_files r CROSS JOIN dl_large_commit_files a
    ON a.large_commit_id = ?1 AND a.name = 'add' AND a.path = r.path
  WHERE r.large_commit_id = ?1 AND r.name = 'remove')";

/// A table that takes no new deletion vectors gets none by removing a file and adding it with one.
pub(super) const GUARD_VECTORS: &str = "
INSERT INTO dl_guard (guard) SELECT 'path_kept' WHERE EXISTS (
  SELECT 1 FROM dl_large_commit_files r CROSS JOIN dl_large_commit_files a
    ON a.large_commit_id = ?1 AND a.name = 'add' AND a.path = r.path AND a.deletion_vector IS NOT NULL
  WHERE r.large_commit_id = ?1 AND r.name = 'remove')";

/// A file that is removed and added again.
pub(in crate::commit) const KEPT_PATH: &str = "
SELECT r.path FROM dl_large_commit_files r CROSS JOIN dl_large_commit_files a
  ON a.large_commit_id = ?1 AND a.name = 'add' AND a.path = r.path
WHERE r.large_commit_id = ?1 AND r.name = 'remove' ORDER BY a.deletion_vector IS NULL LIMIT 1";

/// The first file that is both added and removed.
pub(in crate::commit) const ADDED_AND_REMOVED: &str = "
SELECT r.path FROM dl_large_commit_files r CROSS JOIN dl_large_commit_files a
  ON a.large_commit_id = ?1 AND a.name = 'add' AND a.path = r.path AND a.dv_id = r.dv_id
WHERE r.large_commit_id = ?1 AND r.name = 'remove' LIMIT 1";

/// What is over is left to a sweep.
pub(super) const END: &str = "UPDATE dl_large_commits SET is_over = 1 WHERE large_commit_id = ?1";

/// ?1 last written before this time.
pub(super) const EXPIRE: &str = "UPDATE dl_large_commits SET is_over = 1 WHERE written_ms < ?1";

pub(super) const OVER: &str = "SELECT large_commit_id FROM dl_large_commits WHERE is_over = 1 ORDER BY large_commit_id";

/// ?2 rows at the most.
pub(super) const DELETE_FILES: &str = "
DELETE FROM dl_large_commit_files WHERE file_key IN (
  SELECT file_key FROM dl_large_commit_files WHERE file_key >= ?1 << 40 AND file_key < (?1 + 1) << 40 LIMIT ?2)";

pub(super) const DELETED: &str = "SELECT changes()";

/// When no file is left.
pub(super) const DELETE_COMMIT: &str = "
DELETE FROM dl_large_commits WHERE large_commit_id = ?1 AND NOT EXISTS (
  SELECT 1 FROM dl_large_commit_files WHERE file_key >= ?1 << 40 AND file_key < (?1 + 1) << 40)";
