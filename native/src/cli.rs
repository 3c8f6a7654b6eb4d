//! Names and flags: a contract.

mod commit;
mod compare;
mod copies;
mod help;
mod mirror;

use clap::{Args, Parser, Subcommand, ValueEnum};
use deltalakedb_core::Error;
use deltalakedb_core::time::parse_ms;

use crate::store::{StoreOptions, Stores};
pub(crate) use commit::{Commit, IsolationLevel, Transaction};
pub(crate) use compare::{Compared, Diff, MetricsFormat, Verify, VersionRange, Winner};
pub(crate) use copies::{Backup, Export, Restore};
pub(crate) use mirror::{Mirror, OneTarget, ShownTargets, TargetChange, Targets};

/// The log of your Delta tables in SQL: import, look, commit, mirror.
#[derive(Parser)]
#[command(name = "dl", version, max_term_width = 100, after_help = help::DL)]
pub(crate) struct Cli {
    /// How results are printed, and messages about what failed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// A JSON document a line.
    Ndjson,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring a table's log into the catalog; the catalog is made when it is not there.
    Import(Import),
    /// List the tables of the catalog.
    Tables(Database),
    /// Show a table as of a version: protocol, metadata, totals, transactions, domains.
    Snapshot(At),
    /// List the versions of a table, newest first.
    History(History),
    /// List the files of a table as of a version.
    Files(Files),
    /// Show the schema of a table as of a version.
    Schema(At),
    /// Commit actions to a table.
    #[command(after_long_help = help::COMMIT)]
    Commit(Commit),
    /// Commit actions to several tables: to all of them or to none.
    #[command(after_long_help = help::TRANSACTION)]
    Transaction(Transaction),
    /// Write what the log of a table lacks: commits, and a checkpoint when one is due.
    Mirror(Mirror),
    /// Show where tables are mirrored to and how far each target is; add and remove targets.
    Targets(Targets),
    /// Compare a table with a log: its state, and who committed what.
    #[command(after_long_help = help::DIFF)]
    Diff(Diff),
    /// Read a log back, version by version, and prove it equal to the catalog.
    #[command(after_long_help = help::VERIFY)]
    Verify(Verify),
    /// Write a table's log at one version to another place, as a log of its own; data files are not copied.
    #[command(after_long_help = help::EXPORT)]
    Export(Export),
    /// Save the catalog to a folder or an object store, while others use it.
    #[command(after_long_help = help::BACKUP)]
    Backup(Backup),
    /// Make a catalog from a backup.
    #[command(after_long_help = help::RESTORE)]
    Restore(Restore),
    /// Delete what large commits left behind that were given up or whose writers died; nothing of them was visible.
    #[command(after_long_help = help::SWEEP)]
    Sweep(Sweep),
    /// Forget a table in the catalog; its files and its log stay.
    Drop(Drop),
    /// Show the catalog's version and bring it up to date.
    Migrate(Migrate),
}

impl Command {
    /// Whether it goes on until told to end, and does several things at the same time.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self, Command::Mirror(mirror) if mirror.watch)
    }
}

#[derive(Args)]
pub(crate) struct Database {
    /// The catalog: a path, sqlite:///path or deltasql://sqlite/path; $NAME and ${NAME} are taken from the environment.
    #[arg(long, value_name = "DB", env = "DL_DATABASE", hide_env_values = true)]
    pub(crate) database: String,
}

/// For the commands that read or write logs.
#[derive(Args)]
pub(crate) struct Store {
    /// A setting of the object store, by the name that it has in the environment, such as aws_endpoint_url or
    /// allow_http; counts more than the environment. May be given several times. Others can see arguments: secrets are
    /// better kept in the environment.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) store_option: Vec<String>,
}

impl Store {
    pub(crate) fn stores(&self) -> Result<Stores, Error> {
        StoreOptions::parse(&self.store_option).map(Stores::new)
    }
}

#[derive(Args)]
pub(crate) struct At {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID; not needed when the catalog has one table.
    #[arg(long, value_name = "T")]
    pub(crate) table: Option<String>,
    /// As of this version.
    #[arg(long, value_name = "V", conflicts_with = "timestamp", allow_negative_numbers = true)]
    pub(crate) version: Option<i64>,
    /// As of the newest version at this time: RFC 3339, a date, or milliseconds since 1970.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = timestamp)]
    pub(crate) timestamp: Option<i64>,
}

/// Milliseconds since the epoch.
fn timestamp(text: &str) -> Result<i64, String> {
    parse_ms(text).map_err(|error| match error.hint_text() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) database: Database,
    /// The table's `_delta_log`: a folder, or an URL (file://, s3://, gs://, az://, https://).
    #[arg(long, value_name = "DIR_OR_URL")]
    pub(crate) log_dir: String,
    /// The folder that the paths in the log are relative to; by default the one that holds the log.
    #[arg(long, value_name = "URL")]
    pub(crate) table_location: Option<String>,
    /// The table's name in the catalog; by default the last part of its location.
    #[arg(long, value_name = "N")]
    pub(crate) name: Option<String>,
    /// All versions that the log still has, or the latest one only.
    #[arg(long, value_enum, default_value_t = ImportMode::FullHistory)]
    pub(crate) mode: ImportMode,
    /// Take in what the log has and the catalog has not; the whole table when it is not registered yet.
    #[arg(long)]
    pub(crate) incremental: bool,
    #[command(flatten)]
    pub(crate) store: Store,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportMode {
    /// The latest version.
    Latest,
    /// Every version that the log still has.
    FullHistory,
}

#[derive(Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) at: At,
    /// At the most so many versions.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Files {
    #[command(flatten)]
    pub(crate) at: At,
    /// Only files that may hold matching rows, by partition values and statistics: "date = '2024-01-01' AND id > 10".
    ///
    /// Understands = != <> < <= > >= <=>, AND, OR, NOT, parentheses, [NOT] IN, [NOT] BETWEEN, IS [NOT] NULL, [NOT] LIKE;
    /// 'text', numbers, TRUE, FALSE, NULL, DATE '...', TIMESTAMP '...'; nested columns as a.b, odd names in "quotes" or `ticks`.
    /// A file is left out only when it is proven that no row matches.
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) r#where: Option<String>,
    /// At the most so many files; by default all, in the table for people 1000.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Sweep {
    #[command(flatten)]
    pub(crate) database: Database,
    /// A large commit is given up when its writer wrote nothing for so many seconds; 0 ends those that still write, too.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) older_than: i64,
}

#[derive(Args)]
pub(crate) struct Drop {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID.
    #[arg(long, value_name = "T")]
    pub(crate) table: String,
    /// Also when the catalog has commits that no log has: they are lost.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Only show what would be applied.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
