//! The actions of a checkpoint: a version's state, reconciled (protocol section "Action Reconciliation").

use crate::Result;
use crate::action::{Action, Metadata, Remove};
use crate::snapshot::{FileCursor, Snapshot, files, parse_stored};
use crate::sql::{Batch, Database, Statement};
use crate::time::parse_interval_ms;

/// Tombstones of a version: the last removal of each logical file that was not added again until then.
/// ?1 table, ?2 version, ?3 removed after this time, ?4 after this id, ?5 rows at the most.
const TOMBSTONES: &str = "
SELECT r.remove_id, r.action FROM dl_remove_files r
WHERE r.remove_id > ?4 AND r.remove_id < (?1 + 1) << 40 AND r.version <= ?2
  AND r.deletion_timestamp > ?3
  AND NOT EXISTS (SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
    AND f.version <= ?2 AND (f.version > r.version OR f.removed_version IS NULL OR f.removed_version > ?2))
ORDER BY r.remove_id LIMIT ?5";

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
}

/// Where the next page of a checkpoint's actions begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateCursor {
    /// With all but the files.
    Head,
    /// With these files.
    Files(FileCursor),
    /// With the tombstones after this id.
    Tombstones(i64),
}

impl CheckpointState {
    /// The state of `snapshot`, with the tombstones that have not expired at `now_ms`.
    pub fn new(snapshot: Snapshot, now_ms: i64) -> Self {
        let removed_after_ms = now_ms.saturating_sub(tombstone_retention_ms(&snapshot.metadata));
        CheckpointState { snapshot, removed_after_ms, now_ms }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// Up to about `limit` actions of a checkpoint, and where the next ones begin. File actions have `dataChange` false.
///
/// # Errors
/// Those of the database.
pub async fn state_actions(
    database: &impl Database,
    state: &CheckpointState,
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
            let tombstones = StateCursor::Tombstones((snapshot.table.key << 40) - 1);
            Ok((actions.collect(), Some(page.next.map_or(tombstones, StateCursor::Files))))
        }
        StateCursor::Tombstones(after) => tombstones(database, state, after, limit).await,
    }
}

async fn tombstones(
    database: &impl Database,
    state: &CheckpointState,
    after: i64,
    limit: usize,
) -> Result<(Vec<Action>, Option<StateCursor>)> {
    let snapshot = &state.snapshot;
    let params = vec![
        snapshot.table.key.into(),
        snapshot.version.into(),
        state.removed_after_ms.into(),
        after.into(),
        (limit as i64).into(),
    ];
    let rows = database.batch(Batch::read(vec![Statement::new(TOMBSTONES, params)])).await?.remove(0).rows;
    let last = rows.last().filter(|_| rows.len() == limit).map(|row| row.integer(0)).transpose()?;
    let actions = rows.into_iter().map(|mut row| {
        let mut remove: Remove = parse_stored("remove", &snapshot.table.name, row.text(1)?)?;
        remove.data_change = false;
        Ok(Action::Remove(remove))
    });
    Ok((actions.collect::<Result<_>>()?, last.map(StateCursor::Tombstones)))
}
