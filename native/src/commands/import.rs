//! `dl import`.

use std::borrow::Cow;

use deltalakedb_core::catalog::{MIGRATIONS, catalog_version};
use deltalakedb_core::log::HistoryMode;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::table_features::managing_feature;
use deltalakedb_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::catalog::apply_migrations;
use crate::cli::{self, Format, ImportMode};
use crate::database::{SqliteDatabase, open_or_create, shown};
use crate::import::{Imported, import_increment, import_table, list_log, plan_import, table_at};
use crate::output::Output;
use crate::store::{LogStore, parse_table_location};

/// Bytes of a name, at the most: it is shown in tables and addresses.
const LONGEST_NAME: usize = 512;

pub(super) async fn run(args: cli::Import, output: &Output) -> Result<()> {
    let log = LogStore::of_log(&args.log_dir, &args.store.stores()?).await?;
    let location = match &args.table_location {
        Some(location) => parse_table_location(location)?,
        None => log.table_location(),
    };
    let name = table_name(args.name.as_deref(), &location)?;
    let mode = match args.mode {
        ImportMode::Latest => HistoryMode::Latest,
        ImportMode::FullHistory => HistoryMode::Full,
    };
    let listing = list_log(&log).await?;
    let plan = plan_import(&log, &listing, mode);
    // Before anything is made: a log that cannot be read leaves no catalog behind.
    let plan = if args.incremental && !listing.is_empty() { plan } else { Ok(plan?) };
    let database = open_or_create(&args.database.database)?;
    prepare(&database)
        .await
        .map_err(|error| error.context(format!("opening the catalog {}", shown(&args.database.database))))?;

    let registered = if args.incremental { table_at(&database, &location).await? } else { None };
    let imported = match registered {
        Some(table) if args.name.as_ref().is_some_and(|name| *name != table.name) => {
            return Err(Error::invalid(format!("the log is registered as table `{}`, not as `{name}`", table.name))
                .table(table.name)
                .hint("leave --name out"));
        }
        Some(table) => import_increment(&database, &log, &listing, table, output).await?,
        None => import_table(&database, &log, plan?, name, location, output).await?,
    };
    report(&database, &imported, output).await
}

/// An empty database becomes a catalog; an older catalog is its owner's to migrate.
async fn prepare(database: &SqliteDatabase) -> Result<()> {
    match catalog_version(database).await? {
        0 => apply_migrations(database).await,
        version if version < MIGRATIONS.len() as i64 => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the catalog has version {version}, this release needs {}", MIGRATIONS.len()),
        )
        .hint("`dl migrate` brings it up to date")),
        _ => Ok(()),
    }
}

fn table_name(given: Option<&str>, location: &str) -> Result<String> {
    let name = match given {
        Some(name) => name.to_owned(),
        None => {
            let last = location.rsplit('/').next().unwrap_or_default();
            // As people read it.
            percent_decode_str(last).decode_utf8().map_or_else(|_| last.to_owned(), Cow::into_owned)
        }
    };
    if name.trim().is_empty() {
        return Err(Error::invalid("the table needs a name").hint("give one with --name"));
    }
    if name.len() > LONGEST_NAME {
        return Err(Error::invalid(format!("the name has {} bytes; {LONGEST_NAME} are allowed", name.len()))
            .hint("give a shorter one with --name"));
    }
    if uuid::Uuid::try_parse(&name).is_ok() {
        return Err(
            Error::invalid("the name is a UUID, by which tables are named, too").hint("give another one with --name")
        );
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("the name has control characters").hint("give another one with --name"));
    }
    Ok(name)
}

async fn report(database: &SqliteDatabase, imported: &Imported, output: &Output) -> Result<()> {
    let table = &imported.table;
    let selector = deltalakedb_core::catalog::TableSelector::Key(table.key);
    let state = snapshot(database, &selector, At::Latest).await?;
    if let Some(feature) = managing_feature(&state.protocol) {
        output.note(&format!(
            "the table has the feature `{feature}`: commits that its catalog keeps to itself are not here"
        ));
    }
    if output.format != Format::Table {
        return output.json(&json!({
            "table_id": table.table_id,
            "name": table.name,
            "location": table.location,
            "version": table.version,
            "earliest_version": table.earliest_version,
            "versions_imported": imported.versions_imported,
            "file_count": state.file_count,
        }));
    }
    output.properties(&[
        ("table", table.name.clone()),
        ("table id", table.table_id.clone()),
        ("location", table.location.clone()),
        ("version", table.version.to_string()),
        ("earliest version", table.earliest_version.to_string()),
        ("versions imported", imported.versions_imported.to_string()),
        ("files", state.file_count.to_string()),
    ])
}
