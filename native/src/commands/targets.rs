//! `dl targets`.

use deltalakedb_core::catalog::{TableSelector, find_table};
use deltalakedb_core::mirror::{Target, TargetStatus, add_target, remove_target, target_statuses};
use deltalakedb_core::{Error, Result};
use serde_json::{Value, json};

use super::{now_ms, selector};
use crate::cli::{self, Format, TargetChange};
use crate::database::{SqliteDatabase, open_catalog};
use crate::output::{Column, Output};
use crate::store::parse_target;

pub(super) async fn run(args: cli::Targets, output: &Output) -> Result<()> {
    match args.change {
        None => show(args.shown, output).await,
        Some(TargetChange::Add(one)) => {
            let (database, target) = target(&one).await?;
            let location = find_table(&database, &TableSelector::Key(target.table)).await?.location;
            add_target(&database, &target, now_ms()).await?;
            let statuses = target_statuses(&database, Some(target.table)).await?;
            print(&statuses, output)?;
            if !statuses.iter().any(|status| status.target.url == location) {
                output.note(&format!(
                    "the table's own folder is none of its targets, and is not mirrored to; `dl targets add --target \
                     {location}` makes it one"
                ));
            }
            Ok(())
        }
        Some(TargetChange::Remove(one)) => {
            let (database, target) = target(&one).await?;
            remove_target(&database, &target).await.map_err(|error| error.context("removing a target"))?;
            print(&target_statuses(&database, Some(target.table)).await?, output)
        }
    }
}

async fn show(args: cli::ShownTargets, output: &Output) -> Result<()> {
    let database = args.database.ok_or_else(|| {
        Error::invalid("the catalog is not named").hint("give --database, or DL_DATABASE in the environment")
    })?;
    let database = open_catalog(&database).await?;
    let table = match args.table {
        Some(table) => Some(find_table(&database, &selector(Some(&table))).await?.key),
        None => None,
    };
    print(&target_statuses(&database, table).await?, output)
}

async fn target(one: &cli::OneTarget) -> Result<(SqliteDatabase, Target)> {
    let database = open_catalog(&one.database.database).await?;
    let table = find_table(&database, &selector(one.table.as_deref())).await?;
    Ok((database, Target { table: table.key, url: parse_target(&one.target)? }))
}

fn print(statuses: &[TargetStatus], output: &Output) -> Result<()> {
    let now_ms = now_ms();
    if output.format != Format::Table {
        let values: Vec<Value> = statuses.iter().map(|status| to_json(status, now_ms)).collect();
        return output.json_list(&values);
    }
    let columns = [
        Column::Left("TABLE"),
        Column::Right("VERSION"),
        Column::Right("BEHIND"),
        Column::Right("LAG s"),
        Column::Right("FAILURES"),
        Column::Left("DAEMON"),
        Column::Left("TARGET"),
        Column::Left("LAST ERROR"),
    ];
    let rows = statuses.iter().map(|status| {
        let error = status.last_error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or("-");
        vec![
            status.table.clone(),
            status.version.map_or("-".to_owned(), |version| version.to_string()),
            status.lag_versions().to_string(),
            format!("{:.1}", status.lag_ms(now_ms) as f64 / 1000.0),
            status.failures.to_string(),
            status.daemon.clone().unwrap_or("-".to_owned()),
            status.target.url.clone(),
            error.to_owned(),
        ]
    });
    output.table(&columns, rows.collect())
}

fn to_json(status: &TargetStatus, now_ms: i64) -> Value {
    json!({
        "table": status.table,
        "target": status.target.url,
        "table_version": status.table_version,
        "version": status.version,
        "lag_versions": status.lag_versions(),
        "lag_ms": status.lag_ms(now_ms),
        "checkpoint_version": status.checkpoint_version,
        "published_at_ms": status.published_at_ms,
        "failures": status.failures,
        "last_error": status.last_error,
        "updated_at_ms": status.updated_at_ms,
        "daemon": status.daemon,
    })
}
