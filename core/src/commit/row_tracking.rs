//! Row ids, assigned where the version is: inside the batch (protocol section "Writer Requirements for Row Tracking").
//!
//! A path that the table has or had keeps the ids of its last `add`; any other file gets fresh ones above the
//! high-water mark. What the writer gave is not used: it cannot know what others commit meanwhile.

use super::statements::latest_version_id;

/// The high-water mark; -1 when no id was assigned. Whoever removes the domain gives no ids back, and what is no mark
/// sets none. ?1 table.
macro_rules! high_water_mark {
    () => {
        "coalesce((SELECT json_extract(json_extract(d.domain_metadata, '$.configuration'), '$.rowIdHighWaterMark')
           FROM dl_domain_metadata d WHERE d.table_id = ?1 AND d.domain = 'delta.rowTracking' AND d.removed = 0
             AND CASE WHEN json_valid(json_extract(d.domain_metadata, '$.configuration'))
               THEN json_type(json_extract(d.domain_metadata, '$.configuration'), '$.rowIdHighWaterMark') END = 'integer'
           ORDER BY d.version DESC LIMIT 1), -1)"
    };
}

/// Sets the version's high-water mark: to what, and from where that comes.
macro_rules! set_high_water_mark {
    ($mark:expr, $from:expr) => {
        concat!(
            "INSERT INTO dl_domain_metadata (table_id, domain, version, removed, domain_metadata)
     SELECT v.table_id, 'delta.rowTracking', v.version, 0, json_object('domain', 'delta.rowTracking',
       'configuration', '{\"rowIdHighWaterMark\":' || ",
            $mark,
            " || '}', 'removed', json('false'))
     FROM dl_table_versions v",
            $from,
            " WHERE v.version_id = ",
            latest_version_id!(),
            " ON CONFLICT (table_id, domain, version) DO UPDATE
       SET removed = excluded.removed, domain_metadata = excluded.domain_metadata"
        )
    };
}

/// As [`INSERT_ADDS`](super::statements::INSERT_ADDS); `rows_before` are those of the version's files before this one.
pub(super) const INSERT_ADDS_WITH_ROW_IDS: &str = concat!(
    "WITH rows (ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
       deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra, rows_before)
       AS ({rows}),
     mark (row_id) AS MATERIALIZED (SELECT ",
    high_water_mark!(),
    ")
     INSERT INTO dl_add_files (file_id, table_id, version, path, dv_id, size, modification_time, data_change, row_count,
       partition_values, stats, deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider,
       extra)
     SELECT v.first_file_id + r.ordinal, v.table_id, v.version, r.path, r.dv_id, r.size, r.modification_time,
       r.data_change, r.row_count, r.partition_values, r.stats, r.deletion_vector, r.tags,
       coalesce(f.base_row_id, mark.row_id + 1 + r.rows_before),
       coalesce(f.default_row_commit_version, v.version), r.clustering_provider, r.extra
     FROM rows r CROSS JOIN mark CROSS JOIN dl_table_versions v
     LEFT JOIN dl_add_files f ON f.file_id = (
       SELECT max(g.file_id) FROM dl_add_files g WHERE g.table_id = ?1 AND g.path = r.path)
     WHERE v.version_id = ",
    latest_version_id!(),
    " ON CONFLICT (table_id, path, dv_id, version) DO NOTHING"
);

/// As [`INSERT_REMOVES`](super::statements::INSERT_REMOVES): each `remove` tells the ids of its file.
pub(super) const INSERT_REMOVES_WITH_ROW_IDS: &str = concat!(
    "WITH rows (ordinal, path, dv_id, deletion_timestamp, action) AS ({rows})
     INSERT INTO dl_remove_files (remove_id, table_id, version, path, dv_id, deletion_timestamp, action)
     SELECT v.first_remove_id + r.ordinal, v.table_id, v.version, r.path, r.dv_id, r.deletion_timestamp,
       CASE WHEN f.base_row_id IS NULL THEN r.action ELSE json_set(r.action, '$.baseRowId', f.base_row_id,
         '$.defaultRowCommitVersion', f.default_row_commit_version) END
     FROM rows r CROSS JOIN dl_table_versions v
     LEFT JOIN dl_add_files f ON f.file_id = (
       SELECT max(g.file_id) FROM dl_add_files g WHERE g.table_id = ?1 AND g.path = r.path)
     WHERE v.version_id = ",
    latest_version_id!()
);

/// ?1 table, ?2 rows of the version's files, ?3 the highest id that the writer reserved or NULL.
pub(super) const SET_HIGH_WATER_MARK: &str =
    set_high_water_mark!(concat!("max(", high_water_mark!(), " + ?2, coalesce(?3, -1))"), "");

/// Where ids begin to be assigned, or to be relied upon, the mark is not below those of the files that the table has or
/// had, whoever gave them; an id beyond 64 bits is the last one. ?1 table.
pub(super) const RAISE_HIGH_WATER_MARK: &str = set_high_water_mark!(
    "ids.last",
    concat!(
        " JOIN (
       SELECT CAST(max(f.base_row_id - 1
         + coalesce(f.row_count + coalesce(json_extract(f.deletion_vector, '$.cardinality'), 0), 1)) AS INTEGER) AS last
       FROM dl_add_files f WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40) ids ON ids.last > ",
        high_water_mark!()
    )
);

/// ?1 table, ?2 rows of the version's files.
pub(super) const GUARD_ROW_IDS_IN_RANGE: &str = concat!(
    "INSERT INTO dl_guard (guard) SELECT 'row_ids_in_range' WHERE typeof(",
    high_water_mark!(),
    " + ?2) <> 'integer'"
);
