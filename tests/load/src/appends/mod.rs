//! `appends`: many processes append to one table.

mod bare;
pub(crate) mod worker;

use std::process::ExitCode;

use deltalakedb_native::database::SqliteOptions;
use serde::Serialize;

use crate::percentiles::{Percentiles, median};
use crate::processes::{Job, Worker, now};
use crate::report::{Format, load_average, print_table};
use crate::{Result, catalog};

use worker::{Done, Order, What};
pub(crate) use bare::Bare;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Processes that commit at the same time.
    #[arg(long, default_value_t = 16)]
    processes: usize,
    /// How long each round takes.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds of each kind, which take turns.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Fail when the commits reach less than this share of the bare INSERT's throughput.
    #[arg(long)]
    min_ratio: Option<f64>,
}

#[derive(Serialize, Default)]
struct Group {
    what: String,
    per_s: f64,
    rounds_per_s: Vec<f64>,
    count: usize,
    times: Percentiles,
    least_of_a_process: usize,
    most_of_a_process: usize,
    failures: Vec<String>,
    conflicts: Vec<String>,
}

pub(crate) fn run(options: &Options, format: Format) -> Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let runtime = catalog::runtime()?;
    let database = catalog::create(&folder.path().join(worker::CATALOG), SqliteOptions::default())?;
    runtime.block_on(catalog::create_table(&database, worker::TABLE, &catalog::plain_table(worker::TABLE)))?;
    let mut bare = Bare::open(folder.path())?;
    bare.warm_up()?;
    {
        let off = catalog::open(&folder.path().join(worker::CATALOG), SqliteOptions::default().synchronous(deltalakedb_native::database::Synchronous::Off))?;
        warm_up(&off, worker::TABLE)?;
    }
    let mut workers = (0..options.processes).map(|_| Worker::start(Job::Appends, folder.path())).collect::<Result<Vec<_>>>()?;
    for worker in &mut workers {
        worker.hear::<String>()?;
    }
    let kinds = [What::Commits, What::Bare, What::BareSameWait];
    let mut groups: Vec<(Group, Vec<u64>)> = kinds.iter().map(|_| Default::default()).collect();
    for _ in 0..options.rounds {
        for (what, (group, times)) in kinds.iter().zip(&mut groups) {
            let start_ms = now().as_millis() as u64 + 200;
            let order = Order { what: *what, start_ms, duration_ms: (options.seconds * 1000.0) as u64 };
            for worker in &mut workers {
                worker.tell(&order)?;
            }
            let mut count = 0;
            let mut counts = Vec::new();
            let mut longest = 0;
            for worker in &mut workers {
                let done: Done = worker.hear()?;
                count += done.times_us.len();
                counts.push(done.times_us.len());
                longest = longest.max(done.elapsed_ms);
                times.extend(done.times_us);
                group.failures.extend(done.failures);
                group.conflicts.extend(done.conflicts);
            }
            group.what = format!("{what:?}");
            group.count += count;
            group.least_of_a_process = counts.iter().copied().min().unwrap_or(0);
            group.most_of_a_process = counts.iter().copied().max().unwrap_or(0);
            group.rounds_per_s.push(count as f64 * 1000.0 / longest as f64);
        }
    }
    let mut rows = Vec::new();
    for (group, times) in &mut groups {
        group.per_s = median(group.rounds_per_s.clone());
        group.times = Percentiles::of(std::mem::take(times));
        let mut row = vec![group.what.clone(), format!("{:.0}", group.per_s), format!("{:.0?}", group.rounds_per_s)];
        row.extend(group.times.cells());
        row.extend([group.failures.len().to_string(), group.conflicts.len().to_string()]);
        row.extend([group.least_of_a_process.to_string(), group.most_of_a_process.to_string()]);
        rows.push(row);
        if let Some(f) = group.failures.first() { println!("{f}") }
    }
    let _ = format;
    print_table(&["what", "per s", "rounds", "p50 ms", "p95", "p99", "max", "failures", "conflicts", "least", "most"], &rows);
    println!("ratio {:.2} load {:?}", groups[0].0.per_s / groups[1].0.per_s, load_average());
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn warm_up(database: &deltalakedb_native::database::SqliteDatabase, table: &str) -> Result<()> {
    use deltalakedb_core::commit::*;
    let runtime = catalog::runtime()?;
    runtime.block_on(async {
        let mut writer = Writer::open(database, &deltalakedb_native::host::SystemHost, &catalog::named(table)).await?;
        for _ in 0..1000 {
            let append = crate::payload::Append::new()?;
            writer.commit(&CommitRequest::new(append.commit_id, vec![deltalakedb_core::action::Action::Add(append.add)])).await?;
        }
        Ok(())
    })
}
