//! The deterministic simulator: the real core, the real SQLite in memory and the real mirror, under a port and a store
//! that fail, among writers, readers, importers and mirrors that crash, in virtual time.
//!
//! A run is a function of its [`Config`]: one thread, one seed. First comes a storm of `steps` steps. Then the faults
//! end, what is still under way arrives, the mirrors finish, and the checkers hold what is there against what the
//! clients meant, were told and saw.
//!
//! ```
//! use deltalakedb_simulation::{Config, run};
//! let report = run(Config::new(1, 300));
//! assert_eq!(report.violations, [""; 0], "{report}");
//! assert_eq!(report.trace_hash, run(Config::new(1, 300)).trace_hash);
//! ```
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))] // a test fails by them

// The checkers are also those of the load test, which is another package.
#[doc(hidden)]
pub mod checkers;
mod clock;
mod config;
mod drops;
mod executor;
#[doc(hidden)]
pub mod history;
mod importers;
#[doc(hidden)]
pub mod ledger;
mod leftovers;
mod mirrors;
#[doc(hidden)]
pub mod model;
mod mutation;
mod port;
mod readers;
mod run;
mod shrink;
mod store;
mod sweepers;
mod tables;
mod trace;
mod world;
mod writers;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use config::{Config, Part};
pub use mutation::Mutation;
pub use run::{Report, Work, run, run_watched};
pub use shrink::shrink;

/// There is one thread; a panic of another run does not matter here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
