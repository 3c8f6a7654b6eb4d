//! Bringing the log beside a SQLite file to the disk, by its writer and outside the lock on the file.
//!
//! SQLite itself would do it under the lock, so that writers wait for each other's disk, one after the other. Here a
//! writer gives the lock back first; whoever comes next writes on, and one sync carries the commits of all that were
//! written before it. Two things make that as safe: nothing is answered before a sync that began after it was written or
//! seen, not even to a reader; and SQLite syncs the log before it moves pages from it into the file
//! (`PRAGMA synchronous = NORMAL`), so the file stays sound.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The log of one database. Its file stays the same one as long as a connection to the database is open.
pub(super) struct LogSync {
    path: PathBuf,
    file: OnceLock<File>,
    /// What was written before a sync that failed may be lost, and a later sync does not tell.
    has_failed: AtomicBool,
}

impl LogSync {
    pub(super) fn new(database: &Path) -> Self {
        let mut path: OsString = database.into();
        path.push("-wal");
        LogSync { path: path.into(), file: OnceLock::new(), has_failed: AtomicBool::new(false) }
    }

    /// Whether there is a log with something in it.
    pub(super) fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|log| log.len() > 0)
    }

    /// Waits until everything in the log is on the disk.
    ///
    /// # Errors
    /// A text for people, when it is not known whether it is; from then on always.
    pub(super) fn sync(&self) -> Result<(), String> {
        if self.has_failed.load(Ordering::Acquire) {
            return Err("an earlier sync of the log beside the database failed: what was written may be lost".into());
        }
        let synced = match self.file() {
            Ok(file) => file.sync_data(),
            // All that was in it is in the database.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        synced.map_err(|error| {
            self.has_failed.store(true, Ordering::Release);
            format!("the log beside the database could not be synced: {error}")
        })
    }

    fn file(&self) -> io::Result<&File> {
        match self.file.get() {
            Some(file) => Ok(file),
            None => {
                // Windows syncs only what may be written.
                let file = File::options().read(true).write(cfg!(windows)).open(&self.path)?;
                Ok(self.file.get_or_init(|| file))
            }
        }
    }
}
