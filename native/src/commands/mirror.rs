//! `dl mirror`.

use deltalakedb_core::catalog::{Table, find_table, list_tables};
use deltalakedb_core::mirror::{Target, TargetReport, add_target, report_targets, target_statuses};
use deltalakedb_core::{Error, Result};
use serde_json::{Value, json};

use super::{now_ms, selector, targets_of};
use crate::cli::{self, Format};
use crate::database::{SqliteDatabase, open_catalog};
use crate::mirror::{Mirrored, mirror_table};
use crate::output::{Column, Output};
use crate::progress::bytes_bar;
use crate::store::{LogStore, Stores, parse_target};

pub(super) async fn run(args: cli::Mirror, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let tables = match (args.all, args.table.as_slice()) {
        (true, _) => list_tables(&database).await?,
        (false, []) => vec![find_table(&database, &selector(None)).await?],
        (false, names) => {
            let mut tables = Vec::new();
            for name in names {
                tables.push(find_table(&database, &selector(Some(name))).await?);
            }
            tables
        }
    };
    if tables.len() > 1 && !args.target.is_empty() {
        return Err(Error::invalid("--target: several tables cannot be mirrored to one folder")
            .hint("`dl targets add` gives each table targets of its own"));
    }
    let stores = args.store.stores()?;
    let mut done: Vec<(Table, Mirrored)> = Vec::new();
    let mut failure: Option<Error> = None;
    for table in tables {
        for target in targets_of(&database, &table, &args.target).await? {
            match mirror(&database, &table, &target, &stores, output).await {
                Ok(mirrored) => done.push((table.clone(), mirrored)),
                Err(error) => {
                    let error = error.context(format!("mirroring table {}", table.name)).table(&table.name);
                    // The other targets go on; the last error is the command's.
                    if let Some(earlier) = failure.replace(error) {
                        output.error(&earlier);
                    }
                }
            }
        }
    }
    if !done.is_empty() || failure.is_none() {
        print(&done, output)?;
    }
    failure.map_or(Ok(()), Err)
}

/// Brings one target up to date.
async fn mirror(
    database: &SqliteDatabase,
    table: &Table,
    argument: &str,
    stores: &Stores,
    output: &Output,
) -> Result<Mirrored> {
    let log = LogStore::of_table(argument, stores).await?;
    let target = Target { table: table.key, url: parse_target(argument)? };
    let bar = bytes_bar(0, &format!("mirroring {}", table.name));
    let mirrored = mirror_table(database, table, &log, now_ms(), || bar.inc(1)).await;
    if let Err(error) = note(database, &target, &mirrored).await {
        output.note(&format!("the catalog was not told how far {} is: {error}", target.url));
    }
    mirrored
}

/// Notes in the catalog what became of a target; one that worked is a target of the table from now on.
async fn note(database: &SqliteDatabase, target: &Target, mirrored: &Result<Mirrored>) -> Result<()> {
    let known = target_statuses(database, Some(target.table)).await?;
    let failures = known.iter().find(|status| status.target == *target).map_or(0, |status| status.failures);
    let done = mirrored.as_ref().ok();
    let report = TargetReport {
        table: target.table,
        target: target.url.clone(),
        version: done.map(|mirrored| mirrored.version),
        checkpoint_version: done.and_then(|mirrored| mirrored.checkpoint_version),
        failures: if done.is_some() { 0 } else { failures + 1 },
        last_error: mirrored.as_ref().err().map(Error::to_json),
    };
    if done.is_some() {
        add_target(database, target, now_ms()).await?;
    }
    report_targets(database, &[report], now_ms()).await
}

fn print(done: &[(Table, Mirrored)], output: &Output) -> Result<()> {
    if output.format != Format::Table {
        let values: Vec<Value> = done
            .iter()
            .map(|(table, mirrored)| {
                json!({
                    "table_id": table.table_id,
                    "name": table.name,
                    "target": mirrored.target,
                    "version": mirrored.version,
                    "commits_written": mirrored.commits_written,
                    "checkpoint_version": mirrored.checkpoint_version,
                    "files_deleted": mirrored.deleted.len(),
                })
            })
            .collect();
        return output.json_list(&values);
    }
    let columns = [
        Column::Left("TABLE"),
        Column::Right("VERSION"),
        Column::Right("COMMITS WRITTEN"),
        Column::Right("CHECKPOINT"),
        Column::Right("FILES DELETED"),
        Column::Left("TARGET"),
    ];
    let rows = done.iter().map(|(table, mirrored)| {
        vec![
            table.name.clone(),
            mirrored.version.to_string(),
            mirrored.commits_written.to_string(),
            mirrored.checkpoint_version.map_or("-".to_owned(), |version| version.to_string()),
            mirrored.deleted.len().to_string(),
            mirrored.target.clone(),
        ]
    });
    output.table(&columns, rows.collect())
}
