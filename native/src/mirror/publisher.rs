//! A log that a table's versions are published in, and how far.

use std::ops::ControlFlow;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector, find_table};
use deltalakedb_core::log::commit_file_name;
use deltalakedb_core::mirror::read_commit;
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::check_publishable;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::commit_file::write_commit;
use super::look::{Look, look};
use super::upkeep::{KeptUp, Upkeep};
use crate::store::LogStore;

/// Publishes the versions of one table in one log, again and again. It looks at the log once; from then on it writes what is
/// new, and a file that is there already is compared.
pub struct Publisher {
    table: i64,
    log: LogStore,
    /// All versions up to this one are in the log. None: nobody has looked.
    published: Option<i64>,
    upkeep: Option<Upkeep>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Commit files.
    pub commits: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The checkpoint that the history begins with, if the log had none.
    pub first_checkpoint: Option<i64>,
}

impl Publisher {
    /// For a table ([`Table::key`]) and a log, at which nobody has looked yet.
    pub fn new(table: i64, log: LogStore) -> Self {
        Publisher { table, log, published: None, upkeep: None }
    }

    /// The log.
    pub fn log(&self) -> &LogStore {
        &self.log
    }

    /// All versions up to this one are in the log, as far as is known.
    pub fn published(&self) -> Option<i64> {
        self.published
    }

    /// Writes the commits that the log lacks, in order; `on_version` is called after each and may end it there. It may be
    /// killed at any point and run again, in several copies at once.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when the log is another one's or goes on past the catalog;
    /// [`Corrupt`](ErrorKind::Corrupt) when a checkpoint in it is not whole; those of the database and the store. After
    /// one the log is looked at anew.
    pub async fn publish(
        &mut self,
        database: &impl Database,
        now_ms: i64,
        mut on_version: impl FnMut(i64, Published) -> ControlFlow<()>,
    ) -> Result<Published> {
        let known = self.published.take();
        let (published, written) = match known {
            Some(published) if self.is_there(published).await? => {
                self.publish_new(database, published, &mut on_version).await?
            }
            _ => self.publish_missing(database, now_ms, &mut on_version).await?,
        };
        self.published = Some(published);
        Ok(written)
    }

    /// Whether the commit of a published version still is in the log: who deletes a log gets back all of it.
    async fn is_there(&self, published: i64) -> Result<bool> {
        self.log.has(&commit_file_name(published)).await
    }

    /// What came after `published`.
    async fn publish_new(
        &mut self,
        database: &impl Database,
        mut published: i64,
        on_version: &mut impl FnMut(i64, Published) -> ControlFlow<()>,
    ) -> Result<(i64, Published)> {
        let table = find_table(database, &TableSelector::Key(self.table)).await?;
        let mut written = Published::default();
        if published < table.earliest_version - 1 {
            return Err(Error::new(ErrorKind::Conflict, "the table begins anew, after what was published of it"));
        }
        while published < table.version {
            let one = publish_version(database, &table, &self.log, published + 1).await?;
            published += 1;
            written.add(one);
            if on_version(published, one).is_break() {
                break;
            }
        }
        Ok((published, written))
    }

    /// What the log lacks.
    async fn publish_missing(
        &mut self,
        database: &impl Database,
        now_ms: i64,
        on_version: &mut impl FnMut(i64, Published) -> ControlFlow<()>,
    ) -> Result<(i64, Published)> {
        self.log.sweep_temporary_files(now_ms).await?;
        let look = look(database, self.table, &self.log).await?;
        let upkeep = self.upkeep.insert(Upkeep::new(self.table, self.log.clone(), &look));
        let Look { state, missing, needs_first_checkpoint, .. } = look;
        let table = &state.table;
        // The one that the history begins with, after the commit of its own version as the protocol has it.
        let mut first_checkpoint = needs_first_checkpoint.then_some(table.earliest_version);
        let mut written = Published::default();
        let mut published = table.version;
        for (index, &version) in missing.iter().enumerate() {
            if let Some(earliest) = first_checkpoint.take_if(|earliest| version > *earliest) {
                upkeep.write_checkpoint(database, table, earliest, now_ms).await?;
                written.first_checkpoint = Some(earliest);
            }
            let one = publish_version(database, table, &self.log, version).await?;
            written.add(one);
            if let (ControlFlow::Break(()), Some(next)) = (on_version(version, one), missing.get(index + 1)) {
                published = next - 1;
                break;
            }
        }
        if let Some(earliest) = first_checkpoint {
            upkeep.write_checkpoint(database, table, earliest, now_ms).await?;
            written.first_checkpoint = Some(earliest);
        }
        Ok((published, written))
    }

    /// Keeps the log in shape ([`Upkeep::run`]).
    ///
    /// # Errors
    /// Those of the database and the store.
    pub async fn keep_up(&mut self, database: &impl Database, now_ms: i64) -> Result<KeptUp> {
        match (self.published, &mut self.upkeep) {
            (Some(published), Some(upkeep)) => upkeep.run(database, published, now_ms).await,
            _ => Ok(KeptUp::default()),
        }
    }

    /// What keeps the log in shape, after a look at it: for who does that while the publisher goes on.
    pub(super) fn take_upkeep(&mut self) -> Option<Upkeep> {
        self.upkeep.take()
    }
}

/// Writes one commit, unless it is there.
async fn publish_version(database: &impl Database, table: &Table, log: &LogStore, version: i64) -> Result<Published> {
    let commit = read_commit(database, table, version).await?;
    for action in &commit.actions {
        if let Action::Protocol(protocol) = action {
            check_publishable(protocol)?;
        }
    }
    // A version that is known from a checkpoint only has no commit to write.
    if !commit.is_known {
        return Ok(Published::default());
    }
    let bytes = write_commit(database, table, log, &commit).await?;
    Ok(bytes.map_or_else(Published::default, |bytes| Published { commits: 1, bytes, first_checkpoint: None }))
}

impl Published {
    fn add(&mut self, other: Published) {
        self.commits += other.commits;
        self.bytes += other.bytes;
    }
}
