//! What was committed after the version that a commit read, and whether it conflicts: Delta-Spark's rules.
//!
//! The earliest version that conflicts wins; within one version protocol comes before metadata, domains, applications,
//! added files, files that were read and files that are removed, in that order.

use crate::Result;
use crate::action::{CommitInfo, Metadata, Protocol};
use crate::predicate::{FileView, PartitionValues, Predicate};
use crate::snapshot::{Snapshot, parse_stored};
use crate::sql::{Batch, Database, ResultSet, Row, RowSource, Statement, Value, with_rows};

use super::conflict::{Conflict, ConflictKind, Subject};
use super::intent::Intent;
use super::metadata_rules::{drops_features, enables_row_tracking, may_follow_metadata};

/// Files of one page, when a condition has to be asked of each.
const PAGE: usize = 4096;

/// ?1 table, ?2 the last version that was looked at; in the other queries also ?3, the last one to look at.
const METADATA_BEFORE: &str = "
SELECT metadata FROM dl_metadata_updates WHERE table_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT 1";
const PROTOCOL_BEFORE: &str = "
SELECT protocol FROM dl_protocol_updates WHERE table_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT 1";
const CHANGES: &str = "
SELECT v.version, v.commit_info, p.protocol, m.metadata FROM (
  SELECT version FROM dl_metadata_updates WHERE table_id = ?1 AND version > ?2 AND version <= ?3
  UNION SELECT version FROM dl_protocol_updates WHERE table_id = ?1 AND version > ?2 AND version <= ?3
) c CROSS JOIN dl_table_versions v ON v.table_id = ?1 AND v.version = c.version
LEFT JOIN dl_protocol_updates p ON p.table_id = ?1 AND p.version = c.version
LEFT JOIN dl_metadata_updates m ON m.table_id = ?1 AND m.version = c.version
ORDER BY c.version";

const DOMAINS: &str = "
WITH rows (domain) AS ({rows})
SELECT min(d.version), r.domain FROM rows r
CROSS JOIN dl_domain_metadata d ON d.table_id = ?1 AND d.domain = r.domain AND d.version > ?2 AND d.version <= ?3
GROUP BY r.domain";

/// The first `txn` of each application after ?2; and the one by which its version, or a later one, was there before.
const TXNS: &str = "
WITH rows (app_id, txn_version) AS ({rows}), found AS (
  SELECT r.app_id, r.txn_version,
    (SELECT min(a.version) FROM dl_txn_actions a
     WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.version > ?2 AND a.version <= ?3) AS next_version,
    CASE WHEN r.txn_version <= (SELECT a.txn_version FROM dl_txn_actions a
        WHERE a.table_id = ?1 AND a.app_id = r.app_id ORDER BY a.version DESC LIMIT 1)
      THEN (SELECT min(a.version) FROM dl_txn_actions a
        WHERE a.table_id = ?1 AND a.app_id = r.app_id AND a.txn_version >= r.txn_version) END AS done_version
  FROM rows r
)
SELECT coalesce(f.done_version, f.next_version), f.app_id, a.txn_version, f.done_version IS NOT NULL
FROM found f CROSS JOIN dl_txn_actions a
  ON a.table_id = ?1 AND a.app_id = f.app_id AND a.version = coalesce(f.done_version, f.next_version)";

/// The first of the rows' files that is there no more. An `add` that replaces a file's entry removes nothing.
macro_rules! gone {
    ($columns:literal) => {
        concat!(
            "WITH rows (",
            $columns,
            ") AS ({rows})
             SELECT f.removed_version, f.path FROM rows r CROSS JOIN dl_add_files f
               ON f.table_id = ?1 AND f.path = r.path AND f.removed_version > ?2 AND f.removed_version <= ?3
             WHERE NOT EXISTS (SELECT 1 FROM dl_add_files g WHERE g.table_id = ?1 AND g.path = f.path
               AND g.dv_id = f.dv_id AND g.version = f.removed_version)
             ORDER BY f.removed_version LIMIT 1"
        )
    };
}

/// Of the files that were read.
const READ_FILES: &str = gone!("path");

/// Of the files that the commit removes or adds again.
const NAMED_FILES: &str = gone!("path, dv_id");

/// Files that were added; ?4 whether by appends that read nothing, too; ?5 after this id; ?6 so many.
const ADDED: &str = "
SELECT f.file_id, f.version, f.path, f.partition_values, f.stats FROM dl_table_versions v
CROSS JOIN dl_add_files f ON f.file_id >= v.first_file_id AND f.file_id < v.end_file_id
WHERE v.table_id = ?1 AND v.version > ?2 AND v.version <= ?3 AND v.added_files > 0 AND v.end_file_id > ?5
  AND f.file_id > ?5
  AND (?4 OR CASE WHEN json_valid(v.commit_info) THEN json_extract(v.commit_info, '$.isBlindAppend') END IS NOT 1)
  AND (f.data_change OR CASE WHEN json_valid(v.commit_info) THEN json_extract(v.commit_info, '$.operation') END
    NOT IN ('ROW TRACKING BACKFILL', 'ROW TRACKING UNBACKFILL') IS NOT 0)
ORDER BY v.version, f.file_id LIMIT ?6";

/// Files that were removed, as they were when the commit read: ?4 the version that it read, or NULL for files of any time;
/// ?5 after this id; ?6 so many. A file is known by its path: it may have been added again before it was removed.
const REMOVED: &str = "
SELECT r.remove_id, r.version, r.path, f.partition_values, f.stats FROM dl_table_versions v
CROSS JOIN dl_remove_files r ON r.remove_id >= v.first_remove_id AND r.remove_id < v.end_remove_id
CROSS JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path
  AND (?4 IS NULL OR f.version <= ?4 AND coalesce(f.removed_version > ?4, 1))
WHERE v.table_id = ?1 AND v.version > ?2 AND v.version <= ?3 AND v.removed_files > 0 AND v.end_remove_id > ?5
  AND r.remove_id > ?5
ORDER BY v.version, r.remove_id LIMIT ?6";

const OPERATION: &str = "SELECT commit_info FROM dl_table_versions WHERE table_id = ?1 AND version = ?2";

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

/// Compares what a commit read with the versions after `intent.examined_version`, up to that of `state`.
///
/// # Errors
/// Those of the database; [`Corrupt`](crate::ErrorKind::Corrupt) when a row cannot be read.
pub(super) async fn examine(
    database: &impl Database,
    state: &Snapshot,
    intent: &Intent,
    removed: RowSource,
    added: RowSource,
) -> Result<Examined> {
    let winners = Winners { database, state, intent };
    winners.examine(removed, added).await
}

struct Winners<'a, D> {
    database: &'a D,
    state: &'a Snapshot,
    intent: &'a Intent,
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
        statements.extend(with_rows(&limits, TXNS, &self.params(), self.intent.txns()));
        let txns = statements.len();
        statements.extend(with_rows(&limits, READ_FILES, &self.params(), self.intent.read_files()));
        statements.extend(with_rows(&limits, NAMED_FILES, &self.params(), added));
        let read_files = statements.len();
        statements.extend(with_rows(&limits, NAMED_FILES, &self.params(), removed));
        let mut results = self.database.batch(Batch::read(statements)).await?;

        let mut found = Vec::new();
        found.extend(removed_files(results.split_off(read_files), 6, ConflictKind::ConcurrentDeleteDelete)?);
        found.extend(removed_files(results.split_off(txns), 5, ConflictKind::ConcurrentDeleteRead)?);
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
            Some(found) => Some(found.conflict(self.database, self.state).await?),
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
    found.conflict(database, state).await
}

impl Found {
    async fn conflict(self, database: &impl Database, state: &Snapshot) -> Result<Conflict> {
        let table = &state.table;
        let query = Statement::new(OPERATION, vec![table.key.into(), self.version.into()]);
        let row = table.read_rows(database, query).await?.pop();
        let commit_info = row.map(|mut row| row.optional_text(0)).transpose()?.flatten();
        Ok(Conflict {
            table: table.name.clone(),
            kind: self.kind,
            winner: self.version,
            winner_operation: commit_info.and_then(|text| serde_json::from_str::<CommitInfo>(&text).ok()?.operation()),
            subject: self.subject,
            predicate: self.predicate,
        })
    }

    fn of(version: i64, rank: u8, kind: ConflictKind, subject: Option<Subject>) -> Self {
        Found { version, rank, kind, subject, predicate: None }
    }
}

fn removed_files(results: Vec<ResultSet>, rank: u8, kind: ConflictKind) -> Result<Vec<Found>> {
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
