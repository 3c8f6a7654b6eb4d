//! A physical path belongs to one column forever (protocol section "Column Mapping"): files may have values of a dropped
//! column under it, which would be those of the new one.

use crate::catalog::quoted;
use crate::sql::{Batch, Database, Limits, ResultSet, Statement, with_rows};
use crate::{Error, Result};

use super::check::A_NAME;
use super::intent::{Intent, rows};
use super::plan::Part;

/// The rows among the physical paths that the table's columns had at any version; each part of a path after a unit
/// separator. Engines find columns in files whatever their case. ?1 table.
macro_rules! used_paths {
    ($then:literal) => {
        concat!(
            r#"WITH RECURSIVE parts (path, type) AS (
         SELECT DISTINCT '', json_extract(m.metadata, '$.schemaString') FROM dl_metadata_updates m WHERE m.table_id = ?1
         UNION
         SELECT p.path || char(31) || json_extract(f.value, '$.metadata."delta.columnMapping.physicalName"'),
           json_extract(f.value, '$.type')
         FROM parts p CROSS JOIN json_each(CASE WHEN json_valid(p.type) THEN p.type END, '$.fields') f
         WHERE f.type = 'object'
         UNION
         SELECT p.path || char(31) || CASE t.key WHEN 'elementType' THEN 'element' WHEN 'keyType' THEN 'key' ELSE 'value' END,
           t.value
         FROM parts p CROSS JOIN json_each(CASE WHEN json_valid(p.type) THEN p.type END) t
         WHERE t.key IN ('elementType', 'keyType', 'valueType')
       ), rows (path) AS ({rows}) "#,
            $then,
            " FROM rows r CROSS JOIN parts p ON p.path = r.path COLLATE NOCASE LIMIT 1"
        )
    };
}

const GUARD: &str = used_paths!("INSERT INTO dl_guard (guard) SELECT 'physical_name_used'");
const USED: &str = used_paths!("SELECT r.path");

const SEPARATOR: char = '\u{1f}';

/// A physical path as the statements have it.
pub(super) fn joined(path: &[&str]) -> String {
    path.iter().flat_map(|part| [SEPARATOR.to_string(), (*part).to_owned()]).collect()
}

pub(super) fn guard(key: i64, intent: &Intent, limits: &Limits) -> Vec<Statement> {
    with_rows(limits, GUARD, &[key.into()], rows(intent.new_columns.iter().map(|path| [path.as_str().into()])))
}

/// Which of a commit's new columns has the physical path of another one.
pub(super) async fn check(database: &impl Database, part: &Part<'_>) -> Result<()> {
    let table = &part.state.table;
    let columns = rows(part.intent()?.new_columns.iter().map(|path| [path.as_str().into()]));
    let queries = with_rows(&database.limits(), USED, &[table.key.into()], columns);
    let results: Vec<ResultSet> = database.batch(Batch::read(queries)).await?;
    let Some(mut row) = results.into_iter().flat_map(|result| result.rows).next() else { return Ok(()) };
    let path = row.text(0)?.trim_start_matches(SEPARATOR).replace(SEPARATOR, ".");
    Err(Error::invalid(format!(
        "committing to table {}: a new column has the physical name {} of a dropped one, and would show the values that \
         files have of that",
        quoted(&table.name),
        quoted(&path)
    ))
    .table(&table.name)
    .hint(A_NAME))
}
