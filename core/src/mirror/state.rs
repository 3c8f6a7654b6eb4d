//! The actions of a checkpoint: a version's state, reconciled (protocol section "Action Reconciliation").

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::Result;
use crate::action::{Action, Metadata, Remove};
use crate::snapshot::{FileCursor, Snapshot, files, parse_stored};
use crate::sql::{Database, PageStart, Statement};
use crate::time::parse_interval_ms;

/// Removals up to a version, newest first, of logical files that are not in it.
/// ?1 table, ?2 version, ?3 removed after this time, ?4 before this id, ?5 rows at the most.
const TOMBSTONES: &str = "
SELECT r.remove_id, r.action FROM dl_remove_files r
WHERE r.remove_id < ?4 AND r.remove_id >= ?1 << 40 AND r.version <= ?2
  AND r.deletion_timestamp > ?3
  AND NOT EXISTS (SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.version <= ?2 AND (f.version > r.version OR f.removed_version IS NULL OR f.removed_version > ?2))
ORDER BY r.remove_id DESC LIMIT ?5";

/// What [`TOMBSTONES`] are at the most: removals of files that are back, or removed again, are counted, too.
/// ?1 table, ?2 version, ?3 removed after this time.
const TOMBSTONE_COUNT: &str = "
SELECT count(*) FROM dl_remove_files
WHERE remove_id >= ?1 << 40 AND remove_id < (?1 + 1) << 40 AND version <= ?2 AND deletion_timestamp > ?3";

const RETENTION: &str = "delta.deletedFileRetentionDuration";
const DEFAULT_RETENTION_MS: i64 = 7 * 24 * 3_600_000;

/// How long a removed file stays as a tombstone, in milliseconds: a week unless the table says otherwise (protocol
/// section "Table Properties"). A value that cannot be understood keeps tombstones for ever, which harms nobody.
fn tombstone_retention_ms(metadata: &Metadata) -> i64 {
    let value = metadata.configuration.value(RETENTION);
    value.map_or(DEFAULT_RETENTION_MS, |text| parse_interval_ms(text).unwrap_or(i64::MAX / 2))
}

/// What a checkpoint of a snapshot holds.
#[derive(Clone, Debug)]
pub struct CheckpointState {
    snapshot: Snapshot,
    removed_after_ms: i64,
    now_ms: i64,
    /// Hashes of the tombstones so far, eight bytes each: a file that was removed twice has one tombstone.
    removed: HashSet<u64>,
}

/// Where the next page of a checkpoint's actions begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateCursor {
    /// With all but the files.
    Head,
    /// With these files.
    Files(FileCursor),
    /// With these tombstones, the newest of which come first.
    Tombstones(PageStart),
}

impl StateCursor {
    /// Before the first tombstone.
    pub fn tombstones(snapshot: &Snapshot) -> Self {
        StateCursor::Tombstones(PageStart::after((snapshot.table.key + 1) << 40))
    }
}

impl CheckpointState {
    /// The state of `snapshot`, with the tombstones that have not expired at `now_ms`.
    pub fn new(snapshot: Snapshot, now_ms: i64) -> Self {
        let removed_after_ms = now_ms.saturating_sub(tombstone_retention_ms(&snapshot.metadata));
        CheckpointState { snapshot, removed_after_ms, now_ms, removed: HashSet::new() }
    }

    /// Tombstones of this time, in milliseconds since the epoch, and earlier ones have expired.
    pub fn removed_after_ms(&self) -> i64 {
        self.removed_after_ms
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// How many tombstones a checkpoint holds, at the most.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
pub async fn tombstone_count(database: &impl Database, state: &CheckpointState) -> Result<i64> {
    let snapshot = &state.snapshot;
    let params = vec![snapshot.table.key.into(), snapshot.version.into(), state.removed_after_ms.into()];
    let rows = snapshot.table.read_rows(database, Statement::new(TOMBSTONE_COUNT, params)).await?;
    rows.first().map_or(Ok(0), |row| row.integer(0))
}

/// Up to about `limit` actions of a checkpoint, and where the next ones begin. File actions have `dataChange` false.
///
/// # Errors
/// Those of the database.
pub async fn state_actions(
    database: &impl Database,
    state: &mut CheckpointState,
    cursor: StateCursor,
    limit: usize,
) -> Result<(Vec<Action>, Option<StateCursor>)> {
    let snapshot = &state.snapshot;
    match cursor {
        StateCursor::Head => {
            let mut actions =
                vec![Action::Protocol(snapshot.protocol.clone()), Action::Metadata(snapshot.metadata.clone())];
            actions.extend(snapshot.active_transactions(state.now_ms).cloned().map(Action::Txn));
            actions.extend(snapshot.domain_metadata.iter().cloned().map(Action::DomainMetadata));
            Ok((actions, Some(StateCursor::Files(FileCursor::start(snapshot)))))
        }
        StateCursor::Files(cursor) => {
            let page = files(database, snapshot, cursor, limit).await?;
            let actions = page.files.into_iter().map(|mut add| {
                add.data_change = false;
                Action::Add(add)
            });
            let tombstones = StateCursor::tombstones(snapshot);
            Ok((actions.collect(), Some(page.next.map_or(tombstones, StateCursor::Files))))
        }
        StateCursor::Tombstones(before) => tombstones(database, state, before, limit).await,
    }
}

async fn tombstones(
    database: &impl Database,
    state: &mut CheckpointState,
    before: PageStart,
    limit: usize,
) -> Result<(Vec<Action>, Option<StateCursor>)> {
    let snapshot = &state.snapshot;
    let params = vec![
        snapshot.table.key.into(),
        snapshot.version.into(),
        state.removed_after_ms.into(),
        before.id.into(),
        (before.limit(limit) as i64).into(),
    ];
    let rows = snapshot.table.read_rows(database, Statement::new(TOMBSTONES, params)).await?;
    let next = before.next(&rows, limit)?;
    let mut actions = Vec::with_capacity(rows.len());
    for mut row in rows {
        let mut remove: Remove = parse_stored("remove", &snapshot.table.name, row.text(1)?)?;
        let mut hasher = DefaultHasher::new();
        (&remove.path, remove.dv_id()).hash(&mut hasher);
        if state.removed.insert(hasher.finish()) {
            remove.data_change = false;
            actions.push(Action::Remove(remove));
        }
    }
    Ok((actions, next.map(StateCursor::Tombstones)))
}
