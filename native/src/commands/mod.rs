//! One file a command: from arguments to what is printed.

mod catalog;
mod commit;
mod files;
mod import;
mod input;
mod mirror;
mod mirror_watch;
mod show;
mod sweep;
mod targets;
mod transaction;

use deltalakedb_core::Result;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::Host;
use deltalakedb_core::snapshot::At;

use crate::cli::{self, Cli, Command};
use crate::host::SystemHost;
use crate::output::Output;

/// Runs a command.
pub(crate) async fn run(cli: Cli, output: &Output) -> Result<()> {
    match cli.command {
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
