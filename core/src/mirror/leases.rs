//! How processes that mirror all the time share the targets.
//!
//! Each beats: it adds one to its number in the catalog. Who sees another's number stand still for long enough, by a clock
//! of its own, takes that one for dead, and its targets are anybody's. No clocks are compared. A process that
//! was only slow finds itself gone and begins anew; until then two may publish to one target, which does no harm: what is
//! published is the same, and there already or not.
//!
//! A process to which a store does not answer as it should lets others try: it [gives the target up](give_up) and leaves it to
//! them ([`Wanted`]) for as long as its own clock says.

use crate::catalog::latest_version;
use crate::sql::{Batch, Database, Row, Statement, Value};
use crate::{Error, ErrorKind, Result};

use super::targets::{ADD_LOCATIONS, Target, TargetReport, report};

const REGISTER: &str = "INSERT INTO dl_mirror_daemons (name, process, beats) VALUES (?1, ?2, 0) RETURNING daemon_id";

const BEAT: &str = "UPDATE dl_mirror_daemons SET beats = beats + 1 WHERE daemon_id = ?1";

const DAEMONS: &str = "SELECT daemon_id, beats, process FROM dl_mirror_daemons";

/// ?1 daemon, ?2 the beats at which it stands still.
const BURY: &str = "DELETE FROM dl_mirror_daemons WHERE daemon_id = ?1 AND beats = ?2";

/// Takes what nobody who lives holds. ?1 daemon, ?2 keys of tables in JSON or NULL for all, ?3 targets in JSON that are left.
const CLAIM: &str = "
UPDATE dl_mirror_status SET daemon_id = ?1
WHERE (daemon_id IS NULL OR daemon_id NOT IN (SELECT daemon_id FROM dl_mirror_daemons))
  AND (?2 IS NULL OR table_id IN (SELECT value FROM json_each(?2)))
  AND (table_id, target) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?3))
  AND EXISTS (SELECT 1 FROM dl_mirror_daemons WHERE daemon_id = ?1)";

/// Takes from who holds the most until both hold as many. ?1 to ?3 as in [`CLAIM`], ?4 how many at the most.
const SHARE: &str = "
WITH held AS (
  SELECT d.daemon_id, count(s.table_id) AS count
  FROM dl_mirror_daemons d LEFT JOIN dl_mirror_status s ON s.daemon_id = d.daemon_id GROUP BY d.daemon_id
), richest AS (
  SELECT daemon_id, count FROM held ORDER BY count DESC, daemon_id LIMIT 1
)
UPDATE dl_mirror_status SET daemon_id = ?1
WHERE (table_id, target) IN (
  SELECT s.table_id, s.target FROM dl_mirror_status s JOIN richest ON richest.daemon_id = s.daemon_id
  WHERE (?2 IS NULL OR s.table_id IN (SELECT value FROM json_each(?2)))
    AND (s.table_id, s.target) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?3))
  ORDER BY s.table_id, s.target
  LIMIT (SELECT min(?4, coalesce((SELECT (richest.count - held.count) / 2 FROM richest, held WHERE held.daemon_id = ?1), 0))))
RETURNING table_id, target";

/// ?1 daemon, ?2 targets in JSON.
const GIVE_UP: &str = "
UPDATE dl_mirror_status SET daemon_id = NULL
WHERE daemon_id = ?1 AND (table_id, target) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))
RETURNING table_id, target";

/// ?1 daemon.
const RELEASE: &str = "UPDATE dl_mirror_status SET daemon_id = NULL WHERE daemon_id = ?1";
const LEAVE: &str = "DELETE FROM dl_mirror_daemons WHERE daemon_id = ?1";

const NEWEST_TABLE: &str = "SELECT table_id FROM dl_tables WHERE import_id IS NULL ORDER BY table_id DESC LIMIT 1";

/// Targets that lack versions. ?1 daemon, ?2 keys of tables in JSON or NULL for all.
const BEHIND: &str = concat!(
    "SELECT s.table_id, s.target, t.name, ",
    latest_version!("s.table_id"),
    " AS latest FROM dl_mirror_status s JOIN dl_tables t ON t.table_id = s.table_id
     WHERE s.daemon_id = ?1 AND t.import_id IS NULL AND (?2 IS NULL OR s.table_id IN (SELECT value FROM json_each(?2)))
       AND latest > coalesce(s.version, -1)"
);

/// All targets that a daemon holds. ?1 daemon.
const ALL_HELD: &str = "
SELECT s.table_id, s.target, t.name, s.failures FROM dl_mirror_status s JOIN dl_tables t ON t.table_id = s.table_id
WHERE s.daemon_id = ?1";

/// A process that mirrors all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Never used again.
    pub id: i64,
    /// How often it has beaten.
    pub beats: i64,
    /// Which process it is, as it was registered.
    pub process: String,
}

/// What a beat found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// False: others took this one for dead; it holds nothing and must register anew.
    pub is_registered: bool,
    /// All that are registered.
    pub daemons: Vec<Daemon>,
    /// Key of the newest table: another one tells that there are targets to come.
    pub newest_table: Option<i64>,
}

/// A target that lacks versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Which one.
    pub target: Target,
    /// The table's name.
    pub table: String,
    /// The version that its table is at.
    pub table_version: i64,
}

/// A target that a daemon holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which one.
    pub target: Target,
    /// The table's name.
    pub table: String,
    /// Attempts of whoever held it that failed since the last one that did not.
    pub failures: i64,
}

/// Which targets a daemon takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Those of these tables.
    pub tables: Selection<'a>,
    /// But not these, even when nobody holds them: others shall have the time to take them.
    pub left_to_others: &'a [Target],
    /// And not these from another one that holds them.
    pub not_from_others: &'a [Target],
    /// How many of [`not_from_others`](Self::not_from_others) are taken nevertheless, where that evens out what both hold.
    pub trials: u32,
}

/// The tables that a daemon mirrors; `None`: all, those to come, too.
pub type Selection<'a> = Option<&'a [i64]>;

/// Registers a process that will [`beat`]; `name` is for people, `process` for processes that may be able to see that it is
/// gone before its beats tell them. Its id is never used again.
///
/// # Errors
/// Those of the database.
pub async fn register_daemon(database: &impl Database, name: &str, process: &str) -> Result<i64> {
    let register = Statement::new(REGISTER, vec![name.into(), process.into()]);
    let mut results = database.batch(Batch::write(vec![register])).await?;
    let row = results.remove(0).rows.pop();
    row.ok_or_else(|| Error::new(ErrorKind::Internal, "registering a daemon gave no id"))?.integer(0)
}

/// Shows that a daemon lives, buries the `dead` (their ids and the beats at which they stand still) and notes `reports`.
///
/// # Errors
/// Those of the database.
pub async fn beat(
    database: &impl Database,
    daemon_id: i64,
    dead: &[(i64, i64)],
    reports: &[TargetReport],
    now_ms: i64,
) -> Result<Beat> {
    let mut statements = vec![Statement::new(BEAT, [daemon_id.into()])];
    statements.extend(dead.iter().map(|&(id, beats)| Statement::new(BURY, vec![id.into(), beats.into()])));
    if !reports.is_empty() {
        statements.push(report(reports, Some(daemon_id), now_ms)?);
    }
    statements.push(Statement::new(NEWEST_TABLE, []));
    statements.push(Statement::new(DAEMONS, []));
    let mut results = database.batch(Batch::write(statements)).await?;
    let rows = results.pop().unwrap_or_default().rows;
    let daemon = |mut row: Row| Ok(Daemon { id: row.integer(0)?, beats: row.integer(1)?, process: row.text(2)? });
    let daemons = rows.into_iter().map(daemon).collect::<Result<Vec<_>>>()?;
    let newest_table = results.pop().unwrap_or_default().rows.pop();
    Ok(Beat {
        is_registered: daemons.iter().any(|daemon| daemon.id == daemon_id),
        daemons,
        newest_table: newest_table.map(|row| row.integer(0)).transpose()?,
    })
}

/// Gives the selected tables without a target their own folder as one, and takes for a daemon the targets of selected tables
/// that nobody who lives holds and a fair share of those that others do; which ones it took as a trial.
///
/// # Errors
/// Those of the database.
pub async fn balance(database: &impl Database, daemon_id: i64, wanted: Wanted<'_>, now_ms: i64) -> Result<Vec<Target>> {
    let selected = keys(wanted.tables);
    let share = |but: &[Target], most: i64| -> Result<Statement> {
        Ok(Statement::new(SHARE, vec![daemon_id.into(), selected.clone(), pairs(but)?, most.into()]))
    };
    let mut statements = vec![
        Statement::new(ADD_LOCATIONS, vec![selected.clone(), now_ms.into()]),
        Statement::new(CLAIM, vec![daemon_id.into(), selected.clone(), pairs(wanted.left_to_others)?]),
        share(wanted.not_from_others, i64::MAX)?,
    ];
    if wanted.trials > 0 {
        // Of the others all that even out have been taken.
        statements.push(share(wanted.left_to_others, wanted.trials.into())?);
    }
    let mut results = database.batch(Batch::write(statements)).await?;
    match results.pop().filter(|_| wanted.trials > 0) {
        Some(tried) => tried.rows.into_iter().map(target).collect(),
        None => Ok(Vec::new()),
    }
}

/// Gives up some of the targets that a daemon holds, for others to take; those that it did hold.
///
/// # Errors
/// Those of the database.
pub async fn give_up(database: &impl Database, daemon_id: i64, targets: &[Target]) -> Result<Vec<Target>> {
    let statement = Statement::new(GIVE_UP, vec![daemon_id.into(), pairs(targets)?]);
    let mut results = database.batch(Batch::write(vec![statement])).await?;
    results.remove(0).rows.into_iter().map(target).collect()
}

/// Gives up what a daemon holds, and notes `reports`.
///
/// # Errors
/// Those of the database.
pub async fn leave(database: &impl Database, daemon_id: i64, reports: &[TargetReport], now_ms: i64) -> Result<()> {
    let mut statements = Vec::new();
    if !reports.is_empty() {
        statements.push(report(reports, Some(daemon_id), now_ms)?);
    }
    statements.extend([RELEASE, LEAVE].map(|sql| Statement::new(sql, [daemon_id.into()])));
    database.batch(Batch::write(statements)).await?;
    Ok(())
}

/// The targets of a daemon that lack versions, as far as reports tell; `among` looks at those tables only.
///
/// # Errors
/// Those of the database.
pub async fn behind(database: &impl Database, daemon_id: i64, among: Selection<'_>) -> Result<Vec<Behind>> {
    let statement = Statement::new(BEHIND, vec![daemon_id.into(), keys(among)]);
    let mut results = database.batch(Batch::read(vec![statement])).await?;
    let row = |mut row: Row| {
        Ok(Behind {
            target: Target { table: row.integer(0)?, url: row.text(1)? },
            table: row.text(2)?,
            table_version: row.integer(3)?,
        })
    };
    results.remove(0).rows.into_iter().map(row).collect()
}

/// The targets that a daemon holds.
///
/// # Errors
/// Those of the database.
pub async fn held_targets(database: &impl Database, daemon_id: i64) -> Result<Vec<Held>> {
    let mut results = database.batch(Batch::read(vec![Statement::new(ALL_HELD, [daemon_id.into()])])).await?;
    let row = |mut row: Row| {
        let (table, failures) = (row.text(2)?, row.integer(3)?);
        Ok(Held { target: target(row)?, table, failures })
    };
    results.remove(0).rows.into_iter().map(row).collect()
}

fn target(mut row: Row) -> Result<Target> {
    Ok(Target { table: row.integer(0)?, url: row.text(1)? })
}

/// Keys as a parameter for `json_each`.
fn keys(selection: Selection<'_>) -> Value {
    selection.map_or(Value::Null, |keys| {
        let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
        format!("[{}]", keys.join(",")).into()
    })
}

/// Targets likewise.
fn pairs(targets: &[Target]) -> Result<Value> {
    let pairs: Vec<(i64, &str)> = targets.iter().map(|target| (target.table, target.url.as_str())).collect();
    let json = serde_json::to_string(&pairs)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("naming targets: {error}")))?;
    Ok(json.into())
}
