//! Publishing all the time: follows the catalog, and brings the targets up to date whose lease this process has.
//!
//! One loop decides (`watcher`); what takes time are tasks beside it: passes that publish, upkeep, beats. A target that fails
//! is tried again after a pause and holds up nobody else.

mod changes;
mod failures;
mod given_up;
mod lease;
mod log;
mod metrics;
mod pass;
mod serve;
mod turns;
mod watched;
mod watcher;

use std::time::Duration;

pub(crate) use log::start_log;
pub(crate) use metrics::Shared;
pub(crate) use serve::serve;
pub(crate) use watcher::Watcher;

/// How a daemon works.
#[derive(Clone, Debug)]
pub(crate) struct WatchOptions {
    /// The tables that are mirrored ([`Table::key`](deltalakedb_core::catalog::Table::key)); `None`: all, those to come, too.
    pub(crate) tables: Option<Vec<i64>>,
    /// How often it asks whether others have committed.
    pub(crate) poll: Duration,
    /// How often it looks at the log of a target where nothing happens.
    pub(crate) check: Duration,
    /// Targets of one store that are published to at the same time.
    pub(crate) concurrency: usize,
}
