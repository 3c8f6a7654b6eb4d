//! `dl export`, `dl backup`, `dl restore`.

use clap::Args;

use super::{Database, Store};

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
