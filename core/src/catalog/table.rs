use crate::sql::{Batch, Database, DatabaseError, ResultSet, Row, Statement, Value};
use crate::{Error, ErrorKind, Result};

/// A table that the catalog knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The catalog's own key.
    pub key: i64,
    /// UUID: the table's id for everyone else.
    pub table_id: String,
    /// Unique in the catalog.
    pub name: String,
    /// URL of the table's folder.
    pub location: String,
    /// The first version that can be read.
    pub earliest_version: i64,
    /// The latest version.
    pub version: i64,
}

/// Which table is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum TableSelector {
    /// By its name or UUID, as people and programs know it.
    Named(String),
    /// By the catalog's own key ([`Table::key`]).
    Key(i64),
    /// The only one of the catalog.
    Only,
}

impl TableSelector {
    /// The parameter of [`chosen_table!`]: text, an integer or NULL.
    pub(crate) fn param(&self) -> Value {
        match self {
            TableSelector::Named(name) => name.as_str().into(),
            TableSelector::Key(key) => (*key).into(),
            TableSelector::Only => Value::Null,
        }
    }
}

/// The version that a table is at, that of its last row; in a batch that writes one, from its first statement on, the one
/// that is written. The table is `?1` where nothing else is said.
macro_rules! latest_version {
    () => {
        $crate::catalog::latest_version!("?1")
    };
    ($table:literal) => {
        concat!(
            "(SELECT version FROM dl_table_versions WHERE version_id >= ",
            $table,
            " << 40 AND version_id < (",
            $table,
            " + 1) << 40 ORDER BY version_id DESC LIMIT 1)"
        )
    };
}
pub(crate) use latest_version;

/// The key of the table that `?1` means.
macro_rules! chosen_table {
    () => {
        "CASE typeof(?1) WHEN 'integer' THEN ?1
           WHEN 'null' THEN (SELECT table_id FROM dl_tables WHERE import_id IS NULL ORDER BY table_id LIMIT 1)
           ELSE coalesce((SELECT table_id FROM dl_tables WHERE name = ?1),
                         (SELECT table_id FROM dl_tables WHERE table_uuid = lower(?1))) END"
    };
}
pub(crate) use chosen_table;

/// The chosen table, and whether there are others. ?1 as in [`chosen_table!`].
pub(crate) const MATCHING_TABLE: &str = concat!(
    "SELECT table_id, table_uuid, name, location, earliest_version,
       ",
    latest_version!("dl_tables.table_id"),
    ", (SELECT count(*) FROM (SELECT 1 FROM dl_tables WHERE import_id IS NULL LIMIT 2)) > 1
     FROM dl_tables WHERE import_id IS NULL AND table_id = ",
    chosen_table!()
);

const ALL_TABLES: &str = concat!(
    "SELECT table_id, table_uuid, name, location, earliest_version, ",
    latest_version!("dl_tables.table_id"),
    " FROM dl_tables WHERE import_id IS NULL ORDER BY name"
);

/// Forgetting a table: children before their parent. ?1 table.
const DROP: [&str; 15] = [
    "DELETE FROM dl_large_commit_files WHERE large_commit_id IN (
       SELECT large_commit_id FROM dl_large_commits WHERE table_id = ?1)",
    "DELETE FROM dl_large_commits WHERE table_id = ?1",
    "DELETE FROM dl_segment_chunks WHERE segment_id >= ?1 << 40 AND segment_id < (?1 + 1) << 40",
    "DELETE FROM dl_segments WHERE segment_id >= ?1 << 40 AND segment_id < (?1 + 1) << 40",
    "DELETE FROM dl_segment_state WHERE table_id = ?1",
    "DELETE FROM dl_add_files WHERE file_id >= ?1 << 40 AND file_id < (?1 + 1) << 40",
    "DELETE FROM dl_remove_files WHERE remove_id >= ?1 << 40 AND remove_id < (?1 + 1) << 40",
    "DELETE FROM dl_metadata_updates WHERE table_id = ?1",
    "DELETE FROM dl_protocol_updates WHERE table_id = ?1",
    "DELETE FROM dl_txn_actions WHERE table_id = ?1",
    "DELETE FROM dl_domain_metadata WHERE table_id = ?1",
    "DELETE FROM dl_cdc_files WHERE table_id = ?1",
    "DELETE FROM dl_unknown_actions WHERE table_id = ?1",
    "DELETE FROM dl_mirror_status WHERE table_id = ?1",
    "DELETE FROM dl_table_versions WHERE version_id >= ?1 << 40 AND version_id < (?1 + 1) << 40",
];

const DROP_TABLE: &str = "DELETE FROM dl_tables WHERE table_id = ?1";

const STILL_THERE: &str = "SELECT 1 FROM dl_tables WHERE table_id = ?1";

impl Table {
    /// The rows of a query on the table, read together with the proof that it was not dropped meanwhile: a page that
    /// is empty for that reason must not look like the last one.
    pub(crate) async fn read_rows(&self, database: &impl Database, query: Statement) -> Result<Vec<Row>> {
        let statements = vec![Statement::new(STILL_THERE, [self.key.into()]), query];
        let mut results = database.batch(Batch::read(statements)).await?;
        let rows = results.pop().unwrap_or_default().rows;
        if results.pop().is_none_or(|result| result.rows.is_empty()) {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("table {} was dropped while it was read", quoted(&self.name)),
            )
            .table(&self.name)
            .hint("what was read of it so far is not complete"));
        }
        Ok(rows)
    }

    fn from_row(mut row: Row) -> Result<Self> {
        Ok(Table {
            key: row.integer(0)?,
            table_id: row.text(1)?,
            name: row.text(2)?,
            location: row.text(3)?,
            earliest_version: row.integer(4)?,
            version: row.integer(5)?,
        })
    }
}

/// The statements that delete all rows of a table.
pub(crate) fn plan_drop(key: i64) -> Vec<Statement> {
    DROP.into_iter().chain([DROP_TABLE]).map(|sql| Statement::new(sql, [key.into()])).collect()
}

/// All tables, by name.
///
/// # Errors
/// Those of the database.
pub async fn list_tables(database: &impl Database) -> Result<Vec<Table>> {
    let mut results = database.batch(Batch::read(vec![Statement::new(ALL_TABLES, [])])).await?;
    results.remove(0).rows.into_iter().map(Table::from_row).collect()
}

/// The table that `selector` means.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when there is none, [`Invalid`](ErrorKind::Invalid) when
/// [`Only`](TableSelector::Only) meets several.
pub async fn find_table(database: &impl Database, selector: &TableSelector) -> Result<Table> {
    let statement = Statement::new(MATCHING_TABLE, [selector.param()]);
    let mut results = database.batch(Batch::read(vec![statement])).await?;
    one_table(results.remove(0), selector)
}

/// The table in the answer to [`MATCHING_TABLE`].
pub(crate) fn one_table(result: ResultSet, selector: &TableSelector) -> Result<Table> {
    let Some(row) = result.rows.into_iter().next() else {
        return Err(match selector {
            TableSelector::Named(name) => {
                Error::new(ErrorKind::NotFound, format!("the catalog has no table {}", quoted(name)))
                    .table(name.clone())
            }
            TableSelector::Key(_) => Error::new(ErrorKind::NotFound, "the table was dropped meanwhile"),
            TableSelector::Only => Error::new(ErrorKind::NotFound, "the catalog has no tables"),
        }
        .hint("`dl tables` lists what is there; `dl import` brings a table in"));
    };
    let has_others = row.integer(6)? != 0;
    if has_others && *selector == TableSelector::Only {
        return Err(Error::invalid("the catalog has several tables and none was named")
            .hint("name one with --table; `dl tables` lists them"));
    }
    Table::from_row(row)
}

/// A name for a message: quoted, control characters escaped, shortened.
pub(crate) fn quoted(name: &str) -> String {
    const LONGEST: usize = 100;
    let mut short: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if name.chars().count() > LONGEST {
        short.push('…');
    }
    format!("`{short}`")
}

/// Commits that were made here and that no target has, as far as reports tell. ?1 table.
const ALL_PUBLISHED: &str = "
INSERT INTO dl_guard (guard) SELECT 'commits_unpublished' WHERE EXISTS (
  SELECT 1 FROM dl_table_versions
  WHERE version_id > (?1 << 40) + 1 + coalesce((SELECT max(version) FROM dl_mirror_status WHERE table_id = ?1), -1)
    AND version_id < (?1 + 1) << 40 AND commit_digest IS NOT NULL)";

/// Forgets a table all of whose commits are in a log; its files and its logs stay.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when the catalog alone has some of them; as [`find_table`].
pub async fn drop_published_table(database: &impl Database, selector: &TableSelector) -> Result<Table> {
    let table = find_table(database, selector).await?;
    let guard = Statement::new(ALL_PUBLISHED, [table.key.into()]);
    let statements = [guard].into_iter().chain(plan_drop(table.key)).collect();
    match database.batch(Batch::write(statements)).await {
        Ok(_) => Ok(table),
        Err(DatabaseError::Guard(guard)) if guard == "commits_unpublished" => Err(Error::new(
            ErrorKind::Conflict,
            format!("table {} has commits that no log is known to have; nothing was forgotten", quoted(&table.name)),
        )
        .table(&table.name)
        .hint("`dl mirror` writes them to the log; `dl drop --yes` forgets them for good")),
        Err(error) => Err(error.or_lost(STILL_LISTED)),
    }
}

const STILL_LISTED: &str = "`dl tables` shows whether the table is still there";

/// Forgets a table, whether or not a log has its commits; its files and its logs stay.
///
/// # Errors
/// As [`find_table`].
pub async fn drop_table(database: &impl Database, selector: &TableSelector) -> Result<Table> {
    let table = find_table(database, selector).await?;
    let dropped = database.batch(Batch::write(plan_drop(table.key))).await;
    dropped.map_err(|error| error.or_lost(STILL_LISTED))?;
    Ok(table)
}
