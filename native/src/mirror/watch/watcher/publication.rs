//! The lane that publishes.

use std::time::Instant;

use deltalakedb_core::Error;
use deltalakedb_core::mirror::Target;
use tracing::debug;

use super::super::failures::Failures;
use super::super::metrics::Labels;
use super::super::pass::{Pass, pass};
use super::{Done, Lane, Watcher};
use crate::mirror::Published;

impl Watcher {
    pub(super) fn enqueue(&mut self, target: Target) {
        if let Some(watched) = self.targets.get_mut(&target).filter(|watched| !watched.is_queued) {
            watched.is_queued = true;
            self.passes.push(target);
        }
    }

    pub(super) fn start_passes(&mut self) {
        while let Some(target) = self.passes.next() {
            self.start_pass(target);
        }
    }

    fn start_pass(&mut self, target: Target) {
        let labels = self.labels(&target);
        let Some(watched) = self.targets.get_mut(&target) else { return self.passes.done(&target) };
        let publisher = watched.publisher.take();
        let (database, stores, shared) = (self.database.clone(), self.stores.clone(), self.shared.clone());
        self.start(Lane::Publication, target.clone(), async move {
            let pass = pass(database, target.clone(), labels, publisher, stores, shared).await;
            Done::Pass(target, Box::new(pass))
        });
    }

    pub(super) async fn passed(&mut self, target: Target, pass: Pass) {
        let labels = self.labels(&target);
        let Some(watched) = self.targets.get_mut(&target) else { return };
        watched.is_queued = false;
        watched.publisher = pass.publisher;
        watched.published = watched.publisher.as_ref().and_then(|publisher| publisher.published());
        if let Some(upkeep) = watched.publisher.as_mut().and_then(|publisher| publisher.take_upkeep()) {
            watched.keeper = Some(upkeep);
        }
        match pass.outcome {
            Ok(written) => self.pass_succeeded(target, &labels, written),
            Err(error) => self.pass_failed(target, &labels, error).await,
        }
    }

    fn pass_succeeded(&mut self, target: Target, labels: &Labels, written: Published) {
        let now = Instant::now();
        let Some(watched) = self.targets.get_mut(&target) else { return };
        labels.tell_recovery(&std::mem::take(&mut watched.failures));
        watched.is_news = true;
        if written.commits > 0 {
            watched.active_at = now;
            debug!(table = labels.table, target = labels.target, version = watched.published, "published");
        }
        if let Some(version) = written.first_checkpoint {
            watched.checkpoint = Some(version);
            self.shared.checkpoint(labels);
        }
        if written.commits > 0 || written.first_checkpoint.is_some() {
            self.given_up.forget(&target, now);
        }
        watched.want_upkeep();
        let wants_pass = watched.wants_pass(now);
        self.enqueue_upkeep(&target, now);
        if wants_pass {
            self.enqueue(target);
        }
    }

    pub(super) async fn pass_failed(&mut self, target: Target, labels: &Labels, error: Error) {
        // What ends with the process is no fault of the target.
        if self.stores.under_way().is_closed() || self.forget_dropped(&target, labels).await {
            return;
        }
        self.shared.failed(labels);
        if let Some(watched) = self.targets.get_mut(&target) {
            watched.is_news = true;
            labels.tell_failure(&mut watched.failures, error);
        }
    }
}

impl Labels {
    /// A failure is told of once, however often it comes again.
    pub(super) fn tell_failure(&self, failures: &mut Failures, error: Error) {
        let hint = error.hint_text().unwrap_or_default().to_owned();
        let (text, kind) = (error.to_string(), error.kind().as_str());
        let (is_new, pause) = failures.note(error, Instant::now());
        let pause_ms = pause.as_millis() as u64;
        if is_new {
            tracing::warn!(table = self.table, target = self.target, kind, hint, pause_ms, "{text}");
        } else {
            debug!(table = self.table, target = self.target, failures = failures.count(), pause_ms, "{text}");
        }
    }

    pub(super) fn tell_recovery(&self, failures: &Failures) {
        if failures.count() > 0 {
            tracing::info!(table = self.table, target = self.target, "recovered after {} errors", failures.count());
        }
    }
}
