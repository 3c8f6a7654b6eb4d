//! The loop that decides what is done next.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deltalakedb_core::catalog::{TableSelector, find_table};
use deltalakedb_core::mirror::{Behind, Target, TargetReport, behind, held_targets, leave};
use deltalakedb_core::{Error, ErrorKind, Result};
use tokio::sync::watch::Receiver;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::{debug, info, warn};

use super::super::{KeptUp, Published, Upkeep};
use super::WatchOptions;
use super::changes::{Changes, Look};
use super::lease::{BEAT, Changed, Lease, own_name};
use super::metrics::{Labels, Shared};
use super::pass::{Pass, pass};
use super::watched::{UpkeepState, Watched};
use crate::commands::now_ms;
use crate::database::SqliteDatabase;
use crate::store::Stores;

/// A target that moved within this time is looked at whenever somebody commits.
const LATELY: Duration = Duration::from_secs(60);
/// Of the targets at rest those that moved last are known; when another one moves its log is looked at anew.
const KNOWN: usize = 500;
/// Between two looks at which failed targets are due.
const RETRIES: Duration = Duration::from_millis(250);
/// Upkeep under way at the same time: a checkpoint takes memory.
const UPKEEPS: usize = 2;
/// How long passes may take to end their current object when the process is to end.
const LAST_OBJECT: Duration = Duration::from_secs(20);

/// Follows the catalog until it is told to end.
pub(crate) struct Watcher {
    database: SqliteDatabase,
    options: WatchOptions,
    /// How others see this process.
    name: String,
    stores: Arc<Stores>,
    shared: Arc<Shared>,
    is_ending: Arc<AtomicBool>,
    changes: Changes,
    /// Away while a beat is under way.
    lease: Option<Box<Lease>>,
    daemon_id: Option<i64>,
    next_beat: Instant,
    next_retries: Instant,
    is_catalog_away: bool,
    targets: HashMap<Target, Watched>,
    names: HashMap<i64, String>,
    held: Vec<Target>,
    /// The next of the held targets whose log is looked at though nothing happened, and when.
    next_check: (usize, Instant),
    queue: VecDeque<Target>,
    passes: usize,
    upkeep_queue: VecDeque<Target>,
    upkeeps: HashMap<Id, AbortHandle>,
    tasks: JoinSet<Done>,
    /// Whose task it is, for one that panics.
    owners: HashMap<Id, Target>,
}

/// A task that is done.
enum Done {
    Pass(Target, Box<Pass>),
    Upkeep(Target, Box<Upkeep>, Result<KeptUp>),
    Beat(Box<Lease>, Vec<TargetReport>, Result<Changed>),
}

impl Watcher {
    pub(crate) fn new(database: SqliteDatabase, options: WatchOptions, stores: Stores, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Watcher {
            database,
            options,
            name: own_name(),
            stores: Arc::new(stores),
            shared,
            is_ending: Arc::default(),
            changes: Changes::new(now),
            lease: Some(Box::default()),
            daemon_id: None,
            next_beat: now,
            next_retries: now,
            is_catalog_away: false,
            targets: HashMap::new(),
            names: HashMap::new(),
            held: Vec::new(),
            next_check: (0, now),
            queue: VecDeque::new(),
            passes: 0,
            upkeep_queue: VecDeque::new(),
            upkeeps: HashMap::new(),
            tasks: JoinSet::new(),
            owners: HashMap::new(),
        }
    }

    /// Runs until `stop` says so, or its sender is gone; then ends what is under way and gives the targets up.
    ///
    /// # Errors
    /// Those of the database when the targets cannot be given up; what was published is published.
    pub(crate) async fn run(mut self, mut stop: Receiver<bool>) -> Result<()> {
        info!(daemon = self.name, "mirroring");
        let mut ticks = tokio::time::interval(self.options.poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(done) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => self.done(done).await,
                _ = ticks.tick() => self.tick().await,
            }
            self.start_tasks();
        }
        self.end().await
    }

    async fn tick(&mut self) {
        self.shared.alive();
        let now = Instant::now();
        if now >= self.next_beat && self.lease.is_some() {
            self.next_beat = now + BEAT;
            self.beat();
        }
        if let Some(daemon_id) = self.daemon_id {
            let looked = self.look(daemon_id, now).await;
            if looked.is_err() {
                self.changes.note();
            }
            self.note_catalog(looked);
            self.check(now);
        }
        if now >= self.next_retries {
            self.next_retries = now + RETRIES;
            self.retry(now);
        }
    }

    /// Targets that failed, and whose pause is over.
    fn retry(&mut self, now: Instant) {
        let due = self.targets.iter().filter(|(_, watched)| watched.failures > 0 && watched.wants_pass(now));
        let due: Vec<Target> = due.map(|(target, _)| target.clone()).collect();
        due.into_iter().for_each(|target| self.enqueue(target));
    }

    /// Asks which tables have moved, when somebody else has committed.
    async fn look(&mut self, daemon_id: i64, now: Instant) -> Result<()> {
        let counter = self.database.others_commits().map_err(Error::from)?;
        let found = match self.changes.look(counter, now) {
            Look::Nothing => return Ok(()),
            Look::Lately => {
                let lately = self.targets.iter().filter(|(_, watched)| now.duration_since(watched.active_at) < LATELY);
                let tables: HashSet<i64> = lately.map(|(target, _)| target.table).collect();
                if tables.is_empty() {
                    return Ok(());
                }
                behind(&self.database, daemon_id, Some(&Vec::from_iter(tables))).await?
            }
            Look::All => {
                let begun = Instant::now();
                let found = behind(&self.database, daemon_id, None).await?;
                self.changes.looked(begun, Instant::now());
                found
            }
        };
        for Behind { target, table, table_version } in found {
            self.names.insert(target.table, table);
            let watched = self.targets.entry(target.clone()).or_insert_with(|| Watched::new(now));
            if watched.wanted < table_version {
                watched.wanted = table_version;
                watched.hasten(now);
            }
            if watched.wants_pass(now) {
                watched.active_at = now;
                self.enqueue(target);
            }
        }
        Ok(())
    }

    /// Now and then the log of each target is looked at anew, whether or not something happened.
    fn check(&mut self, now: Instant) {
        let (at, mut due) = self.next_check;
        let mut next = at;
        while now >= due && !self.held.is_empty() {
            let pause = self.options.check / u32::try_from(self.held.len()).unwrap_or(u32::MAX);
            due = (due + pause).max(now.checked_sub(self.options.check).unwrap_or(now));
            let target = self.held[next % self.held.len()].clone();
            next = (next + 1) % self.held.len();
            let watched = self.targets.entry(target.clone()).or_insert_with(|| Watched::new(now));
            if watched.failures == 0 && !watched.is_queued {
                (watched.publisher, watched.published) = (None, None);
                self.enqueue(target);
            }
        }
        self.next_check = (next, due);
    }

    fn enqueue(&mut self, target: Target) {
        if let Some(watched) = self.targets.get_mut(&target).filter(|watched| !watched.is_queued) {
            watched.is_queued = true;
            self.queue.push_back(target);
        }
    }

    fn beat(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        let reports = self.reports();
        let (database, name, tables) = (self.database.clone(), self.name.clone(), self.options.tables.clone());
        self.tasks.spawn(async move {
            let changed = lease.beat(&database, &name, tables.as_deref(), &reports, now_ms()).await;
            Done::Beat(lease, reports, changed)
        });
    }

    /// What the catalog has not heard of yet.
    fn reports(&mut self) -> Vec<TargetReport> {
        let mut reports = Vec::new();
        for (target, watched) in self.targets.iter_mut() {
            watched.published = watched.published.max(self.shared.version(target));
            if std::mem::take(&mut watched.is_news) {
                reports.push(watched.report(target));
            }
        }
        reports
    }

    fn start_tasks(&mut self) {
        while self.passes < self.options.concurrency
            && let Some(target) = self.queue.pop_front()
        {
            let labels = self.labels(&target);
            let Some(watched) = self.targets.get_mut(&target) else { continue };
            let publisher = watched.publisher.take();
            let (database, stores) = (self.database.clone(), self.stores.clone());
            let (shared, is_ending) = (self.shared.clone(), self.is_ending.clone());
            let owner = target.clone();
            let task = self.tasks.spawn(async move {
                let pass = pass(database, target.clone(), labels, publisher, stores, shared, is_ending).await;
                Done::Pass(target, Box::new(pass))
            });
            self.owners.insert(task.id(), owner);
            self.passes += 1;
        }
        for _ in 0..self.upkeep_queue.len() {
            if self.upkeeps.len() < UPKEEPS
                && let Some(target) = self.upkeep_queue.pop_front()
            {
                self.start_upkeep(target);
            }
        }
    }

    fn start_upkeep(&mut self, target: Target) {
        let Some(watched) = self.targets.get_mut(&target).filter(|watched| watched.upkeep == UpkeepState::Due) else {
            return;
        };
        let Some(published) = watched.published else { return };
        let Some(mut upkeep) = watched.keeper.take() else { return };
        watched.upkeep = UpkeepState::Running(false);
        let (database, owner) = (self.database.clone(), target.clone());
        let task = self.tasks.spawn(async move {
            let outcome = upkeep.run(&database, published, now_ms()).await;
            Done::Upkeep(target, Box::new(upkeep), outcome)
        });
        self.owners.insert(task.id(), owner);
        self.upkeeps.insert(task.id(), task);
    }

    async fn done(&mut self, done: std::result::Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let was_upkeep = self.upkeeps.remove(&id).is_some();
        let owner = self.owners.remove(&id);
        match done {
            Ok(Done::Pass(target, pass)) => self.passed(target, *pass).await,
            Ok(Done::Upkeep(target, upkeep, outcome)) => self.kept_up(target, *upkeep, outcome),
            Ok(Done::Beat(lease, reports, changed)) => self.beaten(lease, reports, changed).await,
            Err(error) if error.is_cancelled() => {}
            Err(_) => self.broke_down(owner, was_upkeep),
        }
    }

    async fn passed(&mut self, target: Target, pass: Pass) {
        self.passes -= 1;
        let labels = self.labels(&target);
        let now = Instant::now();
        let Some(watched) = self.targets.get_mut(&target) else { return };
        watched.is_queued = false;
        watched.publisher = pass.publisher;
        watched.published = watched.publisher.as_ref().and_then(|publisher| publisher.published());
        if let Some(upkeep) = watched.publisher.as_mut().and_then(|publisher| publisher.take_upkeep()) {
            watched.keeper = Some(upkeep);
        }
        match pass.outcome {
            Ok(written) => {
                self.succeeded(&target, &labels, written, now);
            }
            Err(error) => self.failed(target, &labels, error, now).await,
        }
    }

    fn succeeded(&mut self, target: &Target, labels: &Labels, written: Published, now: Instant) {
        let Some(watched) = self.targets.get_mut(target) else { return };
        if watched.failures > 0 {
            info!(table = labels.table, target = labels.target, "recovered after {} errors", watched.failures);
        }
        watched.succeeded();
        watched.active_at = if written.commits > 0 { now } else { watched.active_at };
        if written.commits > 0 {
            debug!(table = labels.table, target = labels.target, version = watched.published, "published");
        }
        if let Some(version) = written.first_checkpoint {
            watched.checkpoint = Some(version);
            self.shared.checkpoint(labels);
        }
        if let UpkeepState::Running(_) = watched.upkeep {
            watched.upkeep = UpkeepState::Running(true);
        } else {
            watched.upkeep = UpkeepState::Due;
            self.upkeep_queue.push_back(target.clone());
        }
        if watched.wants_pass(now) {
            self.enqueue(target.clone());
        }
    }

    async fn failed(&mut self, target: Target, labels: &Labels, error: Error, now: Instant) {
        // A table that was dropped is nobody's failure.
        let table = find_table(&self.database, &TableSelector::Key(target.table)).await;
        if table.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            info!(table = labels.table, "the table was dropped");
            self.targets.remove(&target);
            self.shared.forget(&target);
            return;
        }
        self.shared.failed(labels);
        let hint = error.hint_text().unwrap_or_default().to_owned();
        let Some(watched) = self.targets.get_mut(&target) else { return };
        let (text, kind) = (error.to_string(), error.kind().as_str());
        let is_new = watched.failed(error, now);
        let pause_s = watched.retry_at.map_or(0, |at| at.duration_since(now).as_secs());
        if is_new {
            warn!(table = labels.table, target = labels.target, kind, hint, pause_s, "{text}");
        } else {
            debug!(table = labels.table, target = labels.target, failures = watched.failures, pause_s, "{text}");
        }
    }

    fn kept_up(&mut self, target: Target, upkeep: Upkeep, outcome: Result<KeptUp>) {
        let labels = self.labels(&target);
        let now = Instant::now();
        let Some(watched) = self.targets.get_mut(&target) else { return };
        let is_due_again = matches!(watched.upkeep, UpkeepState::Running(true));
        watched.upkeep = if is_due_again { UpkeepState::Due } else { UpkeepState::Done };
        if is_due_again {
            self.upkeep_queue.push_back(target.clone());
        }
        if watched.checkpoint != upkeep.newest_checkpoint() {
            watched.checkpoint = upkeep.newest_checkpoint();
            watched.is_news = true;
        }
        watched.keeper.get_or_insert(upkeep);
        match outcome {
            Ok(done) => {
                if let Some(version) = done.checkpoint_version {
                    debug!(table = labels.table, target = labels.target, version, "wrote a checkpoint");
                    self.shared.checkpoint(&labels);
                }
                if !done.deleted.is_empty() {
                    let count = done.deleted.len();
                    info!(table = labels.table, target = labels.target, count, "deleted expired files of the log");
                }
            }
            Err(error) => {
                self.shared.failed(&labels);
                let hint = error.hint_text().unwrap_or_default().to_owned();
                let text = format!("the versions are published, but not all that goes with them: {error}");
                if watched.failed(error, now) {
                    warn!(table = labels.table, target = labels.target, hint, "{text}");
                }
            }
        }
    }

    async fn beaten(&mut self, lease: Box<Lease>, reports: Vec<TargetReport>, changed: Result<Changed>) {
        self.lease = Some(lease);
        let changed = match changed {
            Ok(changed) => changed,
            Err(error) => {
                // They are told again.
                for report in reports {
                    let target = Target { table: report.table, url: report.target };
                    if let Some(watched) = self.targets.get_mut(&target) {
                        watched.is_news = true;
                    }
                }
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
        }
        if changed.was_buried || changed.is_urgent {
            self.next_beat = Instant::now();
        }
        if changed.is_balanced {
            let held = held_targets(&self.database, changed.daemon_id).await.map(|held| self.hold(held));
            self.note_catalog(held);
        }
    }

    /// What others hold now is forgotten.
    fn hold(&mut self, held: Vec<Target>) {
        if held.len() != self.held.len() {
            info!(targets = held.len(), "holds other targets than before");
        }
        if held != self.held {
            self.changes.note();
        }
        let own: HashSet<&Target> = held.iter().collect();
        let shared = &self.shared;
        self.targets.retain(|target, watched| {
            let is_kept = watched.is_queued || own.contains(target);
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

    /// A task that panicked: the fault is this software's; its target is tried again.
    fn broke_down(&mut self, owner: Option<Target>, was_upkeep: bool) {
        let Some(target) = owner else {
            self.lease = Some(Box::default());
            return;
        };
        if !was_upkeep {
            self.passes -= 1;
        }
        let labels = self.labels(&target);
        let Some(watched) = self.targets.get_mut(&target) else { return };
        watched.is_queued &= was_upkeep;
        (watched.publisher, watched.published, watched.upkeep) = (None, None, UpkeepState::Done);
        let error = Error::new(ErrorKind::Internal, "the task broke down").hint("please report what it printed before");
        if watched.failed(error, Instant::now()) {
            warn!(table = labels.table, target = labels.target, "the task broke down");
        }
    }

    /// A catalog that does not answer is told of once.
    fn note_catalog(&mut self, outcome: Result<()>) {
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

    fn labels(&self, target: &Target) -> Labels {
        let table = self.names.get(&target.table).cloned().unwrap_or_else(|| target.table.to_string());
        Labels { table, target: target.url.clone() }
    }

    /// Passes end their current object; a checkpoint that is under way is left to the next daemon.
    async fn end(mut self) -> Result<()> {
        info!("ending");
        self.is_ending.store(true, Ordering::Relaxed);
        self.upkeeps.values().for_each(AbortHandle::abort);
        let until = tokio::time::Instant::now() + LAST_OBJECT;
        while let Ok(Some(done)) = tokio::time::timeout_at(until, self.tasks.join_next_with_id()).await {
            self.done(done).await;
        }
        self.tasks.abort_all();
        if let Some(daemon_id) = self.daemon_id {
            let reports = self.reports();
            leave(&self.database, daemon_id, &reports, now_ms()).await?;
        }
        info!("ended");
        Ok(())
    }
}
