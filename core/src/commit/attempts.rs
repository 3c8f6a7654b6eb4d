//! The tries of a commit: run the batch; where it is refused look at who won; rebase and try again, or give up.

use std::collections::HashSet;

use crate::action::Action;
use crate::catalog::{Table, TableSelector, quoted};
use crate::snapshot::{At, Snapshot, snapshot};
use crate::sql::{Batch, Database, DatabaseError, ResultSet, Row, RowSource, Statement, with_rows};
use crate::{Error, ErrorKind, Result};

use super::check::added_and_removed;
use super::conflict::Conflict;
use super::host::{Host, RetryPolicy};
use super::large::statements::ADDED_AND_REMOVED;
use super::outcome::Committed;
use super::plan::{Part, plan};
use super::winners::{double_delete, examine};

const SAME_COMMIT: &str = "
SELECT version, timestamp_ms, commit_digest FROM dl_table_versions WHERE table_id = ?1 AND commit_id = ?2";

/// A removed file that is not live, and what is: ?1 table.
const NOT_LIVE: &str = "
WITH rows (path, dv_id) AS ({rows})
SELECT r.path, EXISTS (SELECT 1 FROM dl_add_files f
    WHERE f.table_id = ?1 AND f.path = r.path AND f.removed_version IS NULL),
  (SELECT max(f.removed_version) FROM dl_add_files f
    WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id)
FROM rows r WHERE NOT EXISTS (
  SELECT 1 FROM dl_add_files f
  WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id AND f.removed_version IS NULL)
LIMIT 1";

/// An added file whose path is live with another vector. ?1 table.
const PATH_ADDED_AGAIN: &str = "
WITH rows (path, dv_id) AS ({rows})
SELECT r.path FROM rows r JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path AND f.dv_id <> r.dv_id
  AND f.removed_version IS NULL LIMIT 1";

/// Files without row ids; ?1 table, ?2 so many.
const WITHOUT_ROW_IDS: &str = "
SELECT f.path FROM dl_add_files f WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40
  AND f.base_row_id IS NULL AND f.removed_version IS NULL ORDER BY f.file_id LIMIT ?2";

/// How it ended.
pub(super) enum Ending {
    /// One entry a part, in order.
    Committed(Vec<Committed>),
    Conflicted(Conflict),
    Unknown,
}

/// Why a batch did not happen.
enum Refusal {
    /// A guard, or a uniqueness that stands for one: who won must be looked at.
    Guarded(DatabaseError),
    /// Another try may succeed as it is.
    Passing(Error),
    /// It may have happened.
    AnswerLost,
    /// The rules of a table as it was known forbid it, and it has moved on since.
    Stale(Error),
    /// It will not.
    Final(Error),
}

/// Commits all parts in one batch. After a rebase the parts hold the states that the last try was planned on.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) or [`Unsupported`](ErrorKind::Unsupported) for what a table's rules forbid;
/// [`Unavailable`](ErrorKind::Unavailable) when the tries are used up; those of the database.
pub(super) async fn run(
    database: &impl Database,
    host: &impl Host,
    retry: &RetryPolicy,
    parts: &mut [Part<'_>],
    transaction_id: Option<&str>,
) -> Result<Ending> {
    let mut is_answer_lost = false;
    let mut last_refusal = None;
    for number in 1..=retry.max_tries.max(1) {
        let wait_ms = retry.wait_ms(number, host);
        if wait_ms > 0 {
            host.sleep(wait_ms).await;
        }
        match attempt(database, host, parts, transaction_id).await {
            Ok(committed) => return Ok(Ending::Committed(committed)),
            Err(Refusal::Guarded(error)) => {
                if let Some(ending) = resolve(database, parts, &error).await? {
                    return Ok(ending);
                }
                last_refusal = Some(too_many_tries(parts, number));
            }
            Err(Refusal::Passing(error)) => last_refusal = Some(error),
            Err(Refusal::AnswerLost) => is_answer_lost = true,
            Err(Refusal::Final(error)) => match settle(database, parts).await? {
                Some(ending) => return Ok(ending),
                None if is_answer_lost && error.kind() == ErrorKind::Unavailable => return Ok(Ending::Unknown),
                None => return Err(error),
            },
            Err(Refusal::Stale(error)) => match settle(database, parts).await? {
                Some(ending) => return Ok(ending),
                None => last_refusal = Some(error),
            },
        }
    }
    match last_refusal {
        Some(error) if !is_answer_lost => Err(error),
        _ => Ok(Ending::Unknown),
    }
}

async fn attempt(
    database: &impl Database,
    host: &impl Host,
    parts: &mut [Part<'_>],
    transaction_id: Option<&str>,
) -> Result<Vec<Committed>, Refusal> {
    for part in parts.iter_mut() {
        // The writer looked at a version that this state does not know yet.
        if part.request.read.version > Some(part.state.version) {
            part.state = latest(database, &part.state.table).await.map_err(Refusal::Final)?;
        }
    }
    let plan = match plan(parts, transaction_id, host.now_ms(), &database.limits()) {
        Ok(plan) => plan,
        Err(error) if catch_up(database, parts).await.map_err(Refusal::Final)? => return Err(Refusal::Stale(error)),
        Err(error) => return Err(Refusal::Final(error)),
    };
    let results = database.batch(plan.batch).await.map_err(|error| refusal(error, parts))?;
    let answers = parts.iter_mut().zip(plan.answers).map(|(part, answer)| {
        let row = results.get(answer).and_then(|result| result.rows.first());
        let row = row.ok_or_else(|| Error::corrupt("the commit's batch gave no version"))?;
        let committed = committed(&part.state.table, row)?;
        part.state.version = committed.version;
        part.state.table.version = committed.version;
        part.state.timestamp_ms = committed.timestamp_ms;
        part.state.file_count = row.integer(2)?;
        Ok(committed)
    });
    answers.collect::<Result<_>>().map_err(Refusal::Final)
}

fn refusal(error: DatabaseError, parts: &[Part<'_>]) -> Refusal {
    match error {
        DatabaseError::AnswerLost(_) => Refusal::AnswerLost,
        DatabaseError::Busy(_) => Refusal::Passing(error.into()),
        DatabaseError::Guard(_) | DatabaseError::Unique(_) | DatabaseError::OutOfRange(_) => Refusal::Guarded(error),
        _ => Refusal::Final(at(error.into(), parts)),
    }
}

fn committed(table: &Table, row: &Row) -> Result<Committed> {
    Ok(Committed { table: table.name.clone(), version: row.integer(0)?, timestamp_ms: row.integer(1)? })
}

/// A commit that was refused may be one that happened before, when the table allowed it; or it was prepared for a
/// metadata or protocol that is no more, and does not fit for that reason.
async fn settle(database: &impl Database, parts: &mut [Part<'_>]) -> Result<Option<Ending>> {
    if let Some(committed) = committed_before(database, parts).await? {
        return Ok(Some(Ending::Committed(committed)));
    }
    for part in parts.iter_mut() {
        let Ok(intent) = part.intent() else { continue };
        let changed_version = part.state.metadata_version.max(part.state.protocol_version);
        if changed_version > intent.examined_version {
            let removed = part.removed();
            if let Some(conflict) = examine(database, &part.state, &intent, removed).await?.conflict {
                return Ok(Some(Ending::Conflicted(conflict)));
            }
        }
    }
    Ok(None)
}

/// Brings the states of all parts up to date; whether any was not.
async fn catch_up(database: &impl Database, parts: &mut [Part<'_>]) -> Result<bool> {
    let mut has_moved = false;
    for part in parts.iter_mut() {
        let state = latest(database, &part.state.table).await?;
        if state.version > part.state.version {
            // What it read, it read at the version that was known.
            part.examined_version = part.intent().ok().map(|intent| intent.examined_version);
            part.state = state;
            has_moved = true;
        }
    }
    Ok(has_moved)
}

/// Why a guard did not hold: `None` when nothing that happened conflicts, and the parts are rebased on it.
async fn resolve(database: &impl Database, parts: &mut [Part<'_>], error: &DatabaseError) -> Result<Option<Ending>> {
    if let Some(committed) = committed_before(database, parts).await? {
        return Ok(Some(Ending::Committed(committed)));
    }
    if matches!(error, DatabaseError::OutOfRange(_)) || *error == DatabaseError::Guard("totals_in_range".into()) {
        return Err(out_of_range(parts));
    }
    let mut has_moved = false;
    for part in parts.iter_mut() {
        check_guard(database, part, error).await?;
        let state = latest(database, &part.state.table).await?;
        let intent = part.intent()?;
        let examined = examine(database, &state, &intent, part.removed()).await?;
        if let Some(conflict) = examined.conflict {
            return Ok(Some(Ending::Conflicted(conflict)));
        }
        if let Some(conflict) = check_files(database, &state, part).await? {
            return Ok(Some(Ending::Conflicted(conflict)));
        }
        has_moved |= state.version > intent.examined_version;
        part.examined_version = Some(state.version);
        part.loses_row_ids |= examined.loses_row_ids;
        part.state = state;
    }
    // Nothing moved and nothing is wrong with its files: the batch would be refused again.
    if has_moved { Ok(None) } else { Err(at(error.clone().into(), parts)) }
}

async fn latest(database: &impl Database, table: &Table) -> Result<Snapshot> {
    let state = snapshot(database, &TableSelector::Key(table.key), At::Latest).await;
    state.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("table {} was dropped meanwhile", quoted(&table.name)))
                .table(&table.name)
        }
        _ => error,
    })
}

/// The versions of the commit, if it happened before.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) when the commit id was used for another commit.
pub(super) async fn committed_before(database: &impl Database, parts: &[Part<'_>]) -> Result<Option<Vec<Committed>>> {
    let queries = parts.iter().map(|part| {
        let params = vec![part.state.table.key.into(), part.request.commit_id.as_str().into()];
        Statement::new(SAME_COMMIT, params)
    });
    let results = database.batch(Batch::read(queries.collect())).await?;
    let rows: Vec<Option<Row>> = results.into_iter().map(|result| result.rows.into_iter().next()).collect();
    if rows.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut before = Vec::new();
    for (part, row) in parts.iter().zip(rows) {
        let Some(mut row) = row else { return Err(id_is_taken(part, None)) };
        before.push(committed(&part.state.table, &row)?);
        if row.optional_text(2)?.is_some_and(|digest| digest != part.digest().to_string()) {
            return Err(id_is_taken(part, before.last()));
        }
    }
    Ok(Some(before))
}

/// A commit id stands for one commit: what was committed with it must be what is sent again.
fn id_is_taken(part: &Part<'_>, by: Option<&Committed>) -> Error {
    let name = &part.state.table.name;
    let used = by.map_or("for other tables".into(), |by| format!("for version {}, with other actions", by.version));
    let error = Error::invalid(format!("committing to table {}: the commit id was used {used}", quoted(name)))
        .table(name)
        .hint("a commit id belongs to one commit; take a new one for a new commit");
    by.map_or(error.clone(), |by| error.version(by.version))
}

/// Files that the commit names must be as it says, whoever committed what; a conflict with the version that removed one,
/// if the writer did not say what it looked at.
async fn check_files(database: &impl Database, state: &Snapshot, part: &Part<'_>) -> Result<Option<Conflict>> {
    let refused = |path: &str, wrong: &str| {
        let name = &state.table.name;
        Error::invalid(format!("committing to table {}: {}{wrong}", quoted(name), quoted(path))).table(name).path(path)
    };
    if let Some(mut row) = first_row(database, state, NOT_LIVE, part.removed()).await? {
        let (path, is_path_live, removed_version) = (row.text(0)?, row.integer(1)? != 0, row.optional_integer(2)?);
        let error = match (is_path_live, removed_version) {
            (true, _) => refused(&path, " is to be removed, but the table has it with another deletion vector"),
            (false, Some(version)) if part.request.read.version.is_none() => {
                return double_delete(database, state, version, path).await.map(Some);
            }
            (false, Some(version)) => {
                refused(&path, &format!(" is to be removed, but version {version} removed it")).version(version)
            }
            (false, None) => refused(&path, " is to be removed, but it is not in the table"),
        };
        return Err(error.hint("path and deletion vector must be those of a file's `add`; `dl files` shows them"));
    }
    if let Some(mut row) = first_row(database, state, PATH_ADDED_AGAIN, part.added_paths()).await? {
        let error = refused(&row.text(0)?, " is in the table with another deletion vector");
        return Err(error.hint("remove that entry in the same commit; `dl files` shows its deletion vector"));
    }
    Ok(None)
}

/// Guards that nobody else's commit makes fail.
async fn check_guard(database: &impl Database, part: &Part<'_>, error: &DatabaseError) -> Result<()> {
    let DatabaseError::Guard(guard) = error else { return Ok(()) };
    match (guard.as_str(), &part.staged) {
        ("row_ids_missing", _) => check_row_ids(database, part).await,
        ("large_commit_not_found", Some(_)) => {
            let name = &part.state.table.name;
            Err(Error::new(
                ErrorKind::NotFound,
                format!("committing to table {}: the large commit was swept, or begun anew", quoted(name)),
            )
            .table(name)
            .hint("nothing of it was committed; begin again"))
        }
        ("added_and_removed", Some(staged)) => {
            let query = Statement::new(ADDED_AND_REMOVED, [staged.key.into()]);
            let row = part.state.table.read_rows(database, query).await?.pop();
            let path = row.map(|mut row| row.text(0)).transpose()?.unwrap_or_default();
            Err(at(added_and_removed(&path), std::slice::from_ref(part)))
        }
        _ => Ok(()),
    }
}

/// All files must have row ids that a commit does not give ids itself, by adding them again.
async fn check_row_ids(database: &impl Database, part: &Part<'_>) -> Result<()> {
    let added: HashSet<&str> = part
        .request
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Add(add) => Some(add.path.as_str()),
            _ => None,
        })
        .collect();
    let table = &part.state.table;
    let query = Statement::new(WITHOUT_ROW_IDS, vec![table.key.into(), (added.len() as i64 + 1).into()]);
    for mut row in table.read_rows(database, query).await? {
        let path = row.text(0)?;
        if !added.contains(path.as_str()) {
            let name = &table.name;
            return Err(Error::invalid(format!(
                "committing to table {}: row tracking cannot be enabled, {} has no row ids",
                quoted(name),
                quoted(&path)
            ))
            .table(name)
            .path(path)
            .hint("add such files again, with `dataChange` false, in this commit or before: they get ids then"));
        }
    }
    Ok(())
}

async fn first_row(
    database: &impl Database,
    state: &Snapshot,
    template: &'static str,
    rows: RowSource,
) -> Result<Option<Row>> {
    let queries = with_rows(&database.limits(), template, &[state.table.key.into()], rows);
    let results: Vec<ResultSet> = database.batch(Batch::read(queries)).await?;
    Ok(results.into_iter().flat_map(|result| result.rows).next())
}

fn out_of_range(parts: &[Part<'_>]) -> Error {
    let error = Error::invalid("the sizes or row counts of a table's files would add up to more than 64 bits hold");
    at(error, parts).hint("look at `size` and `numRecords` of the added files")
}

fn too_many_tries(parts: &[Part<'_>], tries: u32) -> Error {
    let error = Error::new(
        ErrorKind::Unavailable,
        format!("others committed before it in each of {tries} tries, without a conflict; nothing was committed"),
    );
    at(error, parts).hint("commit again, or allow more tries")
}

/// Names what was being done.
fn at(error: Error, parts: &[Part<'_>]) -> Error {
    match parts {
        [part] => {
            let name = &part.state.table.name;
            error.context(format!("committing to table {}", quoted(name))).table(name)
        }
        _ => error.context(format!("committing to {} tables", parts.len())),
    }
}
