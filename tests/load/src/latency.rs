//! `latency`: how long one commit takes in one process, with nobody beside it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{
    CommitRequest, Host, Outcome, Transaction, TransactionLimits, TransactionOutcome, Writer,
};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_native::database::{BatchThread, SqliteDatabase, SqliteOptions, Synchronous};
use deltalakedb_native::host::SystemHost;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::appends::{Bare, WARM_UP, warm_up};
use crate::payload::Append;
use crate::percentiles::Percentiles;
use crate::report::{Columns, Format, load_average, print_table};
use crate::same_rows::SameRows;
use crate::{Result, catalog};

pub(crate) const ROWS: &str = "\
One process, nobody beside it:
  commit                      append a file to a table of the catalog
  bare INSERT                 of the same bytes into a plain SQLite table, in
                              turns with the commits
  bare INSERTs, same rows     of a commit's rows into tables and indexes like the
                              catalog's, with no look at what is there; in turns, too
  ..., fsync                  each is safe on the disk before the next begins
  ..., no fsync               none waits for that: what the work itself takes
  ..., on a blocking thread   SQLite runs beside the caller's thread, not on it
  transaction over 10 tables  append a file to each of them";

pub(crate) const COLUMNS: Columns = Columns {
    header: &["", "p50 ms", "p95 ms", "p99 ms", "max ms", "by bare", "by same rows"],
    legend: "\
p50 p95 p99 max ms  what half, 95 %, 99 % and all of them took at the most
by bare             p50 of the commits by that of the bare INSERTs in between
by same rows        and by that of the bare INSERTs of the same rows",
};

/// Tables of the transaction.
const TABLES: usize = 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Commits of each kind.
    #[arg(long, default_value_t = 2000)]
    commits: usize,
    /// Only single commits, and of this durability only: `fsync` or `no fsync`.
    #[arg(long, value_parser = ["fsync", "no fsync"])]
    only: Option<String>,
}

struct Measured {
    what: String,
    times: Percentiles,
    /// Median by those of the baselines of the same durability, taken in turns with it.
    by: Option<Ratios>,
}

#[derive(Clone, Copy, serde::Serialize)]
struct Ratios {
    bare: f64,
    same_rows: f64,
}

/// Microseconds of each commit, and of the baselines in between.
#[derive(Default)]
struct Turns {
    commits: Vec<u64>,
    bare: Vec<u64>,
    same_rows: Vec<u64>,
}

pub(crate) fn run(options: &Options, format: Format) -> Result<ExitCode> {
    eprintln!("load: latency, {} commits of each kind", options.commits);
    let runtime = catalog::runtime()?;
    let mut all = Vec::new();
    for (name, synchronous) in [("no fsync", Synchronous::Off), ("fsync", Synchronous::Full)] {
        if options.only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        for (thread, batch_thread) in [("", BatchThread::Caller), (", on a blocking thread", BatchThread::Blocking)] {
            let database = SqliteOptions::default().synchronous(synchronous).batch_thread(batch_thread);
            let folder = tempfile::tempdir()?;
            let turns = single_file(&runtime, folder.path(), database, options.commits)?;
            let [commits, bare, same_rows] = [turns.commits, turns.bare, turns.same_rows].map(Percentiles::of);
            let by = Some(Ratios { bare: commits.p50_ms / bare.p50_ms, same_rows: commits.p50_ms / same_rows.p50_ms });
            all.push(Measured { what: format!("commit, {name}{thread}"), times: commits, by });
            if batch_thread == BatchThread::Caller {
                all.push(Measured { what: format!("bare INSERT, {name}"), times: bare, by: None });
                all.push(Measured { what: format!("bare INSERTs, same rows, {name}"), times: same_rows, by: None });
            }
        }
    }
    if options.only.is_none() {
        let folder = tempfile::tempdir()?;
        let times = runtime.block_on(transactions(folder.path(), options.commits / TABLES))?;
        all.push(Measured { what: format!("transaction over {TABLES} tables, fsync"), times, by: None });
    }
    print(&all, format)
}

/// Commits and both baselines by turns.
fn single_file(runtime: &Runtime, folder: &Path, options: SqliteOptions, count: usize) -> Result<Turns> {
    let path = folder.join("catalog.db");
    let database = catalog::create(&path, options)?;
    runtime.block_on(catalog::create_table(&database, "t", &catalog::plain_table("t")))?;
    warm_up(&catalog::open(&path, SqliteOptions::default().synchronous(Synchronous::Off))?, "t")?;
    let mut writer = runtime.block_on(Writer::open(&database, &SystemHost, &catalog::named("t")))?;
    // Stays open, as the last connection that closes removes the log.
    let mut warm = Bare::open(folder)?;
    warm.warm_up()?;
    let mut bare = Bare::open_with(folder, options.synchronous)?;
    let mut same_rows = SameRows::create(folder, options.synchronous, WARM_UP)?;
    let mut turns = Turns::default();
    for _ in 0..count {
        let append = Append::new()?;
        let begin = Instant::now();
        bare.insert(&append)?;
        turns.bare.push(begin.elapsed().as_micros() as u64);
        let begin = Instant::now();
        same_rows.insert(&append)?;
        turns.same_rows.push(begin.elapsed().as_micros() as u64);
        let request = CommitRequest::new(append.commit_id, vec![Action::Add(append.add)]);
        let begin = Instant::now();
        let outcome = runtime.block_on(writer.commit(&request))?;
        turns.commits.push(begin.elapsed().as_micros() as u64);
        if !matches!(outcome, Outcome::Committed(_)) {
            return Err(format!("an append was answered {outcome:?}").into());
        }
    }
    Ok(turns)
}

async fn transactions(folder: &Path, count: usize) -> Result<Percentiles> {
    let options = SqliteOptions::default().batch_thread(BatchThread::Caller);
    let database: SqliteDatabase = catalog::create(&folder.join("catalog.db"), options)?;
    let names: Vec<String> = (0..TABLES).map(|number| format!("t{number}")).collect();
    let mut states = Vec::new();
    for name in &names {
        catalog::create_table(&database, name, &catalog::plain_table(name)).await?;
        states.push(snapshot(&database, &catalog::named(name), At::Latest).await?);
    }
    let mut times = Vec::new();
    for _ in 0..count {
        let id = Append::new()?.commit_id;
        let mut transaction = Transaction::begin(id, SystemHost.now_ms(), TransactionLimits::default());
        for state in &states {
            transaction.stage(state.clone(), CommitRequest::new("", vec![Action::Add(Append::new()?.add)]))?;
        }
        let begin = Instant::now();
        let outcome = transaction.commit(&database, &SystemHost).await?;
        times.push(begin.elapsed().as_micros() as u64);
        if !matches!(outcome, TransactionOutcome::Committed(_)) {
            return Err(format!("a transaction of appends was answered {outcome:?}").into());
        }
    }
    Ok(Percentiles::of(times))
}

fn print(all: &[Measured], format: Format) -> Result<ExitCode> {
    if format == Format::Json {
        let all: Vec<Value> =
            all.iter().map(|one| json!({"what": one.what, "times": one.times, "ratio_of_medians": one.by})).collect();
        println!("{}", serde_json::to_string_pretty(&json!({"measured": all, "load_average": load_average()}))?);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |one: &Measured| {
        let Percentiles { p50_ms, p95_ms, p99_ms, max_ms } = one.times;
        let mut row = vec![one.what.clone()];
        row.extend([p50_ms, p95_ms, p99_ms, max_ms].map(|ms| format!("{ms:.3}")));
        let ratio = |of: fn(Ratios) -> f64| one.by.map_or(String::new(), |ratios| format!("{:.2}", of(ratios)));
        row.extend([ratio(|ratios| ratios.bare), ratio(|ratios| ratios.same_rows)]);
        row
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    print_table(&COLUMNS, &rows);
    println!("load average of the machine {:.1}", load_average().unwrap_or(0.0));
    Ok(ExitCode::SUCCESS)
}
