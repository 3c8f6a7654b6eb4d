//! The world of a commit: this machine's clock, randomness and timers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deltalakedb_core::commit::Host;
use uuid::{NoContext, Timestamp, Uuid};

/// The machine that the process runs on; needs a tokio runtime with timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemHost;

impl SystemHost {
    /// A random UUID of version 7, with the host's time: that does not fail where the clock stands before 1970.
    pub(crate) fn new_id(self) -> Uuid {
        let now_ms = u64::try_from(self.now_ms()).unwrap_or(0);
        let nanos = (now_ms % 1000) as u32 * 1_000_000;
        Uuid::new_v7(Timestamp::from_unix(NoContext, now_ms / 1000, nanos))
    }
}

impl Host for SystemHost {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }

    async fn sleep(&self, duration_ms: u64) {
        tokio::time::sleep(Duration::from_millis(duration_ms)).await;
    }
}
