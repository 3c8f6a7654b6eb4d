//! One target, as the loop knows it.

use std::time::{Duration, Instant};

use deltalakedb_core::Error;
use deltalakedb_core::mirror::{Target, TargetReport};

use super::super::{Publisher, Upkeep};
use super::retry::Retry;

/// The longest pause after a failure when the table moves.
const HASTENED: Duration = Duration::from_secs(5);

/// A target that something was, or is, to be done for.
pub(super) struct Watched {
    /// Absent while a pass has it, and before the first one.
    pub(super) publisher: Option<Publisher>,
    /// All versions up to this one are in the target, as far as is known.
    pub(super) published: Option<i64>,
    /// The version that its table is at, as far as is known.
    pub(super) wanted: i64,
    pub(super) checkpoint: Option<i64>,
    /// A pass is under way, or waits for its turn.
    pub(super) is_queued: bool,
    pub(super) upkeep: UpkeepState,
    /// What does it; absent while it does, and before the first look at the log.
    pub(super) keeper: Option<Upkeep>,
    pub(super) failures: i64,
    pub(super) last_error: Option<Error>,
    pub(super) retry: Retry,
    pub(super) retry_at: Option<Instant>,
    /// There is news for the catalog.
    pub(super) is_news: bool,
    pub(super) active_at: Instant,
}

/// What is to be done beside publication.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UpkeepState {
    /// Nothing.
    Done,
    /// Something.
    Due,
    /// It is being done; `true`: it will be due again.
    Running(bool),
}

impl Watched {
    pub(super) fn new(now: Instant) -> Self {
        Watched {
            publisher: None,
            published: None,
            wanted: -1,
            checkpoint: None,
            is_queued: false,
            upkeep: UpkeepState::Done,
            keeper: None,
            failures: 0,
            last_error: None,
            retry: Retry::default(),
            retry_at: None,
            is_news: false,
            active_at: now,
        }
    }

    /// Whether a pass has something to do, and may.
    pub(super) fn wants_pass(&self, now: Instant) -> bool {
        let is_behind = self.failures > 0 || self.published.is_none_or(|published| published < self.wanted);
        !self.is_queued && is_behind && self.retry_at.is_none_or(|at| now >= at)
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_at_rest(&self) -> bool {
        self.upkeep == UpkeepState::Done && !self.is_queued && !self.is_news && self.failures == 0
    }

    pub(super) fn succeeded(&mut self) {
        (self.failures, self.last_error, self.retry_at) = (0, None, None);
        self.retry = Retry::default();
        self.is_news = true;
    }

    /// Notes a failure; whether it is another one than before.
    pub(super) fn failed(&mut self, error: Error, now: Instant) -> bool {
        let is_new = self.last_error.as_ref().is_none_or(|last| last.to_string() != error.to_string());
        self.failures += 1;
        self.retry_at = Some(now + self.retry.pause(error.kind()));
        self.last_error = Some(error);
        self.is_news = true;
        is_new
    }

    /// The table has moved, and with it perhaps what was wrong.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.retry_at = self.retry_at.map(|at| at.min(now + HASTENED));
    }

    pub(super) fn report(&self, target: &Target) -> TargetReport {
        TargetReport {
            table: target.table,
            target: target.url.clone(),
            version: self.published,
            checkpoint_version: self.checkpoint,
            failures: self.failures,
            last_error: self.last_error.as_ref().map(Error::to_json),
        }
    }
}
