//! A table as of a version: metadata, protocol, transactions, domains, totals; then its files by pages.

mod files;
mod history;

pub(crate) use files::{ADD_COLUMNS, FILE_OF_PATH, add_from_row};
pub use files::{FileCursor, FilePage, files, files_by_id};
pub use history::{HistoryEntry, HistoryPage, history};

use std::sync::OnceLock;

use crate::action::{CommitInfo, DomainMetadata, Metadata, Protocol, Txn};
use crate::catalog::{MATCHING_TABLE, Table, TableSelector, one_table};
use crate::schema::Schema;
use crate::sql::{Batch, Database, ResultSet, Statement, Value};
use crate::time::parse_interval_ms;
use crate::{Error, ErrorKind, Result};

/// Which version of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest.
    Latest,
    /// This one.
    Version(i64),
    /// The newest that is not later than this time, in milliseconds since the epoch.
    Timestamp(i64),
}

/// A query on the table and version meant by `?1` (see [`chosen_table!`]) and `?2` (version or NULL), and the same of a
/// time, `?3`. Times grow with the versions, so the version of a time is found by halving, without an index on times. That
/// takes SQLite ten times as long to prepare.
macro_rules! target {
    ($query:literal) => {
        $crate::snapshot::Queries {
            of_version: concat!(
                "WITH target (table_id, version) AS (
                   SELECT t.table_id, coalesce(?2, ",
                $crate::catalog::latest_version!("t.table_id"),
                ") FROM dl_tables t WHERE import_id IS NULL AND table_id = ",
                $crate::catalog::chosen_table!(),
                ")",
                $query
            ),
            of_time: concat!(
                "WITH RECURSIVE chosen (table_id, first, last) AS (
                   SELECT t.table_id, t.earliest_version, ",
                $crate::catalog::latest_version!("t.table_id"),
                " FROM dl_tables t
                   WHERE import_id IS NULL AND table_id = ",
                $crate::catalog::chosen_table!(),
                "), bisection (low, high) AS (
                   SELECT first, last FROM chosen
                   UNION ALL
                   SELECT CASE WHEN m.version <= b.high AND m.timestamp_ms <= ?3 THEN m.version ELSE b.low END,
                     CASE WHEN m.version <= b.high AND m.timestamp_ms <= ?3 THEN b.high ELSE (b.low + b.high + 1) / 2 - 1 END
                   FROM bisection b CROSS JOIN chosen c CROSS JOIN dl_table_versions m
                     ON m.version_id = (
                       SELECT min(v.version_id) FROM dl_table_versions v
                       WHERE v.version_id >= (c.table_id << 40) + 1 + (b.low + b.high + 1) / 2)
                   WHERE b.low < b.high
                 ), target (table_id, version) AS (
                   SELECT c.table_id, (
                     SELECT v.version FROM bisection b CROSS JOIN dl_table_versions v
                       ON v.version_id = (c.table_id << 40) + 1 + b.low AND v.timestamp_ms <= ?3
                     WHERE b.low >= b.high)
                   FROM chosen c)",
                $query
            ),
        }
    };
}
pub(crate) use target;

/// One query in two forms.
pub(crate) struct Queries {
    pub(crate) of_version: &'static str,
    pub(crate) of_time: &'static str,
}

impl Queries {
    pub(crate) fn at(&self, selector: &TableSelector, at: At) -> Statement {
        match at {
            At::Latest => Statement::new(self.of_version, vec![selector.param(), Value::Null]),
            At::Version(version) => Statement::new(self.of_version, vec![selector.param(), version.into()]),
            At::Timestamp(time) => Statement::new(self.of_time, vec![selector.param(), Value::Null, time.into()]),
        }
    }
}

const VERSION: Queries = target!(
    " SELECT v.version, v.timestamp_ms, v.file_count, v.size_bytes, v.row_count, v.files_without_row_count,
       v.end_file_id, v.commit_info, v.end_remove_id
     FROM target JOIN dl_table_versions v ON v.version_id = (target.table_id << 40) + 1 + target.version
       AND v.table_id = target.table_id"
);

const METADATA: Queries = target!(
    " SELECT m.metadata, m.version FROM target JOIN dl_metadata_updates m
       ON m.table_id = target.table_id AND m.version <= target.version ORDER BY m.version DESC LIMIT 1"
);

const PROTOCOL: Queries = target!(
    " SELECT p.protocol, p.version FROM target JOIN dl_protocol_updates p
       ON p.table_id = target.table_id AND p.version <= target.version ORDER BY p.version DESC LIMIT 1"
);

/// Steps from application to application by the primary key, so that the length of an application's history does
/// not matter.
const TXNS: Queries = target!(
    ", apps (table_id, version, app_id) AS (
       SELECT table_id, version, (SELECT min(a.app_id) FROM dl_txn_actions a WHERE a.table_id = target.table_id)
       FROM target
       UNION ALL
       SELECT table_id, version, (SELECT min(a.app_id) FROM dl_txn_actions a
                                  WHERE a.table_id = apps.table_id AND a.app_id > apps.app_id)
       FROM apps WHERE app_id IS NOT NULL)
     SELECT a.txn FROM apps CROSS JOIN dl_txn_actions a ON a.table_id = apps.table_id AND a.app_id = apps.app_id
       AND a.version = (SELECT max(latest.version) FROM dl_txn_actions latest
         WHERE latest.table_id = apps.table_id AND latest.app_id = apps.app_id AND latest.version <= apps.version)
     ORDER BY a.app_id"
);

/// As [`TXNS`].
const DOMAINS: Queries = target!(
    ", domains (table_id, version, domain) AS (
       SELECT table_id, version, (SELECT min(d.domain) FROM dl_domain_metadata d WHERE d.table_id = target.table_id)
       FROM target
       UNION ALL
       SELECT table_id, version, (SELECT min(d.domain) FROM dl_domain_metadata d
                                  WHERE d.table_id = domains.table_id AND d.domain > domains.domain)
       FROM domains WHERE domain IS NOT NULL)
     SELECT d.domain_metadata FROM domains
     CROSS JOIN dl_domain_metadata d ON d.table_id = domains.table_id AND d.domain = domains.domain
       AND d.version = (SELECT max(latest.version) FROM dl_domain_metadata latest
         WHERE latest.table_id = domains.table_id AND latest.domain = domains.domain
           AND latest.version <= domains.version)
     WHERE d.removed = 0 ORDER BY d.domain"
);

/// The times of the first and last version that can be read.
const TIME_RANGE: Queries = target!(
    " SELECT (SELECT v.timestamp_ms FROM dl_table_versions v
             WHERE v.version_id = (t.table_id << 40) + 1 + t.earliest_version),
            (SELECT v.timestamp_ms FROM dl_table_versions v
             WHERE v.version_id >= t.table_id << 40 AND v.version_id < (t.table_id + 1) << 40
             ORDER BY v.version_id DESC LIMIT 1)
     FROM target JOIN dl_tables t ON t.table_id = target.table_id"
);

/// A table as of a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The table, as it is now.
    pub table: Table,
    /// The snapshot's version.
    pub version: i64,
    /// Milliseconds since the epoch; strictly increasing with the version.
    pub timestamp_ms: i64,
    /// Live files.
    pub file_count: i64,
    /// Their sizes, summed.
    pub size_bytes: i64,
    /// Rows in the files, without those that deletion vectors delete; `None` when a file does not say.
    pub row_count: Option<i64>,
    /// What the version's commit said of itself.
    pub commit_info: Option<CommitInfo>,
    /// In force at the version.
    pub metadata: Metadata,
    /// The version that set it.
    pub metadata_version: i64,
    /// In force at the version.
    pub protocol: Protocol,
    /// The version that set it.
    pub protocol_version: i64,
    /// The latest `txn` of each application, by `appId`, expired ones included.
    pub transactions: Vec<Txn>,
    /// The domains in force, by name.
    pub domain_metadata: Vec<DomainMetadata>,
    end_file_id: i64,
    end_remove_id: i64,
    schema: KnownSchema,
}

/// The schema of a snapshot's metadata, once it was asked for. It adds nothing to what the metadata says.
#[derive(Clone, Debug, Default)]
struct KnownSchema(OnceLock<Schema>);

impl PartialEq for KnownSchema {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

const TXN_RETENTION: &str = "delta.setTransactionRetentionDuration";

impl Snapshot {
    /// The table's schema, parsed when it is asked for first.
    ///
    /// # Errors
    /// As [`Schema::of`].
    pub fn schema(&self) -> Result<&Schema> {
        match self.schema.0.get() {
            Some(schema) => Ok(schema),
            None => {
                let schema = Schema::of(&self.metadata)?;
                Ok(self.schema.0.get_or_init(|| schema))
            }
        }
    }

    /// The ids of its adds end before this one.
    pub(crate) fn end_file_id(&self) -> i64 {
        self.end_file_id
    }

    /// The ids of its removes end before this one.
    pub(crate) fn end_remove_id(&self) -> i64 {
        self.end_remove_id
    }

    /// The transactions that have not expired by `now_ms`, in milliseconds since the epoch: without the table's
    /// property, or without a time of its own, one never does (`delta.setTransactionRetentionDuration`). Delta-Spark takes
    /// one without a time for expired where the table has the property; its batch would be written twice.
    pub fn active_transactions(&self, now_ms: i64) -> impl Iterator<Item = &Txn> {
        let expired_until = self.transactions_expired_until_ms(now_ms);
        self.transactions.iter().filter(move |txn| match (txn.last_updated, expired_until) {
            (Some(last_updated), Some(expired_until)) => last_updated > expired_until,
            _ => true,
        })
    }

    /// Transactions last updated at this time or before have expired by `now_ms`.
    pub(crate) fn transactions_expired_until_ms(&self, now_ms: i64) -> Option<i64> {
        let retention_ms = self.metadata.configuration.value(TXN_RETENTION).and_then(parse_interval_ms)?;
        Some(now_ms.saturating_sub(retention_ms))
    }
}

/// The snapshot at `at`, in one batch.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) for an unknown table, a version before the earliest or after the latest one, or a
/// time before the earliest one, with the range in the message; a time after the latest version means that version.
pub async fn snapshot(database: &impl Database, selector: &TableSelector, at: At) -> Result<Snapshot> {
    let mut statements = vec![Statement::new(MATCHING_TABLE, [selector.param()])];
    statements.extend([VERSION, METADATA, PROTOCOL, TXNS, DOMAINS].map(|queries| queries.at(selector, at)));
    let mut results = database.batch(Batch::read(statements)).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();

    let table = one_table(next(), selector)?;
    let version_row = next();
    let (metadata, protocol, txns, domains) = (next(), next(), next(), next());
    let Some(mut row) = version_row.rows.into_iter().next().filter(|row| is_readable(row, &table)) else {
        let time_range = TIME_RANGE.at(&TableSelector::Key(table.key), At::Latest);
        let time_range = database.batch(Batch::read(vec![time_range])).await?.pop().unwrap_or_default();
        return Err(out_of_range(&table, at, time_range));
    };
    let name = &table.name;
    let files_without_row_count = row.integer(5)?;
    let (metadata, metadata_version) = one_action("metaData", name, metadata)?;
    let (protocol, protocol_version) = one_action("protocol", name, protocol)?;
    Ok(Snapshot {
        version: row.integer(0)?,
        timestamp_ms: row.integer(1)?,
        file_count: row.integer(2)?,
        size_bytes: row.integer(3)?,
        row_count: if files_without_row_count == 0 { Some(row.integer(4)?) } else { None },
        end_file_id: row.integer(6)?,
        end_remove_id: row.integer(8)?,
        commit_info: row.optional_text(7)?.map(|text| parse_stored("commitInfo", name, text)).transpose()?,
        metadata,
        metadata_version,
        protocol,
        protocol_version,
        transactions: all_actions("txn", name, txns)?,
        domain_metadata: all_actions("domainMetadata", name, domains)?,
        schema: KnownSchema::default(),
        table,
    })
}

fn is_readable(row: &crate::sql::Row, table: &Table) -> bool {
    row.integer(0).is_ok_and(|version| version >= table.earliest_version)
}

fn out_of_range(table: &Table, at: At, time_range: ResultSet) -> Error {
    let range = format!("versions {} to {}", table.earliest_version, table.version);
    let asked = match at {
        At::Latest => "latest version".to_owned(),
        At::Version(version) => format!("version {version}"),
        At::Timestamp(timestamp) => format!("version at or before {}", crate::time::format_ms(timestamp)),
    };
    let times =
        time_range.rows.first().and_then(|row| Some((row.optional_integer(0).ok()??, row.optional_integer(1).ok()??)));
    let times = times.map_or(String::new(), |(first, last)| {
        format!(", from {} to {}", crate::time::format_ms(first), crate::time::format_ms(last))
    });
    let error = Error::new(
        ErrorKind::NotFound,
        format!("table {} has no {asked}; it can be read at {range}{times}", crate::catalog::quoted(&table.name)),
    )
    .table(table.name.clone())
    .hint("`dl history` lists the versions with their times");
    match at {
        At::Version(version) => error.version(version),
        _ => error,
    }
}

/// An action that the catalog stores as JSON.
pub(crate) fn parse_stored<T: serde::de::DeserializeOwned>(action: &str, table: &str, text: String) -> Result<T> {
    serde_json::from_str(&text).map_err(|error| {
        Error::corrupt(format!("the catalog's `{action}` of table `{table}` is not readable: {error}")).table(table)
    })
}

fn all_actions<T: serde::de::DeserializeOwned>(action: &str, table: &str, result: ResultSet) -> Result<Vec<T>> {
    result.rows.into_iter().map(|mut row| parse_stored(action, table, row.text(0)?)).collect()
}

/// An action of which a table has one, and the version that set it.
fn one_action<T: serde::de::DeserializeOwned>(action: &str, table: &str, result: ResultSet) -> Result<(T, i64)> {
    let row = result.rows.into_iter().next().ok_or_else(|| {
        Error::corrupt(format!("the catalog has no `{action}` of table `{table}`"))
            .table(table)
            .hint("the catalog was changed by other software; drop the table and import it again")
    });
    let mut row = row?;
    Ok((parse_stored(action, table, row.text(0)?)?, row.integer(1)?))
}
