//! One file a command: from arguments to what is printed.

mod backup;
mod catalog;
mod commit;
mod diff;
mod export;
mod files;
mod import;
mod input;
mod mirror;
mod mirror_watch;
mod show;
mod sweep;
mod targets;
mod transaction;
mod verify;

use deltalakedb_core::Result;
use deltalakedb_core::catalog::{Table, TableSelector, find_table, list_tables};
use deltalakedb_core::commit::Host;
use deltalakedb_core::mirror::target_statuses;
use deltalakedb_core::snapshot::At;
use deltalakedb_core::sql::Database;

use crate::cli::{self, Cli, Command};
use crate::host::SystemHost;
use crate::output::Output;

/// What a command comes to, where it did not end with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Done,
    /// Equal, but the log is behind for longer than it may.
    Lagging,
    /// Catalog and log differ.
    Drift,
    /// For a table of several; the error was printed.
    Failed,
}

/// Runs a command.
pub(crate) async fn run(cli: Cli, output: &Output) -> Result<Found> {
    match cli.command {
        Command::Diff(args) => return diff::run(args, output).await,
        Command::Verify(args) => return verify::run(args, output).await,
        Command::Export(args) => return export::run(args, output).await,
        Command::Backup(args) => backup::backup(args, output).await,
        Command::Restore(args) => backup::restore(args, output).await,
        Command::Import(args) => import::run(args, output).await,
        Command::Tables(args) => catalog::tables(args, output).await,
        Command::Drop(args) => catalog::drop(args, output).await,
        Command::Migrate(args) => catalog::migrate(args, output).await,
        Command::Snapshot(args) => show::snapshot(args, output).await,
        Command::History(args) => show::history(args, output).await,
        Command::Schema(args) => show::schema(args, output).await,
        Command::Files(args) => files::run(args, output).await,
        Command::Commit(args) => commit::run(args, output).await,
        Command::Transaction(args) => transaction::run(args, output).await,
        Command::Sweep(args) => sweep::run(args, output).await,
        Command::Mirror(args) if args.watch => mirror_watch::run(args, output).await,
        Command::Mirror(args) => mirror::run(args, output).await,
        Command::Targets(args) => targets::run(args, output).await,
    }
    .map(|()| Found::Done)
}

/// What `diff` and `verify` compare: each of the tables with each of its targets.
async fn compared_targets(database: &impl Database, args: &cli::Compared) -> Result<Vec<(Table, String)>> {
    let tables = match args.all {
        true => list_tables(database).await?,
        false => vec![find_table(database, &selector(args.table.as_deref())).await?],
    };
    let mut compared = Vec::new();
    for table in tables {
        let targets = targets_of(database, &table, args.target.as_slice()).await?;
        compared.extend(targets.into_iter().map(|target| (table.clone(), target)));
    }
    Ok(compared)
}

/// The targets that were named, or those that the table has, or its own folder.
async fn targets_of(database: &impl Database, table: &Table, named: &[String]) -> Result<Vec<String>> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let known = target_statuses(database, Some(table.key)).await?;
    Ok(match known.is_empty() {
        true => vec![table.location.clone()],
        false => known.into_iter().map(|status| status.target.url).collect(),
    })
}

fn selector(table: Option<&str>) -> TableSelector {
    table.map_or(TableSelector::Only, |name| TableSelector::Named(name.to_owned()))
}

impl cli::At {
    fn selector(&self) -> TableSelector {
        selector(self.table.as_deref())
    }

    fn at(&self) -> At {
        match (self.version, self.timestamp) {
            (Some(version), _) => At::Version(version),
            (None, Some(timestamp_ms)) => At::Timestamp(timestamp_ms),
            (None, None) => At::Latest,
        }
    }
}

/// The time, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    SystemHost.now_ms()
}
