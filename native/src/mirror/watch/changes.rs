//! When to ask which tables have moved.

use std::time::{Duration, Instant};

/// A look at all tables takes so small a share of the time.
const SHARE: u32 = 100;
/// But is made so often, whatever it took: on a busy machine that says little of its work.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is known of others' commits. That there were some is told at once and for little; a look at all tables costs as much
/// as there are, so with many it is not made each time.
pub(super) struct Changes {
    seen: Option<i64>,
    is_due: bool,
    next_look: Instant,
}

/// Which tables to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// None.
    Nothing,
    /// Those that moved lately.
    Lately,
    /// All of them.
    All,
}

impl Changes {
    pub(super) fn new(now: Instant) -> Self {
        Changes { seen: None, is_due: true, next_look: now }
    }

    /// Something else has changed, such as which targets are held.
    pub(super) fn note(&mut self) {
        self.is_due = true;
    }

    /// What to look at, as the number of others' commits is `counter` now; `None`: it is not known.
    pub(super) fn look(&mut self, counter: Option<i64>, now: Instant) -> Look {
        let has_changed = counter.is_none() || counter != self.seen;
        self.seen = counter.or(self.seen);
        self.is_due |= has_changed;
        match (self.is_due && now >= self.next_look, has_changed) {
            (true, _) => Look::All,
            (false, true) => Look::Lately,
            (false, false) => Look::Nothing,
        }
    }

    /// A look at all tables, begun at `begun`, has found what there was.
    pub(super) fn looked(&mut self, begun: Instant, now: Instant) {
        self.is_due = false;
        self.next_look = now + ((now - begun) * SHARE).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_all_are_seldom_when_they_take_long() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let mut changes = Changes::new(begin);
        assert_eq!(changes.look(Some(1), at(0)), Look::All);
        changes.looked(at(0), at(10));
        assert_eq!(changes.look(Some(1), at(20)), Look::Nothing);
        assert_eq!(changes.look(Some(2), at(40)), Look::Lately);
        assert_eq!(changes.look(Some(2), at(1000)), Look::Nothing, "it has been looked at lately");
        assert_eq!(changes.look(Some(2), at(1010)), Look::All, "and at the others when it is time");
        changes.looked(at(1010), at(1010));
        assert_eq!(changes.look(Some(3), at(1011)), Look::All, "which is at once where it costs nothing");
        changes.looked(at(2000), at(3000));
        assert_eq!(changes.look(Some(4), at(4999)), Look::Lately);
        assert_eq!(changes.look(Some(4), at(5000)), Look::All, "and not late where the machine was busy");
    }
}
