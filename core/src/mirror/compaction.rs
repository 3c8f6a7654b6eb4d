//! `<x>.<y>.compacted.json`: several commits in one (protocol section "Log Compaction Files").

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use crate::action::{Action, DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::catalog::{Table, quoted};
use crate::snapshot::{Snapshot, add_from_row, parse_stored};
use crate::sql::{Batch, Database, PageStart, ResultSet, Statement};
use crate::{Error, ErrorKind, Result};

/// The bounds of what the commits did, how many there are, and whether all are known. ?1 table, ?2 first version, ?3 last.
const BOUNDS: &str = "
SELECT min(first_file_id), max(end_file_id), min(first_remove_id), max(end_remove_id), count(*), min(commit_known),
  max(timestamp_ms)
FROM dl_table_versions
WHERE version_id >= (?1 << 40) + 1 + ?2 AND version_id <= (?1 << 40) + 1 + ?3 AND table_id = ?1";

/// The newest of each, likewise.
const PROTOCOL: &str = "
SELECT protocol FROM dl_protocol_updates
WHERE table_id = ?1 AND version >= ?2 AND version <= ?3 ORDER BY version DESC LIMIT 1";
const METADATA: &str = "
SELECT metadata FROM dl_metadata_updates
WHERE table_id = ?1 AND version >= ?2 AND version <= ?3 ORDER BY version DESC LIMIT 1";
const TXNS: &str = "
SELECT t.txn FROM dl_txn_actions t WHERE t.table_id = ?1 AND t.version >= ?2 AND t.version <= ?3
  AND NOT EXISTS (SELECT 1 FROM dl_txn_actions later WHERE later.table_id = ?1 AND later.app_id = t.app_id
    AND later.version > t.version AND later.version <= ?3)
ORDER BY t.app_id";
/// With those that were removed, which end what is there from before.
const DOMAINS: &str = "
SELECT d.domain_metadata FROM dl_domain_metadata d WHERE d.table_id = ?1 AND d.version >= ?2 AND d.version <= ?3
  AND NOT EXISTS (SELECT 1 FROM dl_domain_metadata later WHERE later.table_id = ?1 AND later.domain = d.domain
    AND later.version > d.version AND later.version <= ?3)
ORDER BY d.domain";

/// Adds that no later action takes back. ?1 first id, ?2 before this one, ?3 last version, ?4 rows at the most.
const ADDS: &str = "
SELECT file_id, path, size, modification_time, data_change, partition_values, stats, deletion_vector, tags,
  base_row_id, default_row_commit_version, clustering_provider, extra
FROM dl_add_files
WHERE file_id >= ?1 AND file_id < ?2 AND (removed_version IS NULL OR removed_version > ?3) ORDER BY file_id LIMIT ?4";

/// Removals after which their file was not added again, newest first: all, however old, for they end what is there from
/// before. ?1 table, ?2 first id, ?3 before this one, ?4 last version, ?5 rows at the most.
const REMOVES: &str = "
SELECT r.remove_id, r.action FROM dl_remove_files r
WHERE r.remove_id >= ?2 AND r.remove_id < ?3
  AND NOT EXISTS (SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.version <= ?4 AND (f.version > r.version OR f.removed_version IS NULL OR f.removed_version > ?4))
ORDER BY r.remove_id DESC LIMIT ?5";

/// Commits between compacted logs. Delta-Spark writes none, and its kernel's interval is an argument of its writer, so the
/// property is this project's own.
const INTERVAL: &str = "deltalakedb.logCompactionInterval";

/// The newest commits to compact, as the table asks for by `deltalakedb.logCompactionInterval`: so many that end at a
/// multiple of it, and only after the newest checkpoint, for no reader needs those before. Without the property, none.
///
/// ```
/// # use deltalakedb_core::mirror::due_compaction;
/// # use deltalakedb_core::snapshot::Snapshot;
/// # fn of(state: &Snapshot) {
/// // With an interval of 5 at version 27, and a checkpoint at 20: 00..021.00..025.compacted.json
/// assert_eq!(due_compaction(state, Some(20)), Some((21, 25)));
/// # }
/// ```
pub fn due_compaction(state: &Snapshot, newest_checkpoint: Option<i64>) -> Option<(i64, i64)> {
    let interval: i64 = state.metadata.configuration.value(INTERVAL)?.trim().parse().ok()?;
    if interval < 2 {
        return None;
    }
    let to = state.version - state.version % interval;
    let from = to - interval + 1;
    (from > state.table.earliest_version && from > newest_checkpoint.unwrap_or(-1)).then_some((from, to))
}

/// Commits that become one compacted log.
#[derive(Clone, Debug)]
pub struct Compaction {
    /// The first version.
    pub from: i64,
    /// The last one.
    pub to: i64,
    /// Of the last version, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    table: Table,
    files: Range<i64>,
    removes: Range<i64>,
    /// Hashes of the removed files so far: one that was removed twice is there once. Of 128 bits: a file that is taken for
    /// another one's second removal would come back.
    removed: HashSet<(u64, u64)>,
}

/// Where the next page of a compacted log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionCursor {
    /// With all but the files.
    Head,
    /// With these adds.
    Adds(PageStart),
    /// With these removes, the newest of which come first.
    Removes(PageStart),
}

/// What it takes to compact the commits `from` to `to`, both included.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) when they are not at least two; [`NotFound`](ErrorKind::NotFound) when the catalog does
/// not know all of them by their actions; those of the database.
pub async fn plan_compaction(database: &impl Database, table: &Table, from: i64, to: i64) -> Result<Compaction> {
    let failed = |kind, text: &str| {
        let text = format!("compacting versions {from} to {to} of table {}: {text}", quoted(&table.name));
        Error::new(kind, text).table(&table.name).version(from)
    };
    if from < 0 || from >= to {
        return Err(failed(ErrorKind::Invalid, "a compacted log holds two commits or more"));
    }
    let rows = table.read_rows(database, Statement::new(BOUNDS, [table.key.into(), from.into(), to.into()])).await?;
    let row = rows.first().filter(|row| row.integer(4).is_ok_and(|count| count == to - from + 1));
    let row = row.filter(|row| from >= table.earliest_version && row.integer(5).is_ok_and(|known| known != 0));
    let row = row.ok_or_else(|| failed(ErrorKind::NotFound, "not all of these commits are known"))?;
    Ok(Compaction {
        from,
        to,
        timestamp_ms: row.integer(6)?,
        table: table.clone(),
        files: row.integer(0)?..row.integer(1)?,
        removes: row.integer(2)?..row.integer(3)?,
        removed: HashSet::new(),
    })
}

/// Up to about `limit` actions of a compacted log, and where the next ones begin: the commits reconciled, without their
/// `commitInfo`, `cdc` and what the protocol does not name, which a state does not have. File actions have `dataChange`
/// false, as in a checkpoint.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
pub async fn compacted_actions(
    database: &impl Database,
    compaction: &mut Compaction,
    cursor: CompactionCursor,
    limit: usize,
) -> Result<(Vec<Action>, Option<CompactionCursor>)> {
    match cursor {
        CompactionCursor::Head => Ok((
            head(database, compaction).await?,
            Some(CompactionCursor::Adds(PageStart::after(compaction.files.start - 1))),
        )),
        CompactionCursor::Adds(from) => adds(database, compaction, from, limit).await,
        CompactionCursor::Removes(before) => removes(database, compaction, before, limit).await,
    }
}

async fn head(database: &impl Database, compaction: &Compaction) -> Result<Vec<Action>> {
    let params = || vec![compaction.table.key.into(), compaction.from.into(), compaction.to.into()];
    let statements = [PROTOCOL, METADATA, TXNS, DOMAINS].map(|sql| Statement::new(sql, params())).into();
    let mut results = database.batch(Batch::read(statements)).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    let name = &compaction.table.name;
    let mut actions = Vec::new();
    stored::<Protocol>(next(), name, "protocol", Action::Protocol, &mut actions)?;
    stored::<Metadata>(next(), name, "metaData", Action::Metadata, &mut actions)?;
    stored::<Txn>(next(), name, "txn", Action::Txn, &mut actions)?;
    stored::<DomainMetadata>(next(), name, "domainMetadata", Action::DomainMetadata, &mut actions)?;
    Ok(actions)
}

fn stored<T: serde::de::DeserializeOwned>(
    result: ResultSet,
    table: &str,
    name: &str,
    action: fn(T) -> Action,
    actions: &mut Vec<Action>,
) -> Result<()> {
    for mut row in result.rows {
        actions.push(action(parse_stored(name, table, row.text(0)?)?));
    }
    Ok(())
}

async fn adds(
    database: &impl Database,
    compaction: &Compaction,
    from: PageStart,
    limit: usize,
) -> Result<(Vec<Action>, Option<CompactionCursor>)> {
    let Compaction { table, files, removes, to, .. } = compaction;
    let params = vec![(from.id + 1).into(), files.end.into(), (*to).into(), (from.limit(limit) as i64).into()];
    let rows = table.read_rows(database, Statement::new(ADDS, params)).await?;
    let next = from.next(&rows, limit)?;
    let mut actions = Vec::with_capacity(rows.len());
    for row in rows {
        let mut add = add_from_row(row, &table.name)?;
        add.data_change = false;
        actions.push(Action::Add(add));
    }
    let removes = || CompactionCursor::Removes(PageStart::after(removes.end));
    Ok((actions, Some(next.map_or_else(removes, CompactionCursor::Adds))))
}

async fn removes(
    database: &impl Database,
    compaction: &mut Compaction,
    before: PageStart,
    limit: usize,
) -> Result<(Vec<Action>, Option<CompactionCursor>)> {
    let Compaction { table, removes, to, removed, .. } = compaction;
    let (before_id, rows) = (before.id, before.limit(limit) as i64);
    let params = vec![table.key.into(), removes.start.into(), before_id.into(), (*to).into(), rows.into()];
    let rows = table.read_rows(database, Statement::new(REMOVES, params)).await?;
    let next = before.next(&rows, limit)?;
    let mut actions = Vec::with_capacity(rows.len());
    for mut row in rows {
        let mut remove: Remove = parse_stored("remove", &table.name, row.text(1)?)?;
        if removed.insert((hash_of(&remove, 1), hash_of(&remove, 2))) {
            remove.data_change = false;
            actions.push(Action::Remove(remove));
        }
    }
    Ok((actions, next.map(CompactionCursor::Removes)))
}

fn hash_of(remove: &Remove, seed: u8) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, &remove.path, remove.dv_id()).hash(&mut hasher);
    hasher.finish()
}
