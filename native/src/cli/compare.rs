//! `dl diff`, `dl verify`.

use clap::{Args, ValueEnum};

use super::{Database, Store};

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
