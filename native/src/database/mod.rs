//! The databases that `dl` opens.

mod busy;
mod connection;
mod convert;
mod copy;
mod log_length;
mod log_sync;
mod options;
mod sqlite;

pub use busy::wait_as_the_catalog;
pub use connection::SqliteConnection;
pub(crate) use copy::check_integrity;
pub use options::{BatchThread, SqliteOptions, Synchronous};
pub use sqlite::SqliteDatabase;

use std::path::{Path, PathBuf};

use deltalakedb_core::catalog::{MIGRATIONS, catalog_version};
use deltalakedb_core::{Error, ErrorKind, Result};

use crate::expand::expand_env;
use crate::output::printable;

/// Opens the catalog that `--database` names; it must be there and of this release's version.
pub(crate) async fn open_catalog(argument: &str) -> Result<SqliteDatabase> {
    let path = sqlite_path(argument)?;
    if !path.exists() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no database at {}", shown(argument)))
            .hint("check the path; `dl import` makes a catalog"));
    }
    let database = SqliteDatabase::open(path).map_err(|error| opening(argument, error))?;
    let version = catalog_version(&database).await.map_err(|error| opening(argument, error))?;
    let newest = MIGRATIONS.len() as i64;
    if version == 0 {
        return Err(opening(argument, Error::new(ErrorKind::NotFound, "the database holds no catalog"))
            .hint("`dl migrate` makes one in it, `dl import` too"));
    }
    if version < newest {
        return Err(opening(
            argument,
            Error::new(
                ErrorKind::Unsupported,
                format!("the catalog has version {version}, this release needs {newest}"),
            ),
        )
        .hint("`dl migrate` brings it up to date"));
    }
    Ok(database)
}

/// Whether two values of `--database` are one file, in whatever form they name it.
pub(crate) fn names_same_file(one: &str, other: &str) -> bool {
    let place = |argument: &str| sqlite_path(argument).ok().and_then(|path| path.canonicalize().ok());
    one == other || (place(one).is_some() && place(one) == place(other))
}

/// Where a database is to be that is not there yet; nothing of one may be there, such as the log of another.
pub(crate) fn new_database_path(argument: &str) -> Result<PathBuf> {
    let path = sqlite_path(argument)?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        if PathBuf::from(name).symlink_metadata().is_ok() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("there is a file already at {}{suffix}", shown(argument)),
            )
            .path(shown(argument))
            .hint("nothing was written; name a new file"));
        }
    }
    Ok(path)
}

/// Whether there is a file where `--database` points.
pub(crate) fn is_there(argument: &str) -> Result<bool> {
    Ok(sqlite_path(argument)?.exists())
}

/// Opens the database that `--database` names, as a new and empty file if need be.
pub(crate) fn open_or_create(argument: &str) -> Result<SqliteDatabase> {
    let path = sqlite_path(argument)?;
    if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("opening the catalog {}: its folder is not there", shown(argument)),
        )
        .hint("make the folder first"));
    }
    SqliteDatabase::create(path).map_err(|error| opening(argument, error))
}

fn opening(argument: &str, error: impl Into<Error>) -> Error {
    error.into().context(format!("opening the catalog {}", shown(argument))).path(shown(argument))
}

/// The argument for messages: as it was typed, so without what the environment put in, and without what may be
/// secret in an URL.
pub(crate) fn shown(argument: &str) -> String {
    let public = argument.split(['?', '#', ';']).next().unwrap_or_default();
    // What stands before an @ may be a password, however the rest is written.
    let after = public.rsplit_once('@').map_or(public, |(_, after)| after);
    let scheme = public.split_once(':').map(|(scheme, _)| scheme).filter(|_| after.len() < public.len());
    printable(&scheme.map_or(after.to_owned(), |scheme| format!("{scheme}://{after}")))
}

/// The file behind a path, `sqlite:///path` or `deltasql://sqlite/path`.
fn sqlite_path(argument: &str) -> Result<PathBuf> {
    let expanded = expand_env("--database", argument)?;
    let path = match expanded.split_once("://") {
        Some((_, rest)) if rest.contains(['?', '#']) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("--database: {} takes no options after ? or #", shown(argument)),
            )
            .hint("write the path alone"));
        }
        None if has_scheme(&expanded) || expanded.starts_with(':') => return Err(unknown_database(argument)),
        None => expanded.as_str(),
        Some(("sqlite", path)) => path,
        Some(("deltasql", rest)) => match rest.strip_prefix("sqlite") {
            Some(path) if path.starts_with('/') => path,
            _ => return Err(unknown_database(argument)),
        },
        Some(("file", path)) => path,
        Some(_) => return Err(unknown_database(argument)),
    };
    if path.is_empty() || path.contains('\0') {
        return Err(Error::invalid(format!("--database: `{}` names no file", shown(argument)))
            .hint("write a path, sqlite:///path or deltasql://sqlite/path"));
    }
    if Path::new(path).is_dir() {
        return Err(Error::invalid(format!("--database: {} is a folder", shown(argument)))
            .hint("name a file in it, such as catalog.db"));
    }
    // Opening a pipe or a device waits for its other end, or does what nobody meant.
    if Path::new(path).metadata().is_ok_and(|file| !file.is_file()) {
        return Err(Error::invalid(format!("--database: {} is no file, but a pipe or a device", shown(argument)))
            .hint("name a file, such as catalog.db"));
    }
    Ok(PathBuf::from(path))
}

/// Whether a text without `://` begins as an URL does; a drive letter is no scheme.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

fn unknown_database(argument: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("--database: this release cannot open `{}`", shown(argument)))
        .hint("write a path, sqlite:///path or deltasql://sqlite/path; a file with a colon in its name as ./a:b")
}
