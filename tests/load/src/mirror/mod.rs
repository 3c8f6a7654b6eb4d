//! `mirror`: how soon after its commit a version can be read in the log, and whether all is right there when daemons and
//! committing processes are killed.

mod check;
pub(crate) mod committer;
mod daemon;
mod observer;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deltalakedb_native::database::{SqliteDatabase, SqliteOptions, Synchronous};
use fastrand::Rng;

use crate::interval::{Interval, parse_interval};
use crate::processes::{Job, Worker, now};
use crate::report::Format;
use crate::{Result, catalog};
use committer::Order;
use daemon::{Daemon, Usage};
use observer::Observer;

pub(crate) use summary::{COLUMNS, ROWS};

pub(crate) const CATALOG: &str = "catalog.db";

/// Until the daemons have taken the targets.
const SETTLE: Duration = Duration::from_secs(3);
/// Until everything must be published when nobody commits or dies any more.
const CATCH_UP: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Tables that are committed to, in turns.
    #[arg(long, default_value_t = 20, value_parser = crate::processes::parse_count)]
    tables: usize,
    /// Tables to which nothing is committed.
    #[arg(long, default_value_t = 0)]
    idle_tables: usize,
    /// Commits a second, to all tables together.
    #[arg(long, default_value_t = 50.0)]
    per_second: f64,
    /// How long.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Processes that commit.
    #[arg(long, default_value_t = 2, value_parser = crate::processes::parse_count)]
    committers: usize,
    /// Processes that mirror.
    #[arg(long, default_value_t = 1, value_parser = crate::processes::parse_count)]
    daemons: usize,
    /// How often one of all these processes is killed, such as `1s` or `250ms`; `never`.
    #[arg(long, default_value = "never", value_parser = parse_interval)]
    kill_every: Interval,
    /// Of the choices who is killed and when. By default another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// The program that mirrors; by default the `dl` beside this one.
    #[arg(long)]
    dl: Option<PathBuf>,
    /// Keep catalog and logs in this new folder.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// What was measured.
pub(crate) struct Found {
    pub(crate) lags_us: Vec<u64>,
    pub(crate) usage: Option<Usage>,
    pub(crate) deaths: usize,
    pub(crate) versions: usize,
    pub(crate) wrong: Vec<String>,
}

pub(crate) fn run(options: &Options, format: Format) -> Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    eprintln!("load: mirror, seed {seed}");
    let temporary = tempfile::tempdir()?;
    let folder = match &options.keep {
        Some(folder) => {
            std::fs::create_dir(folder)?;
            folder.canonicalize()?
        }
        None => temporary.path().to_owned(),
    };
    let database = create_tables(&folder, options)?;
    let found = storm(options, &folder, &database, seed)?;
    summary::print(&found, options.per_second, seed, format)?;
    Ok(if found.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A catalog whose tables have folders of their own. Held open: the last connection that closes removes the log.
fn create_tables(folder: &Path, options: &Options) -> Result<SqliteDatabase> {
    let path = folder.join(CATALOG);
    let database = catalog::create(&path, SqliteOptions::default().synchronous(Synchronous::Off))?;
    let runtime = catalog::runtime()?;
    let idle = (0..options.idle_tables).map(|number| format!("idle-{number}"));
    for name in (0..options.tables).map(table_name).chain(idle) {
        let location = format!("file://{}", table_folder(folder, &name).display());
        runtime.block_on(catalog::create_table_at(&database, &name, &location, &catalog::plain_table(&name)))?;
    }
    catalog::open(&path, SqliteOptions::default())
}

fn table_name(number: usize) -> String {
    format!("table-{number}")
}

fn table_folder(folder: &Path, table: &str) -> PathBuf {
    folder.join("tables").join(table)
}

/// Lets daemons and committers go, kills them as it was asked, and waits until everything is published.
fn storm(options: &Options, folder: &Path, database: &SqliteDatabase, seed: u64) -> Result<Found> {
    let dl = daemon::program(options.dl.as_deref())?;
    let start_daemon = || Daemon::start(&dl, folder);
    let mut daemons = (0..options.daemons).map(|_| start_daemon()).collect::<Result<Vec<_>>>()?;
    let settle = SETTLE + Duration::from_millis(options.idle_tables as u64 * 4);
    std::thread::sleep(settle);
    let observer = Arc::new(Mutex::new(Observer::new(folder)));
    let watching = observer::start(observer.clone());
    let before = daemons[0].usage();
    let begun = Instant::now();

    let end = now() + Duration::from_secs_f64(options.seconds);
    let begin = |number: usize, life: u64| -> Result<Worker> {
        let mut worker = Worker::start(Job::Mirror, folder)?;
        worker.tell(&Order {
            first_table: number,
            step: options.committers,
            tables: options.tables,
            pause_us: (options.committers as f64 * 1e6 / options.per_second) as u64,
            seed: seed ^ life << 32,
            end_ms: end.as_millis() as u64,
        })?;
        Ok(worker)
    };
    let mut committers = Vec::new();
    for number in 0..options.committers {
        committers.push(observer::listen(begin(number, 0)?, observer.clone())?);
    }
    let mut rng = Rng::with_seed(seed);
    let mut deaths = 0;
    while now() < end {
        let Interval(Some(every)) = options.kill_every else {
            std::thread::sleep(end.saturating_sub(now()));
            break;
        };
        std::thread::sleep(every.mul_f64(rng.f64() * 2.0));
        deaths += 1;
        let victim = rng.usize(..daemons.len() + committers.len());
        match victim.checked_sub(daemons.len()) {
            None => {
                daemons[victim].kill();
                daemons[victim] = start_daemon()?;
            }
            Some(number) => {
                committers[number].kill();
                committers[number] = observer::listen(begin(number, deaths as u64)?, observer.clone())?;
            }
        }
    }
    for committer in &mut committers {
        committer.wait()?;
    }
    let usage = (deaths == 0).then(|| daemons[0].usage().since(&before, begun.elapsed()));
    let mut wrong = check::wait_for_logs(database, folder, options.tables, CATCH_UP)?;
    for daemon in &mut daemons {
        wrong.extend(daemon.end());
    }
    watching.stop();
    let observer = observer.lock().map_err(|_| "an observer panicked")?;
    // A last, clean run sweeps what killed processes left.
    daemon::mirror_once(&dl, folder)?;
    wrong.extend(observer.check_unchanged());
    wrong.extend(check::temporary_files(folder)?);
    let versions = check::equal(database, folder, options.tables, &mut wrong)?;
    Ok(Found { lags_us: observer.lags_us(), usage, deaths, versions, wrong })
}
