//! Whether the files that a commit names are as it says, whatever others committed: what is asked when its batch was
//! refused and nobody won.

use std::collections::HashSet;

use crate::action::Action;
use crate::catalog::quoted;
use crate::snapshot::Snapshot;
use crate::sql::{Batch, Database, DatabaseError, ResultSet, Row, RowSource, Statement, with_rows};
use crate::{Error, Result};

use super::added_files::check_added;
use super::check::added_and_removed;
use super::conflict::Conflict;
use super::guards::OVERLAPPING_ROW_IDS;
use super::intent::Intent;
use super::large::gone;
use super::large::statements::{ADDED_AND_REMOVED, KEPT_PATH};
use super::physical_names;
use super::plan::Part;
use super::restored;
use super::winners::double_delete;

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
SELECT r.path FROM rows r CROSS JOIN dl_add_files f ON f.table_id = ?1 AND f.path = r.path AND f.dv_id <> r.dv_id
  AND f.removed_version IS NULL LIMIT 1";

/// A file that is said to have been read and was not there. ?1 table, ?2 version that was read.
const NEVER_READ: &str = "
WITH rows (path) AS ({rows})
SELECT r.path FROM rows r WHERE NOT EXISTS (SELECT 1 FROM dl_add_files f
  WHERE f.table_id = ?1 AND f.path = r.path AND f.version <= ?2
    AND (f.removed_version IS NULL OR f.removed_version > ?2))
LIMIT 1";

/// Files without row ids or their version; ?1 table, ?2 so many.
const WITHOUT_ROW_IDS: &str = "
SELECT f.path FROM dl_add_files f WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40
  AND (f.base_row_id IS NULL OR f.default_row_commit_version IS NULL) AND f.removed_version IS NULL ORDER BY f.file_id LIMIT ?2";

/// Guards that nobody else's commit makes fail; of a part that has them.
pub(super) async fn check_guard(database: &impl Database, part: &Part<'_>, error: &DatabaseError) -> Result<()> {
    let DatabaseError::Guard(guard) = error else { return Ok(()) };
    match (guard.as_str(), &part.staged) {
        ("row_ids_missing", _) if part.enables_row_tracking() => check_row_ids(database, part).await,
        ("row_ids_overlap", _) if part.enables_row_tracking() => check_overlap(database, part).await,
        ("schema_not_restored", _) if part.intent()?.had_schema => restored::check_schema(database, part).await,
        ("file_not_restored", _) if part.intent()?.had_schema => restored::check_files(database, part).await,
        ("physical_name_used", _) => physical_names::check(database, part).await,
        ("large_commit_not_found", Some(_)) => Err(gone(database, &part.state.table).await),
        ("path_kept", Some(staged)) => {
            let query = Statement::new(KEPT_PATH, [staged.key.into()]);
            let row = part.state.table.read_rows(database, query).await?.pop();
            let path = row.map(|mut row| row.text(0)).transpose()?.unwrap_or_default();
            let name = &part.state.table.name;
            Err(Error::invalid(format!(
                "committing to table {}: {} is removed and added again, which this commit may not do",
                quoted(name),
                quoted(&path)
            ))
            .table(name)
            .path(path)
            .hint(
                "a commit that replaces the table keeps none of its files; a new deletion vector needs \
                 delta.enableDeletionVectors, and a table that is not append-only",
            ))
        }
        ("added_and_removed", Some(staged)) => {
            let query = Statement::new(ADDED_AND_REMOVED, [staged.key.into()]);
            let row = part.state.table.read_rows(database, query).await?.pop();
            let path = row.map(|mut row| row.text(0)).transpose()?.unwrap_or_default();
            let name = &part.state.table.name;
            Err(added_and_removed(&path).context(format!("committing to table {}", quoted(name))).table(name))
        }
        _ => check_added(database, part, guard).await,
    }
}

/// What nobody can have read protects nothing: a path that is misspelt must not go unnoticed.
pub(super) async fn check_read_files(database: &impl Database, part: &Part<'_>, intent: &Intent) -> Result<()> {
    let table = &part.state.table;
    let fixed = [table.key.into(), intent.read_version.into()];
    let queries = with_rows(&database.limits(), NEVER_READ, &fixed, intent.read_files());
    let results: Vec<ResultSet> = database.batch(Batch::read(queries)).await?;
    let Some(mut row) = results.into_iter().flat_map(|result| result.rows).next() else { return Ok(()) };
    let path = row.text(0)?;
    Err(Error::invalid(format!(
        "committing to table {}: {} is said to have been read, but version {} does not have it",
        quoted(&table.name),
        quoted(&path),
        intent.read_version
    ))
    .table(&table.name)
    .path(path)
    .hint("name files as in their `add`; `dl files` shows them"))
}

/// Files that the commit names must be as it says, whoever committed what; a conflict with the version that removed one,
/// if the writer did not say what it looked at.
pub(super) async fn check_files(
    database: &impl Database,
    state: &Snapshot,
    part: &Part<'_>,
) -> Result<Option<Conflict>> {
    let refused = |path: &str, wrong: &str| {
        let name = &state.table.name;
        Error::invalid(format!("committing to table {}: {}{wrong}", quoted(name), quoted(path))).table(name).path(path)
    };
    if let Some(mut row) = first_row(database, state, NOT_LIVE, part.removed()).await? {
        let (path, is_path_live, removed_version) = (row.text(0)?, row.integer(1)? != 0, row.optional_integer(2)?);
        let error = match (is_path_live, removed_version) {
            (_, Some(version)) if part.request.read.version.is_none() => {
                return double_delete(database, state, version, path).await.map(Some);
            }
            (true, _) => refused(&path, " is to be removed, but the table has it with another deletion vector"),
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
                "committing to table {}: row tracking cannot be enabled, {} lacks row ids or their version",
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

/// No two rows may have one id in a table that promises so from now on.
async fn check_overlap(database: &impl Database, part: &Part<'_>) -> Result<()> {
    let table = &part.state.table;
    let query = Statement::new(OVERLAPPING_ROW_IDS, [table.key.into()]);
    let Some(mut row) = table.read_rows(database, query).await?.pop() else { return Ok(()) };
    let path = row.text(0)?;
    Err(Error::invalid(format!(
        "committing to table {}: row tracking cannot be enabled, rows of {} have the ids of others",
        quoted(&table.name),
        quoted(&path)
    ))
    .table(&table.name)
    .path(path)
    .hint("write its rows to a file of another name, and remove this one"))
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
