//! What others committed after a version, in SQL.

/// ?1 table, ?2 the last version that was looked at; in the other queries also ?3, the last one to look at.
pub(super) const METADATA_BEFORE: &str = "
SELECT metadata FROM dl_metadata_updates WHERE table_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT 1";
pub(super) const PROTOCOL_BEFORE: &str = "
SELECT protocol FROM dl_protocol_updates WHERE table_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT 1";
pub(super) const CHANGES: &str = "
SELECT v.version, v.commit_info, p.protocol, m.metadata FROM (
  SELECT version FROM dl_metadata_updates WHERE table_id = ?1 AND version > ?2 AND version <= ?3
  UNION SELECT version FROM dl_protocol_updates WHERE table_id = ?1 AND version > ?2 AND version <= ?3
) c CROSS JOIN dl_table_versions v ON v.version_id = (?1 << 40) + 1 + c.version
LEFT JOIN dl_protocol_updates p ON p.table_id = ?1 AND p.version = c.version
LEFT JOIN dl_metadata_updates m ON m.table_id = ?1 AND m.version = c.version
ORDER BY c.version";

pub(super) const DOMAINS: &str = "
WITH rows (domain) AS ({rows})
SELECT min(d.version), r.domain FROM rows r
CROSS JOIN dl_domain_metadata d ON d.table_id = ?1 AND d.domain = r.domain AND d.version > ?2 AND d.version <= ?3
GROUP BY r.domain";

/// Whether the transaction `a` has not expired: ?4 is the time until which they have, or NULL.
macro_rules! is_active {
    () => {
        "(json_extract(a.txn, '$.lastUpdated') <= ?4) IS NOT 1"
    };
}

/// The first `txn` of each application after ?2, be it expired; and the one by which its version, or a later one, was there
/// before. One that has expired stands for nothing that was done.
pub(super) const TXNS: &str = concat!(
    "WITH rows (app_id, txn_version) AS ({rows}), found AS (
       SELECT r.app_id, r.txn_version,
         (SELECT min(a.version) FROM dl_txn_actions a
          WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.version > ?2 AND a.version <= ?3) AS next_version,
         CASE WHEN r.txn_version <= (SELECT CASE WHEN ",
    is_active!(),
    " THEN a.txn_version END FROM dl_txn_actions a
             WHERE a.table_id = ?1 AND a.app_id = r.app_id ORDER BY a.version DESC LIMIT 1)
           THEN (SELECT min(a.version) FROM dl_txn_actions a
             WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.txn_version >= r.txn_version AND ",
    is_active!(),
    ") END AS done_version
       FROM rows r
     )
     SELECT coalesce(f.done_version, f.next_version), f.app_id, a.txn_version, f.done_version IS NOT NULL
     FROM found f CROSS JOIN dl_txn_actions a
       ON a.table_id = ?1 AND a.app_id = f.app_id AND a.version = coalesce(f.done_version, f.next_version)"
);

/// Whether the file of a path was there at the version ?4.
macro_rules! was_there {
    ($path:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM dl_add_files h WHERE h.table_id = ?1 AND h.path = ",
            $path,
            " AND h.version <= ?4 AND coalesce(h.removed_version > ?4, 1))"
        )
    };
}

/// The first of the rows' files that is there no more. An `add` that replaces a file's entry removes nothing.
macro_rules! gone {
    ($columns:literal, $and:expr) => {
        concat!(
            "WITH rows (",
            $columns,
            ") AS ({rows})
             SELECT f.removed_version, f.path FROM rows r CROSS JOIN dl_add_files f
               ON f.table_id = ?1 AND f.path = r.path AND f.removed_version > ?2 AND f.removed_version <= ?3
             WHERE NOT EXISTS (SELECT 1 FROM dl_add_files g WHERE g.table_id = ?1 AND g.path = f.path
               AND g.dv_id = f.dv_id AND g.version = f.removed_version)",
            $and,
            " ORDER BY f.removed_version LIMIT 1"
        )
    };
}

/// Of the files that were read, at the version ?4.
pub(super) const READ_FILES: &str = gone!("path", concat!(" AND ", was_there!("f.path")));

/// Of the files that the commit removes or adds again.
pub(super) const NAMED_FILES: &str = gone!("path, dv_id", "");

/// Whether the file `f` of the version `v` is more than an entry into which row ids were written.
macro_rules! is_not_backfill {
    () => {
        "(f.data_change OR CASE WHEN json_valid(v.commit_info) THEN json_extract(v.commit_info, '$.operation') END
          NOT IN ('ROW TRACKING BACKFILL', 'ROW TRACKING UNBACKFILL') IS NOT 0)"
    };
}

/// The first of the rows' files that was added again.
pub(super) const ADDED_AGAIN: &str = concat!(
    "WITH rows (path, dv_id) AS ({rows})
     SELECT f.version, f.path FROM rows r CROSS JOIN dl_add_files f
       ON f.table_id = ?1 AND f.path = r.path AND f.version > ?2 AND f.version <= ?3
     CROSS JOIN dl_table_versions v ON v.version_id = (?1 << 40) + 1 + f.version
     WHERE ",
    is_not_backfill!(),
    " ORDER BY f.version LIMIT 1"
);

/// Files that were added; ?4 whether by appends that read nothing, too; ?5 after this id; ?6 so many.
pub(super) const ADDED: &str = concat!(
    "SELECT f.file_id, f.version, f.path, f.partition_values, f.stats FROM dl_table_versions v
     CROSS JOIN dl_add_files f ON f.file_id >= v.first_file_id AND f.file_id < v.end_file_id
     WHERE v.version_id > (?1 << 40) + 1 + ?2 AND v.version_id <= (?1 << 40) + 1 + ?3 AND v.added_files > 0 AND v.end_file_id > ?5
       AND f.file_id > ?5
       AND (?4 OR CASE WHEN json_valid(v.commit_info) THEN json_extract(v.commit_info, '$.isBlindAppend') END IS NOT 1)
       AND ",
    is_not_backfill!(),
    " ORDER BY v.version_id, f.file_id LIMIT ?6"
);

/// Files that were removed, as they were when the commit read: ?4 the version that it read, or NULL for files of any time;
/// ?5 after this id; ?6 so many. A file is known by its path: it may have been added again before it was removed.
pub(super) const REMOVED: &str = "
SELECT r.remove_id, r.version, r.path, f.partition_values, f.stats FROM dl_table_versions v
CROSS JOIN dl_remove_files r ON r.remove_id >= v.first_remove_id AND r.remove_id < v.end_remove_id
CROSS JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path
  AND (?4 IS NULL OR f.version <= ?4 AND coalesce(f.removed_version > ?4, 1))
WHERE v.version_id > (?1 << 40) + 1 + ?2 AND v.version_id <= (?1 << 40) + 1 + ?3 AND v.removed_files > 0 AND v.end_remove_id > ?5
  AND r.remove_id > ?5
ORDER BY v.version_id, r.remove_id LIMIT ?6";

/// What a version says of itself, and whether a file was there at another one. ?1 table, ?2 version, ?3 path or NULL, ?4 the
/// version that was read.
pub(super) const WINNER: &str = concat!(
    "SELECT v.commit_info, ",
    was_there!("?3"),
    " FROM dl_table_versions v WHERE v.version_id = (?1 << 40) + 1 + ?2"
);
