//! The port to the catalog, with faults.

use std::sync::{Arc, Mutex};

use deltalakedb_core::sql::{Access, Batch, Database, DatabaseError, Limits, ResultSet};
use fastrand::Rng;

use crate::config::Part;
use crate::lock;
use crate::world::World;

/// The longest delay of one way, in milliseconds.
const LONGEST_DELAY_MS: u64 = 3_000;

/// A client: the port as one task sees it. Cloned, it is the same one.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) name: Arc<str>,
    rng: Arc<Mutex<Rng>>,
    limits: Limits,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, name: &str, rng: Rng, limits: Limits) -> Self {
        Client { world, name: name.into(), rng: Arc::new(Mutex::new(rng)), limits }
    }

    /// A choice below `end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        lock(&self.rng).usize(..end.max(1))
    }

    /// True once in `every` times.
    pub(crate) fn once_in(&self, every: usize) -> bool {
        self.below(every) == 0
    }

    /// One of the choices.
    pub(crate) fn pick<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        if choices.is_empty() { None } else { choices.get(self.below(choices.len())) }
    }

    /// Whether a fault happens now.
    pub(crate) fn fault(&self, part: Part, every: usize) -> bool {
        let happens = self.world.is_stormy() && self.world.config.has(part) && self.once_in(every);
        if happens {
            self.world.count_fault();
        }
        happens
    }

    /// The way of a request or an answer.
    pub(crate) async fn travel(&self) {
        let is_slow = self.fault(Part::Delays, 25);
        let longest = if is_slow { LONGEST_DELAY_MS } else { 4 };
        self.sleep(self.below(longest as usize) as u64).await;
    }

    pub(crate) async fn sleep(&self, ms: u64) {
        self.world.clock.sleep(ms).await;
    }

    pub(crate) fn tell(&self, what: impl AsRef<str>) {
        self.world.tell(&self.name, what);
    }

    /// The batch arrives, once more or after all, when its client does not wait for it.
    fn arrives_later(&self, batch: Batch) {
        let (world, name) = (self.world.clone(), self.name.clone());
        let delay = self.below(2 * LONGEST_DELAY_MS as usize) as u64;
        self.world.spawner.spawn(format!("batch of {name}"), async move {
            world.clock.sleep(delay).await;
            let result = world.apply(batch).map(|results| results.len());
            world.tell(&name, format!("its batch arrived late: {result:?}"));
        });
    }
}

impl Database for Client {
    async fn batch(&self, batch: Batch) -> Result<Vec<ResultSet>, DatabaseError> {
        self.travel().await;
        if self.fault(Part::FailBefore, 40) {
            let text = String::from("the request did not arrive");
            self.tell(&text);
            return Err(if self.once_in(2) { DatabaseError::Busy(text) } else { DatabaseError::Unavailable(text) });
        }
        let is_write = batch.access == Access::Write;
        if is_write && self.fault(Part::LateArrivals, 60) {
            self.arrives_later(batch);
            self.tell("the connection broke, and its batch is under way");
            return Err(DatabaseError::AnswerLost("the connection broke".into()));
        }
        let again = (is_write && self.fault(Part::Repeats, 12)).then(|| batch.clone());
        let result = self.world.apply(batch);
        if let Err(error) = &result {
            self.tell(format!("its batch failed: {error:?}"));
        }
        if let (Some(batch), true) = (again, result.is_ok()) {
            self.arrives_later(batch);
        }
        self.travel().await;
        let every = if is_write { 12 } else { 60 };
        if self.fault(Part::LostAnswers, every) {
            self.tell("the answer was lost");
            return Err(DatabaseError::AnswerLost("the connection broke".into()));
        }
        result
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}
