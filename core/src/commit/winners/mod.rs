//! What was committed after the version that a commit read, and whether it conflicts: Delta-Spark's rules.
//!
//! The earliest version that conflicts wins; within one version protocol comes before metadata, domains, applications,
//! added files, files that were read and files that are removed, in that order.

mod statements;

use crate::Result;
use crate::action::{CommitInfo, Metadata, Protocol};
use crate::predicate::{FileView, PartitionValues, Predicate};
use crate::snapshot::{Snapshot, parse_stored};
use crate::sql::{Batch, Database, ResultSet, Row, RowSource, Statement, Value, with_rows};

use super::conflict::{Conflict, ConflictKind, Subject};
use super::intent::Intent;
use super::metadata_rules::{drops_features, enables_row_tracking, may_follow_metadata};
use statements::{
    ADDED, ADDED_AGAIN, CHANGES, DOMAINS, METADATA_BEFORE, NAMED_FILES, PROTOCOL_BEFORE, READ_FILES, REMOVED, TXNS,
    WINNER,
};

/// Files of one page, when a condition has to be asked of each.
const PAGE: usize = 4096;

/// What became of a commit's claim on what it read.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub conflict: Option<Conflict>,
    /// Row tracking was switched on meanwhile: the commit's files keep no rows' ids.
    pub loses_row_ids: bool,
}

/// A conflict that was found: the version that won, and the rank of the rule among those of one version.
struct Found {
    version: i64,
    rank: u8,
    kind: ConflictKind,
    subject: Option<Subject>,
    predicate: Option<String>,
}

/// Compares what a commit, planned at `now_ms`, read with the versions after `intent.examined_version`, up to that of
/// `state`.
///
/// # Errors
/// Those of the database; [`Corrupt`](crate::ErrorKind::Corrupt) when a row cannot be read.
pub(super) async fn examine(
    database: &impl Database,
    state: &Snapshot,
    intent: &Intent,
    removed: RowSource,
    added: RowSource,
    now_ms: i64,
) -> Result<Examined> {
    let winners = Winners { database, state, intent, now_ms };
    winners.examine(removed, added).await
}

struct Winners<'a, D> {
    database: &'a D,
    state: &'a Snapshot,
    intent: &'a Intent,
    now_ms: i64,
}

impl<D: Database> Winners<'_, D> {
    async fn examine(&self, removed: RowSource, added: RowSource) -> Result<Examined> {
        let limits = self.database.limits();
        let before: Vec<Value> = vec![self.state.table.key.into(), self.intent.examined_version.into()];
        let mut statements = vec![
            Statement::new(METADATA_BEFORE, before.clone()),
            Statement::new(PROTOCOL_BEFORE, before),
            Statement::new(CHANGES, self.params()),
        ];
        let changes = statements.len();
        statements.extend(with_rows(&limits, DOMAINS, &self.params(), self.intent.domains()));
        let domains = statements.len();
        let mut expiring = self.params();
        expiring.push(self.state.transactions_expired_until_ms(self.now_ms).into());
        statements.extend(with_rows(&limits, TXNS, &expiring, self.intent.txns()));
        let txns = statements.len();
        let mut read = self.params();
        read.push(self.intent.known_version().into());
        statements.extend(with_rows(&limits, READ_FILES, &read, self.intent.read_files()));
        statements.extend(with_rows(&limits, NAMED_FILES, &self.params(), added.clone()));
        let read_files = statements.len();
        statements.extend(with_rows(&limits, NAMED_FILES, &self.params(), removed));
        let removed_files = statements.len();
        if self.intent.rewrites_row_ids {
            statements.extend(with_rows(&limits, ADDED_AGAIN, &self.params(), added));
        }
        let mut results = self.database.batch(Batch::read(statements)).await?;

        let mut found = Vec::new();
        found.extend(files(results.split_off(removed_files), 4, ConflictKind::ConcurrentAppend)?);
        found.extend(files(results.split_off(read_files), 6, ConflictKind::ConcurrentDeleteDelete)?);
        found.extend(files(results.split_off(txns), 5, ConflictKind::ConcurrentDeleteRead)?);
        found.extend(applications(results.split_off(domains))?);
        found.extend(changed_domains(results.split_off(changes))?);
        let (change, loses_row_ids) = self.changes(results)?;
        found.extend(change);
        // Done is done, whatever else happened.
        let is_done = |found: &Found| matches!(found.subject, Some(Subject::Application { is_done: true, .. }));
        if !found.iter().any(is_done) {
            found.extend(self.added().await?);
            found.extend(self.removed().await?);
        }
        let first = found.into_iter().min_by_key(|found| (!is_done(found), found.version, found.rank));
        let conflict = match first {
            Some(found) => Some(found.conflict(self.database, self.state, self.intent.known_version()).await?),
            None => None,
        };
        Ok(Examined { conflict, loses_row_ids })
    }

    fn params(&self) -> Vec<Value> {
        vec![self.state.table.key.into(), self.intent.examined_version.into(), self.state.version.into()]
    }

    /// The first change of metadata or protocol that the commit may not follow; and whether row tracking was switched on.
    fn changes(&self, results: Vec<ResultSet>) -> Result<(Option<Found>, bool)> {
        let name = &self.state.table.name;
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default().rows;
        let (metadata, protocol, changes) = (next().pop(), next().pop(), next());
        let (Some(mut metadata), Some(mut protocol)) = (metadata, protocol) else { return Ok((None, false)) };
        let mut metadata: Metadata = parse_stored("metaData", name, metadata.text(0)?)?;
        let read_protocol: Protocol = parse_stored("protocol", name, protocol.text(0)?)?;
        let mut protocol = read_protocol.clone();
        let mut loses_row_ids = false;
        for mut row in changes {
            let version = row.integer(0)?;
            let commit_info: Option<CommitInfo> =
                row.optional_text(1)?.map(|text| parse_stored("commitInfo", name, text)).transpose()?;
            if let Some(text) = row.optional_text(2)? {
                protocol = parse_stored("protocol", name, text)?;
                if self.intent.has_protocol || drops_features(&read_protocol, &protocol) {
                    return Ok((Some(Found::of(version, 0, ConflictKind::ProtocolChanged, None)), false));
                }
            }
            if let Some(text) = row.optional_text(3)? {
                let after: Metadata = parse_stored("metaData", name, text)?;
                let may_follow = !self.intent.has_metadata
                    && may_follow_metadata(&metadata, &after, commit_info.as_ref(), &protocol);
                if !may_follow {
                    return Ok((Some(Found::of(version, 1, ConflictKind::MetadataChanged, None)), false));
                }
                loses_row_ids |= enables_row_tracking(&metadata, &after);
                metadata = after;
            }
        }
        Ok((None, loses_row_ids))
    }

    /// The first file that was added and should have been read.
    async fn added(&self) -> Result<Option<Found>> {
        if !self.intent.minds_appends() {
            return Ok(None);
        }
        self.first_match(ADDED, self.intent.minds_blind_appends().into(), 4, ConflictKind::ConcurrentAppend).await
    }

    /// The first file that was removed and was read, among those that the commit does not name.
    async fn removed(&self) -> Result<Option<Found>> {
        if !self.intent.reads_any_file() {
            return Ok(None);
        }
        // Of the whole table the files count, too, that came and went meanwhile.
        let there_at = (!self.intent.whole_table).then_some(self.intent.read_version);
        self.first_match(REMOVED, there_at.into(), 5, ConflictKind::ConcurrentDeleteRead).await
    }

    async fn first_match(
        &self,
        query: &'static str,
        param: Value,
        rank: u8,
        kind: ConflictKind,
    ) -> Result<Option<Found>> {
        let limit = if self.intent.whole_table { 1 } else { PAGE };
        let mut after = i64::MIN;
        loop {
            let mut params = self.params();
            params.extend([param.clone(), after.into(), (limit as i64).into()]);
            let rows = self.state.table.read_rows(self.database, Statement::new(query, params)).await?;
            let (count, last) = (rows.len(), rows.last().map(|row| row.integer(0)).transpose()?);
            for mut row in rows {
                let (version, path) = (row.integer(1)?, row.text(2)?);
                if let Some(predicate) = self.reads(&mut row)? {
                    return Ok(Some(Found { predicate, ..Found::of(version, rank, kind, Some(Subject::File(path))) }));
                }
            }
            match last {
                Some(last) if count == limit => after = last,
                _ => return Ok(None),
            }
        }
    }

    /// Whether the commit read, or should have read, the file in a row; and by which condition.
    fn reads(&self, row: &mut Row) -> Result<Option<Option<String>>> {
        if self.intent.whole_table {
            return Ok(Some(None));
        }
        let (partition_values, stats) = (row.text(3)?, row.optional_text(4)?);
        let file = FileView { partition_values: PartitionValues::Json(&partition_values), stats: stats.as_deref() };
        let matches = |(_, predicate): &&(String, Predicate)| predicate.may_match(&file);
        Ok(self.intent.predicates.iter().find(matches).map(|(text, _)| Some(text.clone())))
    }
}

/// The conflict with the version that removed a file which a commit removes.
pub(super) async fn double_delete(
    database: &impl Database,
    state: &Snapshot,
    version: i64,
    path: String,
) -> Result<Conflict> {
    let found = Found::of(version, 6, ConflictKind::ConcurrentDeleteDelete, Some(Subject::File(path)));
    found.conflict(database, state, version).await
}

impl Found {
    /// With a commit that read the table at `read_version`.
    async fn conflict(self, database: &impl Database, state: &Snapshot, read_version: i64) -> Result<Conflict> {
        let table = &state.table;
        let path = match &self.subject {
            Some(Subject::File(path)) => Some(path.as_str()),
            _ => None,
        };
        let params: Vec<Value> = vec![table.key.into(), self.version.into(), path.into(), read_version.into()];
        let mut row = table.read_rows(database, Statement::new(WINNER, params)).await?.pop();
        let commit_info = row.as_mut().map(|row| row.optional_text(0)).transpose()?.flatten();
        let was_there = row.map(|row| row.integer(1)).transpose()?.is_some_and(|was_there| was_there != 0);
        Ok(Conflict {
            table: table.name.clone(),
            kind: self.kind,
            winner: self.version,
            winner_operation: commit_info.and_then(|text| serde_json::from_str::<CommitInfo>(&text).ok()?.operation()),
            subject: self.subject,
            predicate: self.predicate,
            was_there,
            is_done_here: false,
        })
    }

    fn of(version: i64, rank: u8, kind: ConflictKind, subject: Option<Subject>) -> Self {
        Found { version, rank, kind, subject, predicate: None }
    }
}

fn files(results: Vec<ResultSet>, rank: u8, kind: ConflictKind) -> Result<Vec<Found>> {
    let rows = results.into_iter().flat_map(|result| result.rows);
    rows.map(|mut row| Ok(Found::of(row.integer(0)?, rank, kind, Some(Subject::File(row.text(1)?))))).collect()
}

fn changed_domains(results: Vec<ResultSet>) -> Result<Vec<Found>> {
    let rows = results.into_iter().flat_map(|result| result.rows);
    rows.map(|mut row| {
        let subject = Subject::Domain(row.text(1)?);
        Ok(Found::of(row.integer(0)?, 2, ConflictKind::ConcurrentTransaction, Some(subject)))
    })
    .collect()
}

fn applications(results: Vec<ResultSet>) -> Result<Vec<Found>> {
    let rows = results.into_iter().flat_map(|result| result.rows);
    rows.map(|mut row| {
        let subject =
            Subject::Application { app_id: row.text(1)?, txn_version: row.integer(2)?, is_done: row.integer(3)? != 0 };
        Ok(Found::of(row.integer(0)?, 3, ConflictKind::ConcurrentTransaction, Some(subject)))
    })
    .collect()
}
