//! Puts that are under way in a process's stores, for who waits for them before the process ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deltalakedb_core::{Error, ErrorKind, Result};

/// Nothing has to move for so long before it is given up.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is sent is not seen before it is answered: so many bytes are taken to need a second more.
const BYTES_A_SECOND: u64 = 4 << 20;
/// For bytes there is no more time than this, as for a large file of this machine.
const LONGEST_FOR_BYTES: Duration = Duration::from_secs(20);

/// What of puts is under way.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<State>);

#[derive(Default)]
struct State {
    /// Sent or being sent, and not answered.
    bytes: u64,
    /// When something was last answered, or the process was told to end.
    moved: Option<Instant>,
    is_closed: bool,
}

/// A request that is a part of a put, until it is dropped.
pub(super) struct Sending {
    under_way: Arc<UnderWay>,
    bytes: u64,
}

impl UnderWay {
    /// From now on no object is begun.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        (state.moved, state.is_closed) = (Some(Instant::now()), true);
    }

    /// Whether the process is about to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Until when it is worth waiting, once no object is begun any more: what is under way moves, or may.
    pub(crate) fn worth_waiting_until(&self, now: Instant) -> Instant {
        let state = self.state();
        let for_bytes = Duration::from_millis(state.bytes.saturating_mul(1000) / BYTES_A_SECOND).min(LONGEST_FOR_BYTES);
        state.moved.unwrap_or(now) + PATIENCE + for_bytes
    }

    /// Before an object is begun.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the process is about to end.
    pub(super) fn admit(&self) -> Result<()> {
        match self.is_closed() {
            true => Err(Error::new(ErrorKind::Unavailable, "the process is about to end").hint("start it again")),
            false => Ok(()),
        }
    }

    /// A request that is made to put an object, with so many of its bytes.
    pub(super) fn send(self: &Arc<Self>, bytes: u64) -> Sending {
        self.state().bytes += bytes;
        Sending { under_way: self.clone(), bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut state = self.under_way.state();
        state.bytes = state.bytes.saturating_sub(self.bytes);
        state.moved = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fetched, LogStore, Stores};
    use super::*;

    #[test]
    fn what_moves_is_waited_for() {
        let under_way = Arc::new(UnderWay::default());
        under_way.admit().unwrap();
        let (small, large) = (under_way.send(0), under_way.send(3 * BYTES_A_SECOND));
        under_way.close();
        assert_eq!(under_way.admit().unwrap_err().kind(), ErrorKind::Unavailable);
        let closed = Instant::now();
        let worth = |since: Instant| under_way.worth_waiting_until(since).saturating_duration_since(since);
        let is_about = |time: Duration, seconds: u64| time.abs_diff(Duration::from_secs(seconds)) < PATIENCE / 2;
        assert!(is_about(worth(closed), 4), "{:?}", worth(closed));
        drop(large);
        assert!(is_about(worth(Instant::now()), 1), "{:?}", worth(Instant::now()));
        std::thread::sleep(Duration::from_millis(600));
        drop(small);
        assert!(is_about(worth(Instant::now()), 1), "its answer is a move: {:?}", worth(Instant::now()));
    }

    #[test]
    fn the_largest_object_is_not_waited_for_for_ever() {
        let (under_way, now) = (Arc::new(UnderWay::default()), Instant::now());
        let _sending = under_way.send(u64::MAX / 2);
        assert_eq!(under_way.worth_waiting_until(now), now + PATIENCE + LONGEST_FOR_BYTES);
    }

    #[tokio::test]
    async fn no_object_is_begun_at_the_end() {
        let (folder, stores) = (tempfile::tempdir().unwrap(), Stores::default());
        let log = LogStore::of_folder("--to", folder.path().to_str().unwrap(), &stores).unwrap();
        let content = || Fetched::Bytes("x".into());
        log.put_if_absent("before", content(), 0).await.unwrap();
        stores.under_way().close();
        for refused in [log.put_if_absent("a", content(), 0).await.map(drop), log.put("b", content()).await] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(log.list().await.unwrap().len(), 1);
    }
}
