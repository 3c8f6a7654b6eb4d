use std::future::Future;

use crate::sql::MaybeSend;

/// What a commit needs of the world besides the database: the core itself reads no clock and no randomness.
pub trait Host {
    /// The time, in milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// A number of at least 0 and less than 1, another one each time.
    fn random(&self) -> f64;

    /// Waits so many milliseconds.
    fn sleep(&self, duration_ms: u64) -> impl Future<Output = ()> + MaybeSend;
}

/// How often a commit is tried before it gives up, and how long it waits in between.
///
/// A try is used up when others committed what the commit must look at and it does not conflict with it, and when an answer
/// is lost. The first try after a rebase comes at once; later ones wait a random part of a time that doubles each time. A
/// database that is busy has let the commit wait already: that is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// At least 1.
    pub max_tries: u32,
    /// The first wait at the most, in milliseconds.
    pub first_wait_ms: u64,
    /// Any wait at the most, in milliseconds.
    pub longest_wait_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { max_tries: 30, first_wait_ms: 2, longest_wait_ms: 500 }
    }
}

impl RetryPolicy {
    /// How long to wait before try `number`, which counts from 1.
    pub(super) fn wait_ms(&self, number: u32, host: &impl Host) -> u64 {
        let Some(doublings) = number.checked_sub(3) else { return 0 };
        let most = self.first_wait_ms.saturating_mul(1 << doublings.min(20)).min(self.longest_wait_ms);
        (most as f64 * host.random()) as u64
    }
}
