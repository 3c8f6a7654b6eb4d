//! Catalogs with tables to commit to.

use std::path::Path;

use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::{MIGRATIONS, Registered, Registration, TableSelector, register};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::sql::Database;
use deltalakedb_native::database::{SqliteDatabase, SqliteOptions};
use serde_json::{Value, json};

use crate::Result;

/// The table of that name.
pub(crate) fn named(table: &str) -> TableSelector {
    TableSelector::Named(table.to_owned())
}

/// A runtime as `dl` has it.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A new catalog.
pub(crate) fn create(path: &Path, options: SqliteOptions) -> Result<SqliteDatabase> {
    let database = SqliteDatabase::create_with(path.to_owned(), options).map_err(deltalakedb_core::Error::from)?;
    for migration in MIGRATIONS {
        database.migrate(migration.sql).map_err(deltalakedb_core::Error::from)?;
    }
    Ok(database)
}

/// Opens a catalog that is there.
pub(crate) fn open(path: &Path, options: SqliteOptions) -> Result<SqliteDatabase> {
    Ok(SqliteDatabase::open_with(path.to_owned(), options).map_err(deltalakedb_core::Error::from)?)
}

/// Makes an empty table from the actions of its first version.
pub(crate) async fn create_table(database: &impl Database, name: &str, first: &[Value]) -> Result<i64> {
    create_table_at(database, name, &format!("memory:///{name}"), first).await
}

/// The same, in a folder.
pub(crate) async fn create_table_at(
    database: &impl Database,
    name: &str,
    location: &str,
    first: &[Value],
) -> Result<i64> {
    let registration = Registration {
        import_id: format!("creation of {name}"),
        table_id: format!("id of {name}"),
        name: name.to_owned(),
        location: location.to_owned(),
    };
    let Registered::Begun(key) = register(database, &registration).await? else {
        return Err(format!("the catalog has a table {name}").into());
    };
    let mut planner = ImportPlanner::new(key, registration.import_id, 0, database.limits());
    planner.begin_version(0, "the creation", 0, false);
    planner.actions(first.iter().map(action).collect::<Result<_>>()?)?;
    planner.end_version()?;
    database.batch(planner.finish()).await.map_err(deltalakedb_core::Error::from)?;
    Ok(key)
}

/// An action from its JSON.
pub(crate) fn action(value: &Value) -> Result<Action> {
    parse_line(&value.to_string())?.pop().ok_or_else(|| format!("{value} is no action").into())
}

/// The table that appends go to.
pub(crate) fn plain_table(name: &str) -> [Value; 2] {
    let types = [
        ("id", "long"),
        ("user_id", "long"),
        ("amount", "double"),
        ("city", "string"),
        ("at", "timestamp"),
        ("device", "string"),
        ("score", "long"),
        ("flag", "long"),
        ("day", "string"),
    ];
    let fields = types.map(|(name, kind)| json!({"name": name, "type": kind, "nullable": true, "metadata": {}}));
    [
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": format!("delta id of {name}"),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
            "partitionColumns": ["day"],
            "configuration": {},
        }}),
    ]
}
