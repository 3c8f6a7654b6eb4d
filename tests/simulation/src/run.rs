//! One run: storm, calm, checks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use deltalakedb_core::{Error, Result};
use futures::FutureExt;

use crate::checkers::check;
use crate::config::{Config, Part};
use crate::executor::{Executor, Step};
use crate::history::TableHistory;
use crate::ledger::{Answer, Ledger};
use crate::tables::{self, Calm};
use crate::world::World;
use crate::{drops, history, importers, leftovers, lock, mirrors, readers, sweepers, writers};

/// A client dies once in so many of its steps.
const CRASH_EVERY: u32 = 150;
/// More steps than what is left after a storm can take.
const CALM_STEPS: u64 = 1_000_000;

/// What became of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub config: Config,
    /// What is wrong; empty when all is well.
    pub violations: Vec<String>,
    /// How many events there were.
    pub event_count: u64,
    /// The same for the same configuration.
    pub trace_hash: u64,
    /// The last events, oldest first.
    pub last_events: Vec<String>,
    /// What was done, so that a run that does nothing is not taken for one that finds nothing.
    pub work: Work,
}

/// What was done in a run.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Versions in the catalog.
    pub version_count: usize,
    /// Commits by their kind: how many were acknowledged.
    pub acknowledged: BTreeMap<&'static str, usize>,
    /// The same of those that were refused.
    pub refused: BTreeMap<&'static str, usize>,
    /// Snapshots that readers saw.
    pub snapshot_count: usize,
    /// Objects that mirrors wrote.
    pub published_count: usize,
    /// Expired objects that they deleted.
    pub deleted_count: usize,
    /// Tables that importers finished.
    pub copy_count: usize,
    /// Faults that happened, deaths of clients among them.
    pub fault_count: u64,
}

impl Work {
    fn of(tables: &[TableHistory], ledger: &Ledger) -> Self {
        let mut work = Work {
            version_count: tables.iter().map(|table| table.versions.len()).sum(),
            snapshot_count: ledger.seen.len(),
            published_count: ledger.published.len(),
            deleted_count: ledger.deleted.len(),
            copy_count: tables.iter().filter(|table| ledger.copies.contains_key(&table.key)).count(),
            ..Work::default()
        };
        for commit in ledger.commits.values() {
            let has = |wanted: fn(&Answer) -> bool| commit.answers.iter().any(wanted);
            if has(|answer| matches!(answer, Answer::Committed(_))) {
                *work.acknowledged.entry(commit.kind).or_default() += 1;
            }
            if has(|answer| matches!(answer, Answer::Refused(_))) {
                *work.refused.entry(commit.kind).or_default() += 1;
            }
        }
        work
    }
}

/// Does a run.
pub fn run(config: Config) -> Report {
    run_watched(config, || {})
}

/// Does a run, and calls `on_step` at each step of its storm.
pub fn run_watched(config: Config, on_step: impl FnMut()) -> Report {
    let world = match World::new(config.clone()) {
        Ok(world) => world,
        Err(error) => return Report::failed(config, format!("making a catalog: {error:?}")),
    };
    let result = storm_and_calm(&world, on_step);
    let catalog = Calm(world.clone());
    let history = result.and_then(|()| at_once(history::read(&catalog)));
    let ledger = lock(&world.ledger);
    let (violations, mut work) = match history {
        Ok(tables) => (check(&tables, &ledger, &world.objects), Work::of(&tables, &ledger)),
        Err(error) => {
            let mut violations = ledger.violations.clone();
            violations.push(format!("reading the catalog in the end: {error}"));
            (violations, Work::default())
        }
    };
    work.fault_count = world.fault_count();
    let (event_count, trace_hash) = world.trace.digest();
    Report { config, violations, event_count, trace_hash, last_events: world.trace.last(), work }
}

fn storm_and_calm(world: &Arc<World>, mut on_step: impl FnMut()) -> Result<()> {
    let mut rng = world.rng("world");
    let mut keys = Vec::new();
    for number in 0..1 + rng.usize(..4) {
        keys.push(at_once(tables::create(world, &format!("table-{number}")))?);
    }
    let mut executor = Executor::new(world.clock.clone(), world.rng("scheduler"), world.spawner.clone());
    let has = |part| world.config.has(part);
    for number in 0..2 + rng.usize(..4) {
        let name = format!("writer-{number}");
        executor.start(name.clone(), writers::start(world, &name));
    }
    for number in 0..if has(Part::Readers) { 1 + rng.usize(..2) } else { 0 } {
        let name = format!("reader-{number}");
        executor.start(name.clone(), readers::start(world, &name));
    }
    for number in 0..if has(Part::Mirrors) { 1 + rng.usize(..2) } else { 0 } {
        let name = format!("mirror-{number}");
        executor.start(name.clone(), mirrors::start(world, &name));
    }
    for number in 0..if has(Part::Mirrors) && has(Part::Importers) { rng.usize(..3) } else { 0 } {
        let name = format!("importer-{number}");
        executor.start(name.clone(), importers::start(world, &name));
    }
    for number in 0..if has(Part::LargeCommits) { 1 + rng.usize(..2) } else { 0 } {
        let name = format!("large-writer-{number}");
        executor.start(name.clone(), writers::start_large(world, &name));
    }
    if has(Part::Sweeps) {
        executor.start("sweeper", sweepers::start(world, "sweeper"));
    }
    if has(Part::Drops) && rng.bool() {
        executor.start("dropper", drops::start(world, "dropper"));
    }
    let crash_every = has(Part::Crashes).then_some(CRASH_EVERY);
    for _ in 0..world.config.steps {
        if let Step::Crashed(name) = executor.step(crash_every) {
            world.tell(&name, "died, and begins anew");
            world.count_fault();
        }
        on_step();
    }
    world.tell("world", "the storm is over");
    world.calm_down();
    executor.stop();
    until_idle(&mut executor)?;
    for key in keys.into_iter().filter(|_| has(Part::Mirrors)) {
        executor.run("last mirror", Box::pin(mirrors::finish(world.client(&format!("last mirror of {key}")), key)));
    }
    until_idle(&mut executor)?;
    executor.run("last sweep", Box::pin(sweepers::finish(world.client("last sweep"))));
    until_idle(&mut executor)?;
    lock(&world.ledger).leftovers = at_once(leftovers::count(&Calm(world.clone())))?;
    Ok(())
}

fn until_idle(executor: &mut Executor) -> Result<()> {
    for _ in 0..CALM_STEPS {
        if let Step::Idle = executor.step(None) {
            return Ok(());
        }
    }
    Err(Error::invalid("what was under way after the storm does not end"))
}

/// The result of a future that waits for nothing.
fn at_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    future.now_or_never().unwrap_or_else(|| Err(Error::invalid("a calm catalog made its client wait")))
}

impl Report {
    fn failed(config: Config, violation: String) -> Self {
        Report {
            config,
            violations: vec![violation],
            event_count: 0,
            trace_hash: 0,
            last_events: Vec::new(),
            work: Work::default(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.config.command_line())?;
        for event in &self.last_events {
            writeln!(f, "  {event}")?;
        }
        for violation in &self.violations {
            writeln!(f, "  WRONG: {violation}")?;
        }
        Ok(())
    }
}
