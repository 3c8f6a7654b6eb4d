//! `dl tables`, `dl drop`, `dl migrate`.

use deltalakedb_core::Result;
use deltalakedb_core::catalog::{
    MIGRATIONS, Table, TableSelector, catalog_version, drop_published_table, drop_table, list_tables, plan_migrations,
};
use serde_json::{Value, json};

use crate::cli::{self, Format};
use crate::database::{SqliteDatabase, is_there, open_catalog, open_or_create};
use crate::output::{Column, Output};

pub(super) async fn tables(args: cli::Database, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database).await?;
    let tables = list_tables(&database).await?;
    if output.format != Format::Table {
        return output.json_list(&tables.iter().map(table_json).collect::<Vec<_>>());
    }
    if tables.is_empty() {
        output.note("the catalog has no tables; `dl import` brings one in");
        return Ok(());
    }
    let columns = [Column::Left("NAME"), Column::Right("VERSION"), Column::Right("EARLIEST"), Column::Left("LOCATION")];
    let rows = tables
        .into_iter()
        .map(|table| vec![table.name, table.version.to_string(), table.earliest_version.to_string(), table.location]);
    output.table(&columns, rows.collect())
}

pub(super) fn table_json(table: &Table) -> Value {
    json!({
        "table_id": table.table_id,
        "name": table.name,
        "location": table.location,
        "version": table.version,
        "earliest_version": table.earliest_version,
    })
}

pub(super) async fn drop(args: cli::Drop, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let selector = TableSelector::Named(args.table);
    let table = match args.yes {
        true => drop_table(&database, &selector).await?,
        false => drop_published_table(&database, &selector).await?,
    };
    if output.format != Format::Table {
        return output.json(&table_json(&table));
    }
    output.note(&format!("forgot table {}; its files and log at {} are untouched", table.name, table.location));
    Ok(())
}

pub(super) async fn migrate(args: cli::Migrate, output: &Output) -> Result<()> {
    let before = if args.dry_run && !is_there(&args.database.database)? {
        0 // and no file is made to say so
    } else {
        let database = open_or_create(&args.database.database)?;
        let before = catalog_version(&database).await?;
        if !args.dry_run {
            apply_migrations(&database).await?;
        }
        before
    };
    let lacking = plan_migrations(before);
    if output.format != Format::Table {
        let migrations: Vec<_> =
            lacking.iter().map(|migration| json!({ "version": migration.version, "name": migration.name })).collect();
        return output.json(&json!({
            "version_before": before,
            "version": if args.dry_run { before } else { MIGRATIONS.len() as i64 },
            "migrations": migrations,
            "applied": !args.dry_run,
        }));
    }
    let columns = [Column::Right("MIGRATION"), Column::Left("NAME"), Column::Left("STATE")];
    let rows = MIGRATIONS.iter().map(|migration| {
        let state = match (migration.version <= before, args.dry_run) {
            (true, _) => "applied",
            (false, false) => "applied now",
            (false, true) => "not applied",
        };
        vec![migration.version.to_string(), migration.name.to_owned(), state.to_owned()]
    });
    output.table(&columns, rows.collect())
}

/// Brings a catalog up to date, an empty database included.
pub(super) async fn apply_migrations(database: &SqliteDatabase) -> Result<()> {
    for migration in plan_migrations(catalog_version(database).await?) {
        let applied = database.migrate(migration.sql);
        // Another process may have been first: what counts is the version.
        if let Err(error) = applied
            && catalog_version(database).await? < migration.version
        {
            return Err(error
                .or_lost("migrate again: what was applied is known")
                .context(format!("applying migration {} ({})", migration.version, migration.name)));
        }
    }
    Ok(())
}
