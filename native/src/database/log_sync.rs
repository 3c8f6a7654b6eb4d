//! Bringing the log beside a SQLite file to the disk, by its writer and outside the lock on the file.
//!
//! SQLite itself would do it under the lock, so that writers wait for each other's disk, one after the other. Here a
//! writer gives the lock back first; whoever comes next writes on, and one sync carries the commits of all that were
//! written before it. Two things make that as safe: nothing is answered before a sync that began after it was written or
//! seen, not even to a reader; and SQLite syncs the log before it moves pages from it into the file
//! (`PRAGMA synchronous = NORMAL`), so the file stays sound.
//!
//! After a sync that failed nobody knows what is on the disk, and the system tells it once to whoever has the file open.
//! Then all of the log is moved into the file, which writes it anew; SQLite syncs the log before, and where that fails,
//! too, this process does nothing more with the database.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::Connection;

/// The log of one database. Its file stays the same one as long as a connection to the database is open.
#[derive(Default)]
pub(super) struct LogSync {
    file: OnceLock<File>,
    has_failed: AtomicBool,
    /// Syncs that were asked for so far.
    asked: AtomicU64,
    /// Those of them that are done: one sync is for all that were asked for before it began.
    done: Mutex<u64>,
}

impl LogSync {
    /// Opens the log of a connection before it is used: a sync tells of failures since then only. False: there is none.
    pub(super) fn open(&self, connection: &Connection) -> io::Result<bool> {
        if self.file.get().is_some() {
            return Ok(true);
        }
        let Some(path) = path(connection) else { return Ok(false) };
        // Windows syncs only what may be written.
        match File::options().read(true).write(cfg!(windows)).open(path) {
            Ok(file) => {
                self.file.get_or_init(|| file);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// A text for people, when a sync failed and nothing has made up for it.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.has_failed.load(Ordering::Acquire) {
            true => Err("a sync of the log beside the database failed: what was written last may be lost".into()),
            false => Ok(()),
        }
    }

    /// Waits until everything in the log is on the disk. Without a log all of it is in the database. `make_up` is for
    /// a sync that fails: whether it brought what is in the log to the disk in another way.
    ///
    /// # Errors
    /// A text for people, when it is not known whether it is there.
    pub(super) fn sync(&self, make_up: impl FnOnce() -> bool) -> Result<(), String> {
        let Some(file) = self.file.get() else { return self.check() };
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        if *done >= number {
            return Ok(());
        }
        let asked = self.asked.load(Ordering::Acquire);
        if let Err(error) = file.sync_data() {
            self.has_failed.store(true, Ordering::Release);
            if !make_up() {
                return Err(format!("the log beside the database could not be synced: {error}"));
            }
            self.has_failed.store(false, Ordering::Release);
        }
        *done = asked;
        Ok(())
    }
}

/// How the log is moved into the file, in SQLite's terms.
#[derive(Clone, Copy)]
pub(super) enum Move {
    /// While others write and read on.
    Passive,
    /// The next one to write begins the log anew.
    Restart,
    /// The log is empty afterwards.
    Truncate,
}

/// Moves all of the log into the file, and syncs that; whether it could.
pub(super) fn move_into_file(connection: &Connection, how: Move) -> bool {
    let pragma = match how {
        Move::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Move::Restart => "PRAGMA wal_checkpoint(RESTART)",
        Move::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let moved = connection.query_row(pragma, [], |row| {
        let (busy, pages, moved): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && pages == moved)
    });
    moved.unwrap_or(false)
}

/// Whether there is a log with something in it.
pub(super) fn has_log(connection: &Connection) -> bool {
    path(connection).is_some_and(|path| std::fs::metadata(path).is_ok_and(|log| log.len() > 0))
}

/// Beside the file that SQLite has opened, which a link may name otherwise.
fn path(connection: &Connection) -> Option<PathBuf> {
    let mut path = OsString::from(connection.path().filter(|path| !path.is_empty())?);
    path.push("-wal");
    Some(path.into())
}
