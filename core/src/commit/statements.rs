//! The statements that write one version.

use crate::catalog::latest_version;

/// The id of the row of [`latest_version!`]. ?1 table.
macro_rules! latest_version_id {
    () => {
        "(SELECT max(version_id) FROM dl_table_versions WHERE version_id >= ?1 << 40 AND version_id < (?1 + 1) << 40)"
    };
}
pub(super) use latest_version_id;

/// Takes the next version of a table that readers see, with all that is known of it. ?1 table, ?2 least timestamp,
/// ?3 commit id, ?4 commit info, ?5 in-commit timestamps, ?6 commit digest, ?7 add actions, ?8 remove actions, ?9 bytes and
/// ?10 rows of the added files, ?11 those of them whose rows are not known, ?12 the last version that was looked at, ?13 the table's UUID: another catalog has
/// another table under the key.
pub(super) const TAKE_VERSION: &str = concat!(
    "INSERT INTO dl_table_versions (version_id, table_id, version, timestamp_ms, commit_id, commit_digest, commit_info, commit_known,
       added_files, removed_files, first_file_id, end_file_id, first_remove_id, end_remove_id,
       file_count, size_bytes, row_count, files_without_row_count)
     SELECT p.version_id + 1, p.table_id, p.version + 1, max(?2, p.timestamp_ms + 1), ?3, ?6,
       CASE WHEN ?5 THEN json_set(?4, '$.inCommitTimestamp', max(?2, p.timestamp_ms + 1)) ELSE ?4 END, 1,
       ?7, ?8, p.end_file_id, p.end_file_id + ?7, p.end_remove_id, p.end_remove_id + ?8,
       p.file_count + ?7, p.size_bytes + ?9, p.row_count + ?10, p.files_without_row_count + ?11
     FROM dl_tables t JOIN dl_table_versions p ON p.version_id = ",
    latest_version_id!(),
    " WHERE t.table_id = ?1 AND t.table_uuid = ?13 AND t.import_id IS NULL AND t.rules_version <= ?12"
);

/// Begins a version of which nothing is known yet. ?1 table, ?2 version, ?3 least timestamp, ?4 commit known.
pub(super) const BEGIN: &str = "
WITH previous AS (
  SELECT * FROM dl_table_versions WHERE version_id >= ?1 << 40 AND version_id < (?1 + 1) << 40
  ORDER BY version_id DESC LIMIT 1)
INSERT INTO dl_table_versions (version_id, table_id, version, timestamp_ms, commit_known,
  added_files, removed_files, first_file_id, end_file_id, first_remove_id, end_remove_id,
  file_count, size_bytes, row_count, files_without_row_count)
SELECT (t.table_id << 40) + 1 + ?2, t.table_id, ?2, max(?3, coalesce(p.timestamp_ms + 1, ?3)), ?4,
  0, 0, coalesce(p.end_file_id, ?1 << 40), coalesce(p.end_file_id, ?1 << 40),
  coalesce(p.end_remove_id, ?1 << 40), coalesce(p.end_remove_id, ?1 << 40),
  coalesce(p.file_count, 0), coalesce(p.size_bytes, 0), coalesce(p.row_count, 0), coalesce(p.files_without_row_count, 0)
FROM dl_tables t LEFT JOIN previous p WHERE t.table_id = ?1";

/// What is learnt of a commit only at its end: ?1 table, ?2 least timestamp, ?3 commit info, ?4 the id that its writer gave
/// it, which counts where the table has no other commit of that id.
pub(super) const DESCRIBE: &str = concat!(
    "UPDATE dl_table_versions SET commit_info = ?3, commit_id = CASE WHEN NOT EXISTS (
       SELECT 1 FROM dl_table_versions other WHERE other.commit_id = ?4 AND other.table_id = ?1) THEN ?4 END,
     timestamp_ms = max(?2, coalesce((
       SELECT p.timestamp_ms + 1 FROM dl_table_versions p
       WHERE p.version_id >= ?1 << 40 AND p.version_id < dl_table_versions.version_id
       ORDER BY p.version_id DESC LIMIT 1), ?2))
     WHERE version_id = ",
    latest_version_id!()
);

/// Takes `closed` out of the latest version's totals.
macro_rules! subtract_closed {
    () => {
        "UPDATE dl_table_versions SET (file_count, size_bytes, row_count, files_without_row_count) = (
           SELECT dl_table_versions.file_count - count(*), dl_table_versions.size_bytes - coalesce(sum(size), 0),
             dl_table_versions.row_count - coalesce(sum(row_count), 0),
             dl_table_versions.files_without_row_count - (count(*) - count(row_count)) FROM closed)
         WHERE "
    };
}

/// Takes the live files among the rows out of the version's totals. ?1 table.
pub(super) const SUBTRACT: &str = concat!(
    "WITH rows (path, dv_id) AS ({rows}), closed AS (
       SELECT f.size, f.row_count FROM rows r CROSS JOIN dl_add_files f
       WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.removed_version IS NULL
         AND f.version < ",
    latest_version!(),
    ") ",
    subtract_closed!(),
    "version_id = ",
    latest_version_id!()
);

/// Takes the files among the rows out of the version's totals that [`CLOSE`], the statement before, has closed: mostly
/// none, and then nothing is looked up. ?1 table.
pub(super) const SUBTRACT_CLOSED: &str = concat!(
    "WITH rows (path, dv_id) AS ({rows}), closed AS (
       SELECT f.size, f.row_count FROM rows r CROSS JOIN dl_add_files f
       WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.removed_version = ",
    latest_version!(),
    ") ",
    subtract_closed!(),
    "changes() > 0 AND version_id = ",
    latest_version_id!()
);

/// Ends the interval of live files, whose ids are compared with those of the rows.
macro_rules! close {
    ($is_among:literal) => {
        concat!(
            "WITH rows (path, dv_id) AS ({rows})
             UPDATE dl_add_files SET removed_version = ",
            latest_version!(),
            " WHERE file_id ",
            $is_among,
            " (
               SELECT f.file_id FROM rows r CROSS JOIN dl_add_files f
               WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.removed_version IS NULL
                 AND f.version < ",
            latest_version!(),
            ")"
        )
    };
}

/// Ends the interval of the live files among the rows: removed, or replaced by a new add. ?1 table.
pub(super) const CLOSE: &str = close!("IN");

/// The same for one row, for which SQLite makes no temporary table.
pub(super) const CLOSE_ONE: &str = close!("=");

/// What templates that insert rows end with: each row with the latest version, `v`.
macro_rules! from_rows {
    () => {
        concat!(" FROM rows r CROSS JOIN dl_table_versions v WHERE v.version_id = ", latest_version_id!())
    };
}

/// ?1 table. A second add of one logical file in one version is not allowed by the protocol; the first wins.
pub(super) const INSERT_ADDS: &str = concat!(
    "WITH rows (ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
       deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra) AS ({rows})
     INSERT INTO dl_add_files (file_id, table_id, version, path, dv_id, size, modification_time, data_change, row_count,
       partition_values, stats, deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra)
     SELECT v.first_file_id + r.ordinal, v.table_id, v.version, r.path, r.dv_id, r.size, r.modification_time,
       r.data_change, r.row_count, r.partition_values, r.stats, r.deletion_vector, r.tags, r.base_row_id,
       r.default_row_commit_version, r.clustering_provider, r.extra",
    from_rows!(),
    " ON CONFLICT (table_id, path, dv_id, version) DO NOTHING"
);

pub(super) const INSERT_REMOVES: &str = concat!(
    "WITH rows (ordinal, path, dv_id, deletion_timestamp, action) AS ({rows})
     INSERT INTO dl_remove_files (remove_id, table_id, version, path, dv_id, deletion_timestamp, action)
     SELECT v.first_remove_id + r.ordinal, v.table_id, v.version, r.path, r.dv_id, r.deletion_timestamp, r.action",
    from_rows!()
);

/// ?1 table, ?2 metadata.
pub(super) const INSERT_METADATA: &str = concat!(
    "INSERT INTO dl_metadata_updates (table_id, version, metadata) VALUES (?1, ",
    latest_version!(),
    ", ?2) ON CONFLICT (table_id, version) DO UPDATE SET metadata = excluded.metadata"
);

/// After a change of metadata or protocol. ?1 table.
pub(super) const SET_RULES_VERSION: &str =
    concat!("UPDATE dl_tables SET rules_version = ", latest_version!(), " WHERE table_id = ?1");

/// Since which version and time the table has in-commit timestamps (protocol section "Writer Requirements for In-Commit
/// Timestamps"); a table that has them from its first version on needs not say so. ?1 table.
pub(super) const ENABLE_IN_COMMIT_TIMESTAMPS: &str = concat!(
    r#"UPDATE dl_metadata_updates SET metadata = (
         SELECT json_set(metadata,
           '$.configuration."delta.inCommitTimestampEnablementVersion"', CAST(v.version AS TEXT),
           '$.configuration."delta.inCommitTimestampEnablementTimestamp"', CAST(v.timestamp_ms AS TEXT))
         FROM dl_table_versions v WHERE v.version_id = (?1 << 40) + 1 + dl_metadata_updates.version)
       WHERE table_id = ?1 AND version > 0 AND version = "#,
    latest_version!()
);

/// ?1 table, ?2 protocol.
pub(super) const INSERT_PROTOCOL: &str = concat!(
    "INSERT INTO dl_protocol_updates (table_id, version, protocol) VALUES (?1, ",
    latest_version!(),
    ", ?2) ON CONFLICT (table_id, version) DO UPDATE SET protocol = excluded.protocol"
);

pub(super) const INSERT_TXNS: &str = concat!(
    "WITH rows (app_id, txn_version, txn) AS ({rows})
     INSERT INTO dl_txn_actions (table_id, app_id, version, txn_version, txn)
     SELECT v.table_id, r.app_id, v.version, r.txn_version, r.txn",
    from_rows!(),
    " ON CONFLICT (table_id, app_id, version) DO UPDATE SET txn_version = excluded.txn_version, txn = excluded.txn"
);

pub(super) const INSERT_DOMAIN_METADATA: &str = concat!(
    "WITH rows (domain, removed, domain_metadata) AS ({rows})
     INSERT INTO dl_domain_metadata (table_id, domain, version, removed, domain_metadata)
     SELECT v.table_id, r.domain, v.version, r.removed, r.domain_metadata",
    from_rows!(),
    " ON CONFLICT (table_id, domain, version) DO UPDATE
      SET removed = excluded.removed, domain_metadata = excluded.domain_metadata"
);

pub(super) const INSERT_CDC: &str = concat!(
    "WITH rows (ordinal, action) AS ({rows})
     INSERT INTO dl_cdc_files (table_id, version, ordinal, action)
     SELECT v.table_id, v.version, r.ordinal, r.action",
    from_rows!()
);

pub(super) const INSERT_UNKNOWN: &str = concat!(
    "WITH rows (ordinal, name, action) AS ({rows})
     INSERT INTO dl_unknown_actions (table_id, version, ordinal, name, action)
     SELECT v.table_id, v.version, r.ordinal, r.name, r.action",
    from_rows!()
);

/// Ends a version that [`BEGIN`] has begun: adds its files to its totals. ?1 table, ?2 add actions, ?3 remove actions.
pub(super) const END: &str = concat!(
    "WITH added AS (
       SELECT f.size, f.row_count FROM dl_table_versions v
       JOIN dl_add_files f ON f.file_id >= v.first_file_id AND f.file_id < v.first_file_id + ?2
       WHERE v.version_id = ",
    latest_version_id!(),
    ")
     UPDATE dl_table_versions SET
       added_files = ?2,
       removed_files = ?3,
       end_file_id = first_file_id + ?2,
       end_remove_id = first_remove_id + ?3,
       (file_count, size_bytes, row_count, files_without_row_count) = (
         SELECT dl_table_versions.file_count + count(*), dl_table_versions.size_bytes + coalesce(sum(size), 0),
           dl_table_versions.row_count + coalesce(sum(row_count), 0),
           dl_table_versions.files_without_row_count + count(*) - count(row_count) FROM added)
     WHERE version_id = ",
    latest_version_id!()
);
