//! Writing the catalog out as logs that every Delta reader reads.
//!
//! [`Publisher`] writes what one log lacks of one table; [`watch`] does so for all tables, all the time, beside others.

mod checkpoint;
mod checksum;
mod cleanup;
mod commit_file;
mod compaction;
mod export;
mod last_checkpoint;
mod look;
mod publisher;
mod upkeep;
pub(crate) mod watch;
mod whole;

use std::fs::File;
use std::ops::ControlFlow;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::Table;
use deltalakedb_core::mirror::absolute_paths;
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};

pub use export::{Exported, export_table};
pub(crate) use last_checkpoint::named_checkpoint;
pub use publisher::{Published, Publisher};
pub use upkeep::{KeptUp, Upkeep};

use crate::store::LogStore;

const PAGE: usize = 4096;

/// What a mirror run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The log's address.
    pub target: String,
    /// The last version in the log.
    pub version: i64,
    /// By this run.
    pub commits_written: i64,
    /// The checkpoint that was written, if one was due.
    pub checkpoint_version: Option<i64>,
    /// Names of expired files that were deleted.
    pub deleted: Vec<String>,
}

/// Writes to `log` the commits of `table` that it lacks, in order, then what [`Upkeep`] does. It may be killed at any
/// point and run again, in several copies at once. `on_version` is called for each version that is done.
///
/// # Errors
/// As [`Publisher::publish`].
pub async fn mirror_table(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    now_ms: i64,
    mut on_version: impl FnMut(),
) -> Result<Mirrored> {
    let mut publisher = Publisher::new(table.key, log.clone());
    let published = publisher
        .publish(database, now_ms, |_, _| {
            on_version();
            ControlFlow::Continue(())
        })
        .await?;
    let kept_up = publisher.keep_up(database, now_ms).await?;
    Ok(Mirrored {
        target: log.url().to_string(),
        version: publisher.published().unwrap_or(table.version),
        commits_written: i64::try_from(published.commits).unwrap_or(i64::MAX),
        checkpoint_version: kept_up.checkpoint_version.or(published.first_checkpoint),
        deleted: kept_up.deleted,
    })
}

/// How the paths of data files and deletion vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    /// As the catalog has them, mostly relative to the table's folder.
    AsStored,
    /// As URLs of the table's location, by which they are found from anywhere.
    Absolute,
}

impl Paths {
    fn write_in(self, actions: &mut [Action], location: &str) -> Result<()> {
        match self {
            Paths::AsStored => Ok(()),
            Paths::Absolute => actions.iter_mut().try_for_each(|action| absolute_paths(action, location)),
        }
    }
}

fn temporary_file() -> Result<File> {
    tempfile::tempfile().map_err(no_space)
}

fn no_space(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("writing a temporary file: {error}"))
        .hint("check the temporary folder (TMPDIR): that it is there, and has space")
}
