//! One process: commits and reads by its seed, until its time is over or it is killed.

use std::path::Path;
use std::time::Duration;

use deltalakedb_core::catalog::list_tables;
use deltalakedb_core::commit::Host;
use deltalakedb_core::snapshot::At;
use deltalakedb_native::database::{BatchThread, SqliteDatabase, SqliteOptions};
use deltalakedb_native::host::SystemHost;
use serde::{Deserialize, Serialize};

use super::actions::{TRANSACTION, View, choose};
use super::chance::{Chance, Life};
use super::journal::{Entry, Journal, Level, Part, Told};
use super::{reader, sender};
use crate::processes::{answer, now, orders};
use crate::{Result, catalog};

/// How often a commit is sent of which nothing is known.
const SENDINGS: usize = 5;

/// What a process is told when it begins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) process: u64,
    pub(crate) life: u64,
    pub(crate) seed: u64,
    /// Milliseconds since the epoch.
    pub(crate) end_ms: u64,
}

struct Client {
    name: String,
    database: SqliteDatabase,
    chance: Chance,
    journal: Journal,
    tables: Vec<i64>,
}

/// Lives once.
pub(crate) fn work(folder: &Path) -> Result<()> {
    let order = orders::<Order>().next().ok_or("no order came")??;
    let life = Life { process: order.process, number: order.life };
    let options = SqliteOptions::default().batch_thread(BatchThread::Caller);
    let database = catalog::open(&folder.join(super::CATALOG), options)?;
    let (journal, entries) = Journal::open(folder, order.process)?;
    let name = format!("process {}, life {}", order.process, order.life);
    let chance = Chance::new(order.seed, life);
    let mut client = Client { name, database, chance, journal, tables: Vec::new() };
    catalog::runtime()?.block_on(async {
        client.tables = list_tables(&client.database).await?.iter().map(|table| table.key).collect();
        if let Some((id, parts)) = left_over(entries).filter(|_| !client.chance.once_in(4)) {
            client.send(&id, &parts).await?;
        }
        while now() < Duration::from_millis(order.end_ms) {
            std::thread::sleep(Duration::from_millis(client.chance.below(10) as u64));
            if client.chance.once_in(8) { client.read().await? } else { client.commit().await? }
        }
        answer(&"done")
    })
}

/// The last commit, when nothing final was told of it.
fn left_over(entries: Vec<Entry>) -> Option<(String, Vec<Part>)> {
    let mut last = None;
    for entry in entries {
        match entry {
            Entry::Meant { id, parts, .. } => last = Some((id, parts)),
            Entry::Told { answer, .. } if !matches!(answer, Told::Unknown | Told::Failed(_)) => last = None,
            _ => {}
        }
    }
    last
}

impl Client {
    async fn read(&mut self) -> Result<()> {
        let table = self.tables[self.chance.below(self.tables.len())];
        let latest = reader::read(&self.database, table, At::Latest).await?;
        let (view, asked_ms) = match self.chance.below(3) {
            0 => {
                let version = self.chance.below(latest.snapshot.version as usize + 1) as i64;
                (reader::read(&self.database, table, At::Version(version)).await?, None)
            }
            1 => {
                let oldest_ms = latest.snapshot.timestamp_ms.max(2_000) - 2_000;
                let asked_ms = oldest_ms + self.chance.below(2_000) as i64;
                (reader::read(&self.database, table, At::Timestamp(asked_ms)).await?, Some(asked_ms))
            }
            _ => (latest, None),
        };
        reader::look(&view, &self.name, asked_ms).iter().try_for_each(|entry| self.journal.write(entry))
    }

    async fn commit(&mut self) -> Result<()> {
        let (kind, plan) = choose(&mut self.chance);
        let first = self.chance.below(self.tables.len());
        let mut parts = Vec::new();
        for offset in 0..if kind == TRANSACTION { 2 } else { 1 } {
            let table = self.tables[(first + offset) % self.tables.len()];
            let view: View = reader::read(&self.database, table, At::Latest).await?;
            let Some(planned) = plan(&mut self.chance, &view) else { return Ok(()) };
            let levels = [None, None, Some(Level::Serializable), Some(Level::WriteSerializable), Some(Level::Snapshot)];
            parts.push(Part {
                table,
                actions: planned.actions,
                base: view.snapshot.version,
                scope: planned.scope.into(),
                isolation: levels[self.chance.below(levels.len())],
            });
        }
        let id = self.chance.uuid();
        self.journal.write(&Entry::Meant { id: id.clone(), kind: kind.to_owned(), parts: parts.clone() })?;
        self.send(&id, &parts).await
    }

    /// Sends a commit until its end is known; now and then once more, as if the answer had been forgotten.
    async fn send(&mut self, id: &str, parts: &[Part]) -> Result<()> {
        for _ in 0..SENDINGS {
            self.journal.write(&Entry::Sent { id: id.to_owned() })?;
            let answer = match sender::send(&self.database, id, parts).await {
                Ok(answer) => answer,
                Err(error) => {
                    let wrong = format!("{}: {id} failed: {:?}: {error}", self.name, error.kind());
                    return self.journal.write(&Entry::Wrong(wrong));
                }
            };
            let is_over = match answer {
                Told::Committed(_) => !self.chance.once_in(20),
                Told::Unknown | Told::Failed(_) => false,
                Told::Conflicted(_) | Told::Refused(_) => true,
            };
            self.journal.write(&Entry::Told { id: id.to_owned(), answer })?;
            if is_over {
                break;
            }
            SystemHost.sleep(self.chance.below(20) as u64).await;
        }
        Ok(())
    }
}
