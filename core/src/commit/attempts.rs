//! The tries of a commit: run the batch; where it is refused look at who won; rebase and try again, or give up.

use crate::catalog::{Table, TableSelector, quoted};
use crate::snapshot::{At, Snapshot, snapshot};
use crate::sql::{Batch, Database, DatabaseError, ResultSet, Row, Statement};
use crate::{Error, ErrorKind, Result};

use super::backlog::Backlog;
use super::conflict::Conflict;
use super::host::{Host, RetryPolicy};
use super::named_files::{check_files, check_guard, check_read_files};
use super::outcome::Committed;
use super::plan::{Part, plan};
use super::totals::out_of_range;
use super::winners::examine;

const SAME_COMMIT: &str = "
SELECT version, timestamp_ms, commit_digest FROM dl_table_versions WHERE table_id = ?1 AND commit_id = ?2";

/// How it ended.
pub(super) enum Ending {
    /// One entry a part, in order; after an earlier sending, without the tables that were dropped since.
    Committed(Vec<Committed>),
    Conflicted(Conflict),
    Unknown,
}

/// Why a batch did not happen.
enum Refusal {
    /// A guard, or a uniqueness that stands for one: who won must be looked at.
    Guarded(DatabaseError),
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
) -> Result<Ending> {
    let mut is_answer_lost = false;
    let ending = match try_often(database, host, retry, parts, &mut is_answer_lost).await {
        Ok(Ending::Conflicted(conflict)) if parts.len() > 1 => Ok(Ending::Conflicted(conflict.of_one_of_several())),
        Ok(Ending::Committed(committed)) => {
            for part in parts.iter() {
                part.backlog.work_off(database, part.state.table.key).await;
            }
            return Ok(Ending::Committed(committed));
        }
        ending => ending,
    };
    match &ending {
        Ok(Ending::Conflicted(_)) => {}
        Err(error) if is_final(error) => {}
        // What keeps us from looking says nothing of the sending whose answer was lost.
        Err(_) if is_answer_lost => return Ok(Ending::Unknown),
        _ => return ending,
    }
    // An earlier sending may have arrived while we looked, and be what stands in the way.
    match committed_before(database, parts).await {
        Ok(Some(committed)) => Ok(Ending::Committed(committed)),
        // It may still be under way, and what is wrong gone when it arrives.
        Ok(None) if is_answer_lost && matches!(&ending, Err(error) if error.kind() == ErrorKind::Invalid) => {
            Ok(Ending::Unknown)
        }
        Ok(None) => ending,
        Err(error) if is_final(&error) => Err(error),
        Err(_) => Ok(Ending::Unknown),
    }
}

/// Whether an error is about the commit, which stays as it is.
fn is_final(error: &Error) -> bool {
    use ErrorKind::*;
    matches!(error.kind(), Invalid | Unsupported | NotFound | Conflict)
}

async fn try_often(
    database: &impl Database,
    host: &impl Host,
    retry: &RetryPolicy,
    parts: &mut [Part<'_>],
    is_answer_lost: &mut bool,
) -> Result<Ending> {
    let mut last_refusal = None;
    for number in 1..=retry.max_tries.max(1) {
        let wait_ms = retry.wait_ms(number, host);
        if wait_ms > 0 {
            host.sleep(wait_ms).await;
        }
        // What has expired when the batch was planned has so when its refusal is looked at.
        let now_ms = host.now_ms();
        match attempt(database, parts, now_ms).await {
            Ok(committed) => return Ok(Ending::Committed(committed)),
            Err(Refusal::Guarded(error)) => {
                if let Some(ending) = resolve(database, parts, &error, now_ms).await? {
                    return Ok(ending);
                }
                last_refusal = Some(too_many_tries(parts, number));
            }
            Err(Refusal::AnswerLost) => *is_answer_lost = true,
            Err(Refusal::Final(error)) => match settle(database, parts, now_ms).await? {
                Some(ending) => return Ok(ending),
                None => return Err(error),
            },
            Err(Refusal::Stale(error)) => match settle(database, parts, now_ms).await? {
                Some(ending) => return Ok(ending),
                None => last_refusal = Some(error),
            },
        }
    }
    match last_refusal {
        Some(error) if !*is_answer_lost => Err(error),
        _ => Ok(Ending::Unknown),
    }
}

async fn attempt(database: &impl Database, parts: &mut [Part<'_>], now_ms: i64) -> Result<Vec<Committed>, Refusal> {
    for part in parts.iter_mut() {
        // The writer looked at a version that this state does not know yet.
        if part.request.read.version > Some(part.state.version) {
            *part.state = latest(database, &part.state.table).await.map_err(Refusal::Final)?;
        }
    }
    let (results, answers) = match send(database, parts, now_ms).await {
        Err(Refusal::Guarded(DatabaseError::Guard(guard))) if guard == "path_known" => {
            parts.iter_mut().for_each(|part| part.adds_again = true);
            send(database, parts, now_ms).await?
        }
        sent => sent?,
    };
    let answers = parts.iter_mut().zip(answers).map(|(part, answer)| {
        let row = results.get(answer).and_then(|result| result.rows.first());
        let row = row.ok_or_else(|| Error::corrupt("the commit's batch gave no version"))?;
        let committed = committed(&part.state.table, row)?;
        part.state.version = committed.version;
        part.state.table.version = committed.version;
        part.state.timestamp_ms = committed.timestamp_ms;
        part.state.file_count = row.integer(2)?;
        part.backlog = Backlog::from_row(row, 3)?;
        Ok(committed)
    });
    answers.collect::<Result<_>>().map_err(Refusal::Final)
}

/// Plans the batch and runs it.
async fn send(
    database: &impl Database,
    parts: &mut [Part<'_>],
    now_ms: i64,
) -> Result<(Vec<ResultSet>, Vec<usize>), Refusal> {
    let plan = match plan(parts, now_ms, &database.limits()) {
        Ok(plan) => plan,
        Err(error) if catch_up(database, parts).await.map_err(Refusal::Final)? => return Err(Refusal::Stale(error)),
        Err(error) => return Err(Refusal::Final(error)),
    };
    let answers = plan.answers;
    let results = database.batch(plan.batch).await.map_err(|error| refusal(error, parts))?;
    Ok((results, answers))
}

fn refusal(error: DatabaseError, parts: &[Part<'_>]) -> Refusal {
    match error {
        DatabaseError::AnswerLost(_) => Refusal::AnswerLost,
        DatabaseError::Guard(_) | DatabaseError::Unique(_) | DatabaseError::OutOfRange(_) => Refusal::Guarded(error),
        DatabaseError::Full(_) => Refusal::Final(at(nothing_committed(error), parts)),
        _ => Refusal::Final(at(error.into(), parts)),
    }
}

fn committed(table: &Table, row: &Row) -> Result<Committed> {
    Ok(Committed { table: table.name.clone(), version: row.integer(0)?, timestamp_ms: row.integer(1)? })
}

/// A commit that was refused may be one that happened before, when the table allowed it; or it was prepared for a version
/// that others have moved on from, and does not fit for that reason.
async fn settle(database: &impl Database, parts: &mut [Part<'_>], now_ms: i64) -> Result<Option<Ending>> {
    if let Some(committed) = committed_before(database, parts).await? {
        return Ok(Some(Ending::Committed(committed)));
    }
    for part in parts.iter_mut() {
        let Ok(intent) = part.intent() else { continue };
        if part.state.version > intent.examined_version {
            let (removed, added) = (part.removed(), part.added_paths());
            let examined = examine(database, part.state, &intent, removed, added, now_ms).await?;
            if let Some(conflict) = examined.conflict {
                return Ok(Some(Ending::Conflicted(conflict)));
            }
        }
    }
    Ok(None)
}

/// What a row cannot hold stays so, however often it is tried.
fn beyond_range(error: &DatabaseError) -> Option<Error> {
    match error {
        DatabaseError::OutOfRange(_) => Some(out_of_range()),
        DatabaseError::Guard(guard) => match guard.as_str() {
            "totals_in_range" | "row_ids_in_range" => Some(out_of_range()),
            "version_in_range" => Some(error.clone().into()),
            _ => None,
        },
        _ => None,
    }
}

/// Brings the states of all parts up to date; whether any was not.
async fn catch_up(database: &impl Database, parts: &mut [Part<'_>]) -> Result<bool> {
    let mut has_moved = false;
    for part in parts.iter_mut() {
        let state = latest(database, &part.state.table).await?;
        if state.version > part.state.version {
            // What it read, it read at the version that was known.
            part.examined_version = part.intent().ok().map(|intent| intent.examined_version);
            *part.state = state;
            has_moved = true;
        }
    }
    Ok(has_moved)
}

/// Why a guard did not hold: `None` when nothing that happened conflicts, and the parts are rebased on it.
async fn resolve(
    database: &impl Database,
    parts: &mut [Part<'_>],
    error: &DatabaseError,
    now_ms: i64,
) -> Result<Option<Ending>> {
    if let Some(committed) = committed_before(database, parts).await? {
        return Ok(Some(Ending::Committed(committed)));
    }
    if let (DatabaseError::Guard(guard), [part, ..]) = (error, &*parts)
        && guard == "commit_id_used"
    {
        return Err(id_is_taken(part, None));
    }
    if let Some(refusal) = beyond_range(error) {
        return Err(at(refusal, parts));
    }
    let mut has_moved = false;
    for part in parts.iter_mut() {
        check_guard(database, part, error).await?;
        let state = latest(database, &part.state.table).await?;
        let intent = part.intent()?;
        let examined = examine(database, &state, &intent, part.removed(), part.added_paths(), now_ms).await?;
        if let Some(conflict) = examined.conflict {
            return Ok(Some(Ending::Conflicted(conflict)));
        }
        check_read_files(database, part, &intent).await?;
        if let Some(conflict) = check_files(database, &state, part).await? {
            return Ok(Some(Ending::Conflicted(conflict)));
        }
        has_moved |= state.version > intent.examined_version;
        part.examined_version = Some(state.version);
        part.loses_row_ids |= examined.loses_row_ids;
        *part.state = state;
    }
    // With a version that came while the reason was looked for, the reason may have gone. Else nothing moved and nothing is
    // wrong with its files: the batch would be refused again.
    if has_moved || catch_up(database, parts).await? { Ok(None) } else { Err(at(error.clone().into(), parts)) }
}

pub(super) async fn latest(database: &impl Database, table: &Table) -> Result<Snapshot> {
    let name = quoted(&table.name);
    let not_found = |text: String| Error::new(ErrorKind::NotFound, text).table(&table.name);
    match snapshot(database, &TableSelector::Key(table.key), At::Latest).await {
        Ok(state) if state.table.table_id != table.table_id => {
            Err(not_found(format!("table {name} is of another catalog"))
                .hint("one commit, or transaction, is for tables of one catalog: commit to each catalog on its own"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(not_found(format!("table {name} was dropped meanwhile")))
        }
        state => state,
    }
}

/// The version and time of the commit with an id, and the digest of what was sent; if it happened.
pub(super) async fn find_commit(database: &impl Database, table: &Table, commit_id: &str) -> Result<Option<Row>> {
    let query = Statement::new(SAME_COMMIT, vec![table.key.into(), commit_id.into()]);
    let mut results = database.batch(Batch::read(vec![query])).await?;
    Ok(results.pop().and_then(|result| result.rows.into_iter().next()))
}

/// The versions of the commit, if it happened before: those of a transaction in the tables that are still there.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) when the commit id was used for another commit.
pub(super) async fn committed_before(database: &impl Database, parts: &[Part<'_>]) -> Result<Option<Vec<Committed>>> {
    let same = |part: &Part<'_>| {
        Statement::new(SAME_COMMIT, vec![part.state.table.key.into(), part.request.commit_id.as_str().into()])
    };
    let results = database.batch(Batch::read(parts.iter().map(same).collect())).await?;
    let mut before = Vec::new();
    for (part, result) in parts.iter().zip(results) {
        // What happened in another table of the transaction happened here, too: the table was dropped since.
        let Some(mut row) = result.rows.into_iter().next() else { continue };
        let committed = committed(&part.state.table, &row)?;
        if row.optional_text(2)?.is_some_and(|digest| digest != part.digest().to_string()) {
            return Err(id_is_taken(part, Some(&committed)));
        }
        before.push(committed);
    }
    Ok((!before.is_empty()).then_some(before))
}

/// A commit id stands for one commit: what was committed with it must be what is sent again.
fn id_is_taken(part: &Part<'_>, by: Option<&Committed>) -> Error {
    let name = &part.state.table.name;
    let kind = match part.transaction {
        Some(_) => "not in a transaction of these tables",
        None => "in a transaction",
    };
    let used = by.map_or("for other tables".into(), |by| {
        format!("for version {}, with other actions or another operation, or {kind}", by.version)
    });
    let error = Error::invalid(format!("committing to table {}: the commit id was used {used}", quoted(name)))
        .table(name)
        .hint("a commit id belongs to one commit; take a new one for a new commit");
    by.map_or(error.clone(), |by| error.version(by.version))
}

/// For want of space.
pub(super) fn nothing_committed(error: DatabaseError) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string()).hint("nothing was committed; free some space and try again")
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
