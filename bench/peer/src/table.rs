//! New tables, and what is in them.

use std::path::{Path, PathBuf};

use deltalakedb_core::Error;
use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::{MIGRATIONS, Registered, Registration, TableSelector, register};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_native::database::SqliteDatabase;
use serde_json::{Value, json};

use crate::Result;

pub(crate) fn catalog(folder: &Path) -> PathBuf {
    folder.join("catalog.db")
}

pub(crate) fn named(number: usize) -> TableSelector {
    TableSelector::Named(format!("t{number}"))
}

pub(crate) fn open(folder: &Path) -> Result<SqliteDatabase> {
    Ok(SqliteDatabase::open(catalog(folder)).map_err(Error::from)?)
}

pub(crate) fn action(value: &Value) -> Result<Action> {
    parse_line(&value.to_string())?.pop().ok_or_else(|| "no action".into())
}

/// The add of a file, with statistics.
pub(crate) fn add(path: &str, partition_values: &Value) -> Result<Action> {
    let stats = r#"{"numRecords":1,"minValues":{"id":1},"maxValues":{"id":1},"nullCount":{"id":0}}"#;
    action(&json!({"add": {
        "path": path, "partitionValues": partition_values, "size": 1000,
        "modificationTime": 1_704_067_200_000_i64, "dataChange": true, "stats": stats,
    }}))
}

/// A catalog of empty tables of three columns, as the other peers have them.
pub(crate) async fn create(folder: &Path, tables: usize) -> Result<()> {
    let database = SqliteDatabase::create(catalog(folder)).map_err(Error::from)?;
    for migration in MIGRATIONS {
        database.migrate(migration.sql).map_err(Error::from)?;
    }
    let fields = [("id", "long"), ("v", "double"), ("s", "string")]
        .map(|(name, kind)| json!({"name": name, "type": kind, "nullable": true, "metadata": {}}));
    let first = [
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": "t", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [], "configuration": {},
            "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
        }}),
    ];
    for number in 0..tables {
        let registration = Registration {
            import_id: format!("creation {number}"),
            table_id: format!("id {number}"),
            name: format!("t{number}"),
            location: format!("memory:///t{number}"),
        };
        let Registered::Begun(key) = register(&database, &registration).await? else {
            return Err("the catalog is not new".into());
        };
        let mut planner = ImportPlanner::new(key, registration.import_id, 0, database.limits());
        planner.begin_version(0, "the creation", 0, false);
        planner.actions(first.iter().map(action).collect::<Result<_>>()?)?;
        planner.end_version()?;
        database.batch(planner.finish()).await.map_err(Error::from)?;
    }
    Ok(())
}

/// Files in all tables.
pub(crate) async fn total(folder: &Path, tables: usize) -> Result<i64> {
    let database = open(folder)?;
    let mut total = 0;
    for number in 0..tables {
        total += snapshot(&database, &named(number), At::Latest).await?.file_count;
    }
    Ok(total)
}
