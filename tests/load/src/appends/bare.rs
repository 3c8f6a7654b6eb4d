//! The baseline: the bytes of a commit, in one INSERT into one plain table, in a transaction of its own.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::Result;
use crate::payload::Append;

const FILE: &str = "bare.db";

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, path TEXT, size INTEGER, modification_time INTEGER,
  data_change INTEGER, row_count INTEGER, partition_values TEXT, stats TEXT, commit_id TEXT, commit_info TEXT)";

const INSERT: &str = "
INSERT INTO bare (path, size, modification_time, data_change, row_count, partition_values, stats, commit_id, commit_info)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const WARM_UP: usize = 5000;

/// The settings of the catalog's connections.
const SETTINGS: &str = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536;";

/// One process's connections to the plain table.
pub(crate) struct Bare {
    as_is: Connection,
}

impl Bare {
    /// Opens the database in a folder, a new one when it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, "FULL")
    }

    /// With another level of `synchronous`.
    pub(crate) fn open_with(folder: &Path, synchronous: &str) -> Result<Self> {
        // It waits 5 s for others: what rusqlite sets up.
        let as_is = Connection::open(folder.join(FILE))?;
        as_is.execute_batch(SETTINGS)?;
        as_is.execute_batch(&format!("PRAGMA wal_autocheckpoint = 4000; PRAGMA synchronous = {synchronous}; {TABLE}"))?;
        Ok(Bare { as_is })
    }

    /// Fills the log beside the file, so that it is written over from then on, and not made longer.
    pub(crate) fn warm_up(&mut self) -> Result<()> {
        self.as_is.execute_batch("PRAGMA synchronous = OFF")?;
        for _ in 0..WARM_UP {
            self.insert(&Append::new()?)?;
        }
        Ok(self.as_is.execute_batch("PRAGMA synchronous = FULL")?)
    }

    /// In a transaction of its own, as the statement is the only one.
    pub(crate) fn insert(&mut self, append: &Append) -> rusqlite::Result<()> {
        insert(&self.as_is, append)
    }

    pub(crate) fn insert_waiting_alike(&mut self, append: &Append) -> rusqlite::Result<()> {
        insert(&self.as_is, append)
    }
}

fn insert(connection: &Connection, append: &Append) -> rusqlite::Result<()> {
    let add = &append.add;
    connection
        .prepare_cached(INSERT)?
        .execute(params![
            add.path,
            add.size,
            add.modification_time,
            add.data_change,
            add.row_count(),
            add.partition_values.to_json(),
            add.stats,
            append.commit_id,
            append.commit_info(),
        ])
        .map(drop)
}
