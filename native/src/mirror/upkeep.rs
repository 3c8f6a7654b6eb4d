//! What a log gets beside its commits: the checkpoints that are due.

use deltalakedb_core::Result;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;

use super::checkpoint::{due_checkpoint, write_checkpoint};
use crate::store::LogStore;

/// Keeps one log in shape. Publication does not wait for it.
pub struct Upkeep {
    table: i64,
    log: LogStore,
    /// The version of the newest checkpoint in the log.
    newest_checkpoint: Option<i64>,
    /// Whether `_last_checkpoint` is there.
    is_checkpoint_named: bool,
}

impl Upkeep {
    pub(super) fn new(table: i64, log: LogStore, newest_checkpoint: Option<i64>, is_checkpoint_named: bool) -> Self {
        Upkeep { table, log, newest_checkpoint, is_checkpoint_named }
    }

    /// The version of the newest checkpoint in the log.
    pub fn newest_checkpoint(&self) -> Option<i64> {
        self.newest_checkpoint
    }

    /// After versions up to `published` are in the log: writes the checkpoint that is due, if one is; its version.
    ///
    /// # Errors
    /// Those of the database and the store.
    pub async fn run(&mut self, database: &impl Database, published: i64, now_ms: i64) -> Result<Option<i64>> {
        let state = snapshot(database, &TableSelector::Key(self.table), At::Version(published)).await?;
        // Whoever wrote the commits: a run that was killed before its checkpoint is finished by the next one.
        let due = due_checkpoint(&state);
        let is_written =
            self.newest_checkpoint >= Some(due) && (self.is_checkpoint_named || self.newest_checkpoint > Some(due));
        if due < state.table.earliest_version.max(1) || is_written {
            return Ok(None);
        }
        self.write_checkpoint(database, &state.table, due, now_ms).await?;
        Ok(Some(due))
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
}
