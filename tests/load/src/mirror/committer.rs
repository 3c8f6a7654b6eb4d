//! A process that commits on the beat, and tells of each commit.

use std::path::Path;
use std::time::{Duration, Instant};

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, Outcome, Writer};
use deltalakedb_native::database::{BatchThread, SqliteOptions};
use deltalakedb_native::host::SystemHost;
use serde::{Deserialize, Serialize};

use super::{CATALOG, table_name};
use crate::payload::Append;
use crate::processes::{answer, now, orders};
use crate::{Result, catalog};

/// What a process shall do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Its first table, and how far the next one is.
    pub(crate) first_table: usize,
    pub(crate) step: usize,
    /// Of all processes.
    pub(crate) tables: usize,
    /// Between two commits.
    pub(crate) pause_us: u64,
    pub(crate) seed: u64,
    /// Milliseconds since the epoch.
    pub(crate) end_ms: u64,
}

/// A commit that is acknowledged.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) table: usize,
    pub(crate) version: i64,
    /// Microseconds since the epoch.
    pub(crate) at_us: u64,
}

pub(crate) fn work(folder: &Path) -> Result<()> {
    let runtime = catalog::runtime()?;
    let database = catalog::open(&folder.join(CATALOG), SqliteOptions::default().batch_thread(BatchThread::Caller))?;
    let Some(order) = orders::<Order>().next() else { return Ok(()) };
    let order = order?;
    fastrand::seed(order.seed);
    let tables = (order.first_table..order.tables).step_by(order.step);
    let mut writers = Vec::new();
    for table in tables {
        let selector = catalog::named(&table_name(table));
        writers.push((table, runtime.block_on(Writer::open(&database, &SystemHost, &selector))?));
    }
    let begun = Instant::now();
    for count in 0.. {
        std::thread::sleep((Duration::from_micros(order.pause_us) * count).saturating_sub(begun.elapsed()));
        if now().as_millis() >= u128::from(order.end_ms) || writers.is_empty() {
            break;
        }
        let turn = count as usize % writers.len();
        let (table, writer) = &mut writers[turn];
        let append = Append::new()?;
        let request = CommitRequest::new(append.commit_id, vec![Action::Add(append.add)]);
        if let Outcome::Committed(committed) = runtime.block_on(writer.commit(&request))? {
            answer(&Told { table: *table, version: committed.version, at_us: now().as_micros() as u64 })?;
        }
    }
    Ok(())
}
