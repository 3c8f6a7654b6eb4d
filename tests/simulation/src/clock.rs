//! Virtual time: it stands still while a task runs, and goes on to the next one that waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::lock;

/// When every run begins, in milliseconds since the epoch.
const BEGIN_MS: i64 = 1_700_000_000_000;

#[derive(Default)]
struct State {
    elapsed_ms: u64,
    next_id: u64,
    /// By the time of waking, then in the order of falling asleep.
    sleepers: BTreeMap<(u64, u64), Waker>,
}

/// The time of a run. Cloned, it is the same clock.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<State>>);

impl Clock {
    /// Milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        BEGIN_MS.saturating_add_unsigned(lock(&self.0).elapsed_ms)
    }

    /// The time of stores and of who mirrors to them: the day after, so that versions may be old enough to go.
    pub(crate) fn next_day_ms(&self) -> i64 {
        self.now_ms() + 24 * 3_600_000
    }

    /// Waits, and lets others run even when the time is 0.
    pub(crate) fn sleep(&self, ms: u64) -> Sleep {
        let mut state = lock(&self.0);
        state.next_id += 1;
        Sleep { clock: self.clone(), key: (state.elapsed_ms + ms, state.next_id), is_waiting: false }
    }

    /// Goes on to the time of the next sleeper and wakes all of that time; false when nobody sleeps.
    pub(crate) fn advance(&self) -> bool {
        let mut state = lock(&self.0);
        let Some((&(time, _), _)) = state.sleepers.first_key_value() else { return false };
        state.elapsed_ms = state.elapsed_ms.max(time);
        let later = state.sleepers.split_off(&(time, u64::MAX));
        let woken = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        woken.into_values().for_each(Waker::wake);
        true
    }
}

/// A wait on a [`Clock`].
pub(crate) struct Sleep {
    clock: Clock,
    key: (u64, u64),
    is_waiting: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let is_over = self.is_waiting && lock(&self.clock.0).elapsed_ms >= self.key.0;
        if is_over {
            return Poll::Ready(());
        }
        self.is_waiting = true;
        lock(&self.clock.0).sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&self.clock.0).sleepers.remove(&self.key);
    }
}
