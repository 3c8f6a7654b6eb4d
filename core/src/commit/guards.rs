//! What must still hold when a commit's batch runs.
//!
//! A guard that looks at what others did meanwhile may be coarse: when one does not hold, [`winners`](super::winners)
//! decides exactly, and the commit is tried again on top of what it may ignore.

use crate::snapshot::Snapshot;
use crate::sql::{Limits, Statement, Value, with_rows};

use super::intent::Intent;
use super::plan::Part;
use super::statements::latest_version_id;

/// A transaction's id was used in no table yet. ?1 commit id.
pub(super) const GUARD_COMMIT_ID: &str = "
INSERT INTO dl_guard (guard) SELECT 'commit_id_used' WHERE EXISTS (SELECT 1 FROM dl_table_versions WHERE commit_id = ?1)";

/// The statement before took a version: the table is there, with the metadata and protocol that are known.
const GUARD_RULES: &str = "INSERT INTO dl_guard (guard) SELECT 'rules_changed' WHERE changes() <> 1";

/// ?1 table, ?2 the last version that was looked at, so in all guards; ?3 whether appends that read nothing matter, too.
const GUARD_APPEND: &str = concat!(
    "INSERT INTO dl_guard (guard) SELECT 'concurrent_append' WHERE EXISTS (
       SELECT 1 FROM dl_table_versions v WHERE v.version_id > (?1 << 40) + 1 + ?2 AND v.version_id < ",
    latest_version_id!(),
    " AND v.added_files > 0
      AND (?3 OR CASE WHEN json_valid(v.commit_info) THEN json_extract(v.commit_info, '$.isBlindAppend') END IS NOT 1))"
);

/// ?1 table, ?2 as above.
const GUARD_ANY_REMOVED: &str = concat!(
    "INSERT INTO dl_guard (guard) SELECT 'concurrent_delete_read' WHERE EXISTS (
       SELECT 1 FROM dl_table_versions v WHERE v.version_id > (?1 << 40) + 1 + ?2 AND v.version_id < ",
    latest_version_id!(),
    " AND v.removed_files > 0)"
);

const GUARD_READ_FILES: &str = "
WITH rows (path) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'concurrent_delete_read' WHERE EXISTS (
  SELECT 1 FROM rows r WHERE NOT EXISTS (SELECT 1 FROM dl_add_files f
    WHERE f.table_id = ?1 AND f.path = r.path AND f.version <= ?2 AND f.removed_version IS NULL))";

pub(super) const GUARD_REMOVES: &str = "
WITH rows (path, dv_id) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'removed_file_not_live' WHERE EXISTS (
  SELECT 1 FROM rows r WHERE NOT EXISTS (
    SELECT 1 FROM dl_add_files f
    WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.version <= ?2 AND f.removed_version IS NULL))";

/// A path is live with one deletion vector at the most: who adds it with another one removes the entry that it has
/// (protocol section "Add File and Remove File"). And who adds it again read it: it must not have been removed meanwhile.
/// The rows are added files whose path the commit does not remove.
pub(super) const GUARD_PATHS: &str = "
WITH rows (path, dv_id) AS ({rows})
INSERT INTO dl_guard (guard)
SELECT CASE WHEN f.removed_version IS NULL THEN 'path_added_again' ELSE 'concurrent_delete_read' END
FROM rows r CROSS JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path
WHERE f.removed_version > ?2 OR (f.removed_version IS NULL AND f.dv_id <> r.dv_id)";

/// In the place of [`GUARD_PATHS`] where the commit only adds files that ought to be new: none of their paths was ever the
/// table's, so that no entry ends with it and nothing need be looked for.
const GUARD_NEW_PATHS: &str = "
WITH rows (path, dv_id) AS ({rows})
INSERT INTO dl_guard (guard)
SELECT 'path_known' FROM rows r CROSS JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path";

/// ?3: what was last updated at this time or before has expired, or NULL.
const GUARD_TXNS: &str = "
WITH rows (app_id, txn_version) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'concurrent_transaction' WHERE EXISTS (
  SELECT 1 FROM rows r WHERE
    EXISTS (SELECT 1 FROM dl_txn_actions a WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.version > ?2)
    OR r.txn_version <= (SELECT CASE WHEN (json_extract(a.txn, '$.lastUpdated') <= ?3) IS NOT 1 THEN a.txn_version END
      FROM dl_txn_actions a WHERE a.table_id = ?1 AND a.app_id = r.app_id ORDER BY a.version DESC LIMIT 1))";

const GUARD_DOMAINS: &str = "
WITH rows (domain) AS ({rows})
INSERT INTO dl_guard (guard) SELECT 'concurrent_transaction' WHERE EXISTS (
  SELECT 1 FROM rows r CROSS JOIN dl_domain_metadata d ON d.table_id = ?1 AND d.domain = r.domain AND d.version > ?2)";

/// Where rows are tracked, each file tells their ids and version. Runs after the version's files were written.
pub(super) const GUARD_ROW_IDS: &str = "
INSERT INTO dl_guard (guard) SELECT 'row_ids_missing' WHERE EXISTS (
  SELECT 1 FROM dl_add_files f WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40
    AND (f.base_row_id IS NULL OR f.default_row_commit_version IS NULL) AND f.removed_version IS NULL)";

/// The first of two files of a table whose rows have the same ids; one without rows has none. ?1 table.
macro_rules! overlapping_row_ids {
    () => {
        "SELECT path FROM (
           SELECT f.path, f.base_row_id + f.row_count + coalesce(json_extract(f.deletion_vector, '$.cardinality'), 0) AS next,
             lead(f.base_row_id) OVER (ORDER BY f.base_row_id) AS following
           FROM dl_add_files f WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40 AND f.removed_version IS NULL
             AND coalesce(f.row_count + coalesce(json_extract(f.deletion_vector, '$.cardinality'), 0), 1) > 0)
         WHERE following < next"
    };
}

/// Where rows are tracked, no two have one id. Imports bring in what other writers gave. Runs as the one before.
pub(super) const GUARD_ROW_IDS_DIFFER: &str =
    concat!("INSERT INTO dl_guard (guard) SELECT 'row_ids_overlap' WHERE EXISTS (", overlapping_row_ids!(), ")");

pub(super) const OVERLAPPING_ROW_IDS: &str = concat!(overlapping_row_ids!(), " LIMIT 1");

/// The guards of a commit, the first of which must follow the statement that takes the version.
pub(super) fn guards(state: &Snapshot, intent: &Intent, now_ms: i64, limits: &Limits) -> Vec<Statement> {
    let key = state.table.key;
    let since = || vec![Value::from(key), intent.examined_version.into()];
    let mut statements = vec![Statement::new(GUARD_RULES, [])];
    if intent.minds_appends() {
        let mut params = since();
        params.push(intent.minds_blind_appends().into());
        statements.push(Statement::new(GUARD_APPEND, params));
    }
    if intent.reads_any_file() {
        statements.push(Statement::new(GUARD_ANY_REMOVED, since()));
    }
    statements.extend(with_rows(limits, GUARD_READ_FILES, &since(), intent.read_files()));
    let mut expiring = since();
    expiring.push(state.transactions_expired_until_ms(now_ms).into());
    statements.extend(with_rows(limits, GUARD_TXNS, &expiring, intent.txns()));
    statements.extend(with_rows(limits, GUARD_DOMAINS, &since(), intent.domains()));
    statements
}

/// The guards on the files that a commit removes and adds.
pub(super) fn file_guards(part: &Part<'_>, intent: &Intent, limits: &Limits) -> Vec<Statement> {
    let key = part.state.table.key.into();
    if part.brings_new_files(intent) {
        return with_rows(limits, GUARD_NEW_PATHS, &[key], part.added_paths());
    }
    let since = [key, intent.examined_version.into()];
    let mut statements = with_rows(limits, GUARD_REMOVES, &since, part.removed());
    statements.extend(with_rows(limits, GUARD_PATHS, &since, part.added_paths()));
    statements
}
