//! What a log gets beside its commits: the checkpoints and compacted logs that are due, the checksum of its last version,
//! and the deletion of what has expired.

use deltalakedb_core::Result;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::mirror::{Checksum, due_compaction};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Database;

use super::checkpoint::{due_checkpoint, name_newest_checkpoint, write_checkpoint};
use super::checksum::{read_checksum, write_checksum};
use super::cleanup::clean_up;
use super::compaction::compact;
use super::look::Look;
use crate::store::LogStore;

/// Keeps one log in shape. Publication does not wait for it.
pub struct Upkeep {
    table: i64,
    log: LogStore,
    /// The version of the newest checkpoint in the log.
    newest_checkpoint: Option<i64>,
    /// Whether `_last_checkpoint` names a checkpoint that is there, or there is neither.
    is_checkpoint_named: bool,
    /// The last version of the compacted log that was due.
    compacted: Option<i64>,
    /// The version of the newest checksum in the log.
    newest_checksum: Option<i64>,
    /// What it holds, when it was written here.
    checksum: Option<Checksum>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptUp {
    /// The checkpoint that was written, if one was due.
    pub checkpoint_version: Option<i64>,
    /// Names of expired files that were deleted.
    pub deleted: Vec<String>,
}

impl Upkeep {
    /// After a look at the log.
    pub(super) fn new(table: i64, log: LogStore, look: &Look) -> Self {
        Upkeep {
            table,
            log,
            newest_checkpoint: look.newest_checkpoint,
            is_checkpoint_named: look.is_checkpoint_named,
            compacted: look.compacted,
            newest_checksum: look.newest_checksum,
            checksum: None,
        }
    }

    /// The version of the newest checkpoint in the log.
    pub fn newest_checkpoint(&self) -> Option<i64> {
        self.newest_checkpoint
    }

    /// After versions up to `published` are in the log.
    ///
    /// # Errors
    /// Those of the database and the store.
    pub async fn run(&mut self, database: &impl Database, published: i64, now_ms: i64) -> Result<KeptUp> {
        let state = snapshot(database, &TableSelector::Key(self.table), At::Version(published)).await?;
        let mut done = KeptUp::default();
        // Whoever wrote the commits: a run that was killed before its checkpoint is finished by the next one.
        let due = due_checkpoint(&state);
        let is_written =
            self.newest_checkpoint >= Some(due) && (self.is_checkpoint_named || self.newest_checkpoint > Some(due));
        if due >= state.table.earliest_version.max(1) && !is_written {
            self.write_checkpoint(database, &state.table, due, now_ms).await?;
            done.checkpoint_version = Some(due);
        } else if !self.is_checkpoint_named {
            name_newest_checkpoint(database, &state.table, &self.log).await?;
            self.is_checkpoint_named = true;
        }
        self.compact(database, &state).await?;
        self.write_checksum(database, &state).await?;
        if done.checkpoint_version.is_some() {
            done.deleted = clean_up(database, &state.table, &self.log, now_ms).await?;
        }
        Ok(done)
    }

    pub(super) async fn write_checkpoint(
        &mut self,
        database: &impl Database,
        table: &Table,
        version: i64,
        now_ms: i64,
    ) -> Result<()> {
        write_checkpoint(database, table, &self.log, version, now_ms).await?;
        (self.newest_checkpoint, self.is_checkpoint_named) = (Some(version), true);
        Ok(())
    }

    async fn compact(&mut self, database: &impl Database, state: &Snapshot) -> Result<()> {
        let due = due_compaction(state, self.newest_checkpoint);
        if let Some((from, to)) = due.filter(|(_, to)| self.compacted < Some(*to)) {
            compact(database, &state.table, &self.log, from, to).await?;
            self.compacted = Some(to);
        }
        Ok(())
    }

    /// Of the last version alone, however many were published: readers can do without the others.
    async fn write_checksum(&mut self, database: &impl Database, state: &Snapshot) -> Result<()> {
        if self.newest_checksum >= Some(state.version) {
            return Ok(());
        }
        // The newest one that is there serves as well as that of the version before.
        let previous = match (self.checksum.take(), self.newest_checksum) {
            (Some(checksum), _) => Some(checksum),
            (None, Some(version)) => read_checksum(&self.log, version).await?,
            (None, None) => None,
        };
        self.checksum = write_checksum(database, &state.table, &self.log, state.version, previous).await?;
        self.newest_checksum = Some(state.version);
        Ok(())
    }
}
