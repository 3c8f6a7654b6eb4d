//! The baseline: the bytes of a commit, in one INSERT into one plain table, in a transaction of its own.

use std::path::Path;

use deltalakedb_native::database::{Synchronous, wait_as_the_catalog};
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
const SETTINGS: &str = "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536;
  PRAGMA wal_autocheckpoint = 4000";

/// One process's connections to the plain table.
pub(crate) struct Bare {
    /// Waits for others as rusqlite sets it up: 5 s, by SQLite's own steps.
    as_is: Connection,
    /// Waits for others as the catalog does.
    alike: Connection,
}

impl Bare {
    /// Opens the database in a folder, a new one when it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, Synchronous::Full)
    }

    /// With another promise of durability.
    pub(crate) fn open_with(folder: &Path, synchronous: Synchronous) -> Result<Self> {
        let open = || -> Result<Connection> {
            let connection = Connection::open(folder.join(FILE))?;
            connection.execute_batch(SETTINGS)?;
            set(&connection, synchronous)?;
            connection.execute_batch(TABLE)?;
            Ok(connection)
        };
        let (as_is, mut alike) = (open()?, open()?);
        wait_as_the_catalog(&mut alike)?;
        Ok(Bare { as_is, alike })
    }

    /// Fills the log beside the file, so that it is written over from then on, and not made longer.
    pub(crate) fn warm_up(&mut self) -> Result<()> {
        set(&self.as_is, Synchronous::Off)?;
        for _ in 0..WARM_UP {
            self.insert(&Append::new()?)?;
        }
        set(&self.as_is, Synchronous::Full)
    }

    /// In a transaction of its own, as the statement is the only one.
    pub(crate) fn insert(&mut self, append: &Append) -> Result<()> {
        insert(&self.as_is, append)
    }

    /// The same, by the connection that waits as the catalog's do.
    pub(crate) fn insert_waiting_alike(&mut self, append: &Append) -> Result<()> {
        insert(&self.alike, append)
    }
}

fn set(connection: &Connection, synchronous: Synchronous) -> Result<()> {
    Ok(connection.execute_batch(match synchronous {
        Synchronous::Full => "PRAGMA synchronous = FULL",
        Synchronous::Off => "PRAGMA synchronous = OFF",
    })?)
}

fn insert(connection: &Connection, append: &Append) -> Result<()> {
    let add = &append.add;
    connection.prepare_cached(INSERT)?.execute(params![
        add.path,
        add.size,
        add.modification_time,
        add.data_change,
        add.row_count(),
        add.partition_values.to_json(),
        add.stats,
        append.commit_id,
        append.commit_info(),
    ])?;
    Ok(())
}
