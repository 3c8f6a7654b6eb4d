//! What the daemon tells of itself, in the text format of Prometheus.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use deltalakedb_core::mirror::{Target, TargetStatus};
use deltalakedb_core::{Error, ErrorKind, Result};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::super::Published;
use crate::commands::now_ms;

/// A target, in a metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    pub(super) table: String,
    pub(super) target: String,
}

type Counts = Family<Labels, Counter>;

/// What loop, passes and answers to HTTP share.
pub(crate) struct Shared {
    begun: Instant,
    /// When the loop was last known to go on, in milliseconds since `begun`: clocks are set, this one is not.
    alive_at_ms: AtomicU64,
    /// When the catalog last answered a beat.
    beat_at_ms: AtomicU64,
    /// How far targets are that were published to lately: the catalog hears of it some time later.
    published: Mutex<HashMap<Target, i64>>,
    /// Targets that this process tries again.
    failing: AtomicUsize,
    commits: Counts,
    bytes: Counts,
    failures: Counts,
    checkpoints: Counts,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            begun: Instant::now(),
            alive_at_ms: AtomicU64::default(),
            beat_at_ms: AtomicU64::default(),
            published: Mutex::default(),
            failing: AtomicUsize::default(),
            commits: Counts::default(),
            bytes: Counts::default(),
            failures: Counts::default(),
            checkpoints: Counts::default(),
        }
    }
}

impl Shared {
    pub(super) fn alive(&self) {
        self.alive_at_ms.store(self.running_ms(), Ordering::Relaxed);
    }

    pub(super) fn beat(&self) {
        self.beat_at_ms.store(self.running_ms(), Ordering::Relaxed);
    }

    fn running_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    pub(super) fn failing(&self, count: usize) {
        self.failing.store(count, Ordering::Relaxed);
    }

    /// How many targets this process tries again.
    pub(super) fn failing_count(&self) -> usize {
        self.failing.load(Ordering::Relaxed)
    }

    /// Milliseconds since the loop was known to go on, and since the catalog answered.
    pub(super) fn silence_ms(&self) -> (u64, u64) {
        let since = |at: &AtomicU64| self.running_ms().saturating_sub(at.load(Ordering::Relaxed));
        (since(&self.alive_at_ms), since(&self.beat_at_ms))
    }

    /// A version is in a target.
    pub(super) fn published(&self, target: &Target, labels: &Labels, version: i64, written: Published) {
        self.map().insert(target.clone(), version);
        self.commits.get_or_create(labels).inc_by(written.commits);
        self.bytes.get_or_create(labels).inc_by(written.bytes);
    }

    /// How far a target is, if that was noted here.
    pub(super) fn version(&self, target: &Target) -> Option<i64> {
        self.map().get(target).copied()
    }

    /// What the catalog knows needs no note here.
    pub(super) fn forget(&self, target: &Target) {
        self.map().remove(target);
    }

    pub(super) fn failed(&self, labels: &Labels) {
        self.failures.get_or_create(labels).inc();
    }

    pub(super) fn checkpoint(&self, labels: &Labels) {
        self.checkpoints.get_or_create(labels).inc();
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Target, i64>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All metrics; `statuses` are those of the catalog.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when they cannot be written down.
    pub(super) fn text(&self, statuses: Vec<TargetStatus>) -> Result<String> {
        let mut registry = Registry::with_prefix("dl_mirror");
        registry.register("commits", "Commit files published by this process", self.commits.clone());
        registry.register_with_unit("published", "Bytes of them", Unit::Bytes, self.bytes.clone());
        registry.register("failures", "Attempts of this process that failed", self.failures.clone());
        registry.register("checkpoints", "Checkpoints written by this process", self.checkpoints.clone());
        let (version, lag_versions, failing) =
            (Family::<Labels, Gauge>::default(), Family::default(), Family::default());
        let lag = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        registry.register("version", "All versions up to this one are in the target", version.clone());
        registry.register("lag_versions", "Versions that the target lacks", lag_versions.clone());
        registry.register_with_unit(
            "lag",
            "Age of the oldest version that the target lacks",
            Unit::Seconds,
            lag.clone(),
        );
        registry.register("failing", "Failures since the last success", failing.clone());
        for mut status in statuses {
            if let Some(published) = self.version(&status.target).filter(|published| status.version < Some(*published))
            {
                status.version = Some(published);
                status.behind_since_ms = status.behind_since_ms.filter(|_| published < status.table_version);
            }
            let labels = Labels { table: status.table.clone(), target: status.target.url.clone() };
            version.get_or_create(&labels).set(status.version.unwrap_or(-1));
            let lacks: &Gauge = &lag_versions.get_or_create(&labels);
            lacks.set(status.lag_versions());
            lag.get_or_create(&labels).set(status.lag_ms(now_ms()) as f64 / 1000.0);
            let failures: &Gauge = &failing.get_or_create(&labels);
            failures.set(status.failures);
        }
        let mut text = String::new();
        encode(&mut text, &registry)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("writing the metrics: {error}")))?;
        Ok(text)
    }
}
