//! Jobs that commit.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deltalakedb_core::Error;
use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{
    CommitRequest, Host, Outcome as Answer, Transaction, TransactionLimits, TransactionOutcome, Writer,
};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_native::database::{BatchThread, SqliteDatabase, SqliteOptions};
use deltalakedb_native::host::SystemHost;
use serde_json::json;
use uuid::Uuid;

use crate::recorder::{Recorder, cpu_time, peak_rss_mb};
use crate::table::{add, catalog, create, named, open, total};
use crate::{Outcome, Result, Spec};

const WARM_UP: usize = 5;
const TABLES: usize = 10;

/// Commits a new file.
async fn commit<D: Database>(writer: &mut Writer<'_, D, SystemHost>, add: Action) -> Result<()> {
    match writer.commit(&CommitRequest::new(Uuid::now_v7().to_string(), vec![add])).await? {
        Answer::Committed(_) => Ok(()),
        other => Err(format!("an append was answered {other:?}").into()),
    }
}

fn new_file() -> Result<Action> {
    add(&format!("part-{}.parquet", Uuid::now_v7()), &json!({}))
}

/// To a copy of a large table's catalog.
pub(crate) async fn grow(spec: &Spec, commits: usize, rec: &mut Recorder) -> Result<()> {
    let copy = spec.catalog().with_extension("grown.db");
    std::fs::copy(spec.catalog(), &copy)?;
    let database = SqliteDatabase::open(copy).map_err(Error::from)?;
    let mut writer = Writer::open(&database, &SystemHost, &TableSelector::Only).await?;
    for _ in 0..commits {
        let file = add(&format!("day={}/part-{}.parquet", spec.day, Uuid::now_v7()), &json!({"day": spec.day}))?;
        rec.time("append_large", None, async || Ok((1, commit(&mut writer, file).await?))).await?;
    }
    Ok(())
}

/// One after the other, into a new table. `caller`: SQLite runs on the calling thread.
pub(crate) async fn append(folder: &Path, variant: &str, count: usize) -> Result<Outcome> {
    create(folder, 1).await?;
    let options = match variant {
        "caller" => SqliteOptions::default().batch_thread(BatchThread::Caller),
        _ => SqliteOptions::default(),
    };
    let database = SqliteDatabase::open_with(catalog(folder), options).map_err(Error::from)?;
    let mut writer = Writer::open(&database, &SystemHost, &named(0)).await?;
    for _ in 0..WARM_UP {
        commit(&mut writer, new_file()?).await?;
    }
    let mut outcome = Outcome::default();
    let cpu = cpu_time();
    for _ in 0..count {
        let file = new_file()?;
        let began = Instant::now();
        commit(&mut writer, file).await?;
        outcome.done.push(began.elapsed().as_secs_f64());
    }
    outcome.cpu = (cpu_time() - cpu).as_secs_f64();
    outcome.rss_mb = peak_rss_mb();
    outcome.expect = (count + WARM_UP) as i64;
    outcome.total = total(folder, 1).await?;
    Ok(outcome)
}

/// A file into each of ten tables, in one transaction.
pub(crate) async fn multi(folder: &Path, count: usize) -> Result<Outcome> {
    create(folder, TABLES).await?;
    let database = open(folder)?;
    let mut states = Vec::new();
    for number in 0..TABLES {
        states.push(snapshot(&database, &named(number), At::Latest).await?);
    }
    let mut outcome = Outcome::default();
    let mut cpu = cpu_time();
    for number in 0..count + WARM_UP {
        if number == WARM_UP {
            cpu = cpu_time();
        }
        let began = Instant::now();
        let mut transaction =
            Transaction::begin(Uuid::now_v7().to_string(), SystemHost.now_ms(), TransactionLimits::default());
        for state in &states {
            transaction.stage(state.clone(), CommitRequest::new(String::new(), vec![new_file()?]))?;
        }
        match transaction.commit(&database, &SystemHost).await? {
            TransactionOutcome::Committed(_) if number >= WARM_UP => outcome.done.push(began.elapsed().as_secs_f64()),
            TransactionOutcome::Committed(_) => {}
            other => return Err(format!("a transaction was answered {other:?}").into()),
        }
    }
    outcome.cpu = (cpu_time() - cpu).as_secs_f64();
    outcome.rss_mb = peak_rss_mb();
    outcome.expect = ((count + WARM_UP) * TABLES) as i64;
    outcome.total = total(folder, TABLES).await?;
    Ok(outcome)
}

/// Beside other processes, or as many threads of this one (`16 threads`), until a moment that comes from standard input.
pub(crate) async fn writers(folder: &Path, variant: &str) -> Result<Outcome> {
    let threads = variant.split_once(" threads").and_then(|(count, _)| count.parse().ok()).unwrap_or(1);
    let database = open(folder)?;
    let mut handles = Vec::new();
    println!("ready");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let until = UNIX_EPOCH + Duration::from_secs_f64(line.trim().parse()?);
    for _ in 0..threads {
        handles.push(tokio::spawn(write_until(database.clone(), until)));
    }
    let mut outcome = Outcome::default();
    for handle in handles {
        let (done, lost, errors) = handle.await??;
        outcome.done.extend(done);
        outcome.lost.extend(lost);
        for error in errors {
            *outcome.errors.entry(error).or_default() += 1;
        }
    }
    outcome.rss_mb = peak_rss_mb();
    Ok(outcome)
}

async fn write_until(database: SqliteDatabase, until: SystemTime) -> Result<(Vec<f64>, Vec<f64>, Vec<String>)> {
    let mut writer = Writer::open(&database, &SystemHost, &named(0)).await?;
    let (mut done, mut lost, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    while SystemTime::now() < until {
        let file = new_file()?;
        let began = Instant::now();
        match commit(&mut writer, file).await {
            Ok(()) => done.push(began.elapsed().as_secs_f64()),
            Err(error) => {
                lost.push(began.elapsed().as_secs_f64());
                errors.push(error.to_string());
            }
        }
    }
    Ok((done, lost, errors))
}
