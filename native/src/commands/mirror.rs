//! `dl mirror`.

use deltalakedb_core::catalog::{Table, find_table, list_tables};
use deltalakedb_core::{Error, Result};
use serde_json::{Value, json};

use super::{now_ms, selector};
use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::mirror::{Mirrored, mirror_table};
use crate::output::{Column, Output};
use crate::progress::bytes_bar;
use crate::store::LogStore;

pub(super) async fn run(args: cli::Mirror, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let tables = if args.all {
        list_tables(&database).await?
    } else {
        vec![find_table(&database, &selector(args.table.as_deref())).await?]
    };
    let stores = args.store.stores()?;
    let mut done: Vec<(Table, Mirrored)> = Vec::new();
    let mut failure: Option<Error> = None;
    for table in tables {
        let target = args.target.as_deref().unwrap_or(&table.location);
        let mirrored = match LogStore::of_table(target, &stores).await {
            Ok(log) => {
                let bar = bytes_bar(0, &format!("mirroring {}", table.name));
                mirror_table(&database, &table, &log, now_ms(), || bar.inc(1)).await
            }
            Err(error) => Err(error),
        };
        match mirrored {
            Ok(mirrored) => done.push((table, mirrored)),
            Err(error) => {
                let error = error.context(format!("mirroring table {}", table.name)).table(&table.name);
                // With --all the other tables go on; the last error is the command's.
                if let Some(earlier) = failure.replace(error) {
                    output.error(&earlier);
                }
            }
        }
    }
    if !done.is_empty() || failure.is_none() {
        print(&done, output)?;
    }
    failure.map_or(Ok(()), Err)
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
        Column::Left("TARGET"),
    ];
    let rows = done.iter().map(|(table, mirrored)| {
        vec![
            table.name.clone(),
            mirrored.version.to_string(),
            mirrored.commits_written.to_string(),
            mirrored.checkpoint_version.map_or("-".to_owned(), |version| version.to_string()),
            mirrored.target.clone(),
        ]
    });
    output.table(&columns, rows.collect())
}
