//! Copies of a database file, and whether one is sound.

use std::path::Path;

use deltalakedb_core::sql::DatabaseError;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::convert::translate;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Copies all pages, as the transaction that `connection` is in sees them.
pub(super) fn copy_pages(connection: &Connection, path: &Path) -> Result<()> {
    let mut copy = Connection::open(path).map_err(translate)?;
    // Whoever made the file makes it durable, or throws it away.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(translate)?;
    let backup = Backup::new(connection, &mut copy).map_err(translate)?;
    match backup.step(-1).map_err(translate)? {
        StepResult::Done => Ok(()),
        step => Err(DatabaseError::Busy(format!("the copy ended with {step:?}"))),
    }
}

/// What SQLite finds wrong in a file that nobody writes; nothing when it is sound.
pub(crate) fn check_integrity(path: &Path) -> Result<Option<String>> {
    let path = std::path::absolute(path).map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
    let mut uri =
        url::Url::from_file_path(path).map_err(|()| DatabaseError::Unavailable("the path is not a file's".into()))?;
    // So that no files come to lie beside it.
    uri.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri.as_str(), flags).map_err(translate)?;
    let found = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    found.map(|text| (text != "ok").then_some(text)).map_err(translate)
}
