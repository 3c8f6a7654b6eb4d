//! What all processes together did, round after round.

use serde::Serialize;

use super::worker::{Done, Order, What};
use crate::Result;
use crate::percentiles::{Percentiles, median};
use crate::processes::{Worker, now};

/// Until all processes have heard of it.
const LEAD_MS: u64 = 200;

#[derive(Default, Serialize)]
pub(crate) struct Group {
    pub(crate) what: String,
    /// Of each round.
    pub(crate) per_s: Vec<f64>,
    pub(crate) count: usize,
    /// Of the process that did the least, and of the one that did the most, in the last round.
    pub(crate) least_of_a_process: usize,
    pub(crate) most_of_a_process: usize,
    #[serde(skip)]
    pub(crate) times_us: Vec<u64>,
    #[serde(skip)]
    pub(crate) versions: Vec<i64>,
    pub(crate) failures: Vec<String>,
    pub(crate) conflicts: Vec<String>,
}

impl Group {
    pub(crate) fn new(what: &str) -> Self {
        Group { what: what.to_owned(), ..Group::default() }
    }

    /// Lets all processes do the same at the same moment.
    pub(crate) fn round(&mut self, workers: &mut [Worker], what: What, seconds: f64) -> Result<()> {
        let start_ms = now().as_millis() as u64 + LEAD_MS;
        let order = Order { what, start_ms, duration_ms: (seconds * 1000.0) as u64 };
        for worker in workers.iter_mut() {
            let told = worker.tell(&order);
            // One that broke down before is heard of below.
            told.or_else(|error| if what == What::DuckLake { Ok(()) } else { Err(error) })?;
        }
        let all = workers.iter_mut().map(|worker| Self::hear(worker, what)).collect::<Result<Vec<_>>>()?;
        let count = |done: &Done| done.times_us.len();
        // A process ends when its last commit does.
        let elapsed_ms = all.iter().map(|done| done.elapsed_ms).max().unwrap_or(0).max(1);
        let sum: usize = all.iter().map(count).sum();
        self.per_s.push(sum as f64 * 1000.0 / elapsed_ms as f64);
        self.count += sum;
        self.least_of_a_process = all.iter().map(count).min().unwrap_or(0);
        self.most_of_a_process = all.iter().map(count).max().unwrap_or(0);
        for done in all {
            self.times_us.extend(done.times_us);
            self.versions.extend(done.versions);
            self.failures.extend(done.failures);
            self.conflicts.extend(done.conflicts);
        }
        Ok(())
    }

    fn hear(worker: &mut Worker, what: What) -> Result<Done> {
        match worker.hear() {
            // A process of other software that breaks down is its failure, and no reason to end.
            Err(error) if what == What::DuckLake => {
                Ok(Done { failures: vec![format!("a process broke down: {error}")], ..Done::default() })
            }
            done => done,
        }
    }

    /// The middle one of the rounds.
    pub(crate) fn median_per_s(&self) -> f64 {
        median(self.per_s.clone())
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.times_us.clone())
    }
}
