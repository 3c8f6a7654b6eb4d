//! The actions of a checkpoint: a version's state, reconciled (protocol section "Action Reconciliation").

use crate::Result;
use crate::action::{Action, Metadata, Remove};
use crate::snapshot::{FileCursor, Snapshot, files, parse_stored};
use crate::sql::{Batch, Database, Statement};

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

/// How long a removed file stays as a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Milliseconds.
    pub ms: i64,
}

impl Retention {
    /// From the table property, a week by default (protocol section "Table Properties"); a value that cannot be
    /// understood keeps tombstones for ever, which harms nobody.
    ///
    /// ```
    /// use deltalakedb_core::mirror::Retention;
    /// assert_eq!(Retention::parse("interval 2 days 12 hours"), Some(Retention { ms: 216_000_000 }));
    /// assert_eq!(Retention::parse("soon"), None);
    /// ```
    pub fn of(metadata: &Metadata) -> Self {
        let default = Retention { ms: DEFAULT_RETENTION_MS };
        let forever = Retention { ms: i64::MAX / 2 };
        metadata.configuration.value(RETENTION).map_or(default, |text| Self::parse(text).unwrap_or(forever))
    }

    /// From an interval as Spark writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let words: Vec<&str> = lower.strip_prefix("interval").unwrap_or(&lower).split_whitespace().collect();
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return None;
        }
        let mut ms: i64 = 0;
        for pair in words.chunks(2) {
            let count: i64 = pair[0].trim_matches('\'').parse().ok()?;
            let unit = match pair[1].trim_end_matches('s') {
                "week" => 7 * 24 * 3_600_000,
                "day" => 24 * 3_600_000,
                "hour" => 3_600_000,
                "minute" => 60_000,
                "second" => 1_000,
                "millisecond" => 1,
                _ => return None,
            };
            ms = ms.checked_add(count.checked_mul(unit)?)?;
        }
        (ms >= 0).then_some(Retention { ms })
    }
}

/// What a checkpoint of a snapshot holds.
#[derive(Clone, Debug)]
pub struct CheckpointState {
    snapshot: Snapshot,
    removed_after_ms: i64,
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
        let retention = Retention::of(&snapshot.metadata);
        CheckpointState { removed_after_ms: now_ms.saturating_sub(retention.ms), snapshot }
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
            actions.extend(snapshot.transactions.iter().cloned().map(Action::Txn));
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
