//! How a SQLite database is opened.

/// When what a batch did or saw is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Before the answer comes: it outlives a loss of power.
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
