//! Names and flags: a contract.

mod help;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use deltalakedb_core::Error;
use deltalakedb_core::commit::{Isolation, TransactionLimits};
use deltalakedb_core::time::parse_ms;
use serde::Deserialize;

use crate::store::{StoreOptions, Stores};

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
pub(crate) struct Commit {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID, as `dl tables` lists them.
    #[arg(long, value_name = "T")]
    pub(crate) table: String,
    /// The actions, one a line as in a commit file of a Delta log; - for standard input.
    #[arg(long, value_name = "FILE.ndjson|-")]
    pub(crate) actions: PathBuf,
    /// The version that the commit is based on. One that removes data then conflicts with others that added or removed
    /// files meanwhile; say with the other --read options what it looked at, and it conflicts with less.
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    pub(crate) read_version: Option<i64>,
    /// It looked at the files that can hold rows of this condition, as in `dl files --where`; may be given several times.
    #[arg(long, value_name = "EXPRESSION", requires = "read_version")]
    pub(crate) read_where: Vec<String>,
    /// It looked at the file with this path; may be given several times.
    #[arg(long, value_name = "PATH", requires = "read_version")]
    pub(crate) read_file: Vec<String>,
    /// It looked at the whole table.
    #[arg(long, requires = "read_version")]
    pub(crate) read_table: bool,
    /// It looked at how far this application has come; may be given several times.
    #[arg(long, value_name = "APP_ID")]
    pub(crate) read_app: Vec<String>,
    /// How strictly what it looked at is compared with what others committed. By default as the table's property
    /// delta.isolationLevel says, else write-serializable; snapshot for actions that change no data, such as a
    /// compaction's, unless --operation is one that does.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) isolation: Option<IsolationLevel>,
    /// How often it is tried, by default 30 times, when others commit meanwhile and it does not conflict with them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tries: Option<u32>,
    /// What the history shows it as, such as DELETE or MERGE; by default WRITE, or what a `commitInfo` among the actions
    /// says.
    #[arg(long, value_name = "OP")]
    pub(crate) operation: Option<String>,
    /// Sent again with the same id, a commit happens once; by default a new id, which is printed.
    #[arg(long, value_name = "UUID")]
    pub(crate) commit_id: Option<uuid::Uuid>,
}

/// Delta's isolation levels.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IsolationLevel {
    /// As if the commits had happened one after the other.
    Serializable,
    /// The same, but appends that read nothing may be thought to come later.
    WriteSerializable,
    /// Files that others add do not matter.
    Snapshot,
}

impl From<IsolationLevel> for Isolation {
    fn from(level: IsolationLevel) -> Self {
        match level {
            IsolationLevel::Serializable => Isolation::Serializable,
            IsolationLevel::WriteSerializable => Isolation::WriteSerializable,
            IsolationLevel::Snapshot => Isolation::Snapshot,
        }
    }
}

#[derive(Args)]
pub(crate) struct Transaction {
    #[command(flatten)]
    pub(crate) database: Database,
    /// The transaction, in JSON: {"tables": [{"table": "...", "actions": [...]}, ...]}; - for standard input.
    #[arg(long, value_name = "FILE.json|-")]
    pub(crate) file: PathBuf,
    /// Refuse a transaction of more tables.
    #[arg(long, value_name = "N", env = "DL_TRANSACTION_MAX_TABLES", default_value_t = DEFAULTS.max_tables)]
    pub(crate) max_tables: usize,
    /// Refuse one of more actions, in all tables together.
    #[arg(long, value_name = "N", env = "DL_TRANSACTION_MAX_ACTIONS", default_value_t = DEFAULTS.max_actions)]
    pub(crate) max_actions: usize,
    /// Refuse one whose actions have more bytes.
    #[arg(long, value_name = "BYTES", env = "DL_TRANSACTION_MAX_BYTES", default_value_t = DEFAULTS.max_bytes)]
    pub(crate) max_bytes: usize,
    /// Refuse one that began longer ago: more seconds since its "begun_at_ms".
    #[arg(long, value_name = "SECONDS", env = "DL_TRANSACTION_MAX_AGE", default_value_t = DEFAULTS.max_age_ms / 1000)]
    pub(crate) max_age: i64,
    /// How often it is tried, by default 30 times, when others commit meanwhile and it does not conflict with them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tries: Option<u32>,
}

const DEFAULTS: TransactionLimits = TransactionLimits::DEFAULT;

#[derive(Args)]
pub(crate) struct Mirror {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID; with --watch it may be given several times, and without it all tables are meant.
    #[arg(long, value_name = "T", conflicts_with = "all")]
    pub(crate) table: Vec<String>,
    /// All tables.
    #[arg(long)]
    pub(crate) all: bool,
    /// A folder in which `_delta_log` is written; may be given several times. By default those of `dl targets`, or else the
    /// table's own location. Data files are not copied.
    #[arg(long, value_name = "URL", conflicts_with = "all")]
    pub(crate) target: Vec<String>,
    /// Go on until told to end (SIGTERM, Ctrl-C): publish each commit as it comes, in turns with others that do.
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) watching: Watching,
    #[command(flatten)]
    pub(crate) store: Store,
}

/// How `dl mirror --watch` works.
#[derive(Args)]
#[group(requires = "watch")]
pub(crate) struct Watching {
    /// Answer /healthz, /readyz and /metrics (Prometheus) at this address, such as 127.0.0.1:9187.
    #[arg(long, value_name = "ADDRESS", requires = "watch")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// How often it asks whether others have committed.
    #[arg(long, value_name = "MS", default_value_t = 20, requires = "watch", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) poll_ms: u64,
    /// How often it looks at the log of a target where nothing happens.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) check_seconds: u64,
    /// Targets of one store that are published to at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, requires = "watch", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) concurrency: u16,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Targets {
    #[command(subcommand)]
    pub(crate) change: Option<TargetChange>,
    #[command(flatten)]
    pub(crate) shown: ShownTargets,
}

#[derive(Args)]
pub(crate) struct ShownTargets {
    /// The catalog, as with the other commands.
    #[arg(long, value_name = "DB", env = "DL_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// Name or UUID; without it the targets of all tables are shown.
    #[arg(long, value_name = "T")]
    pub(crate) table: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum TargetChange {
    /// Mirror a table to one more folder from now on.
    Add(OneTarget),
    /// Mirror a table no longer to a folder; its files stay.
    Remove(OneTarget),
}

#[derive(Args)]
pub(crate) struct OneTarget {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID; not needed when the catalog has one table.
    #[arg(long, value_name = "T")]
    pub(crate) table: Option<String>,
    /// The folder in which `_delta_log` is, or will be.
    #[arg(long, value_name = "URL")]
    pub(crate) target: String,
}

#[derive(Args)]
pub(crate) struct Compared {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID; not needed when the catalog has one table.
    #[arg(long, value_name = "T", conflicts_with = "all")]
    pub(crate) table: Option<String>,
    /// All tables.
    #[arg(long)]
    pub(crate) all: bool,
    /// The folder with the `_delta_log`, or that itself; by default each of the table's targets, or else its location.
    #[arg(long, value_name = "DIR_OR_URL", conflicts_with = "all")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) store: Store,
}

#[derive(Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) compared: Compared,
    /// Compare at this version, and commits up to it; by default at the newest one that both have.
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    pub(crate) version: Option<i64>,
    /// Exit with 3 when the oldest commit that the log lacks is older than this.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) lag_threshold_seconds: Option<u64>,
    /// So many files may differ before it counts as drift.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_drift_files: u64,
    /// Print numbers for monitoring instead.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) metrics_format: Option<MetricsFormat>,
    /// Where histories diverge, let this side win; the other one is kept aside. Without --yes nothing is done.
    #[arg(long, value_enum, value_name = "WINNER", conflicts_with_all = ["all", "version", "metrics_format"])]
    pub(crate) resolve: Option<Winner>,
    /// Do what --resolve says.
    #[arg(long, requires = "resolve")]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetricsFormat {
    /// The text format of Prometheus.
    Prometheus,
    /// An array with an object a table.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Winner {
    /// The log's files from the first foreign version on are moved aside, and the catalog's are written.
    Catalog,
    /// What the catalog has is written aside as a log, and the table is taken in anew from the log.
    Log,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) compared: Compared,
    /// The newest N versions only.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "version")]
    pub(crate) last: Option<u32>,
    /// A version, or from A to B; either may be left out.
    #[arg(long, value_name = "A..B", value_parser = version_range)]
    pub(crate) version: Option<VersionRange>,
}

/// Versions, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersionRange {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
}

fn version_range(text: &str) -> Result<VersionRange, String> {
    let version = |text: &str| match text {
        "" => Ok(None),
        text => match text.parse::<i64>() {
            Ok(version) if version >= 0 => Ok(Some(version)),
            _ => Err(format!("`{text}` is not a version; write 7, 3..7, 3.. or ..7")),
        },
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (version(first)?, version(last)?),
        None => (version(text)?, version(text)?),
    };
    match (first, last) {
        (None, None) => Err("write 7, 3..7, 3.. or ..7".to_owned()),
        (Some(first), Some(last)) if first > last => Err(format!("{first} comes after {last}")),
        _ => Ok(VersionRange { first, last }),
    }
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Name or UUID; not needed when the catalog has one table.
    #[arg(long, value_name = "T", conflicts_with = "all")]
    pub(crate) table: Option<String>,
    /// All tables, each to a folder of its name.
    #[arg(long, conflicts_with = "version")]
    pub(crate) all: bool,
    /// The folder in which `_delta_log` is written, or with --all those of the tables.
    #[arg(long, value_name = "DIR_OR_URL")]
    pub(crate) to: String,
    /// As of this version; by default the latest.
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    pub(crate) version: Option<i64>,
    /// Write paths as URLs of the table's location, so that the copy reads the data where it lies. Otherwise they are
    /// relative to the copy's folder, and the data files belong there, too.
    #[arg(long)]
    pub(crate) absolute_paths: bool,
    #[command(flatten)]
    pub(crate) store: Store,
}

#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) database: Database,
    /// A folder for the backups of this catalog.
    #[arg(long, value_name = "DIR_OR_URL")]
    pub(crate) to: String,
    /// Save only what has changed since the last backup there; all of it when there is none.
    #[arg(long)]
    pub(crate) incremental: bool,
    #[command(flatten)]
    pub(crate) store: Store,
}

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) database: Database,
    /// The folder with the backups.
    #[arg(long, value_name = "DIR_OR_URL")]
    pub(crate) from: String,
    /// The backup of this number; by default the last one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) backup: Option<u32>,
    #[command(flatten)]
    pub(crate) store: Store,
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
}

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Only show what would be applied.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
