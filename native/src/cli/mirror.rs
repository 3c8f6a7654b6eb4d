//! `dl mirror`, `dl targets`.

use clap::{Args, Subcommand};

use super::{Database, Store};

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
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "watch", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
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
    /// Mirror a table to one more folder from now on. The first one takes the place of the table's own folder, which may be
    /// added, too.
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
