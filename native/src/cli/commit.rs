//! `dl commit`, `dl transaction`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deltalakedb_core::commit::{Isolation, TransactionLimits};
use serde::Deserialize;

use super::Database;

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
