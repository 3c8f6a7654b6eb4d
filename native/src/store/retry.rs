//! Trying again, and waiting in between.

use std::time::{Duration, Instant};

use object_store::{BackoffConfig, RetryConfig};

use super::failure::{is_busy, is_unknown_outcome};

/// A request gives up when it was repeated so often.
pub(super) const MAX_RETRIES: usize = 7;
/// A request that failed is not repeated when so much time went by since it was first made.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// The same of a call whose outcome is unknown: there is time for another try after one that got no answer.
const CALL_AGAIN_FOR: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Calls whose outcome is unknown are made so often in all.
const TRIES: u32 = 4;

/// How `object_store` repeats what was throttled, failed in the server or did not reach it: some 6 s in all.
pub(super) fn retry_config() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 3.0 },
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_FOR,
    }
}

/// Makes a call again whose outcome is unknown, and which `object_store` does not repeat. The call must bear being made
/// twice; a put-if-absent does, but finds then what it wrote before.
pub(super) async fn retried<T, F>(mut call: impl FnMut() -> F) -> object_store::Result<T>
where
    F: Future<Output = object_store::Result<T>>,
{
    let start = Instant::now();
    let mut tries = 1;
    loop {
        match call().await {
            Err(error)
                if tries < TRIES
                    && start.elapsed() < CALL_AGAIN_FOR
                    && (is_unknown_outcome(&error) || is_busy(&error)) =>
            {
                pause(tries).await;
                tries += 1;
            }
            result => return result,
        }
    }
}

/// Waits before the next try, longer after each one, and not as long as others do.
pub(super) async fn pause(tries: u32) {
    let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_PAUSE);
    // The simulator brings no runtime, and time of its own.
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    }
}
