//! The lane that keeps logs in shape, beside their publication.

use std::time::Instant;

use deltalakedb_core::mirror::Target;
use deltalakedb_core::{Error, Result};
use tracing::{debug, info};

use super::super::metrics::Labels;
use super::super::watched::UpkeepState;
use super::{Done, Lane, Watcher};
use crate::commands::now_ms;
use crate::mirror::{KeptUp, Upkeep};

impl Watcher {
    pub(super) fn enqueue_upkeep(&mut self, target: &Target, now: Instant) {
        if let Some(watched) = self.targets.get_mut(target).filter(|watched| watched.wants_upkeep(now)) {
            watched.upkeep = UpkeepState::Queued;
            self.upkeeps.push(target.clone());
        }
    }

    pub(super) fn start_upkeeps(&mut self) {
        while let Some(target) = self.upkeeps.next() {
            self.start_upkeep(target);
        }
    }

    fn start_upkeep(&mut self, target: Target) {
        let queued = self.targets.get_mut(&target).filter(|watched| watched.upkeep == UpkeepState::Queued);
        let Some(watched) = queued else { return self.upkeeps.done(&target) };
        let (Some(published), Some(mut upkeep)) = (watched.published, watched.keeper.take()) else {
            // Nobody knows the log: the pass that looks at it wants upkeep again.
            watched.upkeep = UpkeepState::Done;
            watched.distrust();
            self.upkeeps.done(&target);
            return self.enqueue(target);
        };
        watched.upkeep = UpkeepState::Running { again: false };
        let database = self.database.clone();
        self.start(Lane::Upkeep, target.clone(), async move {
            let outcome = upkeep.run(&database, published, now_ms()).await;
            Done::Upkeep(target, Box::new(upkeep), outcome)
        });
    }

    pub(super) async fn kept_up(&mut self, target: Target, upkeep: Upkeep, outcome: Result<KeptUp>) {
        let labels = self.labels(&target);
        let Some(watched) = self.targets.get_mut(&target) else { return };
        let is_wanted = watched.upkeep == UpkeepState::Running { again: true };
        watched.upkeep = if is_wanted { UpkeepState::Wanted } else { UpkeepState::Done };
        if watched.checkpoint != upkeep.newest_checkpoint() {
            watched.checkpoint = upkeep.newest_checkpoint();
            watched.is_news = true;
        }
        // Unless a pass has looked at the log meanwhile.
        watched.keeper.get_or_insert(upkeep);
        match outcome {
            Ok(done) => self.upkeep_succeeded(&target, &labels, &done),
            Err(error) => self.upkeep_failed(&target, &labels, error).await,
        }
        self.enqueue_upkeep(&target, Instant::now());
    }

    fn upkeep_succeeded(&mut self, target: &Target, labels: &Labels, done: &KeptUp) {
        let Some(watched) = self.targets.get_mut(target) else { return };
        let failures = std::mem::take(&mut watched.upkeep_failures);
        watched.is_news |= failures.count() > 0;
        labels.tell_recovery(&failures);
        if let Some(version) = done.checkpoint_version {
            debug!(table = labels.table, target = labels.target, version, "wrote a checkpoint");
            self.shared.checkpoint(labels);
        }
        if !done.deleted.is_empty() {
            let count = done.deleted.len();
            info!(table = labels.table, target = labels.target, count, "deleted expired files of the log");
        }
    }

    pub(super) async fn upkeep_failed(&mut self, target: &Target, labels: &Labels, error: Error) {
        if self.forget_dropped(target, labels).await {
            return;
        }
        self.shared.failed(labels);
        if let Some(watched) = self.targets.get_mut(target) {
            watched.want_upkeep();
            watched.is_news = true;
            let error = error.context("the versions are published, but not all that goes with them");
            labels.tell_failure(&mut watched.upkeep_failures, error);
        }
    }
}
