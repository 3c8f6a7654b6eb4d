//! Keeping the log beside a SQLite file short.
//!
//! SQLite itself tries after every commit to move a long log into the file. With several writers that goes on and on: one
//! has always written some more pages meanwhile, so the log is never begun anew, grows, and is sorted and synced for each
//! commit. Here one writer moves the most of it while the others write on, then the rest under the lock on the file;
//! whoever comes next begins the log anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;

use super::busy::{wait_as_the_catalog, wait_briefly, wait_for_readers};
use super::log_sync::{Move, move_into_file};

/// Pages of a log that is moved into the file.
const LONG_PAGES: i32 = 4000;
/// Pages of a log that readers have kept: they are waited for then.
const TOO_LONG_PAGES: i32 = 4 * LONG_PAGES;
/// Pages that a log has grown by before it is tried again: a reader may hold on to it, or another writer may be at it.
const RETRY_PAGES: i32 = 1000;

/// What one connection knows of the length of the log.
pub(super) struct LogLength {
    /// After the connection's last commit.
    pages: Arc<AtomicI32>,
    moved_from_pages: i32,
}

impl LogLength {
    /// Watches the log in SQLite's stead.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn watch(connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let seen = pages.clone();
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(LogLength { pages, moved_from_pages: LONG_PAGES })
    }

    /// After a commit: moves the log into the file when it has become long. A failure is no failure of the commit; what is
    /// in the log stays there.
    pub(super) fn shorten(&mut self, connection: &mut Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < LONG_PAGES {
            self.moved_from_pages = LONG_PAGES;
        } else if pages >= self.moved_from_pages {
            self.moved_from_pages = pages.saturating_add(RETRY_PAGES);
            // The lock on the file is held while readers are waited for.
            let wait = if pages < TOO_LONG_PAGES { wait_briefly } else { wait_for_readers };
            let is_moved = move_into_file(connection, Move::Passive) || pages >= TOO_LONG_PAGES;
            if is_moved && wait(connection).is_ok() {
                move_into_file(connection, Move::Restart);
                let _ = wait_as_the_catalog(connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FRAME_BYTES: u64 = 4096 + 24;

    fn writer(path: &Path) -> (Connection, LogLength) {
        let mut connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
        wait_as_the_catalog(&mut connection).unwrap();
        let length = LogLength::watch(&mut connection).unwrap();
        (connection, length)
    }

    fn write(writer: &mut (Connection, LogLength), pages: u32) {
        for _ in 0..pages / 20 {
            writer.0.execute("INSERT INTO t VALUES (zeroblob(20 * 4096))", []).unwrap();
            writer.1.shorten(&mut writer.0);
        }
    }

    fn log_pages(path: &Path) -> u64 {
        std::fs::metadata(path.with_extension("db-wal")).unwrap().len() / FRAME_BYTES
    }

    #[test]
    fn it_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (mut one, mut other) = (writer(&path), writer(&path));
        one.0.execute_batch("CREATE TABLE t (x)").unwrap();
        for _ in 0..10 {
            write(&mut one, 1000);
            write(&mut other, 1000);
        }
        let pages = log_pages(&path);
        assert!((4000..4500).contains(&pages), "{pages} pages");
    }

    #[test]
    fn a_reader_keeps_it_and_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut one = writer(&path);
        one.0.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        let reader = Connection::open(&path).unwrap();
        let count = || reader.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        assert_eq!(count(), 1);
        let begun = std::time::Instant::now();
        write(&mut one, 8000);
        assert!(begun.elapsed() < super::super::busy::BUSY_TIMEOUT / 3, "waited {:?}", begun.elapsed());
        assert_eq!(count(), 1);
        let long = log_pages(&path);
        assert!(long > 8000, "{long} pages");

        reader.execute_batch("COMMIT").unwrap();
        write(&mut one, 8000);
        let grown = log_pages(&path) - long;
        assert!(grown <= RETRY_PAGES as u64 + 100, "{grown} pages more");
    }

    #[test]
    fn readers_that_never_end_together_do_not_keep_it_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut one = writer(&path);
        one.0.execute_batch("CREATE TABLE t (x)").unwrap();
        let is_over = AtomicI32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let reader = Connection::open(&path).unwrap();
                    while is_over.load(Ordering::Relaxed) == 0 {
                        reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        reader.execute_batch("COMMIT").unwrap();
                    }
                });
            }
            write(&mut one, 60_000);
            is_over.store(1, Ordering::Relaxed);
        });
        let pages = log_pages(&path);
        assert!(pages < (TOO_LONG_PAGES + 2 * RETRY_PAGES) as u64, "{pages} pages");
    }
}
