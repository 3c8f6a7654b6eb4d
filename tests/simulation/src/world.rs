//! What all tasks of a run share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use deltalakedb_core::catalog::MIGRATIONS;
use deltalakedb_core::sql::{Batch, DatabaseError, Limits, ResultSet, SegmentSizes};
use deltalakedb_native::database::SqliteConnection;
use fastrand::Rng;

use crate::clock::Clock;
use crate::config::Config;
use crate::executor::Spawner;
use crate::ledger::Ledger;
use crate::lock;
use crate::port::Client;
use crate::store::Objects;
use crate::trace::Trace;

/// Small, so that tables of the simulation's size have several.
const SEGMENTS: SegmentSizes = SegmentSizes { tail: 6, files: 20, block: 4 };

/// What all tasks of a run share.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) trace: Trace,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) spawner: Spawner,
    pub(crate) objects: Objects,
    catalog: Mutex<SqliteConnection>,
    /// Faults happen.
    is_stormy: AtomicBool,
    fault_count: AtomicU64,
    next_number: AtomicU64,
}

impl World {
    /// A world with an empty catalog.
    pub(crate) fn new(config: Config) -> Result<Arc<Self>, DatabaseError> {
        let catalog = SqliteConnection::in_memory()?;
        for migration in MIGRATIONS {
            catalog.migrate(migration.sql)?;
        }
        if let Some(sql) = config.mutation.and_then(|mutation| mutation.migration()) {
            catalog.migrate(sql)?;
        }
        Ok(Arc::new(World {
            config,
            clock: Clock::default(),
            trace: Trace::default(),
            ledger: Mutex::new(Ledger::default()),
            spawner: Spawner::default(),
            objects: Objects::default(),
            catalog: Mutex::new(catalog),
            is_stormy: AtomicBool::new(true),
            fault_count: AtomicU64::new(0),
            next_number: AtomicU64::new(1),
        }))
    }

    /// Runs a batch, now and without faults.
    pub(crate) fn apply(&self, mut batch: Batch) -> Result<Vec<ResultSet>, DatabaseError> {
        let catalog = lock(&self.catalog);
        let Some(mutation) = self.config.mutation else { return catalog.batch(batch) };
        mutation.apply(&mut batch);
        let mut results = Vec::new();
        for part in mutation.split(batch) {
            results.extend(catalog.batch(part)?);
        }
        Ok(results)
    }

    /// A client of the catalog and the store, whose faults and choices follow from the seed and its name.
    pub(crate) fn client(self: &Arc<Self>, name: &str) -> Client {
        let mut rng = self.rng(name);
        let limits = if rng.bool() { Limits::SQLITE } else { Limits::D1 };
        let limits = Limits { segments: SEGMENTS, ..limits };
        Client::new(self.clone(), name, rng, limits)
    }

    /// A generator of its own for a part of the run, so that leaving out another part disturbs it little.
    pub(crate) fn rng(&self, name: &str) -> Rng {
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Rng::with_seed(self.config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash)
    }

    pub(crate) fn is_stormy(&self) -> bool {
        self.is_stormy.load(Ordering::Relaxed)
    }

    /// From now on there are no faults.
    pub(crate) fn calm_down(&self) {
        self.is_stormy.store(false, Ordering::Relaxed);
    }

    /// A fault happens.
    pub(crate) fn count_fault(&self) {
        self.fault_count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fault_count(&self) -> u64 {
        self.fault_count.load(Ordering::Relaxed)
    }

    /// A number that no other call of the run gets.
    pub(crate) fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Such a number as a UUID.
    pub(crate) fn uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number())
    }

    /// An event for the trace.
    pub(crate) fn tell(&self, who: &str, what: impl AsRef<str>) {
        self.trace.push(format!("{:>8} {who}: {}", self.clock.now_ms() % 100_000_000, what.as_ref()));
    }

    /// Something that must not be, seen as it happened.
    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell("violation", &what);
        lock(&self.ledger).violations.push(what);
    }
}
