//! One connection: how it is set up, and how a batch runs on it.

use std::time::{Duration, Instant};

use deltalakedb_core::sql::{Access, Batch, DatabaseError, ResultSet, Row, Statement};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ffi, params_from_iter};

use super::busy::{BUSY_TIMEOUT, wait_as_the_catalog};
use super::convert::{from_sqlite, to_sqlite, translate};

type Result<T> = std::result::Result<T, DatabaseError>;

const BUSY_PAUSE: Duration = Duration::from_millis(10);
const STATEMENT_CACHE: usize = 128;

/// One connection to a database in memory, without the threads of [`SqliteDatabase`](super::SqliteDatabase): for hosts
/// with a runtime of their own.
pub struct SqliteConnection(Connection);

impl SqliteConnection {
    /// Opens an empty database.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(translate)?;
        set_up(&mut connection)?;
        Ok(SqliteConnection(connection))
    }

    /// Runs a text of several statements, such as a migration's, in one transaction.
    ///
    /// # Errors
    /// When a statement fails; nothing has changed then.
    pub fn migrate(&self, sql: &str) -> Result<()> {
        in_transaction(&self.0, "BEGIN IMMEDIATE", |connection| connection.execute_batch(sql).map_err(translate))
    }

    /// Runs a batch, as [`Database::batch`](deltalakedb_core::sql::Database::batch) demands it.
    ///
    /// # Errors
    /// When a statement fails; nothing has changed then.
    pub fn batch(&self, batch: Batch) -> Result<Vec<ResultSet>> {
        let begin = match batch.access {
            Access::Read => "BEGIN",
            Access::Write => "BEGIN IMMEDIATE",
        };
        in_transaction(&self.0, begin, |connection| run_all(connection, batch.statements))
    }
}

/// Switches a database to WAL mode. For that SQLite does not wait for other processes by itself.
pub(super) fn use_wal(connection: &Connection) -> Result<()> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode.map_err(translate) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(DatabaseError::Unavailable(format!(
                    "SQLite cannot keep a log beside the file there (its journal mode stays `{mode}`)"
                )));
            }
            Err(DatabaseError::Busy(_)) if Instant::now() < until => std::thread::sleep(BUSY_PAUSE),
            Err(error) => return Err(error),
        }
    }
}

/// Another number than before, when others have committed since; inside a transaction that of what it sees.
pub(super) fn data_version(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("PRAGMA data_version").map_err(translate)?;
    statement.query_row([], |row| row.get(0)).map_err(translate)
}

/// A database of other software is left as it is.
pub(super) fn check_ours(connection: &Connection) -> Result<()> {
    let foreign = connection.query_row(FOREIGN_TABLE, [], |row| row.get::<_, String>(0));
    match foreign {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
        Ok(table) => Err(DatabaseError::Foreign(table)),
        Err(error) => Err(translate(error)),
    }
}

const FOREIGN_TABLE: &str = "
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
  AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'dl_migrations') LIMIT 1";

pub(super) fn set_up(connection: &mut Connection) -> Result<()> {
    wait_as_the_catalog(connection).map_err(translate)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // A statement is planned once, and not again for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(translate)?;
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(translate)
}

pub(super) fn in_transaction<T>(
    connection: &Connection,
    begin: &'static str,
    run: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    execute(connection, begin)?;
    let result = run(connection).and_then(|value| commit(connection).map(|()| value));
    if result.is_err() && !connection.is_autocommit() {
        // What failed is told; a rollback that fails, too, ends with the connection.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

fn execute(connection: &Connection, sql: &'static str) -> Result<()> {
    prepared(connection, sql).map_err(translate)
}

fn prepared(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Ends a transaction. Where the failure came after its record was written to the log beside the file, such as that of
/// an fsync, the transaction may still happen: after a crash the log is read again.
fn commit(connection: &Connection) -> Result<()> {
    prepared(connection, "COMMIT").map_err(|error| {
        let code = error.sqlite_error().map(|failure| failure.extended_code);
        match translate(error) {
            DatabaseError::Unavailable(text) if code != Some(ffi::SQLITE_IOERR_WRITE) => {
                DatabaseError::AnswerLost(text)
            }
            error => error,
        }
    })
}

pub(super) fn run_all(connection: &Connection, statements: Vec<Statement>) -> Result<Vec<ResultSet>> {
    statements.into_iter().map(|statement| run_one(connection, statement)).collect()
}

fn run_one(connection: &Connection, statement: Statement) -> Result<ResultSet> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(translate)?;
    let params = params_from_iter(statement.params.into_iter().map(to_sqlite));
    let columns = prepared.column_count();
    if columns == 0 {
        prepared.execute(params).map_err(translate)?;
        return Ok(ResultSet::default());
    }
    let mut result = ResultSet::default();
    let mut rows = prepared.query(params).map_err(translate)?;
    while let Some(row) = rows.next().map_err(translate)? {
        let values = (0..columns).map(|column| from_sqlite(row.get_ref(column).map_err(translate)?));
        result.rows.push(Row(values.collect::<Result<_>>()?));
    }
    Ok(result)
}
