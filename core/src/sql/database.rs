use std::fmt;
use std::future::Future;

use super::{Batch, ResultSet};
use crate::{Error, ErrorKind};

/// `Send` where threads are, nothing in a browser or an edge worker.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send> MaybeSend for T {}

/// `Send` where threads are, nothing in a browser or an edge worker.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T> MaybeSend for T {}

/// The one port to a SQL database.
///
/// 1. A batch takes effect wholly or not at all; its queries see one state of the database.
/// 2. A batch of [`Write`](super::Access::Write) access is durable when the answer arrives.
/// 3. Write batches happen one after the other, in some order.
/// 4. There is one [`ResultSet`] for each statement, in order.
pub trait Database {
    /// Runs the statements in order.
    ///
    /// # Errors
    /// A [`DatabaseError`], after which nothing of the batch has happened, but for
    /// [`AnswerLost`](DatabaseError::AnswerLost).
    fn batch(&self, batch: Batch) -> impl Future<Output = Result<Vec<ResultSet>, DatabaseError>> + MaybeSend;

    /// What one statement may hold.
    fn limits(&self) -> Limits;
}

/// How many rows travel in one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsEncoding {
    /// As `VALUES`, a parameter a value; SQLite.
    Values,
    /// As one JSON parameter that `json_each` unfolds; D1, with its 100 parameters a statement.
    Json,
}

/// What one statement may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How rows travel.
    pub rows: RowsEncoding,
    /// Parameters of a statement.
    pub max_params: usize,
    /// Bytes of one JSON parameter that carries rows.
    pub max_json_bytes: usize,
    /// How the files of large tables are kept by columns.
    pub segments: SegmentSizes,
}

/// How many files the parts of a [segment](crate::segment) have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSizes {
    /// Files that are in no segment until they are brought into one.
    pub tail: i64,
    /// Files of a segment at the most.
    pub files: usize,
    /// Files of a block at the most.
    pub block: usize,
}

impl SegmentSizes {
    /// A block has some 100 KB, a segment the statistics of a column in as many.
    pub const DEFAULT: SegmentSizes = SegmentSizes { tail: 1024, files: 16_384, block: 2048 };
}

impl Limits {
    /// SQLite as bundled: the row count keeps a statement's program small, which is fastest.
    pub const SQLITE: Limits =
        Limits { rows: RowsEncoding::Values, max_params: 1000, max_json_bytes: 0, segments: SegmentSizes::DEFAULT };

    /// Cloudflare D1, from its documented limits (2 MB a value).
    pub const D1: Limits = Limits {
        rows: RowsEncoding::Json,
        max_params: 100,
        max_json_bytes: 1_000_000,
        segments: SegmentSizes::DEFAULT,
    };
}

/// Why a batch did not happen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DatabaseError {
    /// A guard did not hold (`dl_guard`); its name.
    Guard(String),
    /// A unique index refused a row; its columns, as `table.column, table.column`.
    Unique(String),
    /// A sum left the range of 64-bit integers.
    OutOfRange(String),
    /// Another writer held the database for too long.
    Busy(String),
    /// The disk or the database is full.
    Full(String),
    /// The database may not be written.
    ReadOnly(String),
    /// It is not a database, or a damaged one.
    NotADatabase(String),
    /// It holds the tables of other software, such as this one.
    Foreign(String),
    /// It lacks the catalog's tables.
    NoCatalog(String),
    /// The connection broke before the answer came: the batch may have happened.
    AnswerLost(String),
    /// It cannot be reached or opened.
    Unavailable(String),
    /// Anything else.
    Other(String),
}

impl DatabaseError {
    /// The error of what was to be done; `lost` says what to do when it is not known whether it was done.
    ///
    /// ```
    /// use deltalakedb_core::sql::DatabaseError;
    /// let error = DatabaseError::AnswerLost("the connection broke".into()).or_lost("look whether it is there");
    /// assert_eq!(error.hint_text(), Some("look whether it is there"));
    /// ```
    pub fn or_lost(self, lost: &str) -> Error {
        match self {
            DatabaseError::AnswerLost(_) => Error::from(self).hint(lost),
            _ => self.into(),
        }
    }
}

/// The last version of a table: its key in `dl_table_versions` has 40 bits for version + 1.
const LAST_VERSION: i64 = (1 << 40) - 2;

/// What is wrong, as in the message of the [`Error`] that it becomes.
///
/// ```
/// use deltalakedb_core::sql::DatabaseError;
/// let error: Box<dyn std::error::Error> = Box::new(DatabaseError::Busy("database is locked".into()));
/// assert_eq!(error.to_string(), "the catalog is busy: database is locked");
/// ```
impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DatabaseError::*;
        match self {
            OutOfRange(_) => f.write_str(OUT_OF_RANGE),
            Guard(guard) if guard == "totals_in_range" => f.write_str(OUT_OF_RANGE),
            Guard(guard) if guard == "version_in_range" => {
                write!(f, "the table's versions go beyond {LAST_VERSION}, the last one that a catalog has room for")
            }
            Guard(guard) => write!(f, "the catalog's guard `{guard}` did not hold"),
            Unique(columns) => write!(f, "{columns} must be unique"),
            Busy(text) => write!(f, "the catalog is busy: {text}"),
            Full(text) => write!(f, "the catalog's disk is full: {text}"),
            ReadOnly(text) => write!(f, "the catalog cannot be written: {text}"),
            NotADatabase(text) => write!(f, "the catalog is not a SQLite database, or a damaged one: {text}"),
            Foreign(table) => write!(f, "the database holds other software's tables, such as `{table}`"),
            NoCatalog(text) => write!(f, "the database holds no catalog: {text}"),
            AnswerLost(text) => write!(f, "the catalog's answer was lost: {text}"),
            Unavailable(text) => write!(f, "the catalog cannot be reached: {text}"),
            Other(text) => write!(f, "the catalog's database: {text}"),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        use DatabaseError::*;
        let (kind, hint) = match &error {
            Guard(guard) if guard == "version_in_range" => (ErrorKind::Unsupported, None),
            Guard(guard) if guard != "totals_in_range" => (ErrorKind::Conflict, None),
            Guard(_) | OutOfRange(_) => (
                ErrorKind::Corrupt,
                Some("look at `size` and `numRecords` of the files that were to be written; nothing was changed"),
            ),
            Unique(_) => (ErrorKind::Conflict, None),
            Busy(_) => (ErrorKind::Unavailable, Some("another process holds the database; try again")),
            Full(_) => (ErrorKind::Unavailable, Some("free some space and try again")),
            ReadOnly(_) => (
                ErrorKind::Denied,
                Some(
                    "check the permissions of the database file, of its folder, and of the `-wal` and `-shm` files beside it",
                ),
            ),
            NotADatabase(_) => {
                (ErrorKind::Corrupt, Some("check the path; restore the file from a backup if it was a catalog"))
            }
            Foreign(_) => (ErrorKind::Invalid, Some("give the catalog a database of its own")),
            NoCatalog(_) => (ErrorKind::NotFound, Some("`dl migrate` makes one, and so does the first `dl import`")),
            AnswerLost(_) => (ErrorKind::Unavailable, None),
            Unavailable(_) => {
                (ErrorKind::Unavailable, Some("check the path and the permissions, or that the database is running"))
            }
            Other(_) => (ErrorKind::Internal, None),
        };
        let text = Error::new(kind, error.to_string());
        match hint {
            Some(hint) => text.hint(hint),
            None => text,
        }
    }
}

const OUT_OF_RANGE: &str =
    "the sizes, row counts or times of the table's versions go beyond what 64 bits hold, or below zero";
