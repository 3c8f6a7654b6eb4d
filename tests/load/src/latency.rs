//! `latency`: how long one commit takes in one process, with nobody beside it.

use std::process::ExitCode;
use std::time::Instant;

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, Outcome, Writer};
use deltalakedb_native::database::{SqliteOptions, Synchronous};
use deltalakedb_native::host::SystemHost;

use crate::appends::Bare;
use crate::payload::Append;
use crate::percentiles::Percentiles;
use crate::report::{Format, load_average, print_table};
use crate::{Result, catalog};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Commits of each kind.
    #[arg(long, default_value_t = 3000)]
    commits: usize,
}

pub(crate) fn run(options: &Options, format: Format) -> Result<ExitCode> {
    let _ = format;
    let runtime = catalog::runtime()?;
    let mut rows = Vec::new();
    for (name, synchronous) in [("OFF", Synchronous::Off), ("FULL", Synchronous::Full)] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("catalog.db");
        let database = catalog::create(&path, SqliteOptions::default().synchronous(synchronous).batch_thread(deltalakedb_native::database::BatchThread::Caller))?;
        runtime.block_on(catalog::create_table(&database, "t", &catalog::plain_table("t")))?;
        let mut writer = runtime.block_on(Writer::open(&database, &SystemHost, &catalog::named("t")))?;
        let mut bare = Bare::open_with(folder.path(), name)?;
        bare.warm_up()?;
        { let off = catalog::open(&path, SqliteOptions::default().synchronous(Synchronous::Off))?; crate::appends::warm_up(&off, "t")?; }
        let mut bare = Bare::open_with(folder.path(), name)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..options.commits {
            let append = Append::new()?;
            let begin = Instant::now();
            bare.insert(&append)?;
            theirs.push(begin.elapsed().as_micros() as u64);
            let begin = Instant::now();
            let request = CommitRequest::new(append.commit_id, vec![Action::Add(append.add)]);
            let outcome = runtime.block_on(writer.commit(&request))?;
            assert!(matches!(outcome, Outcome::Committed(_)));
            ours.push(begin.elapsed().as_micros() as u64);
        }
        let (ours, theirs) = (Percentiles::of(ours), Percentiles::of(theirs));
        for (what, times) in [("commit", ours), ("bare", theirs)] {
            let mut row = vec![format!("{what} {name}")];
            row.extend([times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms].map(|ms| format!("{ms:.3}")));
            rows.push(row);
        }
        println!("{name}: ratio {:.2}", ours.p50_ms / theirs.p50_ms);
    }
    print_table(&["what", "p50 ms", "p95", "p99", "max"], &rows);
    println!("load {:?}", load_average());
    Ok(ExitCode::SUCCESS)
}
