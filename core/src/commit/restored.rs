//! A table that goes back to an earlier version (Delta-Spark's RESTORE): to a schema that it had, and to files that were
//! there under that schema. Columns that came since may go then, dropped ones come back: no file has others.

use std::collections::HashSet;

use crate::action::{Action, Metadata};
use crate::catalog::{latest_version, quoted};
use crate::schema::ColumnMapping;
use crate::sql::{Batch, Database, ResultSet, RowSource, Statement, Value, with_rows};
use crate::{Error, Result};

use super::intent::rows;
use super::large::statements as large;
use super::plan::Part;

/// What a schema says, in whatever order and with whatever blanks. Identities go on where they were: their high-water
/// marks are no part of what is restored.
macro_rules! schema_parts {
    ($schema:literal) => {
        concat!(
            "SELECT fullkey, type, atom FROM json_tree(CASE WHEN json_valid(",
            $schema,
            ") THEN ",
            $schema,
            " END) WHERE type NOT IN ('object', 'array') AND key IS NOT 'delta.identity.highWaterMark'"
        )
    };
}

/// Metadata `m` with a schema. ?1 table, ?2 schema, ?3 partition columns, ?4 column mapping mode.
macro_rules! has_schema {
    () => {
        concat!(
            r#"m.table_id = ?1
    AND json_extract(m.metadata, '$.partitionColumns') IS json(?3)
    AND lower(coalesce(json_extract(m.metadata, '$.configuration."delta.columnMapping.mode"'), 'none')) = lower(?4)
    AND NOT EXISTS ("#,
            schema_parts!("json_extract(m.metadata, '$.schemaString')"),
            "
      EXCEPT ",
            schema_parts!("?2"),
            ")
    AND NOT EXISTS (",
            schema_parts!("?2"),
            "
      EXCEPT ",
            schema_parts!("json_extract(m.metadata, '$.schemaString')"),
            ")"
        )
    };
}

/// A row when the table never had a schema.
macro_rules! lacks_schema {
    () => {
        concat!(
            "SELECT 'schema_not_restored' WHERE NOT EXISTS (SELECT 1 FROM dl_metadata_updates m WHERE ",
            has_schema!(),
            ")"
        )
    };
}
const LACKS_SCHEMA: &str = lacks_schema!();

/// A commit that restores a schema must not bring one that the table never had. Runs before its metadata is written.
const GUARD_SCHEMA: &str = concat!("INSERT INTO dl_guard (guard) ", lacks_schema!());

/// `restored`: from which version to which the table had the schema, before the version that is written.
macro_rules! restored {
    ($before:expr) => {
        concat!(
            "restored (began, ended) AS MATERIALIZED (
       SELECT m.version, coalesce((SELECT min(n.version) FROM dl_metadata_updates n
         WHERE n.table_id = ?1 AND n.version > m.version), 1 << 40)
       FROM dl_metadata_updates m WHERE ",
            $before,
            has_schema!(),
            ")"
        )
    };
}

/// The table has or had the path of `f`, but not while it had the schema. `$before`: among which rows `g` of the path.
macro_rules! is_of_other_schema {
    ($before:expr) => {
        concat!(
            "EXISTS (SELECT 1 FROM dl_add_files g WHERE g.table_id = ?1 AND g.path = f.path",
            $before,
            ")
    AND NOT EXISTS (
      SELECT 1 FROM restored r CROSS JOIN dl_add_files g ON g.table_id = ?1 AND g.path = f.path
      WHERE g.version < r.ended AND (g.removed_version IS NULL OR g.removed_version > r.began))"
        )
    };
}

/// No file is live under the schema that came when the table had another one; one that it never had is the other guard's.
/// Runs after the commit's actions were written.
const GUARD_FILES: &str = concat!(
    "WITH ",
    restored!(concat!("m.version < ", latest_version!(), " AND ")),
    "
INSERT INTO dl_guard (guard) SELECT 'file_not_restored' WHERE EXISTS (SELECT 1 FROM restored) AND EXISTS (
  SELECT 1 FROM dl_add_files f WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40 AND f.removed_version IS NULL
    AND ",
    is_of_other_schema!(concat!(" AND g.version < ", latest_version!())),
    ")"
);

/// Such files that are live now, and that a large commit does not remove. ?5 its key or NULL, ?6 so many.
const STAYING: &str = concat!(
    "WITH ",
    restored!(""),
    "
SELECT f.path, f.dv_id FROM dl_add_files f
WHERE f.file_id >= ?1 << 40 AND f.file_id < (?1 + 1) << 40 AND f.removed_version IS NULL
  AND NOT EXISTS (SELECT 1 FROM dl_large_commit_files s
    WHERE s.large_commit_id = ?5 AND s.name = 'remove' AND s.path = f.path AND s.dv_id = f.dv_id)
  AND ",
    is_of_other_schema!(""),
    " ORDER BY f.file_id LIMIT ?6"
);

/// Such files among those that are added.
const ADDED: &str = concat!(
    "WITH rows (path) AS ({rows}), ",
    restored!(""),
    " SELECT f.path FROM rows f WHERE ",
    is_of_other_schema!(""),
    " LIMIT 1"
);

fn params(part: &Part<'_>) -> Vec<Value> {
    let metadata: &Metadata = part.leaves().0;
    let partition_columns: serde_json::Value = metadata.partition_columns.clone().into();
    vec![
        part.state.table.key.into(),
        metadata.schema_string.clone().into(),
        partition_columns.to_string().into(),
        metadata.configuration.value(ColumnMapping::PROPERTY).unwrap_or("none").into(),
    ]
}

/// The guard on a schema that is said to be an earlier one.
pub(super) fn schema_guard(part: &Part<'_>) -> Statement {
    Statement::new(GUARD_SCHEMA, params(part))
}

/// The guard on the files that are live then.
pub(super) fn files_guard(part: &Part<'_>) -> Statement {
    Statement::new(GUARD_FILES, params(part))
}

/// Whether the schema is what that guard refuses; a commit to several tables may restore the schemas of more than one.
pub(super) async fn check_schema(database: &impl Database, part: &Part<'_>) -> Result<()> {
    let table = &part.state.table;
    if table.read_rows(database, Statement::new(LACKS_SCHEMA, params(part))).await?.is_empty() {
        return Ok(());
    }
    let name = &table.name;
    Err(Error::invalid(format!(
        "committing to table {}: the table never had the schema that the commit restores",
        quoted(name)
    ))
    .table(name)
    .hint("take `metaData` from the version that is restored; other changes are not called RESTORE"))
}

/// Which file is not of the schema.
pub(super) async fn check_files(database: &impl Database, part: &Part<'_>) -> Result<()> {
    let table = &part.state.table;
    let path = match staying(database, part).await? {
        Some(path) => Some(path),
        None => {
            let queries = with_rows(&database.limits(), ADDED, &params(part), added(part));
            let results: Vec<ResultSet> = database.batch(Batch::read(queries)).await?;
            let row = results.into_iter().flat_map(|result| result.rows).next();
            row.map(|mut row| row.text(0)).transpose()?
        }
    };
    let Some(path) = path else { return Ok(()) };
    Err(Error::invalid(format!(
        "committing to table {}: {} is not of the schema that the commit restores, the table had another one then",
        quoted(&table.name),
        quoted(&path)
    ))
    .table(&table.name)
    .path(path)
    .hint("a restored table has the files of the version that is restored: remove those that came since"))
}

async fn staying(database: &impl Database, part: &Part<'_>) -> Result<Option<String>> {
    let removed: HashSet<(&str, String)> = part
        .request
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Remove(remove) => Some((remove.path.as_str(), remove.dv_id())),
            _ => None,
        })
        .collect();
    let mut params = params(part);
    params.extend([part.staged.as_ref().map(|staged| staged.key).into(), (removed.len() as i64 + 1).into()]);
    for mut row in part.state.table.read_rows(database, Statement::new(STAYING, params)).await? {
        let (path, dv_id) = (row.text(0)?, row.text(1)?);
        if !removed.contains(&(path.as_str(), dv_id)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn added(part: &Part<'_>) -> RowSource {
    if let Some(staged) = &part.staged {
        return RowSource::Stored { sql: large::ADDED, key: staged.key };
    }
    let adds = part.request.actions.iter().filter_map(|action| match action {
        Action::Add(add) => Some([add.path.as_str().into()]),
        _ => None,
    });
    rows(adds).into()
}
