//! Which targets this process holds, and what the catalog hears of them.

use std::collections::HashSet;
use std::time::Instant;

use deltalakedb_core::catalog::{TableSelector, find_table};
use deltalakedb_core::mirror::{Target, TargetReport, held_targets};
use deltalakedb_core::{ErrorKind, Result};
use tracing::{info, warn};

use super::super::lease::{Changed, Lease};
use super::super::metrics::Labels;
use super::{Done, Watcher};
use crate::commands::now_ms;

/// Of the targets at rest those that moved last are known; when another one moves its log is looked at anew.
const KNOWN: usize = 500;

impl Watcher {
    pub(super) fn beat(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        let reports = self.reports();
        let (database, name, tables) = (self.database.clone(), self.name.clone(), self.options.tables.clone());
        self.tasks.spawn(async move {
            let changed = lease.beat(&database, &name, tables.as_deref(), &reports, now_ms()).await;
            Done::Beat(lease, reports, changed)
        });
    }

    /// What the catalog has not heard of yet.
    pub(super) fn reports(&mut self) -> Vec<TargetReport> {
        let mut reports = Vec::new();
        for (target, watched) in self.targets.iter_mut() {
            watched.published = watched.published.max(self.shared.version(target));
            if std::mem::take(&mut watched.is_news) {
                reports.push(watched.report(target));
            }
        }
        reports
    }

    pub(super) async fn beaten(&mut self, lease: Box<Lease>, reports: Vec<TargetReport>, changed: Result<Changed>) {
        self.lease = Some(lease);
        let changed = match changed {
            Ok(changed) => changed,
            Err(error) => {
                self.tell_again(reports);
                return self.note_catalog(Err(error));
            }
        };
        self.note_catalog(Ok(()));
        self.shared.beat();
        self.forget_idle();
        self.daemon_id = Some(changed.daemon_id);
        if changed.buried > 0 {
            info!("took over from {} daemons that were not heard of", changed.buried);
        }
        if changed.was_buried {
            warn!("others took this daemon for dead, as it was too slow; it begins anew");
            // Its reports were of no effect.
            self.tell_again(reports);
        }
        if changed.was_buried || changed.is_urgent {
            self.next_beat = Instant::now();
        }
        if changed.is_balanced {
            let held = held_targets(&self.database, changed.daemon_id).await.map(|held| self.hold(held));
            self.note_catalog(held);
        }
    }

    fn tell_again(&mut self, reports: Vec<TargetReport>) {
        for report in reports {
            let target = Target { table: report.table, url: report.target };
            if let Some(watched) = self.targets.get_mut(&target) {
                watched.is_news = true;
            }
        }
    }

    /// What others hold now is forgotten.
    fn hold(&mut self, held: Vec<(Target, String)>) {
        self.names = held.iter().map(|(target, name)| (target.table, name.clone())).collect();
        let held: Vec<Target> = held.into_iter().map(|(target, _)| target).collect();
        if held.len() != self.held.len() {
            info!(count = held.len(), "holds targets");
        }
        if held != self.held {
            self.changes.note();
        }
        let own: HashSet<&Target> = held.iter().collect();
        let shared = &self.shared;
        self.targets.retain(|target, watched| {
            let is_kept = watched.is_busy() || own.contains(target);
            if !is_kept {
                shared.forget(target);
            }
            is_kept
        });
        self.held = held;
    }

    /// Memory is for targets where something happens.
    fn forget_idle(&mut self) {
        let at_rest = self.targets.iter().filter(|(_, watched)| watched.is_at_rest());
        let mut at_rest: Vec<(Instant, Target)> =
            at_rest.map(|(target, watched)| (watched.active_at, target.clone())).collect();
        if at_rest.len() <= KNOWN {
            return;
        }
        at_rest.sort_unstable_by_key(|(active_at, _)| std::cmp::Reverse(*active_at));
        for (_, target) in at_rest.drain(KNOWN..) {
            self.targets.remove(&target);
            self.shared.forget(&target);
        }
    }

    /// A table that was dropped is nobody's failure; whether it was.
    pub(super) async fn forget_dropped(&mut self, target: &Target, labels: &Labels) -> bool {
        let table = find_table(&self.database, &TableSelector::Key(target.table)).await;
        let is_dropped = table.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if is_dropped {
            info!(table = labels.table, "the table was dropped");
            self.targets.remove(target);
            self.shared.forget(target);
        }
        is_dropped
    }

    /// A catalog that does not answer is told of once.
    pub(super) fn note_catalog(&mut self, outcome: Result<()>) {
        match outcome {
            Ok(()) if self.is_catalog_away => info!("the catalog answers again"),
            Err(error) if !self.is_catalog_away => {
                let hint = error.hint_text().unwrap_or_default().to_owned();
                warn!(kind = error.kind().as_str(), hint, "{error}");
                self.is_catalog_away = true;
                return;
            }
            Ok(()) => {}
            Err(_) => return,
        }
        self.is_catalog_away = false;
    }
}
