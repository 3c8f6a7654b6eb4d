//! How a connection waits for another process's write.

use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// The longest wait for one write.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// The first pause, and the longest one. SQLite's own go up to 100 ms: the process that has just written finds the others
/// asleep again and again, and one of sixteen waited 3 s. Much shorter ones let the writers take turns at every commit, and
/// each reads anew what the other one wrote.
const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

const BRIEF_PAUSE: Duration = Duration::from_micros(100);

thread_local! {
    /// A connection is used by one thread at a time, and that one waits for one thing at a time.
    static WAITING_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets a connection wait for other processes as those of a [`SqliteDatabase`](super::SqliteDatabase) do: up to 30 s, in
/// pauses of random length.
///
/// # Errors
/// Those of SQLite.
pub fn wait_as_the_catalog(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(pause))
}

/// Lets a connection that holds the lock on the file wait for readers: others wait for it meanwhile.
pub(super) fn wait_briefly(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|number| pause_within(number, Duration::from_millis(5))))
}

/// As [`wait_briefly`], but until readers that come one after the other are done.
pub(super) fn wait_for_readers(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|number| pause_within(number, Duration::from_millis(500))))
}

fn pause_within(number: i32, longest: Duration) -> bool {
    if number == 0 {
        WAITING_SINCE.set(Some(Instant::now()));
    }
    sleep(BRIEF_PAUSE);
    WAITING_SINCE.get().is_some_and(|since| since.elapsed() < longest)
}

/// Before try `number`, which counts from 0; false: gives up.
fn pause(number: i32) -> bool {
    if number == 0 {
        WAITING_SINCE.set(Some(Instant::now()));
    }
    if WAITING_SINCE.get().is_some_and(|since| since.elapsed() > BUSY_TIMEOUT) {
        return false;
    }
    let longest = FIRST_PAUSE.saturating_mul(1 << number.clamp(0, 10)).min(LONGEST_PAUSE);
    sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0));
    true
}
