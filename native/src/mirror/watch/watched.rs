//! One target, as the loop knows it.

use std::time::Instant;

use deltalakedb_core::Error;
use deltalakedb_core::mirror::{Target, TargetReport};

use super::super::{Publisher, Upkeep};
use super::failures::Failures;

/// A target that something was, or is, to be done for. Publication and upkeep go on beside each other and fail each for
/// itself.
pub(super) struct Watched {
    /// Absent while a pass has it, and before the first one.
    pub(super) publisher: Option<Publisher>,
    /// All versions up to this one are in the target, as far as is known.
    pub(super) published: Option<i64>,
    /// The version that its table is at, as far as is known.
    pub(super) wanted: i64,
    /// A pass is under way, or waits for its turn.
    pub(super) is_queued: bool,
    pub(super) failures: Failures,
    /// What does the upkeep; absent while it does, and before the first look at the log.
    pub(super) keeper: Option<Upkeep>,
    pub(super) checkpoint: Option<i64>,
    pub(super) upkeep: UpkeepState,
    pub(super) upkeep_failures: Failures,
    /// There is news for the catalog.
    pub(super) is_news: bool,
    pub(super) active_at: Instant,
}

/// What is to be done beside publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpkeepState {
    /// Nothing.
    Done,
    /// Something, after a pause.
    Wanted,
    /// It waits for its turn.
    Queued,
    /// It is being done.
    Running {
        /// It will be wanted again.
        again: bool,
    },
}

impl Watched {
    pub(super) fn new(now: Instant) -> Self {
        Watched {
            publisher: None,
            published: None,
            wanted: -1,
            is_queued: false,
            failures: Failures::default(),
            keeper: None,
            checkpoint: None,
            upkeep: UpkeepState::Done,
            upkeep_failures: Failures::default(),
            is_news: false,
            active_at: now,
        }
    }

    /// Whether a pass has something to do, and may.
    pub(super) fn wants_pass(&self, now: Instant) -> bool {
        let is_behind = self.failures.count() > 0 || self.published.is_none_or(|published| published < self.wanted);
        !self.is_queued && is_behind && self.failures.may_try(now)
    }

    /// The log is looked at anew by the next pass.
    pub(super) fn distrust(&mut self) {
        (self.publisher, self.published) = (None, None);
    }

    /// There may be something to keep up.
    pub(super) fn want_upkeep(&mut self) {
        self.upkeep = match self.upkeep {
            UpkeepState::Done | UpkeepState::Wanted => UpkeepState::Wanted,
            UpkeepState::Queued => UpkeepState::Queued,
            UpkeepState::Running { .. } => UpkeepState::Running { again: true },
        };
    }

    /// Whether upkeep has something to do, and may.
    pub(super) fn wants_upkeep(&self, now: Instant) -> bool {
        self.upkeep == UpkeepState::Wanted && self.upkeep_failures.may_try(now)
    }

    /// Whether a task has it.
    pub(super) fn is_busy(&self) -> bool {
        self.is_queued || matches!(self.upkeep, UpkeepState::Running { .. })
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_at_rest(&self) -> bool {
        self.upkeep == UpkeepState::Done && !self.is_queued && !self.is_news && self.failures.count() == 0
    }

    /// Whether its last attempt at something failed.
    pub(super) fn fails(&self) -> bool {
        self.failures.count() + self.upkeep_failures.count() > 0
    }

    pub(super) fn report(&self, target: &Target) -> TargetReport {
        let last_error = self.failures.last().or(self.upkeep_failures.last());
        TargetReport {
            table: target.table,
            target: target.url.clone(),
            version: self.published,
            checkpoint_version: self.checkpoint,
            failures: self.failures.count() + self.upkeep_failures.count(),
            last_error: last_error.map(Error::to_json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_that_runs_is_wanted_again() {
        let mut watched = Watched::new(Instant::now());
        for (state, wanted) in [
            (UpkeepState::Done, UpkeepState::Wanted),
            (UpkeepState::Queued, UpkeepState::Queued),
            (UpkeepState::Running { again: false }, UpkeepState::Running { again: true }),
        ] {
            watched.upkeep = state;
            watched.want_upkeep();
            assert_eq!(watched.upkeep, wanted);
        }
    }
}
