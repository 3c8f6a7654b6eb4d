//! The removed files of a checkpoint, which keep VACUUM from what readers of older versions still need (protocol sections
//! "Checkpoints" and "Add File and Remove File").

use std::collections::HashMap;

use super::state::FileKey;
use crate::Result;
use crate::action::{Action, Remove};
use crate::mirror::{CheckpointState, StateCursor, state_actions};
use crate::snapshot::Snapshot;
use crate::sql::Database;

const PAGE: usize = 4096;

/// The files that a checkpoint has a `remove` of, with the times of their removals.
#[derive(Clone, Debug, Default)]
pub struct Tombstones(HashMap<FileKey, i64>);

/// How the tombstones of a checkpoint are not the catalog's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TombstoneDifferences {
    /// Files that were removed and have not expired, of which the checkpoint has no `remove`.
    pub lacking: u64,
    /// Of which it has one with another `deletionTimestamp`.
    pub other_time: u64,
    /// Of which it has one that has not expired, and the catalog none.
    pub unknown: u64,
}

impl Tombstones {
    /// False for a file that is there already.
    pub(super) fn insert(&mut self, key: FileKey, remove: &Remove) -> bool {
        self.0.insert(key, deleted_ms(remove)).is_none()
    }

    pub(super) fn contains(&self, key: FileKey) -> bool {
        self.0.contains_key(&key)
    }

    /// What differs from the catalog's at the checkpoint's version. Those that have expired at `now_ms`, in milliseconds since
    /// the epoch, a checkpoint may have or not; those that have not it had to have at any time before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn differences(
        mut self,
        database: &impl Database,
        catalog: &Snapshot,
        now_ms: i64,
    ) -> Result<TombstoneDifferences> {
        let mut found = TombstoneDifferences::default();
        let mut state = CheckpointState::new(catalog.clone(), now_ms);
        let mut cursor = Some(StateCursor::tombstones(catalog));
        while let Some(at) = cursor {
            let (actions, next) = state_actions(database, &mut state, at, PAGE).await?;
            for action in &actions {
                let Action::Remove(remove) = action else { continue };
                match self.0.remove(&FileKey::of_remove(remove)) {
                    None => found.lacking += 1,
                    Some(told) => found.other_time += u64::from(told != deleted_ms(remove)),
                }
            }
            cursor = next;
        }
        let removed_after_ms = state.removed_after_ms();
        found.unknown = self.0.values().filter(|&&told| told > removed_after_ms).count() as u64;
        Ok(found)
    }
}

/// A tombstone without a time has expired.
fn deleted_ms(remove: &Remove) -> i64 {
    remove.deletion_timestamp.unwrap_or(0)
}
