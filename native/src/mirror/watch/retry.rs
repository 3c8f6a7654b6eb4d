//! When a target that failed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deltalakedb_core::ErrorKind;

/// Pauses for errors that pass by themselves, as those of a store that is too busy.
const PASSING: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// For those that need somebody to do something, such as to give a right.
const LASTING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// The pauses of one target, longer after each failure.
#[derive(Default)]
pub(super) struct Retry(Option<(bool, ExponentialBackoff)>);

impl Retry {
    /// The pause after a failure of this kind.
    pub(super) fn pause(&mut self, kind: ErrorKind) -> Duration {
        let passes = matches!(kind, ErrorKind::Unavailable);
        let (least, most) = if passes { PASSING } else { LASTING };
        let is_same = self.0.as_ref().is_some_and(|(earlier, _)| *earlier == passes);
        if !is_same {
            let pauses = ExponentialBuilder::default().with_min_delay(least).with_max_delay(most);
            self.0 = Some((passes, pauses.with_jitter().without_max_times().build()));
        }
        self.0.as_mut().and_then(|(_, pauses)| pauses.next()).unwrap_or(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut retry = Retry::default();
        let pauses: Vec<Duration> = (0..20).map(|_| retry.pause(ErrorKind::Unavailable)).collect();
        assert!(pauses[0] >= PASSING.0 && pauses[0] <= 2 * PASSING.0, "{pauses:?}");
        assert!(pauses[19] >= PASSING.1 && pauses[19] <= 2 * PASSING.1, "{pauses:?}");
        assert!(retry.pause(ErrorKind::Denied) < 2 * LASTING.0 + LASTING.0);
    }
}
