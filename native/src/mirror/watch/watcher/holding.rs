//! Which targets this process holds, and what the catalog hears of them.

use std::collections::HashSet;
use std::time::Instant;

use deltalakedb_core::catalog::{TableSelector, find_table};
use deltalakedb_core::mirror::{Held, Target, TargetReport, held_targets};
use deltalakedb_core::{ErrorKind, Result};
use tracing::{info, warn};

use super::super::lease::{Changed, Lease, Wishes};
use super::super::metrics::Labels;
use super::super::watched::Watched;
use super::{Done, Watcher};
use crate::commands::now_ms;

/// Of the targets at rest those that moved last are known; when another one moves its log is looked at anew.
const KNOWN: usize = 500;

impl Watcher {
    pub(super) fn beat(&mut self, now: Instant) {
        let Some(mut lease) = self.lease.take() else { return };
        let (reports, wishes) = (self.reports(), self.wishes(now));
        let (database, name) = (self.database.clone(), self.name.clone());
        self.tasks.spawn(async move {
            let changed = lease.beat(&database, &name, &wishes, &reports, now_ms()).await;
            Done::Beat(lease, reports, changed)
        });
    }

    fn wishes(&self, now: Instant) -> Wishes {
        let is_due = |(target, watched): &(&Target, &Watched)| {
            watched.failures.own_for(now).is_some_and(|failing_for| self.given_up.is_due(target, failing_for))
        };
        Wishes {
            tables: self.options.tables.clone(),
            give_up: self.targets.iter().filter(is_due).map(|(target, _)| target.clone()).collect(),
            left_to_others: self.given_up.left_to_others(now),
            not_from_others: self.given_up.not_from_others(),
            trials: self.given_up.trials(now),
        }
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
        self.given_up.note_trials(&changed.tried, Instant::now());
        self.tell_given_up(&changed.given_up);
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

    fn tell_given_up(&self, targets: &[Target]) {
        for target in targets {
            let last = self.targets.get(target).and_then(|watched| watched.failures.last());
            let hint = last.and_then(|error| error.hint_text()).unwrap_or_default();
            let Labels { table, target } = self.labels(target);
            info!(table, target, hint, "gave the target up, which fails here: another daemon may be able to serve it");
        }
    }

    /// Those that failed for who held them before are tried at once.
    fn take_over_failing(&mut self, held: &[Held]) {
        let (now, before) = (Instant::now(), HashSet::<&Target>::from_iter(&self.held));
        for Held { target, failures, .. } in held.iter().filter(|held| !before.contains(&held.target)) {
            if self.given_up.has(target) {
                let Labels { table, target } = self.labels(target);
                info!(table, target, "tries the target again that it gave up");
            }
            if *failures > 0 {
                let watched = self.targets.entry(target.clone()).or_insert_with(|| Watched::new(now));
                watched.failures.at_least(*failures);
            }
        }
    }

    /// Those that failed here and are lost were given up, or others took them of themselves, which comes to the same.
    fn note_given_up(&mut self, own: &HashSet<&Target>) {
        let now = Instant::now();
        let failing =
            |target: &&Target| self.targets.get(*target).is_some_and(|watched| watched.failures.own_for(now).is_some());
        let lost: Vec<Target> =
            self.held.iter().filter(|target| !own.contains(target)).filter(failing).cloned().collect();
        self.given_up.note(&lost, now);
    }

    /// What others hold now is forgotten.
    fn hold(&mut self, held: Vec<Held>) {
        self.names = held.iter().map(|held| (held.target.table, held.table.clone())).collect();
        self.take_over_failing(&held);
        let held: Vec<Target> = held.into_iter().map(|held| held.target).collect();
        if held.len() != self.held.len() {
            info!(count = held.len(), "holds targets");
        }
        if held != self.held {
            self.changes.note();
        }
        let own: HashSet<&Target> = held.iter().collect();
        self.note_given_up(&own);
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
