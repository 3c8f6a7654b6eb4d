//! The port on SQLite: one connection that writes, a few that read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use deltalakedb_core::sql::{Access, Batch, Database, DatabaseError, Limits, ResultSet};
use rusqlite::{Connection, OpenFlags};

use super::connection::{check_ours, data_version, in_transaction, run_all, set_up, use_wal};
use super::convert::{is_cannot_open, translate};
use super::copy::copy_pages;
use super::log_length::LogLength;
use super::log_sync::{LogSync, Move, has_log, move_into_file};
use super::options::{BatchThread, SqliteOptions, Synchronous};

type Result<T> = std::result::Result<T, DatabaseError>;

/// A commit writes few rows to each of several pages: larger ones make imports a fifth faster, and commits slower by as
/// much. 64 MiB of cache hold the index of paths.
const WRITER_SETTINGS: &str = "
PRAGMA page_size = 4096; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;";

/// Idle connections that are kept for readers.
const READERS: usize = 4;

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
    log: LogSync,
    /// The file that was opened, by device and number, where files have them.
    file: OnceLock<Option<(u64, u64)>>,
    // Closed in this order: the writer, as the last one, moves what is in the log beside the file into the file.
    readers: Mutex<Vec<Reader>>,
    writer: Mutex<Option<Writer>>,
}

struct Writer {
    connection: Connection,
    log_length: LogLength,
}

struct Reader {
    connection: Connection,
    /// The state of the database, as SQLite numbers them for a connection, that is known to be on the disk.
    synced: Option<i64>,
    /// It sees nothing that others commit from now on, and serves one batch.
    is_immutable: bool,
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
        if !path.exists() {
            return Err(DatabaseError::Unavailable(format!("there is no file at {}", path.display())));
        }
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

    /// Another number than before when others have committed since: other processes, or other databases opened on the file.
    /// `None`: a batch is being written, and it is not known.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn others_commits(&self) -> Result<Option<i64>> {
        let Ok(mut writer) = self.0.writer.try_lock() else { return Ok(None) };
        let open = match writer.take() {
            Some(open) => open,
            None => self.0.open_writer(OpenFlags::empty())?,
        };
        let version = data_version(&open.connection);
        *writer = Some(open);
        version.map(Some)
    }

    /// Whether another file is at its path than the one that was opened, or none. All batches fail then.
    pub fn is_replaced(&self) -> bool {
        self.0.check_in_place().is_err()
    }

    /// Copies the database as it is at one moment to a file, while others write on; the log beside it may grow meanwhile.
    ///
    /// # Errors
    /// When either file cannot be read or written.
    pub fn copy_to(&self, path: &Path) -> Result<()> {
        self.0.read(|connection| copy_pages(connection, path))
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

impl Shared {
    fn new(path: PathBuf, options: SqliteOptions) -> Self {
        let (log, file) = (LogSync::default(), OnceLock::new());
        Shared { path, options, log, file, readers: Mutex::default(), writer: Mutex::default() }
    }

    /// Who goes on with a file that was moved or deleted works on what nobody else sees, and loses it.
    fn check_in_place(&self) -> Result<()> {
        if self.file.get().is_none_or(|opened| *opened == file_id(&self.path)) {
            return Ok(());
        }
        Err(DatabaseError::Unavailable(format!(
            "{} is another file than the one that was opened, or gone: it was moved, deleted or restored meanwhile; \
             open it again",
            self.path.display()
        )))
    }

    fn read<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.check_in_place()?;
        self.log.check().map_err(DatabaseError::Unavailable)?;
        let idle = lock(&self.readers).pop();
        let mut reader = idle.map_or_else(|| self.open_reader(), Ok)?;
        self.log.open(&reader.connection).map_err(no_log)?;
        let result =
            in_transaction(&reader.connection, "BEGIN", |connection| Ok((run(connection)?, data_version(connection)?)));
        let result = result.and_then(|(value, version)| {
            if self.options.synchronous == Synchronous::Full && reader.synced != Some(version) {
                self.sync().map_err(DatabaseError::Unavailable)?;
                reader.synced = Some(version);
            }
            Ok(value)
        });
        let mut readers = lock(&self.readers);
        if readers.len() < READERS && !reader.is_immutable {
            readers.push(reader);
        }
        result
    }

    fn write<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.check_in_place()?;
        self.log.check().map_err(DatabaseError::Unavailable)?;
        let mut writer = lock(&self.writer);
        let mut open = match writer.take() {
            Some(open) => open,
            None => self.open_writer(OpenFlags::empty())?,
        };
        let result = in_transaction(&open.connection, "BEGIN IMMEDIATE", |connection| {
            if !self.log.open(connection).map_err(no_log)? {
                return Err(DatabaseError::Unavailable("SQLite has no log beside the file".into()));
            }
            run(connection)
        });
        open.log_length.shorten(&mut open.connection);
        *writer = Some(open);
        drop(writer);
        // A refusal, too, rests on what others wrote.
        let is_told = matches!(result, Ok(_) | Err(DatabaseError::Guard(_) | DatabaseError::Unique(_)));
        if is_told && self.options.synchronous == Synchronous::Full {
            self.sync().map_err(DatabaseError::AnswerLost)?;
        }
        result
    }

    /// Without the writer's lock, so that other threads write on meanwhile.
    fn sync(&self) -> std::result::Result<(), String> {
        self.log.sync(|| {
            lock(&self.writer).as_ref().is_some_and(|writer| move_into_file(&writer.connection, Move::Truncate))
        })
    }

    fn open_writer(&self, create: OpenFlags) -> Result<Writer> {
        check_names(&self.path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
        let mut connection = Connection::open_with_flags(&self.path, flags).map_err(translate)?;
        set_up(&mut connection)?;
        check_ours(&connection)?;
        connection.execute_batch(WRITER_SETTINGS).map_err(translate)?;
        let synchronous = match self.options.synchronous {
            Synchronous::Full => "PRAGMA synchronous = NORMAL",
            Synchronous::Off => "PRAGMA synchronous = OFF",
        };
        connection.execute_batch(synchronous).map_err(translate)?;
        use_wal(&connection)?;
        let log_length = LogLength::watch(&mut connection).map_err(translate)?;
        self.file.get_or_init(|| file_id(&self.path));
        Ok(Writer { connection, log_length })
    }

    fn open_reader(&self) -> Result<Reader> {
        check_names(&self.path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags).map_err(translate)?;
        set_up(&mut connection)?;
        self.file.get_or_init(|| file_id(&self.path));
        match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            Ok(()) => Ok(Reader { connection, synced: None, is_immutable: false }),
            // A folder that may not be written cannot hold the file that readers share in WAL mode. Without
            // a log left over, nobody is writing and the database may be read as it is.
            Err(error) if is_cannot_open(&error) && !has_log(&connection) => self.open_immutable(),
            Err(error) => Err(translate(error)),
        }
    }

    fn open_immutable(&self) -> Result<Reader> {
        let path = std::path::absolute(&self.path).map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        let mut uri = url::Url::from_file_path(path)
            .map_err(|()| DatabaseError::Unavailable("the path is not a file's".into()))?;
        uri.set_query(Some("immutable=1"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let mut connection = Connection::open_with_flags(uri.as_str(), flags).map_err(translate)?;
        set_up(&mut connection)?;
        Ok(Reader { connection, synced: None, is_immutable: true })
    }
}

/// SQLite keeps the log beside the name by which a file was opened: writers that open it by different ones do not see each
/// other.
fn check_names(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let Some(names) = std::fs::metadata(path).ok().map(|file| file.nlink()).filter(|names| *names > 1) {
            return Err(DatabaseError::Unavailable(format!(
                "the file has {names} names (hard links), and who opens it by another one neither sees nor keeps others' commits; \
                 remove all names but one"
            )));
        }
    }
    Ok(())
}

/// What tells a file from another one of its name.
fn file_id(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
    // Elsewhere a file that is open cannot be replaced.
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn no_log(error: std::io::Error) -> DatabaseError {
    DatabaseError::Unavailable(format!("the log beside the database cannot be opened: {error}"))
}

/// A thread that panicked while it held a connection left it in a state that SQLite itself keeps sound.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
