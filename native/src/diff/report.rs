//! What a comparison found, and what it means.

use deltalakedb_core::Error;
use deltalakedb_core::catalog::Table;
use deltalakedb_core::diff::Counts;
use serde_json::{Value, json};

use super::History;

/// How far a log is behind the catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    /// Versions that it lacks.
    pub(crate) versions: i64,
    /// For so long the oldest of them has been in the catalog.
    pub(crate) ms: i64,
}

/// A table and a log, compared.
pub(crate) struct Comparison {
    pub(crate) table: Table,
    pub(crate) target: String,
    /// The newest version that the log tells of.
    pub(crate) log_version: i64,
    /// The version whose states were compared.
    pub(crate) version: i64,
    pub(crate) counts: Counts,
    pub(crate) history: History,
    pub(crate) lag: Lag,
    /// The version that `_last_checkpoint` names though the log has no such checkpoint, nor a newer one: engines may then not
    /// read it.
    pub(crate) misnamed_checkpoint: Option<i64>,
    /// Whether the log tells of versions that the catalog has not, which are no commits: engines read them from a checkpoint
    /// or a compacted log.
    pub(crate) is_log_ahead: bool,
    /// Why the log's state cannot be read.
    pub(crate) unreadable: Option<Error>,
}

/// From where on a difference matters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thresholds {
    /// Files that may differ.
    pub(crate) max_drift_files: u64,
    /// How far the log may be behind; none: any time.
    pub(crate) lag_seconds: Option<u64>,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Equal,
    /// The log is behind for longer than it may; else it is equal.
    Lagging,
    Drift,
}

impl Verdict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Lagging => "lagging",
            Verdict::Drift => "drift",
        }
    }
}

impl Comparison {
    pub(crate) fn verdict(&self, thresholds: Thresholds) -> Verdict {
        let has_drift = self.counts.files() > thresholds.max_drift_files
            || self.counts.others() > 0
            || self.history.has_drift()
            || self.misnamed_checkpoint.is_some()
            || self.is_log_ahead
            || self.unreadable.is_some();
        let is_late = thresholds
            .lag_seconds
            .is_some_and(|seconds| u64::try_from(self.lag.ms).unwrap_or(0) > seconds.saturating_mul(1000));
        match (has_drift, is_late) {
            (true, _) => Verdict::Drift,
            (false, true) => Verdict::Lagging,
            (false, false) => Verdict::Equal,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        if self.history.diverged_at.is_some() {
            return Some(
                "catalog and log went different ways, and nothing was changed: stop the log's other writers, then let \
                 --resolve catalog or --resolve log say which one wins; the other one is kept aside",
            );
        }
        if !self.history.foreign.is_empty() {
            return Some("another writer committed to the log: `dl import --incremental` takes its commits in");
        }
        if self.is_log_ahead {
            return Some(
                "the log has a checkpoint or compacted log of a version that the catalog has not, and no commits that lead \
                 there: engines read that version; see who wrote it, and move it away or take the log in anew",
            );
        }
        if self.history.gap.is_some() {
            return Some("`dl mirror` writes the commit that the log lacks, where the catalog has it");
        }
        if self.misnamed_checkpoint.is_some() {
            return Some("`dl mirror` lets `_last_checkpoint` name the newest checkpoint that is there");
        }
        let differs = !self.counts.is_equal() || self.unreadable.is_some();
        differs.then_some("`dl verify` looks at each version and checkpoint, and tells where it begins")
    }

    /// Without its differences.
    pub(crate) fn to_json(&self, thresholds: Thresholds) -> Value {
        json!({
            "table_id": self.table.table_id,
            "name": self.table.name,
            "target": self.target,
            "status": self.verdict(thresholds).as_str(),
            "version": self.version,
            "catalog_version": self.table.version,
            "log_version": self.log_version,
            "lag_versions": self.lag.versions,
            "lag_ms": self.lag.ms,
            "diverged_at": self.history.diverged_at,
            "gap_at": self.history.gap,
            "misnamed_checkpoint": self.misnamed_checkpoint,
            "foreign_commit_count": self.history.foreign.len(),
            "counts": self.counts,
            "unreadable": self.unreadable.as_ref().map(Error::to_json),
            "hint": self.hint(),
        })
    }
}
