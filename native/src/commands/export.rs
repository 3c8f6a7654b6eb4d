//! `dl export`.

use std::path::{Component, Path};

use deltalakedb_core::catalog::{Table, find_table, list_tables};
use deltalakedb_core::snapshot::At;
use deltalakedb_core::{Error, Result};
use serde_json::{Value, json};

use super::{Found, now_ms, selector};
use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::mirror::{Exported, Paths, export_table};
use crate::output::{Column, Output, bytes};
use crate::store::{LogStore, Stores};

pub(super) async fn run(args: cli::Export, output: &Output) -> Result<Found> {
    let database = open_catalog(&args.database.database).await?;
    let stores = args.store.stores()?;
    let paths = if args.absolute_paths { Paths::Absolute } else { Paths::AsStored };
    let at = args.version.map_or(At::Latest, At::Version);
    let tables = match args.all {
        true => list_tables(&database).await?,
        false => vec![find_table(&database, &selector(args.table.as_deref())).await?],
    };
    let mut found = Found::Done;
    let mut done: Vec<(Table, Exported)> = Vec::new();
    for table in tables {
        let exported = match log_of(&table, &args, &stores) {
            Ok(log) => export_table(&database, &table, at, &log, paths, now_ms()).await,
            Err(error) => Err(error),
        };
        match exported {
            Ok(exported) => done.push((table, exported)),
            Err(error) => {
                let error = error.context(format!("exporting table {}", table.name)).table(&table.name);
                if !args.all {
                    return Err(error);
                }
                output.error(&error);
                found = Found::Failed;
            }
        }
    }
    print(&done, output)?;
    if paths == Paths::AsStored && !done.is_empty() {
        output.note("only the log was written: data files belong into the same folder, or use --absolute-paths");
    }
    Ok(found)
}

/// The log in the folder that was named, or in that of the table's name in it.
fn log_of(table: &Table, args: &cli::Export, stores: &Stores) -> Result<LogStore> {
    let folder = LogStore::of_folder("--to", &args.to, stores)?;
    if !args.all {
        return if folder.url().path().ends_with("/_delta_log") { Ok(folder) } else { folder.child("_delta_log") };
    }
    let mut parts = Path::new(&table.name).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && !table.name.contains(['/', '\\', '\0']);
    if !is_plain {
        return Err(Error::invalid("its name is no folder's").hint("export it alone, with --table"));
    }
    folder.child(&table.name)?.child("_delta_log")
}

fn print(done: &[(Table, Exported)], output: &Output) -> Result<()> {
    if output.format != Format::Table {
        let values: Vec<Value> = done
            .iter()
            .map(|(table, exported)| {
                json!({
                    "table_id": table.table_id,
                    "name": table.name,
                    "target": exported.target,
                    "version": exported.version,
                    "has_commit": exported.has_commit,
                    "file_count": exported.file_count,
                    "size_bytes": exported.size_bytes,
                })
            })
            .collect();
        return output.json_list(&values);
    }
    let columns = [
        Column::Left("TABLE"),
        Column::Right("VERSION"),
        Column::Right("FILES"),
        Column::Right("SIZE"),
        Column::Left("TARGET"),
    ];
    let rows = done.iter().map(|(table, exported)| {
        vec![
            table.name.clone(),
            exported.version.to_string(),
            exported.file_count.to_string(),
            bytes(exported.size_bytes),
            exported.target.clone(),
        ]
    });
    output.table(&columns, rows.collect())
}
