//! Where tables are mirrored to, and how far each target is.

use serde::Serialize;

use crate::catalog::latest_version;
use crate::sql::{Batch, Database, Row, Statement, Value};
use crate::{Error, ErrorKind, Result};

/// A folder in whose `_delta_log` the versions of a table are published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The table ([`Table::key`](crate::catalog::Table::key)).
    pub table: i64,
    /// URL of the folder, without a slash at its end.
    pub url: String,
}

/// A target and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetStatus {
    /// Which one.
    pub target: Target,
    /// The table's name.
    pub table: String,
    /// The first version of the table that can be read.
    pub earliest_version: i64,
    /// The version that the table is at.
    pub table_version: i64,
    /// All versions up to this one are in the target.
    pub version: Option<i64>,
    /// The version of its newest checkpoint.
    pub checkpoint_version: Option<i64>,
    /// When the first version that the target lacks was committed, in milliseconds since the epoch.
    pub behind_since_ms: Option<i64>,
    /// When its version was published, likewise.
    pub published_at_ms: Option<i64>,
    /// Attempts that failed since the last one that did not.
    pub failures: i64,
    /// The last attempt's error ([`Error::to_json`]).
    pub last_error: Option<serde_json::Value>,
    /// When this was noted, in milliseconds since the epoch.
    pub updated_at_ms: i64,
    /// Who mirrors to it all the time.
    pub daemon: Option<String>,
}

impl TargetStatus {
    /// Versions that the target lacks.
    pub fn lag_versions(&self) -> i64 {
        (self.table_version - self.version.unwrap_or(self.earliest_version - 1)).max(0)
    }

    /// How long the oldest version that the target lacks has been there at `now_ms`, in milliseconds; 0 when it lacks none.
    /// See [`lag_ms`].
    pub fn lag_ms(&self, now_ms: i64) -> i64 {
        self.behind_since_ms.map_or(0, |since| lag_ms(since, now_ms))
    }
}

/// How long what was committed at `since_ms` has been missing at `now_ms`, in milliseconds. Where that time is yet to come,
/// one of two clocks is wrong; then it is by how much: a lag that may be as long must not look like none.
pub fn lag_ms(since_ms: i64, now_ms: i64) -> i64 {
    i64::try_from(now_ms.abs_diff(since_ms)).unwrap_or(i64::MAX)
}

/// What an attempt to bring a target up to date came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetReport {
    /// Key of the table.
    pub table: i64,
    /// URL of the target.
    pub target: String,
    /// All versions up to this one are in the target; `None`: not known.
    pub version: Option<i64>,
    /// The version of its newest checkpoint; `None`: not known.
    pub checkpoint_version: Option<i64>,
    /// Attempts that failed since the last one that did not.
    pub failures: i64,
    /// The last attempt's error ([`Error::to_json`]).
    pub last_error: Option<serde_json::Value>,
}

const ADD: &str = "
INSERT INTO dl_mirror_status (table_id, target, updated_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

const REMOVE: &str = "DELETE FROM dl_mirror_status WHERE table_id = ?1 AND target = ?2 RETURNING 1";

/// Tables without a target get their own folder. ?1 keys of tables in JSON or NULL for all, ?2 time.
pub(super) const ADD_LOCATIONS: &str = "
INSERT INTO dl_mirror_status (table_id, target, updated_at_ms)
SELECT t.table_id, t.location, ?2 FROM dl_tables t
WHERE t.import_id IS NULL AND (?1 IS NULL OR t.table_id IN (SELECT value FROM json_each(?1)))
  AND NOT EXISTS (SELECT 1 FROM dl_mirror_status s WHERE s.table_id = t.table_id)";

/// A slower process may know less; and what failed for a daemon matters only where it holds the target: others may have taken
/// it over meanwhile. ?1 reports in JSON, ?2 time, ?3 daemon or NULL for who is none.
pub(super) const REPORT: &str = "
UPDATE dl_mirror_status SET
  version = max(coalesce(r.version, dl_mirror_status.version), coalesce(dl_mirror_status.version, r.version)),
  checkpoint_version = max(coalesce(r.checkpoint_version, dl_mirror_status.checkpoint_version),
    coalesce(dl_mirror_status.checkpoint_version, r.checkpoint_version)),
  published_at_ms = CASE WHEN r.version > coalesce(dl_mirror_status.version, -1) THEN ?2
    ELSE dl_mirror_status.published_at_ms END,
  failures = CASE WHEN ?3 IS NULL OR daemon_id = ?3 THEN r.failures ELSE dl_mirror_status.failures END,
  last_error = CASE WHEN ?3 IS NULL OR daemon_id = ?3 THEN r.last_error ELSE dl_mirror_status.last_error END,
  updated_at_ms = ?2
FROM (SELECT value ->> '$.table' AS table_id, value ->> '$.target' AS target, value ->> '$.version' AS version,
        value ->> '$.checkpoint_version' AS checkpoint_version, value ->> '$.failures' AS failures,
        CASE WHEN value ->> '$.last_error' IS NOT NULL THEN value -> '$.last_error' END AS last_error
      FROM json_each(?1)) r
WHERE dl_mirror_status.table_id = r.table_id AND dl_mirror_status.target = r.target";

/// ?1 table or NULL for all.
const STATUSES: &str = concat!(
    "SELECT s.table_id, s.target, t.name, t.earliest_version, ",
    latest_version!("s.table_id"),
    ", s.version, s.checkpoint_version,
       (SELECT v.timestamp_ms FROM dl_table_versions v
        WHERE v.version_id = (s.table_id << 40) + 2 + coalesce(s.version, t.earliest_version - 1)),
       s.published_at_ms, s.failures, s.last_error, s.updated_at_ms, d.name
     FROM dl_mirror_status s JOIN dl_tables t ON t.table_id = s.table_id
     LEFT JOIN dl_mirror_daemons d ON d.daemon_id = s.daemon_id
     WHERE t.import_id IS NULL AND (?1 IS NULL OR s.table_id = ?1) ORDER BY t.name, s.target"
);

/// Adds a target, unless it is there.
///
/// # Errors
/// Those of the database.
pub async fn add_target(database: &impl Database, target: &Target, now_ms: i64) -> Result<()> {
    let params = vec![target.table.into(), target.url.as_str().into(), now_ms.into()];
    database.batch(Batch::write(vec![Statement::new(ADD, params)])).await?;
    Ok(())
}

/// Forgets a target; its files stay.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the table has no such target; those of the database.
pub async fn remove_target(database: &impl Database, target: &Target) -> Result<()> {
    let statement = Statement::new(REMOVE, vec![target.table.into(), target.url.as_str().into()]);
    let results = database.batch(Batch::write(vec![statement])).await?;
    if results.first().is_none_or(|removed| removed.rows.is_empty()) {
        return Err(Error::new(ErrorKind::NotFound, format!("the table has no target {}", target.url))
            .hint("`dl targets` lists those that it has"));
    }
    Ok(())
}

/// All targets, or those of one table, by the table's name.
///
/// # Errors
/// Those of the database.
pub async fn target_statuses(database: &impl Database, table: Option<i64>) -> Result<Vec<TargetStatus>> {
    let statement = Statement::new(STATUSES, vec![table.map_or(Value::Null, Value::from)]);
    let mut results = database.batch(Batch::read(vec![statement])).await?;
    results.remove(0).rows.into_iter().map(status).collect()
}

fn status(mut row: Row) -> Result<TargetStatus> {
    let last_error = row.optional_text(10)?;
    Ok(TargetStatus {
        target: Target { table: row.integer(0)?, url: row.text(1)? },
        table: row.text(2)?,
        earliest_version: row.integer(3)?,
        table_version: row.integer(4)?,
        version: row.optional_integer(5)?,
        checkpoint_version: row.optional_integer(6)?,
        behind_since_ms: row.optional_integer(7)?,
        published_at_ms: row.optional_integer(8)?,
        failures: row.integer(9)?,
        last_error: last_error.and_then(|text| serde_json::from_str(&text).ok()),
        updated_at_ms: row.integer(11)?,
        daemon: row.optional_text(12)?,
    })
}

/// Notes what became of targets; those that are not there stay away.
///
/// # Errors
/// Those of the database.
pub async fn report_targets(database: &impl Database, reports: &[TargetReport], now_ms: i64) -> Result<()> {
    database.batch(Batch::write(vec![report(reports, None, now_ms)?])).await?;
    Ok(())
}

pub(super) fn report(reports: &[TargetReport], daemon_id: Option<i64>, now_ms: i64) -> Result<Statement> {
    let json = serde_json::to_string(reports)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("noting the state of targets: {error}")))?;
    Ok(Statement::new(REPORT, vec![json.into(), now_ms.into(), daemon_id.map_or(Value::Null, Value::from)]))
}
