//! The statements that write one version.

/// ?1 table, ?2 least timestamp, ?3 commit id, ?4 commit info, ?5 commit known, ?6 in-commit timestamps,
/// ?7 commit digest.
pub(super) const BEGIN: &str = "
WITH previous AS (
  SELECT v.timestamp_ms, v.file_count, v.size_bytes, v.row_count, v.files_without_row_count FROM dl_tables t JOIN dl_table_versions v ON v.table_id = t.table_id AND v.version < t.current_version
  WHERE t.table_id = ?1 ORDER BY v.version DESC LIMIT 1
), stamp (timestamp_ms) AS (
  SELECT max(?2, coalesce((SELECT timestamp_ms + 1 FROM previous), ?2))
)
INSERT INTO dl_table_versions (table_id, version, timestamp_ms, commit_id, commit_digest, commit_info, commit_known,
  added_files, removed_files, first_file_id, end_file_id, first_remove_id, end_remove_id,
  file_count, size_bytes, row_count, files_without_row_count)
SELECT t.table_id, t.current_version, s.timestamp_ms, ?3, ?7,
  CASE WHEN ?6 THEN json_set(?4, '$.inCommitTimestamp', s.timestamp_ms) ELSE ?4 END, ?5,
  0, 0, t.next_file_id, t.next_file_id, t.next_remove_id, t.next_remove_id,
  coalesce(p.file_count, 0), coalesce(p.size_bytes, 0), coalesce(p.row_count, 0), coalesce(p.files_without_row_count, 0)
FROM dl_tables t CROSS JOIN stamp s LEFT JOIN previous p
WHERE t.table_id = ?1";

/// A version all of whose actions are known, the ids of which were taken before. ?1 table, ?2 least timestamp, ?3 commit
/// id, ?4 commit info, ?5 in-commit timestamps, ?6 commit digest, ?7 add actions, ?8 remove actions, ?9 bytes and ?10 rows
/// of the added files, ?11 those of them whose rows are not known.
pub(super) const BEGIN_WHOLE: &str = "
INSERT INTO dl_table_versions (table_id, version, timestamp_ms, commit_id, commit_digest, commit_info, commit_known,
  added_files, removed_files, first_file_id, end_file_id, first_remove_id, end_remove_id,
  file_count, size_bytes, row_count, files_without_row_count)
SELECT t.table_id, t.current_version, max(?2, p.timestamp_ms + 1), ?3, ?6,
  CASE WHEN ?5 THEN json_set(?4, '$.inCommitTimestamp', max(?2, p.timestamp_ms + 1)) ELSE ?4 END, 1,
  ?7, ?8, t.next_file_id - ?7, t.next_file_id, t.next_remove_id - ?8, t.next_remove_id,
  p.file_count + ?7, p.size_bytes + ?9, p.row_count + ?10, p.files_without_row_count + ?11
FROM dl_tables t JOIN dl_table_versions p ON p.table_id = t.table_id AND p.version = t.current_version - 1
WHERE t.table_id = ?1";

/// What an import learns of a commit only at its end: ?1 table, ?2 least timestamp, ?3 commit info.
pub(super) const DESCRIBE: &str = "
UPDATE dl_table_versions SET commit_info = ?3, timestamp_ms = max(?2, coalesce((
  SELECT p.timestamp_ms + 1 FROM dl_table_versions p
  WHERE p.table_id = ?1 AND p.version < dl_table_versions.version ORDER BY p.version DESC LIMIT 1), ?2))
WHERE table_id = ?1 AND version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)";

/// Takes the live files among the rows out of the version's totals. ?1 table.
pub(super) const SUBTRACT: &str = "
WITH rows (path, dv_id) AS ({rows}), closed AS (
  SELECT f.size, f.row_count FROM rows r CROSS JOIN dl_tables t CROSS JOIN dl_add_files f
  WHERE t.table_id = ?1 AND f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.removed_version IS NULL AND f.version < t.current_version
)
UPDATE dl_table_versions SET (file_count, size_bytes, row_count, files_without_row_count) = (
  SELECT dl_table_versions.file_count - count(*), dl_table_versions.size_bytes - coalesce(sum(size), 0),
    dl_table_versions.row_count - coalesce(sum(row_count), 0),
    dl_table_versions.files_without_row_count - (count(*) - count(row_count)) FROM closed)
WHERE table_id = ?1 AND version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)";

/// Takes the files among the rows out of the version's totals that [`CLOSE`], the statement before, has closed: mostly
/// none, and then nothing is looked up. ?1 table.
pub(super) const SUBTRACT_CLOSED: &str = "
WITH rows (path, dv_id) AS ({rows}), closed AS (
  SELECT f.size, f.row_count FROM rows r CROSS JOIN dl_tables t CROSS JOIN dl_add_files f
  WHERE t.table_id = ?1 AND f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.removed_version = t.current_version
)
UPDATE dl_table_versions SET (file_count, size_bytes, row_count, files_without_row_count) = (
  SELECT dl_table_versions.file_count - count(*), dl_table_versions.size_bytes - coalesce(sum(size), 0),
    dl_table_versions.row_count - coalesce(sum(row_count), 0),
    dl_table_versions.files_without_row_count - (count(*) - count(row_count)) FROM closed)
WHERE changes() > 0 AND table_id = ?1 AND version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)";

/// Ends the interval of the live files among the rows: removed, or replaced by a new add. ?1 table.
pub(super) const CLOSE: &str = "
WITH rows (path, dv_id) AS ({rows})
UPDATE dl_add_files SET removed_version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)
WHERE file_id IN (
  SELECT f.file_id FROM rows r CROSS JOIN dl_tables t CROSS JOIN dl_add_files f
  WHERE t.table_id = ?1 AND f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.removed_version IS NULL AND f.version < t.current_version)";

/// ?1 table. A second add of one logical file in one version is not allowed by the protocol; the first wins.
pub(super) const INSERT_ADDS: &str = "
WITH rows (ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
  deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra) AS ({rows})
INSERT INTO dl_add_files (file_id, table_id, version, path, dv_id, size, modification_time, data_change, row_count,
  partition_values, stats, deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra)
SELECT t.next_file_id + r.ordinal, t.table_id, t.current_version, r.path, r.dv_id, r.size, r.modification_time,
  r.data_change, r.row_count, r.partition_values, r.stats, r.deletion_vector, r.tags, r.base_row_id,
  r.default_row_commit_version, r.clustering_provider, r.extra
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1
ON CONFLICT (table_id, path, dv_id, version) DO NOTHING";

pub(super) const INSERT_REMOVES: &str = "
WITH rows (ordinal, path, dv_id, deletion_timestamp, action) AS ({rows})
INSERT INTO dl_remove_files (remove_id, table_id, version, path, dv_id, deletion_timestamp, action)
SELECT t.next_remove_id + r.ordinal, t.table_id, t.current_version, r.path, r.dv_id, r.deletion_timestamp, r.action
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1";

pub(super) const INSERT_METADATA: &str = "
INSERT INTO dl_metadata_updates (table_id, version, metadata)
SELECT table_id, current_version, ?2 FROM dl_tables WHERE table_id = ?1
ON CONFLICT (table_id, version) DO UPDATE SET metadata = excluded.metadata";

/// After a change of metadata or protocol. ?1 table.
pub(super) const SET_RULES_VERSION: &str = "UPDATE dl_tables SET rules_version = current_version WHERE table_id = ?1";

/// Since which version and time the table has in-commit timestamps (protocol section "Writer Requirements for In-Commit
/// Timestamps"); a table that has them from its first version on needs not say so. ?1 table.
pub(super) const ENABLE_IN_COMMIT_TIMESTAMPS: &str = r#"
UPDATE dl_metadata_updates SET metadata = (
  SELECT json_set(metadata,
    '$.configuration."delta.inCommitTimestampEnablementVersion"', CAST(v.version AS TEXT),
    '$.configuration."delta.inCommitTimestampEnablementTimestamp"', CAST(v.timestamp_ms AS TEXT))
  FROM dl_tables t JOIN dl_table_versions v ON v.table_id = t.table_id AND v.version = t.current_version
  WHERE t.table_id = ?1)
WHERE table_id = ?1 AND version = (SELECT current_version FROM dl_tables WHERE table_id = ?1 AND current_version > 0)"#;

pub(super) const INSERT_PROTOCOL: &str = "
INSERT INTO dl_protocol_updates (table_id, version, protocol)
SELECT table_id, current_version, ?2 FROM dl_tables WHERE table_id = ?1
ON CONFLICT (table_id, version) DO UPDATE SET protocol = excluded.protocol";

pub(super) const INSERT_TXNS: &str = "
WITH rows (app_id, txn_version, txn) AS ({rows})
INSERT INTO dl_txn_actions (table_id, app_id, version, txn_version, txn)
SELECT t.table_id, r.app_id, t.current_version, r.txn_version, r.txn
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1
ON CONFLICT (table_id, app_id, version) DO UPDATE SET txn_version = excluded.txn_version, txn = excluded.txn";

pub(super) const INSERT_DOMAIN_METADATA: &str = "
WITH rows (domain, removed, domain_metadata) AS ({rows})
INSERT INTO dl_domain_metadata (table_id, domain, version, removed, domain_metadata)
SELECT t.table_id, r.domain, t.current_version, r.removed, r.domain_metadata
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1
ON CONFLICT (table_id, domain, version) DO UPDATE
SET removed = excluded.removed, domain_metadata = excluded.domain_metadata";

pub(super) const INSERT_CDC: &str = "
WITH rows (ordinal, action) AS ({rows})
INSERT INTO dl_cdc_files (table_id, version, ordinal, action)
SELECT t.table_id, t.current_version, r.ordinal, r.action
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1";

pub(super) const INSERT_UNKNOWN: &str = "
WITH rows (ordinal, name, action) AS ({rows})
INSERT INTO dl_unknown_actions (table_id, version, ordinal, name, action)
SELECT t.table_id, t.current_version, r.ordinal, r.name, r.action
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1";

/// ?1 table, ?2 add actions, ?3 remove actions of the version.
pub(super) const ADVANCE: &str = "
UPDATE dl_tables SET next_file_id = next_file_id + ?2, next_remove_id = next_remove_id + ?3 WHERE table_id = ?1";

/// Adds the version's files to its totals. ?1 table, ?2 add actions, ?3 remove actions.
pub(super) const END: &str = "
WITH added AS (
  SELECT f.size, f.row_count FROM dl_tables t
  JOIN dl_table_versions v ON v.table_id = t.table_id AND v.version = t.current_version
  JOIN dl_add_files f ON f.file_id >= v.first_file_id AND f.file_id < t.next_file_id
  WHERE t.table_id = ?1
)
UPDATE dl_table_versions SET
  added_files = ?2,
  removed_files = ?3,
  end_file_id = (SELECT next_file_id FROM dl_tables WHERE table_id = ?1),
  end_remove_id = (SELECT next_remove_id FROM dl_tables WHERE table_id = ?1),
  (file_count, size_bytes, row_count, files_without_row_count) = (
    SELECT dl_table_versions.file_count + count(*), dl_table_versions.size_bytes + coalesce(sum(size), 0),
      dl_table_versions.row_count + coalesce(sum(row_count), 0),
      dl_table_versions.files_without_row_count + count(*) - count(row_count) FROM added)
WHERE table_id = ?1 AND version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)";
