//! The statements that write one version of a table, for commits and imports alike.
//!
//! `begin` makes the version's row, `actions` may come in any number of pieces (in one batch for a commit,
//! in several for an import, whose table no reader sees yet), `end` closes the version. The version's
//! number is `dl_tables.current_version`, which the caller has moved before.

use std::collections::HashSet;

use crate::action::{Action, Add, CommitInfo, Remove};
use crate::sql::{Limits, Rows, Statement, Value, with_rows};

/// ?1 table, ?2 least timestamp, ?3 commit id, ?4 commit info, ?5 commit known, ?6 in-commit timestamps.
const BEGIN: &str = "
WITH previous AS (
  SELECT v.* FROM dl_tables t JOIN dl_table_versions v ON v.table_id = t.table_id AND v.version < t.current_version
  WHERE t.table_id = ?1 ORDER BY v.version DESC LIMIT 1
), stamp (timestamp_ms) AS (
  SELECT max(?2, coalesce((SELECT timestamp_ms + 1 FROM previous), ?2))
)
INSERT INTO dl_table_versions (table_id, version, timestamp_ms, commit_id, commit_info, commit_known,
  added_files, removed_files, first_file_id, end_file_id, first_remove_id, end_remove_id,
  file_count, size_bytes, row_count, files_without_row_count)
SELECT t.table_id, t.current_version, s.timestamp_ms, ?3,
  CASE WHEN ?6 THEN json_set(?4, '$.inCommitTimestamp', s.timestamp_ms) ELSE ?4 END, ?5,
  0, 0, t.next_file_id, t.next_file_id, t.next_remove_id, t.next_remove_id,
  coalesce(p.file_count, 0), coalesce(p.size_bytes, 0), coalesce(p.row_count, 0), coalesce(p.files_without_row_count, 0)
FROM dl_tables t CROSS JOIN stamp s LEFT JOIN previous p
WHERE t.table_id = ?1";

/// What an import learns of a commit only at its end: ?1 table, ?2 least timestamp, ?3 commit info.
const DESCRIBE: &str = "
UPDATE dl_table_versions SET commit_info = ?3, timestamp_ms = max(?2, coalesce((
  SELECT p.timestamp_ms + 1 FROM dl_table_versions p
  WHERE p.table_id = ?1 AND p.version < dl_table_versions.version ORDER BY p.version DESC LIMIT 1), ?2))
WHERE table_id = ?1 AND version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)";

/// Takes the live files among the rows out of the version's totals. ?1 table.
const SUBTRACT: &str = "
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

/// Ends the interval of the live files among the rows: removed, or replaced by a new add. ?1 table.
const CLOSE: &str = "
WITH rows (path, dv_id) AS ({rows})
UPDATE dl_add_files SET removed_version = (SELECT current_version FROM dl_tables WHERE table_id = ?1)
WHERE file_id IN (
  SELECT f.file_id FROM rows r CROSS JOIN dl_tables t CROSS JOIN dl_add_files f
  WHERE t.table_id = ?1 AND f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.removed_version IS NULL AND f.version < t.current_version)";

/// ?1 table. A second add of one logical file in one version is not allowed by the protocol; the first wins.
const INSERT_ADDS: &str = "
WITH rows (ordinal, path, dv_id, size, modification_time, data_change, row_count, partition_values, stats,
  deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra) AS ({rows})
INSERT INTO dl_add_files (file_id, table_id, version, path, dv_id, size, modification_time, data_change, row_count,
  partition_values, stats, deletion_vector, tags, base_row_id, default_row_commit_version, clustering_provider, extra)
SELECT t.next_file_id + r.ordinal, t.table_id, t.current_version, r.path, r.dv_id, r.size, r.modification_time,
  r.data_change, r.row_count, r.partition_values, r.stats, r.deletion_vector, r.tags, r.base_row_id,
  r.default_row_commit_version, r.clustering_provider, r.extra
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1
ON CONFLICT (table_id, path, dv_id, version) DO NOTHING";

const INSERT_REMOVES: &str = "
WITH rows (ordinal, path, dv_id, deletion_timestamp, action) AS ({rows})
INSERT INTO dl_remove_files (remove_id, table_id, version, path, dv_id, deletion_timestamp, action)
SELECT t.next_remove_id + r.ordinal, t.table_id, t.current_version, r.path, r.dv_id, r.deletion_timestamp, r.action
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1";

const INSERT_METADATA: &str = "
INSERT INTO dl_metadata_updates (table_id, version, metadata)
SELECT table_id, current_version, ?2 FROM dl_tables WHERE table_id = ?1
ON CONFLICT (table_id, version) DO UPDATE SET metadata = excluded.metadata";

const INSERT_PROTOCOL: &str = "
INSERT INTO dl_protocol_updates (table_id, version, protocol)
SELECT table_id, current_version, ?2 FROM dl_tables WHERE table_id = ?1
ON CONFLICT (table_id, version) DO UPDATE SET protocol = excluded.protocol";

const INSERT_TXNS: &str = "
WITH rows (app_id, txn_version, txn) AS ({rows})
INSERT INTO dl_txn_actions (table_id, app_id, version, txn_version, txn)
SELECT t.table_id, r.app_id, t.current_version, r.txn_version, r.txn
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1
ON CONFLICT (table_id, app_id, version) DO UPDATE SET txn_version = excluded.txn_version, txn = excluded.txn";

const INSERT_DOMAIN_METADATA: &str = "
WITH rows (domain, removed, domain_metadata) AS ({rows})
INSERT INTO dl_domain_metadata (table_id, domain, version, removed, domain_metadata)
SELECT t.table_id, r.domain, t.current_version, r.removed, r.domain_metadata
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1
ON CONFLICT (table_id, domain, version) DO UPDATE
SET removed = excluded.removed, domain_metadata = excluded.domain_metadata";

const INSERT_CDC: &str = "
WITH rows (ordinal, action) AS ({rows})
INSERT INTO dl_cdc_files (table_id, version, ordinal, action)
SELECT t.table_id, t.current_version, r.ordinal, r.action
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1";

const INSERT_UNKNOWN: &str = "
WITH rows (ordinal, name, action) AS ({rows})
INSERT INTO dl_unknown_actions (table_id, version, ordinal, name, action)
SELECT t.table_id, t.current_version, r.ordinal, r.name, r.action
FROM rows r CROSS JOIN dl_tables t WHERE t.table_id = ?1";

/// ?1 table, ?2 add actions, ?3 remove actions of the version.
const ADVANCE: &str = "
UPDATE dl_tables SET next_file_id = next_file_id + ?2, next_remove_id = next_remove_id + ?3 WHERE table_id = ?1";

/// Adds the version's files to its totals. ?1 table, ?2 add actions, ?3 remove actions.
const END: &str = "
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

/// How a version begins.
pub(crate) struct VersionStart {
    /// At least this, and at least the previous version's + 1.
    pub timestamp_ms: i64,
    pub commit_id: Option<String>,
    pub commit_info: Option<String>,
    /// False for state that comes from a checkpoint.
    pub commit_known: bool,
    /// Whether the version's timestamp goes into its commit info.
    pub in_commit_timestamp: bool,
}

/// Writes the actions of one version.
pub(crate) struct VersionWriter {
    table_id: i64,
    limits: Limits,
    adds: i64,
    removes: i64,
    cdc: i64,
    unknown: i64,
}

impl VersionWriter {
    pub(crate) fn new(table_id: i64, limits: Limits) -> Self {
        VersionWriter { table_id, limits, adds: 0, removes: 0, cdc: 0, unknown: 0 }
    }

    pub(crate) fn begin(&self, start: VersionStart) -> Statement {
        Statement::new(
            BEGIN,
            vec![
                self.table_id.into(),
                start.timestamp_ms.into(),
                start.commit_id.into(),
                start.commit_info.into(),
                start.commit_known.into(),
                start.in_commit_timestamp.into(),
            ],
        )
    }

    /// Sets what `begin` did not know: the least timestamp and the commit info.
    pub(crate) fn describe(&self, timestamp_ms: i64, commit_info: Option<&CommitInfo>) -> Statement {
        let commit_info = commit_info.map(|info| info.json().text());
        Statement::new(DESCRIBE, vec![self.table_id.into(), timestamp_ms.into(), commit_info.into()])
    }

    /// Writes actions. `commitInfo` and the actions of a checkpoint's own (`sidecar`, `checkpointMetadata`)
    /// are not state and left out. `may_be_live` tells, by path and vector, of which added files the table may
    /// have an entry already, which the new one then replaces.
    pub(crate) fn actions(
        &mut self,
        actions: Vec<Action>,
        mut may_be_live: impl FnMut(&str, &str) -> bool,
    ) -> Vec<Statement> {
        let mut rows = VersionRows::default();
        let mut statements = Vec::new();
        for action in actions {
            match action {
                Action::Add(add) => {
                    let dv_id = add.dv_id();
                    if may_be_live(&add.path, &dv_id) {
                        rows.close(&add.path, &dv_id);
                    }
                    rows.adds.push(add_row(self.adds, add, dv_id));
                    self.adds += 1;
                }
                Action::Remove(remove) => {
                    let dv_id = remove.dv_id();
                    rows.close(&remove.path, &dv_id);
                    rows.removes.push(remove_row(self.removes, &remove, dv_id));
                    self.removes += 1;
                }
                Action::Metadata(metadata) => {
                    statements.push(Statement::new(INSERT_METADATA, vec![self.table_id.into(), json(&metadata).into()]))
                }
                Action::Protocol(protocol) => {
                    statements.push(Statement::new(INSERT_PROTOCOL, vec![self.table_id.into(), json(&protocol).into()]))
                }
                Action::Txn(txn) => {
                    let text = json(&txn);
                    rows.txns.push([txn.app_id.into(), txn.version.into(), text.into()]);
                }
                Action::DomainMetadata(domain) => {
                    let text = json(&domain);
                    rows.domains.push([domain.domain.into(), domain.removed.into(), text.into()]);
                }
                Action::Cdc(cdc) => {
                    rows.cdc.push([self.cdc.into(), json(&cdc).into()]);
                    self.cdc += 1;
                }
                Action::Unknown { name, value } => {
                    rows.unknown.push([self.unknown.into(), name.into(), value.text().into()]);
                    self.unknown += 1;
                }
                Action::CommitInfo(_) | Action::Sidecar(_) | Action::CheckpointMetadata(_) => {}
            }
        }
        self.rows(rows, &mut statements);
        statements
    }

    fn rows(&self, rows: VersionRows, statements: &mut Vec<Statement>) {
        statements.extend(self.with_rows(SUBTRACT, rows.closed.clone()));
        statements.extend(self.with_rows(CLOSE, rows.closed));
        statements.extend(self.with_rows(INSERT_ADDS, rows.adds));
        statements.extend(self.with_rows(INSERT_REMOVES, rows.removes));
        statements.extend(self.with_rows(INSERT_TXNS, rows.txns));
        statements.extend(self.with_rows(INSERT_DOMAIN_METADATA, rows.domains));
        statements.extend(self.with_rows(INSERT_CDC, rows.cdc));
        statements.extend(self.with_rows(INSERT_UNKNOWN, rows.unknown));
    }

    fn with_rows(&self, template: &'static str, rows: Rows) -> Vec<Statement> {
        with_rows(&self.limits, template, &[self.table_id.into()], rows)
    }

    pub(crate) fn end(&self) -> Vec<Statement> {
        let params: Vec<Value> = vec![self.table_id.into(), self.adds.into(), self.removes.into()];
        vec![Statement::new(ADVANCE, params.clone()), Statement::new(END, params)]
    }
}

struct VersionRows {
    /// Path and vector of the files whose entry ends.
    closed: Rows,
    /// The same, so that a file that a version names twice is taken out of the totals once.
    closed_keys: HashSet<(String, String)>,
    adds: Rows,
    removes: Rows,
    txns: Rows,
    domains: Rows,
    cdc: Rows,
    unknown: Rows,
}

impl VersionRows {
    fn close(&mut self, path: &str, dv_id: &str) {
        if self.closed_keys.insert((path.to_owned(), dv_id.to_owned())) {
            self.closed.push([path.into(), dv_id.into()]);
        }
    }
}

impl Default for VersionRows {
    fn default() -> Self {
        VersionRows {
            closed: Rows::new(2),
            closed_keys: HashSet::new(),
            adds: Rows::new(ADD_COLUMNS),
            removes: Rows::new(REMOVE_COLUMNS),
            txns: Rows::new(3),
            domains: Rows::new(3),
            cdc: Rows::new(2),
            unknown: Rows::new(3),
        }
    }
}

const ADD_COLUMNS: usize = 15;
const REMOVE_COLUMNS: usize = 5;

fn add_row(ordinal: i64, add: Add, dv_id: String) -> [Value; ADD_COLUMNS] {
    let row_count = add.row_count();
    [
        ordinal.into(),
        add.path.into(),
        dv_id.into(),
        add.size.into(),
        add.modification_time.into(),
        add.data_change.into(),
        row_count.into(),
        add.partition_values.to_json().into(),
        add.stats.into(),
        add.deletion_vector.as_ref().map(json).into(),
        add.tags.as_ref().map(|tags| tags.text()).into(),
        add.base_row_id.into(),
        add.default_row_commit_version.into(),
        add.clustering_provider.into(),
        (!add.extra.is_empty()).then(|| json(&add.extra)).into(),
    ]
}

fn remove_row(ordinal: i64, remove: &Remove, dv_id: String) -> [Value; REMOVE_COLUMNS] {
    [ordinal.into(), remove.path.as_str().into(), dv_id.into(), remove.deletion_timestamp.into(), json(remove).into()]
}

/// Actions hold strings, numbers and JSON text only, which always serialize.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
