//! What went wrong with a target, and when it is tried again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deltalakedb_core::{Error, ErrorKind};

/// Pauses for errors that pass by themselves, as those of a store that is too busy.
const PASSING: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// For those that need somebody to do something, such as to give a right.
const LASTING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The longest pause when the table moves, and with it perhaps what was wrong.
const HASTENED: Duration = Duration::from_secs(5);

/// Failures one after another.
#[derive(Default)]
pub(super) struct Failures {
    count: i64,
    last: Option<Error>,
    /// When the first one was that happened here.
    since: Option<Instant>,
    pauses: Option<(bool, ExponentialBackoff)>,
    retry_at: Option<Instant>,
}

impl Failures {
    /// There were so many, also of others who tried before.
    pub(super) fn at_least(&mut self, count: i64) {
        self.count = self.count.max(count);
    }

    /// How many there were since the last success.
    pub(super) fn count(&self) -> i64 {
        self.count
    }

    pub(super) fn last(&self) -> Option<&Error> {
        self.last.as_ref()
    }

    /// How long all attempts have failed here by what may be other where another process runs: rights, settings, the network;
    /// and not by what is wrong in the log.
    pub(super) fn own_for(&self, now: Instant) -> Option<Duration> {
        use ErrorKind::{Denied, Invalid, NotFound, Unavailable};
        let may_be_own = matches!(self.last.as_ref()?.kind(), Denied | Unavailable | NotFound | Invalid);
        self.since.filter(|_| may_be_own).map(|since| now.duration_since(since))
    }

    /// Whether the pause after the last one is over.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.retry_at.is_none_or(|at| now >= at)
    }

    /// Notes one, and the pause after it, longer each time; whether it is news: something else is to be done about it than
    /// about the one before. What failed in the same way may be told by other words, as it was another call that failed.
    pub(super) fn note(&mut self, error: Error, now: Instant) -> (bool, Duration) {
        let remedy = |error: &Error| (error.kind(), error.hint_text().map_or_else(|| error.to_string(), str::to_owned));
        let is_new = self.last.as_ref().is_none_or(|last| remedy(last) != remedy(&error));
        let pause = self.pause(error.kind());
        (self.count, self.last, self.retry_at) = (self.count + 1, Some(error), Some(now + pause));
        self.since.get_or_insert(now);
        (is_new, pause)
    }

    pub(super) fn hasten(&mut self, now: Instant) {
        self.retry_at = self.retry_at.map(|at| at.min(now + HASTENED));
    }

    fn pause(&mut self, kind: ErrorKind) -> Duration {
        let passes = matches!(kind, ErrorKind::Unavailable);
        let (least, most) = if passes { PASSING } else { LASTING };
        let is_same = self.pauses.as_ref().is_some_and(|(earlier, _)| *earlier == passes);
        if !is_same {
            let pauses = ExponentialBuilder::default().with_min_delay(least).with_max_delay(most);
            self.pauses = Some((passes, pauses.with_jitter().without_max_times().build()));
        }
        self.pauses.as_mut().and_then(|(_, pauses)| pauses.next()).unwrap_or(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut failures = Failures::default();
        let pauses: Vec<Duration> = (0..20).map(|_| failures.pause(ErrorKind::Unavailable)).collect();
        assert!(pauses[0] >= PASSING.0 && pauses[0] <= 2 * PASSING.0, "{pauses:?}");
        assert!(pauses[19] >= PASSING.1 && pauses[19] <= 2 * PASSING.1, "{pauses:?}");
        assert!(failures.pause(ErrorKind::Denied) < 2 * LASTING.0 + LASTING.0);
    }

    #[test]
    fn a_failure_is_news_once() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let denied = || Error::new(ErrorKind::Denied, "no").hint("ask for the right");
        assert!(failures.may_try(now));
        assert!(failures.note(denied(), now).0);
        assert!(!failures.may_try(now + LASTING.0 / 2) && failures.may_try(now + 2 * LASTING.0));
        let (is_new, pause) = failures.note(denied(), now);
        assert!(!is_new && pause > LASTING.0, "{pause:?}");
        assert!(!failures.note(denied().context("reading x"), now).0);
        failures.hasten(now);
        assert_eq!((failures.count(), failures.may_try(now + HASTENED)), (3, true));
        assert!(failures.note(Error::new(ErrorKind::Denied, "no").hint("set the clock"), now).0);
    }

    #[test]
    fn what_is_wrong_in_the_log_is_so_for_everyone() {
        let begin = Instant::now();
        let later = begin + LASTING.0;
        let mut failures = Failures::default();
        failures.at_least(2);
        assert_eq!((failures.count(), failures.own_for(begin), failures.may_try(begin)), (2, None, true));
        failures.note(Error::new(ErrorKind::Denied, "no"), begin);
        failures.note(Error::new(ErrorKind::Unavailable, "no answer"), later);
        assert_eq!((failures.count(), failures.own_for(later)), (4, Some(LASTING.0)));
        failures.note(Error::new(ErrorKind::Conflict, "it is another one's"), later);
        assert_eq!(failures.own_for(later), None);
    }
}
