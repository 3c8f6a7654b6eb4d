//! Bringing a log into the catalog: a reader and a writer side by side, batches between them.

mod agreement;
mod reader;

use std::time::Duration;

use deltalakedb_core::catalog::{
    Registered, Registration, Table, TableSelector, UnfinishedImport, find_table, list_tables, register, take_over,
};
use deltalakedb_core::import::{ImportPlanner, sign_of_life};
use deltalakedb_core::log::{HistoryMode, LogListing, LogPlan};
use deltalakedb_core::segment::refresh;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Batch, Database};
use deltalakedb_core::{Error, ErrorKind, Result};
use uuid::Uuid;

use agreement::check_agreement;
pub(crate) use agreement::{Disagreement, disagreement, log_digest, read_actions};
use reader::{read_increment, read_plan, run};

use crate::database::SqliteDatabase;
use crate::output::Output;
use crate::progress::{bytes_bar, spinner};
use crate::store::LogStore;

/// How long an import that gives no sign of life is watched before it counts as dead.
const WATCH: Duration = Duration::from_secs(5);

/// What an import did.
pub(crate) struct Imported {
    pub(crate) table: Table,
    pub(crate) versions_imported: i64,
}

/// What is in a log.
pub(crate) async fn list_log(log: &LogStore) -> Result<LogListing> {
    Ok(LogListing::new(log.list().await.map_err(|error| error.context(format!("importing {}", log.url())))?))
}

/// What to read of a log.
pub(crate) fn plan_import(log: &LogStore, listing: &LogListing, mode: HistoryMode) -> Result<LogPlan> {
    let plan = listing.plan(mode);
    plan.map_err(|error| error.context(format!("importing {}", log.url())).path(log.url().as_str()))
}

/// Imports a log as a new table.
pub(crate) async fn import_table(
    database: &SqliteDatabase,
    log: &LogStore,
    plan: LogPlan,
    name: String,
    location: String,
    output: &Output,
) -> Result<Imported> {
    let shown = name.clone();
    import_as(database, log, plan, new_registration(name, location), &shown, output, ImportPlanner::finish).await
}

/// Takes a log's table in anew, in the place of `old`, unless that is not at its version any more. Until it is whole nobody
/// sees it, and `old` stays; killed and run again it begins anew.
pub(crate) async fn import_in_place_of(
    database: &SqliteDatabase,
    log: &LogStore,
    plan: LogPlan,
    old: Table,
    output: &Output,
) -> Result<Imported> {
    // Names that no other table can have: control characters and fragments are refused in them.
    let name = format!("\u{1}{}", old.table_id);
    let location = format!("{}#{}", old.location, old.table_id);
    let shown = old.name.clone();
    let last = move |planner: ImportPlanner| planner.finish_replacing(&old);
    let imported = import_as(database, log, plan, new_registration(name, location), &shown, output, last).await;
    imported.map_err(|error| {
        if error.kind() != ErrorKind::Conflict {
            return error;
        }
        Error::new(ErrorKind::Conflict, "the table was committed to meanwhile, or is being taken in by another process")
            .context(format!("importing {}", log.url()))
            .table(shown)
            .hint("run this again; the table is as it was")
    })
}

fn new_registration(name: String, location: String) -> Registration {
    Registration { import_id: Uuid::new_v4().to_string(), table_id: Uuid::new_v4().to_string(), name, location }
}

/// `shown` is the name for people; `last` makes the last batch.
async fn import_as(
    database: &SqliteDatabase,
    log: &LogStore,
    plan: LogPlan,
    registration: Registration,
    shown: &str,
    output: &Output,
    last: impl FnOnce(ImportPlanner) -> Batch + Send + 'static,
) -> Result<Imported> {
    let key = begin(database, &registration, output).await.map_err(|error| error.table(shown))?;
    let planner = ImportPlanner::new(key, registration.import_id.clone(), plan.earliest_version, database.limits());
    let bar = bytes_bar(plan_bytes(&plan), &format!("importing {shown}"));
    let heartbeat = sign_of_life(key, &registration.import_id);
    let result = run(database, log, bar, Some(heartbeat), move |reader| read_plan(reader, &plan, planner, last)).await;
    if let Err(error) = result {
        // What the import had written is nobody's; a later import would sweep it, too.
        if let Ok(Registered::Held(unfinished)) = register(database, &registration).await {
            let _ = take_over_own(database, &unfinished, &registration).await;
        }
        let error = superseded(error, shown).context(format!("importing {}", log.url()));
        return Err(error.table(shown));
    }
    bring_into_segments(database, key, shown, output).await;
    let table = find_table(database, &TableSelector::Key(key)).await?;
    Ok(Imported { versions_imported: table.version - table.earliest_version + 1, table })
}

async fn take_over_own(
    database: &SqliteDatabase,
    unfinished: &UnfinishedImport,
    registration: &Registration,
) -> Result<()> {
    if unfinished.is(&registration.import_id) {
        take_over(database, unfinished).await?;
    }
    Ok(())
}

/// Registers the table; what a dead import left is swept, a living one is left alone.
async fn begin(database: &SqliteDatabase, registration: &Registration, output: &Output) -> Result<i64> {
    loop {
        let unfinished = match register(database, registration).await? {
            Registered::Begun(key) => return Ok(key),
            Registered::Held(unfinished) => unfinished,
        };
        output.note("another import of this table has begun and not ended; looking whether it is still running");
        tokio::time::sleep(WATCH).await;
        match register(database, registration).await? {
            Registered::Begun(key) => return Ok(key),
            Registered::Held(later) if later == unfinished => {
                // Alive after all: the next look tells what it has become.
                take_over(database, &later).await?;
            }
            Registered::Held(_) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("another import of {} is running", registration.location),
                )
                .table(registration.name.clone())
                .hint("wait until it has ended; `dl tables` shows the table then"));
            }
        }
    }
}

fn superseded(error: Error, shown: &str) -> Error {
    if error.kind() == ErrorKind::Conflict {
        return Error::new(ErrorKind::Conflict, "another import took the table over, or the table was dropped")
            .table(shown)
            .hint("`dl tables` shows what is there");
    }
    error
}

/// Takes in the commits that a registered table lacks.
pub(crate) async fn import_increment(
    database: &SqliteDatabase,
    log: &LogStore,
    listing: &LogListing,
    table: Table,
    output: &Output,
) -> Result<Imported> {
    let doing =
        |error: Error| error.context(format!("importing {} into table {}", log.url(), table.name)).table(&table.name);
    check_agreement(database, log, listing, &table).await.map_err(doing)?;
    let steps = listing.plan_after(table.version).map_err(doing)?;
    let versions_imported = steps.len() as i64;
    let selector = TableSelector::Key(table.key);
    let state = snapshot(database, &selector, At::Latest).await?;
    let planner = ImportPlanner::incremental(&table, state.metadata, state.protocol, database.limits());
    let bar = bytes_bar(steps.iter().map(|step| step.file.size).sum(), &format!("importing {}", table.name));
    run(database, log, bar, None, move |reader| read_increment(reader, &steps, planner)).await.map_err(|error| {
        if error.kind() == ErrorKind::Conflict {
            return doing(
                Error::new(ErrorKind::Conflict, "the table was committed to meanwhile").hint("run the import again"),
            );
        }
        doing(error)
    })?;
    bring_into_segments(database, table.key, &table.name, output).await;
    Ok(Imported { table: find_table(database, &selector).await?, versions_imported })
}

/// Prepares long lists of the table's files. It is imported already; what goes wrong here makes them slower, no more.
async fn bring_into_segments(database: &SqliteDatabase, key: i64, shown: &str, output: &Output) {
    let bar = spinner(&format!("bringing the files of {shown} into segments"));
    loop {
        match refresh(database, &TableSelector::Key(key), 1).await {
            Ok(0) => break,
            Ok(_) => bar.inc(1),
            Err(error) => {
                output.note(&format!("the table is imported, but lists of its files will be slow: {error}"));
                break;
            }
        }
    }
    bar.finish_and_clear();
}

/// The table that is registered at a location.
pub(crate) async fn table_at(database: &impl Database, location: &str) -> Result<Option<Table>> {
    Ok(list_tables(database).await?.into_iter().find(|table| table.location == location))
}

fn plan_bytes(plan: &LogPlan) -> u64 {
    let checkpoint = plan.checkpoint.iter().flat_map(|checkpoint| &checkpoint.files);
    checkpoint.chain(plan.steps.iter().map(|step| &step.file)).map(|file| file.size).sum()
}
