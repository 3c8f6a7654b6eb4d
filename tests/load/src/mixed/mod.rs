//! `mixed`: processes that do everything at once and are killed, and whether all holds afterwards.

mod actions;
mod chance;
mod journal;
mod reader;
mod sender;
mod summary;
mod verdict;
pub(crate) mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use deltalakedb_native::database::SqliteOptions;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::interval::{Interval, parse_interval};
use crate::processes::{Job, Worker, now};
use crate::report::Format;
use crate::{Result, catalog};

pub(crate) use summary::{COLUMNS, ROWS};
use worker::Order;

pub(crate) const CATALOG: &str = "catalog.db";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Processes that commit and read at the same time.
    #[arg(long, default_value_t = 8, value_parser = crate::processes::parse_count)]
    processes: usize,
    /// How long they do.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// How often one of them is killed, such as `1s` or `250ms`; `never`.
    #[arg(long, default_value = "1s", value_parser = parse_interval)]
    kill_every: Interval,
    /// Of the choices; what the processes do to each other is the machine's choice. By default another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Tables.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..))]
    tables: u8,
    /// Keep catalog and journals in this new folder.
    #[arg(long)]
    keep: Option<PathBuf>,
}

pub(crate) fn run(options: &Options, format: Format) -> Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    eprintln!("load: mixed, seed {seed}");
    let temporary = tempfile::tempdir()?;
    let folder = match &options.keep {
        Some(folder) => {
            std::fs::create_dir(folder)?;
            folder.as_path()
        }
        None => temporary.path(),
    };
    let runtime = catalog::runtime()?;
    let database = catalog::create(&folder.join(CATALOG), SqliteOptions::default())?;
    for number in 0..options.tables {
        let name = format!("table-{number}");
        runtime.block_on(catalog::create_table(&database, &name, &first_actions(&name, number == 0)))?;
    }
    let deaths = storm(options, folder, seed)?;
    let verdict = runtime.block_on(verdict::reach(&database, folder, options.processes))?;
    summary::print(&verdict, seed, deaths, format)?;
    Ok(if verdict.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lets the processes go, kills one of them again and again, and waits for their end; how many died.
fn storm(options: &Options, folder: &Path, seed: u64) -> Result<usize> {
    let end = now() + Duration::from_secs_f64(options.seconds);
    let begin = |process: usize, life: u64| -> Result<Worker> {
        let mut worker = Worker::start(Job::Mixed, folder)?;
        worker.tell(&Order { process: process as u64, life, seed, end_ms: end.as_millis() as u64 })?;
        Ok(worker)
    };
    let mut workers = (0..options.processes).map(|process| begin(process, 0)).collect::<Result<Vec<_>>>()?;
    let mut rng = Rng::with_seed(seed);
    let mut deaths = 0;
    let mut next = Instant::now();
    while let Interval(Some(every)) = options.kill_every {
        // Not on the beat: any moment is as good as any other.
        let pause = every.mul_f64(rng.f64());
        std::thread::sleep(next.saturating_duration_since(Instant::now()) + pause);
        if now() + every >= end {
            break;
        }
        let process = rng.usize(..workers.len());
        if rng.u8(..4) > 0 {
            // In the middle of a commit, most likely: it has just been written down.
            journal::wait_for_a_line(folder, process as u64);
            std::thread::sleep(Duration::from_micros(rng.u64(..1500)));
        }
        // The drop kills it; another life begins when it is gone.
        drop(workers.remove(process));
        deaths += 1;
        workers.insert(process, begin(process, deaths as u64)?);
        next += every;
    }
    for worker in &mut workers {
        worker.hear::<String>()?;
    }
    Ok(deaths)
}

/// A table with deletion vectors and domains; one with in-commit timestamps.
fn first_actions(name: &str, has_in_commit_timestamps: bool) -> Vec<Value> {
    let mut features = vec!["appendOnly", "deletionVectors", "domainMetadata", "invariants"];
    let mut configuration = json!({"delta.enableDeletionVectors": "true"});
    let mut info = json!({"timestamp": 0, "operation": "CREATE TABLE"});
    if has_in_commit_timestamps {
        features.push("inCommitTimestamp");
        configuration["delta.enableInCommitTimestamps"] = "true".into();
        info["inCommitTimestamp"] = 0.into();
    }
    let fields = json!([
        {"name": "id", "type": "long", "nullable": true, "metadata": {}},
        {"name": "p", "type": "string", "nullable": true, "metadata": {}},
    ]);
    vec![
        json!({"commitInfo": info}),
        json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["deletionVectors"], "writerFeatures": features}}),
        json!({"metaData": {
            "id": format!("delta id of {name}"),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
            "partitionColumns": ["p"],
            "configuration": configuration,
        }}),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_units() {
        assert_eq!(parse_interval("250ms").map(|it| it.0), Ok(Some(Duration::from_millis(250))));
        assert_eq!(parse_interval("1s").map(|it| it.0), Ok(Some(Duration::from_secs(1))));
        assert_eq!(parse_interval("never").map(|it| it.0), Ok(None));
        assert!(parse_interval("0s").is_err());
    }
}
