//! `appends`: many processes append to one table.

mod bare;
mod ducklake;
mod group;
mod summary;
mod versions;
pub(crate) mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, Writer};
use deltalakedb_native::database::{SqliteOptions, Synchronous};
use deltalakedb_native::host::SystemHost;

use crate::payload::Append;
use crate::processes::{Job, Worker};
use crate::report::Format;
use crate::{Result, catalog};

pub(crate) use bare::Bare;
use group::Group;
pub(crate) use summary::{COLUMNS, ROWS};
use worker::What;

/// Commits before the measurement: the log beside the file is then written over, and not made longer.
pub(crate) const WARM_UP: usize = 1000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Processes that commit at the same time.
    #[arg(long, default_value_t = 16, value_parser = crate::processes::parse_count)]
    processes: usize,
    /// How long each round takes.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds of each kind, which take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Fail when the commits reach less than this share of the bare INSERT's throughput.
    #[arg(long)]
    min_ratio: Option<f64>,
    /// Leave out the bare INSERT and DuckLake: only whether all commits succeed.
    #[arg(long)]
    commits_only: bool,
    /// A Python with the packages of `tests/compare/requirements.txt`, for DuckLake.
    #[arg(long, env = "DELTALAKEDB_PYTHON")]
    python: Option<PathBuf>,
}

pub(crate) fn run(options: &Options, format: Format) -> Result<ExitCode> {
    let Options { processes, seconds, rounds, .. } = options;
    eprintln!("load: appends, {processes} processes; of each kind {rounds} rounds of {seconds} s");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(worker::CATALOG);
    // Held open: the last connection that closes removes the log.
    let database = catalog::create(&path, SqliteOptions::default())?;
    catalog::runtime()?.block_on(catalog::create_table(
        &database,
        worker::TABLE,
        &catalog::plain_table(worker::TABLE),
    ))?;
    warm_up(&catalog::open(&path, SqliteOptions::default().synchronous(Synchronous::Off))?, worker::TABLE)?;
    let mut bare = Bare::open(folder.path())?;
    bare.warm_up()?;

    let mut workers =
        (0..options.processes).map(|_| Worker::start(Job::Appends, folder.path())).collect::<Result<Vec<_>>>()?;
    for worker in &mut workers {
        worker.hear::<String>()?;
    }
    let kinds: &[What] =
        if options.commits_only { &[What::Commits] } else { &[What::Commits, What::Bare, What::BareSameWait] };
    let mut groups: Vec<Group> = kinds.iter().map(|what| Group::new(what.name())).collect();
    for _ in 0..options.rounds {
        for (what, group) in kinds.iter().zip(&mut groups) {
            group.round(&mut workers, *what, options.seconds)?;
        }
    }
    drop(workers);
    let wrong = versions::check(&database, &groups[0], WARM_UP)?;
    let lake = match (options.commits_only, &options.python) {
        (true, _) => None,
        (false, python) => Some(ducklake::measure(python.as_deref(), options.processes, options.seconds)),
    };
    summary::print(&groups, lake, &wrong, format)?;
    let is_slow = options.min_ratio.is_some_and(|least| summary::ratio(&groups).is_some_and(|ratio| ratio < least));
    let ours = &groups[0];
    let is_good = wrong.is_empty() && ours.failures.is_empty() && ours.conflicts.is_empty() && !is_slow;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Appends to a table.
pub(crate) fn warm_up(database: &impl deltalakedb_core::sql::Database, table: &str) -> Result<()> {
    catalog::runtime()?.block_on(async {
        let mut writer = Writer::open(database, &SystemHost, &catalog::named(table)).await?;
        for _ in 0..WARM_UP {
            let append = Append::new()?;
            writer.commit(&CommitRequest::new(append.commit_id, vec![Action::Add(append.add)])).await?;
        }
        Ok(())
    })
}
