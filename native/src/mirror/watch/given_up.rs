//! Targets that this process gave up, as another one may be able to serve them.
//!
//! What fails for one process may be its own: its rights, its settings, the network of its machine. So it lets others try, by
//! these rules, for which nobody compares clocks:
//!
//! 1. A target that fails so for a while ([`FIRST_HOLD`]) is given up, if another process lives.
//! 2. For some seconds ([`LEFT`]) it is left to the others; then whoever comes first has it, this process, too. So a target that
//!    nobody can serve is tried on by somebody, and each holds it twice as long as the time before.
//! 3. As long as another one holds it, it is the other one's; but now and then one of all those is taken back for a trial,
//!    where that evens out what both hold. One that fails again goes back at once, and the time until the next one doubles.
//! 4. What others took of themselves while it failed here is one of them.
//! 5. Once this process has published to a target again, it is one like any other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use deltalakedb_core::mirror::Target;

/// A target that fails for so long is given up the first time.
const FIRST_HOLD: Duration = Duration::from_secs(15);
const LONGEST_HOLD: Duration = Duration::from_secs(3600);
/// So long a target is left to the others: all of them look meanwhile for targets that nobody holds.
const LEFT: Duration = Duration::from_secs(15);
/// Until a trial.
const FIRST_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// Those that were given up, and to which nothing was published since.
pub(super) struct GivenUp {
    targets: HashMap<Target, Past>,
    next_trial: Instant,
    pause: Duration,
}

/// What became of a target here.
struct Past {
    /// When it was given up last, and how often it was.
    at: Instant,
    times: u32,
    /// It was taken from another one since.
    is_on_trial: bool,
}

impl GivenUp {
    pub(super) fn new(now: Instant) -> Self {
        GivenUp { targets: HashMap::new(), next_trial: now, pause: FIRST_PAUSE }
    }

    /// Whether a target that fails for so long is to be given up.
    pub(super) fn is_due(&self, target: &Target, failing_for: Duration) -> bool {
        match self.targets.get(target) {
            Some(past) if past.is_on_trial => true,
            Some(past) => failing_for >= doubled(FIRST_HOLD, past.times, LONGEST_HOLD),
            None => failing_for >= FIRST_HOLD,
        }
    }

    /// These were given up.
    pub(super) fn note(&mut self, targets: &[Target], now: Instant) {
        if targets.is_empty() {
            return;
        }
        if self.targets.is_empty() {
            (self.next_trial, self.pause) = (now + FIRST_PAUSE, FIRST_PAUSE);
        }
        let mut is_trial_lost = false;
        for target in targets {
            let past = self.targets.entry(target.clone()).or_insert(Past { at: now, times: 0, is_on_trial: false });
            is_trial_lost |= past.is_on_trial;
            *past = Past { at: now, times: past.times + 1, is_on_trial: false };
        }
        // More that are given up soon after others have the same cause, most probably.
        if is_trial_lost || now >= self.next_trial {
            self.pause = doubled(self.pause, 1, LONGEST_PAUSE);
            self.next_trial = now + self.pause;
        }
    }

    /// These were taken from others.
    pub(super) fn note_trials(&mut self, targets: &[Target], now: Instant) {
        for target in targets {
            if let Some(past) = self.targets.get_mut(target) {
                past.is_on_trial = true;
                self.next_trial = now + self.pause;
            }
        }
    }

    /// Something was published to a target. If it was given up before, another one may be tried.
    pub(super) fn forget(&mut self, target: &Target, now: Instant) {
        if self.targets.remove(target).is_some() {
            self.next_trial = now;
        }
    }

    /// Whether a target is one of them.
    pub(super) fn has(&self, target: &Target) -> bool {
        self.targets.contains_key(target)
    }

    /// Those that are not taken even when nobody holds them.
    pub(super) fn left_to_others(&self, now: Instant) -> Vec<Target> {
        let left = self.targets.iter().filter(|(_, past)| now.duration_since(past.at) < LEFT);
        left.map(|(target, _)| target.clone()).collect()
    }

    /// Those that are not taken from others.
    pub(super) fn not_from_others(&self) -> Vec<Target> {
        self.targets.keys().cloned().collect()
    }

    /// How many of them may be taken from others for a trial.
    pub(super) fn trials(&self, now: Instant) -> u32 {
        u32::from(!self.targets.is_empty() && now >= self.next_trial)
    }
}

fn doubled(time: Duration, times: u32, longest: Duration) -> Duration {
    time.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: i64) -> Target {
        Target { table: number, url: format!("s3://bucket/{number}") }
    }

    #[test]
    fn a_target_that_nobody_can_serve_is_held_longer_each_time() {
        let begin = Instant::now();
        let mut given_up = GivenUp::new(begin);
        for hold in [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
            let hold = Duration::from_secs(hold);
            assert!(!given_up.is_due(&target(1), hold - Duration::from_secs(1)) && given_up.is_due(&target(1), hold));
            given_up.note(&[target(1)], begin);
        }
        assert!(given_up.is_due(&target(2), FIRST_HOLD), "another one is another one");
    }

    #[test]
    fn it_is_left_to_others_for_a_while() {
        let begin = Instant::now();
        let mut given_up = GivenUp::new(begin);
        given_up.note(&[target(1)], begin);
        assert_eq!(given_up.left_to_others(begin + LEFT / 2), [target(1)]);
        assert!(given_up.left_to_others(begin + LEFT).is_empty(), "it may have it again when nobody else does");
        assert_eq!(given_up.not_from_others(), [target(1)], "and leaves it to who has it");
    }

    #[test]
    fn trials_come_more_seldom_while_they_fail() {
        let mut now = Instant::now();
        let mut given_up = GivenUp::new(now);
        assert_eq!(given_up.trials(now), 0, "there is none to try");
        given_up.note(&[target(1), target(2)], now);
        given_up.note(&[target(3)], now + Duration::from_secs(1));
        for pause in [300, 600, 1200] {
            assert_eq!(given_up.trials(now + Duration::from_secs(pause - 1)), 0);
            now += Duration::from_secs(pause);
            assert_eq!(given_up.trials(now), 1);
            given_up.note_trials(&[target(1)], now);
            assert_eq!(given_up.trials(now), 0, "one after another");
            assert!(given_up.is_due(&target(1), Duration::ZERO), "it goes back when it fails");
            given_up.note(&[target(1)], now);
        }
        given_up.note_trials(&[target(2)], now);
        given_up.forget(&target(2), now);
        assert!(!given_up.has(&target(2)));
        assert_eq!(given_up.trials(now), 1, "one that does well has another one tried");
        given_up.forget(&target(1), now);
        given_up.forget(&target(3), now);
        assert_eq!(given_up.trials(now), 0);
    }
}
