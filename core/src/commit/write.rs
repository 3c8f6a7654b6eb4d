//! The statements that write one version of a table, for commits and imports alike.
//!
//! All of a commit is at hand: `take_version` makes the version's row, and `actions` or `staged` what it did. An import
//! reads on while it writes: `begin` makes the row, `actions` come in any number of pieces, and `end` closes the version.

use std::collections::HashSet;

use crate::Result;
use crate::action::{Action, Add, CommitInfo, Remove};
use crate::sql::{Limits, RowSource, Rows, Statement, Value, with_rows};
use crate::table_features::ROW_TRACKING_DOMAIN;

use super::large::{Staged, statements as large};
use super::row_tracking::{
    GUARD_ROW_IDS_IN_RANGE, INSERT_ADDS_WITH_ROW_IDS, INSERT_REMOVES_WITH_ROW_IDS, RAISE_HIGH_WATER_MARK,
    SET_HIGH_WATER_MARK,
};
use super::statements::{
    BEGIN, CLOSE, CLOSE_ONE, DESCRIBE, ENABLE_IN_COMMIT_TIMESTAMPS, END, INSERT_ADDS, INSERT_CDC,
    INSERT_DOMAIN_METADATA, INSERT_METADATA, INSERT_PROTOCOL, INSERT_REMOVES, INSERT_TXNS, INSERT_UNKNOWN,
    SET_RULES_VERSION, SUBTRACT, SUBTRACT_CLOSED, TAKE_VERSION,
};
use super::totals::Totals;

/// How the version of a commit begins.
pub(super) struct VersionStart<'a> {
    pub table_uuid: &'a str,
    /// At least this, and at least the previous version's + 1.
    pub timestamp_ms: i64,
    pub commit_id: &'a str,
    pub commit_digest: String,
    pub commit_info: String,
    /// Whether the version's timestamp goes into its commit info.
    pub in_commit_timestamp: bool,
    pub totals: Totals,
    /// The last version that was looked at.
    pub examined_version: i64,
}

/// Where the row ids of added files come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RowIds {
    /// From the actions, which may have none.
    AsGiven,
    /// From here (protocol section "Writer Requirements for Row Tracking"); `reserved_up_to` are taken by the writer.
    Assigned { reserved_up_to: Option<i64> },
}

/// Writes one version.
pub(crate) struct VersionWriter {
    table_id: i64,
    limits: Limits,
    row_ids: RowIds,
    /// A commit's version has its totals from the beginning; an import's gets them at its end, and may name a file twice.
    is_import: bool,
    /// Rows in the files that were added so far.
    rows: i64,
    adds: i64,
    removes: i64,
    cdc: i64,
    unknown: i64,
}

impl VersionWriter {
    pub(super) fn of_commit(table_id: i64, limits: Limits, row_ids: RowIds) -> Self {
        VersionWriter { table_id, limits, row_ids, is_import: false, rows: 0, adds: 0, removes: 0, cdc: 0, unknown: 0 }
    }

    pub(crate) fn of_import(table_id: i64, limits: Limits) -> Self {
        VersionWriter { is_import: true, ..Self::of_commit(table_id, limits, RowIds::AsGiven) }
    }

    /// The row of a commit's version. Nothing is written where others see no such table, or its metadata or protocol has
    /// changed.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the totals are more than 64 bits hold.
    pub(super) fn take_version(&self, start: VersionStart<'_>) -> Result<Statement> {
        let mut params: Vec<Value> = vec![
            self.table_id.into(),
            start.timestamp_ms.into(),
            start.commit_id.into(),
            start.commit_info.into(),
            start.in_commit_timestamp.into(),
            start.commit_digest.into(),
        ];
        params.extend(start.totals.params()?);
        params.push(start.examined_version.into());
        params.push(start.table_uuid.into());
        Ok(Statement::new(TAKE_VERSION, params))
    }

    /// The row of an import's version. `commit_known` is false for state that comes from a checkpoint.
    pub(crate) fn begin(&self, version: i64, timestamp_ms: i64, commit_known: bool) -> Statement {
        let params = vec![self.table_id.into(), version.into(), timestamp_ms.into(), commit_known.into()];
        Statement::new(BEGIN, params)
    }

    /// Says in the version's metadata since when the table has in-commit timestamps.
    pub(super) fn in_commit_timestamps_enabled(&self) -> Statement {
        Statement::new(ENABLE_IN_COMMIT_TIMESTAMPS, [self.table_id.into()])
    }

    /// Sets what `begin` did not know: the least timestamp and the commit info. Its `txnId` is the commit's id, so that a
    /// commit that is sent again is known for one that happened, also where the catalog has it from a log.
    pub(crate) fn describe(&self, timestamp_ms: i64, commit_info: Option<&CommitInfo>) -> Statement {
        let commit_id = commit_info.and_then(CommitInfo::txn_id).filter(|id| !id.is_empty());
        let commit_info = commit_info.map(|info| info.json().text());
        let params = vec![self.table_id.into(), timestamp_ms.into(), commit_info.into(), commit_id.into()];
        Statement::new(DESCRIBE, params)
    }

    /// Writes actions. `commitInfo` and the actions of a checkpoint's own (`sidecar`, `checkpointMetadata`)
    /// are not state and left out. `may_be_live` tells, by path and vector, of which added files the table may
    /// have an entry already, which the new one then replaces.
    pub(crate) fn actions(
        &mut self,
        actions: Vec<Action>,
        mut may_be_live: impl FnMut(&str, &str) -> bool,
    ) -> Vec<Statement> {
        let assigned = self.row_ids != RowIds::AsGiven;
        let mut rows = VersionRows::new(if assigned { ADD_COLUMNS + 1 } else { ADD_COLUMNS });
        let mut statements = Vec::new();
        for action in actions {
            match action {
                Action::Add(add) => {
                    let dv_id = add.dv_id();
                    if may_be_live(&add.path, &dv_id) {
                        rows.close(&add.path, &dv_id);
                    }
                    let row_count = if assigned { add.num_records().unwrap_or(0) } else { 0 };
                    rows.adds.push(add_row(self.adds, add, dv_id));
                    if assigned {
                        rows.adds.push_value(self.rows);
                        self.rows = self.rows.saturating_add(row_count);
                    }
                    self.adds += 1;
                }
                Action::Remove(remove) => {
                    let dv_id = remove.dv_id();
                    rows.close(&remove.path, &dv_id);
                    rows.removes.push(remove_row(self.removes, &remove, dv_id));
                    self.removes += 1;
                }
                Action::Metadata(metadata) => {
                    statements.extend(self.rules(INSERT_METADATA, json(&metadata)));
                }
                Action::Protocol(protocol) => {
                    statements.extend(self.rules(INSERT_PROTOCOL, json(&protocol)));
                }
                Action::Txn(txn) => {
                    let text = json(&txn);
                    rows.txns.push([txn.app_id.into(), txn.version.into(), text.into()]);
                }
                Action::DomainMetadata(domain) if assigned && domain.domain == ROW_TRACKING_DOMAIN => {}
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

    /// A change of metadata or protocol.
    fn rules(&self, insert: &'static str, action: String) -> [Statement; 2] {
        [
            Statement::new(insert, vec![self.table_id.into(), action.into()]),
            Statement::new(SET_RULES_VERSION, [self.table_id.into()]),
        ]
    }

    fn rows(&self, rows: VersionRows, statements: &mut Vec<Statement>) {
        if self.is_import {
            statements.extend(self.with_rows(SUBTRACT, rows.closed.clone()));
            statements.extend(self.with_rows(CLOSE, rows.closed));
        } else {
            let close = if rows.closed.len() == 1 { CLOSE_ONE } else { CLOSE };
            let close = self.with_rows(close, rows.closed.clone());
            let subtract = self.with_rows(SUBTRACT_CLOSED, rows.closed);
            statements.extend(close.into_iter().zip(subtract).flat_map(|(close, subtract)| [close, subtract]));
        }
        let (insert_adds, insert_removes) = match self.row_ids {
            RowIds::AsGiven => (INSERT_ADDS, INSERT_REMOVES),
            RowIds::Assigned { .. } => (INSERT_ADDS_WITH_ROW_IDS, INSERT_REMOVES_WITH_ROW_IDS),
        };
        statements.extend(self.with_rows(insert_adds, rows.adds));
        statements.extend(self.with_rows(insert_removes, rows.removes));
        statements.extend(self.with_rows(INSERT_TXNS, rows.txns));
        statements.extend(self.with_rows(INSERT_DOMAIN_METADATA, rows.domains));
        statements.extend(self.with_rows(INSERT_CDC, rows.cdc));
        statements.extend(self.with_rows(INSERT_UNKNOWN, rows.unknown));
    }

    /// Writes the file actions of a large commit, which are in the catalog already.
    pub(super) fn staged(&mut self, staged: &Staged) -> Vec<Statement> {
        let query = |sql| RowSource::Stored { sql, key: staged.key };
        let (insert_adds, adds, insert_removes) = match self.row_ids {
            RowIds::AsGiven => (INSERT_ADDS, large::ADDS, INSERT_REMOVES),
            RowIds::Assigned { .. } => (INSERT_ADDS_WITH_ROW_IDS, large::ADDS_WITH_ROWS, INSERT_REMOVES_WITH_ROW_IDS),
        };
        self.rows = staged.row_count;
        let mut statements = Vec::new();
        for (template, sql) in [
            (CLOSE, large::CLOSED),
            (SUBTRACT_CLOSED, large::CLOSED),
            (insert_adds, adds),
            (insert_removes, large::REMOVES),
            (INSERT_CDC, large::CDC),
        ] {
            statements.extend(self.with_rows(template, query(sql)));
        }
        statements
    }

    fn with_rows(&self, template: &'static str, rows: impl Into<RowSource>) -> Vec<Statement> {
        with_rows(&self.limits, template, &[self.table_id.into()], rows)
    }

    /// Closes an import's version.
    pub(crate) fn end(&self) -> Statement {
        Statement::new(END, vec![self.table_id.into(), self.adds.into(), self.removes.into()])
    }

    /// Before ids are given by a table that gave none, or did not promise to: those of its files are not given again.
    pub(super) fn raise_high_water_mark(&self) -> Statement {
        Statement::new(RAISE_HIGH_WATER_MARK, [self.table_id.into()])
    }

    /// Notes the row ids that were given to the version's files.
    pub(super) fn high_water_mark(&self) -> Vec<Statement> {
        match self.row_ids {
            RowIds::Assigned { reserved_up_to } if self.rows > 0 || reserved_up_to.is_some() => {
                let params: Vec<Value> = vec![self.table_id.into(), self.rows.into(), reserved_up_to.into()];
                vec![
                    Statement::new(GUARD_ROW_IDS_IN_RANGE, params[..2].to_vec()),
                    Statement::new(SET_HIGH_WATER_MARK, params),
                ]
            }
            _ => Vec::new(),
        }
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

impl VersionRows {
    fn new(add_columns: usize) -> Self {
        VersionRows {
            closed: Rows::new(2),
            closed_keys: HashSet::new(),
            adds: Rows::new(add_columns),
            removes: Rows::new(REMOVE_COLUMNS),
            txns: Rows::new(3),
            domains: Rows::new(3),
            cdc: Rows::new(2),
            unknown: Rows::new(3),
        }
    }
}

pub(super) const ADD_COLUMNS: usize = 15;
pub(super) const REMOVE_COLUMNS: usize = 5;

pub(super) fn add_row(ordinal: i64, add: Add, dv_id: String) -> [Value; ADD_COLUMNS] {
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

pub(super) fn remove_row(ordinal: i64, remove: &Remove, dv_id: String) -> [Value; REMOVE_COLUMNS] {
    [ordinal.into(), remove.path.as_str().into(), dv_id.into(), remove.deletion_timestamp.into(), json(remove).into()]
}

/// Actions hold strings, numbers and JSON text only, which always serialize.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
