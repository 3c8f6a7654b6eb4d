//! The port on SQLite: one connection that writes, a few that read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deltalakedb_core::sql::{Access, Batch, Database, DatabaseError, Limits, ResultSet, Row, Statement, Value};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, params_from_iter};

use super::busy::{BUSY_TIMEOUT, wait_as_the_catalog};

type Result<T> = std::result::Result<T, DatabaseError>;

const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Idle connections that are kept for readers.
const READERS: usize = 4;
const STATEMENT_CACHE: usize = 128;

/// When a transaction that was acknowledged is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// At once: it outlives a loss of power.
    #[default]
    Full,
    /// When the operating system likes: it outlives the process, but not a loss of power, after which the database may
    /// even be damaged. For databases that can be made anew, and for measurements.
    Off,
}

/// On which thread a batch runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchThread {
    /// On one of the runtime's threads for blocking work: other tasks go on meanwhile.
    #[default]
    Blocking,
    /// On the one that asks, which saves two changes of threads a batch. For a process, or a thread, that has nothing else
    /// to do; needs no runtime.
    Caller,
}

/// How a database is opened.
///
/// ```
/// use deltalakedb_native::database::{BatchThread, SqliteOptions, Synchronous};
/// let options = SqliteOptions::default().batch_thread(BatchThread::Caller);
/// assert_eq!(options.synchronous, Synchronous::Full);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// [`Full`](Synchronous::Full) by default.
    pub synchronous: Synchronous,
    /// [`Blocking`](BatchThread::Blocking) by default.
    pub batch_thread: BatchThread,
}

impl SqliteOptions {
    /// With another promise of durability.
    #[must_use]
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        SqliteOptions { synchronous, ..self }
    }

    /// With another place for the work.
    #[must_use]
    pub fn batch_thread(self, batch_thread: BatchThread) -> Self {
        SqliteOptions { batch_thread, ..self }
    }
}

/// A SQLite database file in WAL mode. Cloned, it shares its connections.
///
/// ```
/// use deltalakedb_core::{catalog, sql::Database};
/// use deltalakedb_native::database::SqliteDatabase;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("catalog.db");
/// let database = SqliteDatabase::create(path).map_err(deltalakedb_core::Error::from)?;
/// for migration in catalog::MIGRATIONS {
///     database.migrate(migration.sql).map_err(deltalakedb_core::Error::from)?;
/// }
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// assert!(runtime.block_on(catalog::list_tables(&database))?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteDatabase(Arc<Shared>);

struct Shared {
    path: PathBuf,
    options: SqliteOptions,
    // Closed in this order: the writer, as the last one, moves what is in the log beside the file into the file.
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Option<Connection>>,
}

impl SqliteDatabase {
    /// Opens a file that is there. Nothing is written before the first write batch.
    ///
    /// # Errors
    /// When the file is not there, is no database, or may not be read.
    pub fn open(path: PathBuf) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: PathBuf, options: SqliteOptions) -> Result<Self> {
        let database = SqliteDatabase(Arc::new(Shared::new(path, options)));
        let reader = database.0.open_reader()?;
        lock(&database.0.readers).push(reader);
        Ok(database)
    }

    /// Opens a file, an empty one when it is not there.
    ///
    /// # Errors
    /// When the file is no database, or may not be written.
    pub fn create(path: PathBuf) -> Result<Self> {
        Self::create_with(path, SqliteOptions::default())
    }

    /// As [`create`](Self::create), with options.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(path: PathBuf, options: SqliteOptions) -> Result<Self> {
        let shared = Shared::new(path, options);
        *lock(&shared.writer) = Some(shared.open_writer(OpenFlags::SQLITE_OPEN_CREATE)?);
        Ok(SqliteDatabase(Arc::new(shared)))
    }

    /// Runs a migration's text, which holds several statements, in one transaction.
    ///
    /// # Errors
    /// When a statement fails; nothing has changed then.
    pub fn migrate(&self, sql: &str) -> Result<()> {
        self.0.write(|connection| connection.execute_batch(sql).map_err(translate))
    }
}

impl Database for SqliteDatabase {
    async fn batch(&self, batch: Batch) -> Result<Vec<ResultSet>> {
        let shared = self.0.clone();
        let run = move || match batch.access {
            Access::Read => shared.read(|connection| run_all(connection, batch.statements)),
            Access::Write => shared.write(|connection| run_all(connection, batch.statements)),
        };
        if self.0.options.batch_thread == BatchThread::Caller {
            return run();
        }
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result,
            Err(error) => Err(DatabaseError::AnswerLost(format!("the database thread ended: {error}"))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::SQLITE
    }
}

/// One connection to a database in memory, without the threads of [`SqliteDatabase`]: for hosts with a runtime of
/// their own.
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

    /// Runs a batch, as [`Database::batch`] demands it.
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

impl Shared {
    fn new(path: PathBuf, options: SqliteOptions) -> Self {
        Shared { path, options, readers: Mutex::default(), writer: Mutex::default() }
    }

    fn read<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.readers).pop();
        let connection = idle.map_or_else(|| self.open_reader(), Ok)?;
        let result = in_transaction(&connection, "BEGIN", run);
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(connection);
        }
        result
    }

    fn write<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        let connection = match writer.take() {
            Some(connection) => connection,
            None => self.open_writer(OpenFlags::empty())?,
        };
        let result = in_transaction(&connection, "BEGIN IMMEDIATE", run);
        *writer = Some(connection);
        result
    }

    fn open_writer(&self, create: OpenFlags) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
        let mut connection = Connection::open_with_flags(&self.path, flags).map_err(translate)?;
        set_up(&mut connection)?;
        check_ours(&connection)?;
        // A page of 8 KiB holds several files with their statistics; only a new database takes it.
        // 64 MiB of cache hold the index of paths.
        connection
            .execute_batch("PRAGMA page_size = 4096; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;")
            .map_err(translate)?;
        let synchronous = match self.options.synchronous {
            Synchronous::Full => "PRAGMA synchronous = FULL",
            Synchronous::Off => "PRAGMA synchronous = OFF",
        };
        connection.execute_batch(synchronous).map_err(translate)?;
        use_wal(&connection)?;
        Ok(connection)
    }

    fn open_reader(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags).map_err(translate)?;
        set_up(&mut connection)?;
        match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            Ok(()) => Ok(connection),
            // A folder that may not be written cannot hold the file that readers share in WAL mode. Without
            // a log left over, nobody is writing and the database may be read as it is.
            Err(error) if is_cannot_open(&error) && !self.has_wal() => self.open_immutable(),
            Err(error) => Err(translate(error)),
        }
    }

    fn has_wal(&self) -> bool {
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0)
    }

    fn open_immutable(&self) -> Result<Connection> {
        let path = std::path::absolute(&self.path).map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        let mut uri = url::Url::from_file_path(path)
            .map_err(|()| DatabaseError::Unavailable("the path is not a file's".into()))?;
        uri.set_query(Some("immutable=1"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let mut connection = Connection::open_with_flags(uri.as_str(), flags).map_err(translate)?;
        set_up(&mut connection)?;
        Ok(connection)
    }
}

/// Switches a database to WAL mode. For that SQLite does not wait for other processes by itself.
fn use_wal(connection: &Connection) -> Result<()> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL").map_err(translate) {
            Err(DatabaseError::Busy(_)) if Instant::now() < until => std::thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
}

/// A database of other software is left as it is.
fn check_ours(connection: &Connection) -> Result<()> {
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

fn set_up(connection: &mut Connection) -> Result<()> {
    wait_as_the_catalog(connection).map_err(translate)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // A statement is planned once, and not again for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(translate)?;
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(translate)
}

fn in_transaction<T>(
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

fn run_all(connection: &Connection, statements: Vec<Statement>) -> Result<Vec<ResultSet>> {
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

fn to_sqlite(value: Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Sqlite;
    match value {
        Value::Null => Sqlite::Null,
        Value::Integer(value) => Sqlite::Integer(value),
        Value::Real(value) => Sqlite::Real(value),
        Value::Text(value) => Sqlite::Text(value),
        Value::Blob(value) => Sqlite::Blob(value),
    }
}

fn from_sqlite(value: ValueRef<'_>) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(error) => return Err(DatabaseError::NotADatabase(format!("a text is not UTF-8: {error}"))),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

fn is_cannot_open(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn translate(error: rusqlite::Error) -> DatabaseError {
    let (failure, message) = match &error {
        rusqlite::Error::SqliteFailure(failure, message) => (failure, message.clone()),
        // Without the statement, which is long.
        rusqlite::Error::SqlInputError { error: failure, msg, .. } => (failure, Some(msg.clone())),
        _ => return DatabaseError::Other(error.to_string()),
    };
    let text = message.unwrap_or_else(|| failure.to_string());
    match (failure.code, failure.extended_code) {
        (_, ffi::SQLITE_CONSTRAINT_CHECK) => match text.strip_prefix("CHECK constraint failed: ") {
            Some(name) => DatabaseError::Guard(name.to_owned()),
            None => DatabaseError::Other(text),
        },
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            DatabaseError::Unique(text.trim_start_matches("UNIQUE constraint failed: ").to_owned())
        }
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => DatabaseError::Busy(text),
        (ErrorCode::DiskFull, _) => DatabaseError::Full(text),
        (ErrorCode::ReadOnly, _) => DatabaseError::ReadOnly(text),
        (ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt, _) => DatabaseError::NotADatabase(text),
        // The message would name the path, into which the environment may have put a secret.
        (ErrorCode::CannotOpen, _) => DatabaseError::Unavailable(failure.to_string()),
        (ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied, _) => DatabaseError::Unavailable(text),
        _ if text == "integer overflow" => DatabaseError::OutOfRange(text),
        _ if text.starts_with("no such table: dl_") => DatabaseError::NoCatalog(text),
        _ => DatabaseError::Other(text),
    }
}

/// A thread that panicked while it held a connection left it in a state that SQLite itself keeps sound.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
