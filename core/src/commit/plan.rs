//! A commit to one table or to several as one batch.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::action::{Action, Metadata, Protocol};
use crate::catalog::quoted;
use crate::log::MAX_VERSION;
use crate::snapshot::Snapshot;
use crate::sql::{Batch, Limits, RowSource, Statement, Value};
use crate::table_features::{ROW_TRACKING_DOMAIN, assigns_row_ids, in_commit_timestamps_enabled, row_tracking_enabled};
use crate::time::LATEST_TIME_MS;
use crate::{Error, ErrorKind, Result};

use super::added_files::{UnusualFiles, added_guards};
use super::backlog::Backlog;
use super::check::{Past, check, check_rest, operation_of, refuses_vectors};
use super::digest::Digest;
use super::guards::{GUARD_COMMIT_ID, GUARD_ROW_IDS, GUARD_ROW_IDS_DIFFER, file_guards, guards};
use super::info::commit_info;
use super::intent::{Intent, past_of, rows};
use super::large::{Staged, statements as large};
use super::physical_names;
use super::request::CommitRequest;
use super::restored;
use super::totals::Totals;
use super::write::{RowIds, VersionStart, VersionWriter};

/// The version, and how much of the table is in no segment yet, with what the commit added to that. ?1 table.
const COMMITTED: &str = "
SELECT v.version, v.timestamp_ms, v.file_count, v.end_file_id - coalesce(s.end_file_id, ?1 << 40), v.added_files,
  v.end_remove_id - coalesce(s.as_of_end_remove_id, v.end_remove_id), v.removed_files
FROM dl_table_versions v LEFT JOIN dl_segment_state s ON s.table_id = ?1
WHERE v.version_id >= ?1 << 40 AND v.version_id < (?1 + 1) << 40 ORDER BY v.version_id DESC LIMIT 1";

/// One table's part of a commit: the request and what is known of the table.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub request: &'a CommitRequest,
    /// The latest state that is known. Others may have committed since.
    pub state: &'a mut Snapshot,
    /// Versions up to this one were looked at in an earlier try.
    pub examined_version: Option<i64>,
    /// Row tracking was switched on after the commit was prepared.
    pub loses_row_ids: bool,
    /// An added path is one that the table has or had, as an earlier try has found.
    pub adds_again: bool,
    /// File actions that are in the catalog already.
    pub staged: Option<Staged>,
    /// Those that no commit may bring in.
    pub unusual_staged: UnusualFiles,
    /// Of the tables of the transaction that it is part of.
    pub transaction: Option<Digest>,
    /// What is to be brought into segments after it.
    pub backlog: Backlog,
}

impl<'a> Part<'a> {
    pub(super) fn new(state: &'a mut Snapshot, request: &'a CommitRequest) -> Self {
        Part {
            request,
            state,
            examined_version: None,
            loses_row_ids: false,
            adds_again: false,
            staged: None,
            unusual_staged: UnusualFiles::default(),
            transaction: None,
            backlog: Backlog::default(),
        }
    }

    pub(super) fn large(
        state: &'a mut Snapshot,
        request: &'a CommitRequest,
        staged: Staged,
        unusual_staged: UnusualFiles,
    ) -> Self {
        Part { staged: Some(staged), unusual_staged, ..Part::new(state, request) }
    }

    /// `tables`: all those of the transaction.
    pub(super) fn in_transaction(state: &'a mut Snapshot, request: &'a CommitRequest, tables: Digest) -> Self {
        Part { transaction: Some(tables), ..Part::new(state, request) }
    }

    pub(super) fn intent(&self) -> Result<Intent> {
        Intent::of(self.state, self.request, self.staged.as_ref(), self.examined_version)
    }

    pub(super) fn digest(&self) -> Digest {
        let digest = self.staged.as_ref().map_or_else(|| Digest::of(self.request), |staged| staged.digest);
        digest.and(self.transaction.unwrap_or_default())
    }

    fn totals(&self) -> Totals {
        self.staged.as_ref().map_or_else(|| Totals::of(&self.request.actions), |staged| staged.totals)
    }

    /// By the commit's own rules, which do not depend on others' commits.
    fn check(&self) -> Result<()> {
        self.request.check()?;
        let actions = &self.request.actions;
        let operation = self.request.operation.as_deref();
        match &self.staged {
            Some(staged) if staged.count() > 0 => {
                check_rest(self.state, actions, operation, past_of(self.state, actions, Some(staged)))
            }
            _ => check(self.state, actions, operation),
        }
    }

    /// Path and vector of the files that the commit removes.
    pub(super) fn removed(&self) -> RowSource {
        if let Some(staged) = &self.staged {
            return RowSource::Stored { sql: large::REMOVED, key: staged.key };
        }
        let removed = self.request.actions.iter().filter_map(|action| match action {
            Action::Remove(remove) => Some([remove.path.as_str().into(), remove.dv_id().into()]),
            _ => None,
        });
        rows(removed).into()
    }

    /// Path and vector of the added files whose path the commit does not remove.
    pub(super) fn added_paths(&self) -> RowSource {
        if let Some(staged) = &self.staged {
            return RowSource::Stored { sql: large::ADDED_PATHS, key: staged.key };
        }
        let actions = &self.request.actions;
        let removed: HashSet<&str> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Remove(remove) => Some(remove.path.as_str()),
                _ => None,
            })
            .collect();
        let added = actions.iter().filter_map(|action| match action {
            Action::Add(add) if !removed.contains(add.path.as_str()) => {
                Some([add.path.as_str().into(), add.dv_id().into()])
            }
            _ => None,
        });
        rows(added).into()
    }

    /// Added files that no commit may bring in.
    pub(super) fn unusual_files(&self) -> Cow<'_, UnusualFiles> {
        match self.staged {
            Some(_) => Cow::Borrowed(&self.unusual_staged),
            None => {
                let location = &self.state.table.location;
                Cow::Owned(UnusualFiles::of(&self.request.actions, location, &self.operation()))
            }
        }
    }

    /// Whether it adds files, presumably of paths that the table never had, and does nothing else to files. Who commits
    /// new statistics or tags of a file says that no data changes.
    pub(super) fn brings_new_files(&self, intent: &Intent) -> bool {
        let is_new = |action: &Action| !matches!(action, Action::Add(add) if !add.data_change);
        !self.adds_again && self.staged.is_none() && intent.is_blind_append && self.request.actions.iter().all(is_new)
    }

    fn operation(&self) -> String {
        operation_of(&self.request.actions, self.request.operation.as_deref())
    }

    /// The actions to write: what only the catalog knows is not taken from the writer.
    fn actions(&self) -> Vec<Action> {
        let mut actions = self.request.actions.clone();
        let current = &self.state.metadata;
        if in_commit_timestamps_enabled(current, &self.state.protocol) {
            for action in &mut actions {
                if let Action::Metadata(metadata) = action {
                    keep_enablement(current, metadata);
                }
            }
        } else if self.enables_in_commit_timestamps()
            && !actions.iter().any(|action| matches!(action, Action::Metadata(_)))
        {
            // By the protocol alone: the metadata says since when.
            actions.push(Action::Metadata(current.clone()));
        }
        actions
    }

    fn enables_in_commit_timestamps(&self) -> bool {
        let (metadata, protocol) = self.leaves();
        in_commit_timestamps_enabled(metadata, protocol)
            && !in_commit_timestamps_enabled(&self.state.metadata, &self.state.protocol)
    }

    /// Whether the commit switches row tracking on.
    pub(super) fn enables_row_tracking(&self) -> bool {
        let (metadata, protocol) = self.leaves();
        row_tracking_enabled(metadata, protocol) && !row_tracking_enabled(&self.state.metadata, &self.state.protocol)
    }

    /// Metadata and protocol after the commit.
    pub(super) fn leaves(&self) -> (&Metadata, &Protocol) {
        let (mut metadata, mut protocol) = (&self.state.metadata, &self.state.protocol);
        for action in &self.request.actions {
            match action {
                Action::Metadata(new) => metadata = new,
                Action::Protocol(new) => protocol = new,
                _ => {}
            }
        }
        (metadata, protocol)
    }
}

/// A commit, ready to run.
#[derive(Clone, Debug)]
pub(super) struct CommitPlan {
    pub batch: Batch,
    /// For each part, which of the batch's result sets has its version and time.
    pub answers: Vec<usize>,
}

/// The batch of a commit to one table whose latest known state is `state`: what [`Writer::commit`](super::Writer::commit)
/// runs first.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) or [`Unsupported`](crate::ErrorKind::Unsupported), with the reason, for a
/// commit that the table's rules forbid.
///
/// ```
/// use deltalakedb_core::commit::{CommitRequest, plan_commit};
/// use deltalakedb_core::snapshot::Snapshot;
/// use deltalakedb_core::sql::Limits;
/// fn texts(state: &Snapshot, request: &CommitRequest, now_ms: i64) -> deltalakedb_core::Result<Vec<String>> {
///     let batch = plan_commit(state, request, now_ms, &Limits::D1)?;
///     Ok(batch.statements.iter().map(|statement| statement.sql.trim().to_owned()).collect())
/// }
/// ```
pub fn plan_commit(state: &Snapshot, request: &CommitRequest, now_ms: i64, limits: &Limits) -> Result<Batch> {
    let mut state = state.clone();
    Ok(plan(&[Part::new(&mut state, request)], now_ms, limits)?.batch)
}

/// The batch of a commit to all tables of `parts`.
///
/// # Errors
/// As [`plan_commit`]; they name the table.
pub(super) fn plan(parts: &[Part<'_>], now_ms: i64, limits: &Limits) -> Result<CommitPlan> {
    let id = parts.iter().find(|part| part.transaction.is_some()).map(|part| part.request.commit_id.as_str().into());
    let mut statements: Vec<Statement> =
        id.map(|id: Value| Statement::new(GUARD_COMMIT_ID, [id])).into_iter().collect();
    let mut answers = Vec::new();
    for part in parts {
        let planned = plan_part(part, now_ms, limits);
        let name = &part.state.table.name;
        statements.extend(
            planned.map_err(|error| error.context(format!("committing to table {}", quoted(name))).table(name))?,
        );
        answers.push(statements.len() - 1);
    }
    Ok(CommitPlan { batch: Batch::write(statements), answers })
}

fn plan_part(part: &Part<'_>, now_ms: i64, limits: &Limits) -> Result<Vec<Statement>> {
    let Part { request, state, .. } = part;
    let key = state.table.key;
    part.check()?;
    check_clock(now_ms)?;
    if state.version >= MAX_VERSION {
        return Err(Error::invalid(format!("the table is at version {}, the last that a log can name", state.version)));
    }
    let intent = part.intent()?;
    let commit_info = commit_info(part, &intent, now_ms)?;
    let (metadata, protocol) = part.leaves();
    let row_ids = match assigns_row_ids(metadata, protocol) {
        true => RowIds::Assigned { reserved_up_to: reserved_row_ids(&request.actions) },
        false => RowIds::AsGiven,
    };

    let mut writer = VersionWriter::of_commit(key, *limits, row_ids);
    let mut statements = vec![writer.take_version(VersionStart {
        table_uuid: &state.table.table_id,
        timestamp_ms: now_ms,
        commit_id: &request.commit_id,
        commit_digest: part.digest().to_string(),
        commit_info: commit_info.json().text().to_owned(),
        in_commit_timestamp: in_commit_timestamps_enabled(metadata, protocol),
        totals: part.totals(),
        examined_version: intent.examined_version,
    })?];
    statements.extend(guards(state, &intent, now_ms, limits));
    if intent.had_schema {
        statements.push(restored::schema_guard(part));
    }
    statements.extend(physical_names::guard(key, &intent, limits));
    if let Some(staged) = &part.staged {
        check_row_counts(staged, row_ids)?;
        let replaces = intent.has_metadata && past_of(state, &request.actions, Some(staged)) == Past::Replaced;
        statements.extend(staged.guards(replaces, refuses_vectors(state, &request.actions)));
    }
    statements.extend(file_guards(part, &intent, limits));
    statements.extend(added_guards(part, limits));
    let gets_ids = row_ids != RowIds::AsGiven && !assigns_row_ids(&state.metadata, &state.protocol);
    if gets_ids || part.enables_row_tracking() {
        statements.push(writer.raise_high_water_mark());
    }
    let may_be_live = !part.brings_new_files(&intent);
    statements.extend(writer.actions(part.actions(), |_, _| may_be_live));
    if let Some(staged) = &part.staged {
        statements.extend(writer.staged(staged));
        statements.push(staged.end());
    }
    if intent.had_schema {
        statements.push(restored::files_guard(part));
    }
    statements.extend(writer.high_water_mark());
    if part.enables_in_commit_timestamps() {
        statements.push(writer.in_commit_timestamps_enabled());
    }
    if part.enables_row_tracking() {
        statements.extend([GUARD_ROW_IDS, GUARD_ROW_IDS_DIFFER].map(|guard| Statement::new(guard, [key.into()])));
    }
    statements.push(Statement::new(COMMITTED, [key.into()]));
    Ok(statements)
}

/// What a commit says of its time others must be able to read.
fn check_clock(now_ms: i64) -> Result<()> {
    if (-LATEST_TIME_MS..=LATEST_TIME_MS).contains(&now_ms) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unavailable, format!("the clock shows {now_ms} ms since 1970, which is no time"))
        .hint("set the clock of this machine"))
}

/// Row tracking may have come after the files were written.
fn check_row_counts(staged: &Staged, row_ids: RowIds) -> Result<()> {
    if staged.all_rows_known || row_ids == RowIds::AsGiven {
        return Ok(());
    }
    Err(Error::invalid("a file has no `numRecords`: the table's rows are tracked, and it gets their ids")
        .hint("write the number of rows into the statistics of each added file"))
}

/// Since when a table has in-commit timestamps does not change while it has them.
fn keep_enablement(current: &Metadata, new: &mut Metadata) {
    for property in ["delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp"] {
        match current.configuration.0.get(property) {
            Some(value) => drop(new.configuration.0.insert(property.to_owned(), value.clone())),
            None => drop(new.configuration.0.remove(property)),
        }
    }
}

/// The highest row id that the writer says to have used or reserved.
fn reserved_row_ids(actions: &[Action]) -> Option<i64> {
    actions.iter().find_map(|action| match action {
        Action::DomainMetadata(domain) if domain.domain == ROW_TRACKING_DOMAIN && !domain.removed => {
            let fields: serde_json::Value = serde_json::from_str(&domain.configuration).ok()?;
            fields.get("rowIdHighWaterMark")?.as_i64()
        }
        _ => None,
    })
}
