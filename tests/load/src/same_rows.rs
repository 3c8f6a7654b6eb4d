//! A second baseline: the rows of a commit, in the catalog's own tables with their indexes, by the plainest SQL. It
//! looks at nothing and keeps no promise; what a commit takes longer is the price of the promises.

use std::path::Path;

use deltalakedb_native::database::{SqliteOptions, Synchronous, wait_as_the_catalog};
use rusqlite::{Connection, params};

use crate::payload::Append;
use crate::{Result, catalog};

const INSERT_VERSION: &str = "
INSERT INTO dl_table_versions (version_id, table_id, version, timestamp_ms, commit_id, commit_digest, commit_info,
  commit_known, added_files, removed_files, first_file_id, end_file_id, first_remove_id, end_remove_id,
  file_count, size_bytes, row_count, files_without_row_count)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 1, 0, ?8, ?8 + 1, ?9, ?9, ?3, ?10, ?11, 0)";

const INSERT_FILE: &str = "
INSERT INTO dl_add_files (file_id, table_id, version, path, size, modification_time, data_change, row_count,
  partition_values, stats)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// As long as that of a commit.
const DIGEST: &str = "0123456789abcdef0123456789abcdef";

/// A connection to such tables, in a file of their own.
pub(crate) struct SameRows {
    connection: Connection,
    table_id: i64,
    version: i64,
}

impl SameRows {
    /// Makes the file in a folder, with a table at the version that `appends` commits lead to.
    pub(crate) fn create(folder: &Path, synchronous: Synchronous, appends: usize) -> Result<Self> {
        let path = folder.join("same-rows.db");
        let database = catalog::create(&path, SqliteOptions::default())?;
        let creation = async { catalog::create_table(&database, "t", &catalog::plain_table("t")).await };
        let table_id = catalog::runtime()?.block_on(creation)?;
        let mut connection = Connection::open(&path)?;
        connection.execute_batch("PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000")?;
        connection.execute_batch("PRAGMA synchronous = OFF")?;
        wait_as_the_catalog(&mut connection)?;
        let mut rows = SameRows { connection, table_id, version: 0 };
        for _ in 0..appends {
            rows.insert(&Append::new()?)?;
        }
        if synchronous == Synchronous::Full {
            rows.connection.execute_batch("PRAGMA synchronous = FULL")?;
        }
        Ok(rows)
    }

    /// The rows of one commit, in one transaction.
    pub(crate) fn insert(&mut self, append: &Append) -> Result<()> {
        self.version += 1;
        let (base, version, add) = (self.table_id << 40, self.version, &append.add);
        let run = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        run("BEGIN IMMEDIATE")?;
        self.connection.prepare_cached(INSERT_VERSION)?.execute(params![
            base + 1 + version,
            self.table_id,
            version,
            add.modification_time + version,
            append.commit_id,
            DIGEST,
            append.commit_info(),
            base + version,
            base,
            add.size,
            add.row_count(),
        ])?;
        self.connection.prepare_cached(INSERT_FILE)?.execute(params![
            base + version,
            self.table_id,
            version,
            add.path,
            add.size,
            add.modification_time,
            add.data_change,
            add.row_count(),
            add.partition_values.to_json(),
            add.stats,
        ])?;
        run("COMMIT")?;
        Ok(())
    }
}
