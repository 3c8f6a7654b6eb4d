//! `dl verify`.

use deltalakedb_core::Result;
use deltalakedb_core::catalog::Table;
use serde_json::{Value, json};

use super::{Found, compared_targets, now_ms};
use crate::cli::{self, Format};
use crate::database::{SqliteDatabase, open_catalog};
use crate::output::{Column, Output};
use crate::progress::count_bar;
use crate::store::{LogStore, Stores};
use crate::verify::{Problem, Verified, VerifiedVersion, Wanted, verify};

/// Problems that are shown to people; the other formats have all.
const SHOWN: usize = 50;

pub(super) async fn run(args: cli::Verify, output: &Output) -> Result<Found> {
    let database = open_catalog(&args.compared.database.database).await?;
    let wanted = Wanted { last: args.last.map(i64::from), range: args.version };
    let mut found = Found::Done;
    let mut documents = Vec::new();
    let stores = args.compared.store.stores()?;
    let compared = compared_targets(&database, &args.compared).await?;
    let is_alone = compared.len() == 1;
    for (table, target) in compared {
        match verify_table(&database, &table, &target, &stores, wanted, output).await {
            Ok((verified, document)) => {
                documents.extend(document);
                found = found.max(if verified.is_equal() { Found::Done } else { Found::Drift });
            }
            Err(error) => {
                let error = error.context(format!("verifying table {}", table.name)).table(&table.name);
                if output.is_pipe_closed() || (is_alone && !args.compared.all) {
                    return Err(error);
                }
                output.error(&error);
                found = Found::Failed;
            }
        }
    }
    if output.format == Format::Json {
        output.json(&documents)?;
    }
    Ok(found)
}

async fn verify_table(
    database: &SqliteDatabase,
    table: &Table,
    target: &str,
    stores: &Stores,
    wanted: Wanted,
    output: &Output,
) -> Result<(Verified, Option<Value>)> {
    let log = LogStore::of_target(target, stores)?;
    let bar = count_bar(&format!("verifying {}", table.name));
    let mut unequal: Vec<(i64, Problem)> = Vec::new();
    let mut versions: Vec<Value> = Vec::new();
    let mut see = |version: &VerifiedVersion| {
        bar.inc(1);
        match output.format {
            Format::Ndjson => {
                let mut line = json!(version);
                (line["kind"], line["table"]) = (json!("version"), json!(table.name));
                output.json(&line)?;
            }
            Format::Json => versions.push(json!(version)),
            Format::Table if unequal.len() < SHOWN => {
                unequal.extend(version.problems.iter().map(|problem| (version.version, problem.clone())));
            }
            Format::Table => {}
        }
        Ok(())
    };
    let verified =
        verify(database, table, &log, wanted, now_ms(), |versions| bar.set_length(versions), &mut see).await?;
    bar.finish_and_clear();
    let mut summary = json!({
        "table_id": verified.table.table_id,
        "name": verified.table.name,
        "target": verified.target,
        "status": status(&verified),
        "first_version": verified.first,
        "last_version": verified.last,
        "lag_versions": verified.lag_versions,
        "unequal_version_count": verified.unequal_versions,
        "checkpoint_count": verified.checkpoints,
        "compacted_count": verified.compacted,
        "checksum_count": verified.checksums,
        "problems": verified.problems,
    });
    let document = match output.format {
        Format::Table => {
            print_table(&verified, &unequal, output)?;
            None
        }
        Format::Ndjson => {
            (summary["kind"], summary["table"]) = (json!("summary"), json!(table.name));
            output.json(&summary)?;
            None
        }
        Format::Json => {
            summary["versions"] = versions.into();
            Some(summary)
        }
    };
    Ok((verified, document))
}

fn status(verified: &Verified) -> &'static str {
    match verified.is_equal() {
        false => "unequal",
        true if verified.lag_versions > 0 => "lagging",
        true => "equal",
    }
}

fn print_table(verified: &Verified, unequal: &[(i64, Problem)], output: &Output) -> Result<()> {
    output.properties(&[
        ("table", verified.table.name.clone()),
        ("target", verified.target.clone()),
        ("status", status(verified).to_owned()),
        ("versions", format!("{} to {}", verified.first, verified.last)),
        ("versions behind", verified.lag_versions.to_string()),
        ("unequal versions", verified.unequal_versions.to_string()),
        ("checkpoints", verified.checkpoints.to_string()),
        ("compacted logs", verified.compacted.to_string()),
        ("checksums", verified.checksums.to_string()),
    ])?;
    if verified.is_equal() {
        return Ok(());
    }
    let row = |version: String, problem: &Problem| {
        vec![version, problem.object.clone().unwrap_or_else(|| "-".to_owned()), problem.message.clone()]
    };
    let mut rows: Vec<_> = verified.problems.iter().map(|problem| row("-".to_owned(), problem)).collect();
    rows.extend(unequal.iter().map(|(version, problem)| row(version.to_string(), problem)));
    output.write(|out| std::io::Write::write_all(out, b"\n"))?;
    output.table(&[Column::Right("VERSION"), Column::Left("OBJECT"), Column::Left("PROBLEM")], rows)?;
    if unequal.len() >= SHOWN {
        output.note(&format!("only the first {SHOWN} are shown; --format ndjson prints all"));
    }
    output.note("`dl diff --version` tells what differs at a version");
    Ok(())
}
