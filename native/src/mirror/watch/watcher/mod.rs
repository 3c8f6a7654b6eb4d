//! The loop that decides what is done next: `publication` and `upkeep` are its two lanes, `holding` its part among others,
//! `ending` its end.

mod ending;
mod holding;
mod publication;
mod upkeep;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalakedb_core::mirror::{Behind, Target, TargetReport, behind};
use deltalakedb_core::{Error, ErrorKind, Result};
use tokio::sync::watch::Receiver;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::info;

use super::super::{KeptUp, Upkeep};
use super::WatchOptions;
use super::changes::{Changes, Look};
use super::given_up::GivenUp;
use super::lease::{BEAT, Changed, Lease, own_name};
use super::metrics::{Labels, Shared};
use super::pass::Pass;
use super::turns::Turns;
use super::watched::{UpkeepState, Watched};
use crate::database::SqliteDatabase;
use crate::store::Stores;

/// A target that moved within this time is looked at whenever somebody commits.
const LATELY: Duration = Duration::from_secs(60);
/// Between two looks at which failed targets are due.
const RETRIES: Duration = Duration::from_millis(250);
/// Upkeep under way at the same time in one store: a checkpoint takes memory.
const UPKEEPS: usize = 2;

/// Follows the catalog until it is told to end.
pub(crate) struct Watcher {
    database: SqliteDatabase,
    options: WatchOptions,
    /// How others see this process.
    name: String,
    stores: Arc<Stores>,
    shared: Arc<Shared>,
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
    given_up: GivenUp,
    /// The next of the held targets whose log is looked at though nothing happened, and when.
    next_check: (usize, Instant),
    passes: Turns,
    upkeeps: Turns,
    tasks: JoinSet<Done>,
    /// Those of the tasks that are for a target.
    owners: HashMap<Id, Owner>,
}

/// What a task is for.
struct Owner {
    lane: Lane,
    target: Target,
    task: AbortHandle,
    begun: Instant,
    /// Whether it was told that it takes so long.
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Publication,
    Upkeep,
}

impl Lane {
    /// What takes longer waits for an answer that may never come. A checkpoint of a large table takes minutes.
    fn patience(self) -> Duration {
        match self {
            Lane::Publication => Duration::from_secs(120),
            Lane::Upkeep => Duration::from_secs(1200),
        }
    }
}

/// A task that is done.
enum Done {
    Pass(Target, Box<Pass>),
    Upkeep(Target, Box<Upkeep>, Result<KeptUp>),
    Beat(Box<Lease>, Vec<TargetReport>, Result<Changed>),
}

impl Watcher {
    pub(crate) fn new(database: SqliteDatabase, options: WatchOptions, stores: Stores, shared: Arc<Shared>) -> Self {
        let (now, concurrency) = (Instant::now(), options.concurrency);
        Watcher {
            database,
            options,
            name: own_name(),
            stores: Arc::new(stores),
            shared,
            changes: Changes::new(now),
            lease: Some(Box::default()),
            daemon_id: None,
            next_beat: now,
            next_retries: now,
            is_catalog_away: false,
            targets: HashMap::new(),
            names: HashMap::new(),
            held: Vec::new(),
            given_up: GivenUp::new(now),
            next_check: (0, now),
            passes: Turns::new(concurrency),
            upkeeps: Turns::new(UPKEEPS),
            tasks: JoinSet::new(),
            owners: HashMap::new(),
        }
    }

    /// Runs until `stop` says so, or its sender is gone; then ends what is under way and gives the targets up.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when another file takes the catalog's place; those of the database when the
    /// targets cannot be given up. What was published is published.
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
            if self.is_catalog_away && self.database.is_replaced() {
                return Err(Error::new(ErrorKind::Unavailable, "the catalog was replaced by another file, or deleted")
                    .hint("start this again: it goes on with what is there now"));
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
            self.beat(now);
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
        self.shared.failing(self.targets.values().filter(|watched| watched.fails()).count());
        let failed = |watched: &Watched| watched.failures.count() > 0 && watched.wants_pass(now);
        let due = self.targets.iter().filter(|(_, watched)| failed(watched) || watched.wants_upkeep(now));
        let due: Vec<(Target, bool)> = due.map(|(target, watched)| (target.clone(), failed(watched))).collect();
        for (target, failed) in due {
            self.enqueue_upkeep(&target, now);
            if failed {
                self.enqueue(target);
            }
        }
        self.tell_hanging(now);
    }

    /// What takes too long counts as a failure until it ends.
    fn tell_hanging(&mut self, now: Instant) {
        let hangs = |owner: &&mut Owner| !owner.is_told && now - owner.begun >= owner.lane.patience();
        let hanging = self.owners.values_mut().filter(hangs);
        let hanging: Vec<(Lane, Target)> = hanging
            .map(|owner| {
                owner.is_told = true;
                (owner.lane, owner.target.clone())
            })
            .collect();
        for (lane, target) in hanging {
            let labels = self.labels(&target);
            let Some(watched) = self.targets.get_mut(&target) else { continue };
            let (doing, failures) = match lane {
                Lane::Publication => ("publishing", &mut watched.failures),
                Lane::Upkeep => {
                    ("writing checkpoints and what else goes with the versions", &mut watched.upkeep_failures)
                }
            };
            let text = format!("{doing} has been waiting for {} s", lane.patience().as_secs());
            let error = Error::new(ErrorKind::Unavailable, text).hint("look whether the store or disk answers");
            watched.is_news = true;
            self.shared.failed(&labels);
            labels.tell_failure(failures, error);
        }
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
                watched.failures.hasten(now);
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
            if watched.failures.count() == 0 && !watched.is_queued {
                watched.distrust();
                self.enqueue(target);
            }
        }
        self.next_check = (next, due);
    }

    fn start_tasks(&mut self) {
        self.start_passes();
        self.start_upkeeps();
    }

    fn start(&mut self, lane: Lane, target: Target, task: impl Future<Output = Done> + Send + 'static) {
        let task = self.tasks.spawn(task);
        self.owners.insert(task.id(), Owner { lane, target, task, begun: Instant::now(), is_told: false });
    }

    async fn done(&mut self, done: std::result::Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let owner = self.owners.remove(&id);
        match &owner {
            Some(Owner { lane: Lane::Publication, target, .. }) => self.passes.done(target),
            Some(Owner { lane: Lane::Upkeep, target, .. }) => self.upkeeps.done(target),
            None => {}
        }
        match done {
            Ok(Done::Pass(target, pass)) => self.passed(target, *pass).await,
            Ok(Done::Upkeep(target, upkeep, outcome)) => self.kept_up(target, *upkeep, outcome).await,
            Ok(Done::Beat(lease, reports, changed)) => self.beaten(lease, reports, changed).await,
            Err(error) if error.is_cancelled() => {}
            Err(_) => self.broke_down(owner).await,
        }
    }

    /// A task that panicked: the fault is this software's; its target is tried again.
    async fn broke_down(&mut self, owner: Option<Owner>) {
        let Some(Owner { lane, target, .. }) = owner else {
            // It was a beat: this process registers anew.
            self.lease = Some(Box::default());
            return;
        };
        let labels = self.labels(&target);
        let Some(watched) = self.targets.get_mut(&target) else { return };
        let error = Error::new(ErrorKind::Internal, "the task broke down").hint("please report what it printed before");
        match lane {
            Lane::Publication => {
                watched.is_queued = false;
                watched.distrust();
                self.pass_failed(target, &labels, error).await;
            }
            Lane::Upkeep => {
                watched.upkeep = UpkeepState::Wanted;
                self.upkeep_failed(&target, &labels, error).await;
            }
        }
    }

    fn labels(&self, target: &Target) -> Labels {
        let table = self.names.get(&target.table).cloned().unwrap_or_else(|| target.table.to_string());
        Labels { table, target: target.url.clone() }
    }
}
