//! One of the processes: commits, or inserts, as fast as it can, for as long as it is told.

use std::path::Path;
use std::time::{Duration, Instant};

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, Outcome, Writer};
use deltalakedb_native::database::{BatchThread, SqliteOptions};
use deltalakedb_native::host::SystemHost;
use serde::{Deserialize, Serialize};

use super::bare::Bare;
use crate::payload::Append;
use crate::processes::{answer, now, orders, wait_until};
use crate::{Result, catalog};

pub(crate) const CATALOG: &str = "catalog.db";
pub(crate) const TABLE: &str = "appended";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Commits to a table of the catalog.
    Commits,
    /// An INSERT of the same bytes, with SQLite's own busy timeout.
    Bare,
    /// The same, with the catalog's way of waiting.
    BareSameWait,
    /// Files registered with DuckLake, by processes of its own.
    DuckLake,
}

impl What {
    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Commits => "commits",
            What::Bare => "bare INSERT",
            What::BareSameWait => "bare INSERT, waits alike",
            What::DuckLake => "DuckLake",
        }
    }
}

/// What a process shall do next.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) what: What,
    /// Milliseconds since the epoch.
    pub(crate) start_ms: u64,
    pub(crate) duration_ms: u64,
}

/// What it did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Of each success.
    pub(crate) times_us: Vec<u64>,
    /// The versions that were answered.
    pub(crate) versions: Vec<i64>,
    pub(crate) failures: Vec<String>,
    pub(crate) conflicts: Vec<String>,
    /// From the first begin to the last end.
    pub(crate) elapsed_ms: u64,
}

/// Opens what is measured, says so, and follows orders.
pub(crate) fn work(folder: &Path) -> Result<()> {
    let runtime = catalog::runtime()?;
    let database = catalog::open(&folder.join(CATALOG), SqliteOptions::default().batch_thread(BatchThread::Caller))?;
    let mut writer = runtime.block_on(Writer::open(&database, &SystemHost, &catalog::named(TABLE)))?;
    let mut bare = Bare::open(folder)?;
    answer(&"ready")?;
    for order in orders::<Order>() {
        let order = order?;
        let mut done = Done::default();
        wait_until(Duration::from_millis(order.start_ms));
        let start = Instant::now();
        while now().as_millis() < u128::from(order.start_ms + order.duration_ms) {
            let append = Append::new()?;
            let begin = Instant::now();
            let result = match order.what {
                What::Commits => {
                    let request = CommitRequest::new(append.commit_id, vec![Action::Add(append.add)]);
                    match runtime.block_on(writer.commit(&request)) {
                        Ok(Outcome::Committed(committed)) => {
                            done.versions.push(committed.version);
                            Ok(())
                        }
                        Ok(Outcome::Conflicted(conflict)) => {
                            done.conflicts.push(deltalakedb_core::Error::from(conflict).to_string());
                            continue;
                        }
                        Ok(Outcome::Unknown) => Err("the answer was lost".to_owned()),
                        Err(error) => Err(error.to_string()),
                    }
                }
                What::Bare => bare.insert(&append).map_err(|error| error.to_string()),
                What::BareSameWait => bare.insert_waiting_alike(&append).map_err(|error| error.to_string()),
                What::DuckLake => Err("DuckLake has processes of its own".to_owned()),
            };
            match result {
                Ok(()) => done.times_us.push(begin.elapsed().as_micros() as u64),
                Err(failure) => done.failures.push(failure),
            }
        }
        done.elapsed_ms = start.elapsed().as_millis() as u64;
        answer(&done)?;
    }
    Ok(())
}
