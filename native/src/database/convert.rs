//! Values and errors: SQLite's and the port's.

use deltalakedb_core::sql::{DatabaseError, Value};
use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, ffi};

pub(super) fn to_sqlite(value: Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Sqlite;
    match value {
        Value::Null => Sqlite::Null,
        Value::Integer(value) => Sqlite::Integer(value),
        Value::Real(value) => Sqlite::Real(value),
        Value::Text(value) => Sqlite::Text(value),
        Value::Blob(value) => Sqlite::Blob(value),
    }
}

pub(super) fn from_sqlite(value: ValueRef<'_>) -> Result<Value, DatabaseError> {
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

/// Whether a file could not be opened for what cannot be written beside it. What another program has left half written
/// cannot be read either, and is something else.
pub(super) fn is_cannot_open(error: &rusqlite::Error) -> bool {
    const HALF_WRITTEN: [i32; 2] = [ffi::SQLITE_READONLY_ROLLBACK, ffi::SQLITE_READONLY_RECOVERY];
    error.sqlite_error().is_some_and(|failure| match failure.code {
        ErrorCode::CannotOpen => true,
        ErrorCode::ReadOnly => !HALF_WRITTEN.contains(&failure.extended_code),
        _ => false,
    })
}

pub(super) fn translate(error: rusqlite::Error) -> DatabaseError {
    let (failure, message) = match &error {
        rusqlite::Error::SqliteFailure(failure, message) => (failure, message.clone()),
        // Without the statement, which is long.
        rusqlite::Error::SqlInputError { error: failure, msg, .. } => (failure, Some(msg.clone())),
        _ => return DatabaseError::Other(error.to_string()),
    };
    let text = message.unwrap_or_else(|| failure.to_string());
    match (failure.code, failure.extended_code) {
        (_, ffi::SQLITE_READONLY_ROLLBACK) => DatabaseError::Unavailable(
            "another program died while it wrote to it, and left a journal; `dl migrate` undoes what it left".into(),
        ),
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
