//! Imports of what the mirrors wrote: the host's side, without threads.

use std::sync::Arc;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Registered, Registration, Table, TableSelector, list_tables, register, take_over};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::log::{CheckpointReader, HistoryMode, LogListing, Step, read_commit_line};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Batch, Database, DatabaseError};
use deltalakedb_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::executor::{Start, TaskFuture};
use crate::lock;
use crate::mirrors::folder;
use crate::port::Client;
use crate::store::SimStore;
use crate::world::World;

/// How long an import without a sign of life is watched, in milliseconds.
const WATCH_MS: u64 = 5_000;

pub(crate) fn start(world: &Arc<World>, name: &str) -> Start {
    let client = world.client(name);
    Box::new(move || -> TaskFuture { Box::pin(import_for_ever(client.clone())) })
}

async fn import_for_ever(client: Client) {
    loop {
        client.sleep(client.below(500) as u64).await;
        if let Err(error) = import(&client).await {
            // Importers get in each other's way: that one is superseded is no fault.
            match error.kind() {
                ErrorKind::Unavailable | ErrorKind::NotFound | ErrorKind::Conflict => {
                    client.tell(format!("importing: {error}"));
                }
                kind => client.world.violation(format!("{}: importing: {kind:?}: {error}", client.name)),
            }
        }
    }
}

async fn import(client: &Client) -> Result<()> {
    let tables = list_tables(client).await?;
    let sources: Vec<&Table> = tables.iter().filter(|table| table.name.starts_with("table-")).collect();
    let Some(source) = client.pick(&sources) else { return Ok(()) };
    let store = SimStore(client.clone());
    let listing = list(&store, source.key).await?;
    if listing.is_empty() {
        return Ok(());
    }
    let name = format!("copy-{}-{}", source.key, client.below(2));
    match tables.iter().find(|table| table.name == name) {
        Some(copy) => go_on(client, &store, source.key, &listing, copy).await,
        None => begin(client, &store, source.key, &listing, name).await,
    }
}

async fn list(store: &SimStore, source: i64) -> Result<LogListing> {
    let listed = store.list_with_delimiter(Some(&Path::from(folder(source)))).await.map_err(unavailable)?;
    Ok(LogListing::new(listed.objects.into_iter().map(|object| {
        let name = object.location.filename().unwrap_or_default().to_owned();
        (name, object.size, object.last_modified.timestamp_millis())
    })))
}

async fn fetch(store: &SimStore, source: i64, name: &str) -> Result<bytes::Bytes> {
    let path = Path::from(format!("{}/{name}", folder(source)));
    let result = store.get(&path).await.map_err(unavailable)?;
    result.bytes().await.map_err(unavailable)
}

fn unavailable(error: object_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string())
}

/// Imports a log as a new table.
async fn begin(client: &Client, store: &SimStore, source: i64, listing: &LogListing, name: String) -> Result<()> {
    let mode = if client.once_in(2) { HistoryMode::Full } else { HistoryMode::Latest };
    let plan = listing.plan(mode)?;
    let number = client.world.number();
    let registration = Registration {
        import_id: format!("import {number}"),
        table_id: format!("id of import {number}"),
        location: format!("sim:///{name}"),
        name,
    };
    let key = loop {
        let unfinished = match register(client, &registration).await? {
            Registered::Begun(key) => break key,
            Registered::Held(unfinished) => unfinished,
        };
        client.sleep(WATCH_MS).await;
        if let Registered::Held(later) = register(client, &registration).await?
            && later == unfinished
        {
            let taken = take_over(client, &later).await?;
            client.tell(format!("took {} over: {taken:?}", registration.name));
        }
    };
    lock(&client.world.ledger).copies.insert(key, source);
    client.tell(format!(
        "imports table {source} as {key}, versions {} to {}",
        plan.earliest_version, plan.latest_version
    ));
    let mut planner = ImportPlanner::new(key, registration.import_id, plan.earliest_version, client.limits());
    if let Some(checkpoint) = &plan.checkpoint {
        planner.begin_checkpoint(checkpoint.version, &checkpoint.files[0].name);
        for file in &checkpoint.files {
            let bytes = fetch(store, source, &file.name).await?;
            for actions in CheckpointReader::new(&file.name, bytes)? {
                run(client, planner.actions(actions?)?).await?;
            }
        }
        let own_commit_follows = plan.steps.first().is_some_and(|step| step.file.version <= checkpoint.version);
        let is_base_only = plan.earliest_version > checkpoint.version;
        let modified_ms = checkpoint.files[0].modified_ms;
        run(client, planner.end_checkpoint(own_commit_follows || is_base_only, modified_ms)?).await?;
    }
    read_steps(client, store, source, &plan.steps, &mut planner).await?;
    run(client, Some(planner.finish())).await?;
    client.tell(format!("imported table {key}"));
    Ok(())
}

/// Takes in the commits that a copy lacks.
async fn go_on(client: &Client, store: &SimStore, source: i64, listing: &LogListing, copy: &Table) -> Result<()> {
    let state = snapshot(client, &TableSelector::Key(copy.key), At::Latest).await?;
    if listing.first_commit() > Some(state.version + 1) {
        client.tell(format!("the log was cleaned up past version {} of table {}", state.version, copy.key));
        return Ok(());
    }
    let steps = listing.plan_after(state.version)?;
    let mut planner = ImportPlanner::incremental(&state.table, state.metadata, state.protocol, client.limits());
    read_steps(client, store, source, &steps, &mut planner).await?;
    run(client, planner.flush()).await?;
    client.tell(format!("brought table {} from {} to {} steps more", copy.key, state.version, steps.len()));
    Ok(())
}

async fn read_steps(
    client: &Client,
    store: &SimStore,
    source: i64,
    steps: &[Step],
    planner: &mut ImportPlanner,
) -> Result<()> {
    for step in steps {
        let bytes = fetch(store, source, &step.file.name).await?;
        let mut actions: Vec<Action> = Vec::new();
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            read_commit_line(&step.file.name, number, line, &mut actions)?;
        }
        planner.begin_version(step.version, &step.file.name, step.file.modified_ms, step.compacted);
        run(client, planner.actions(actions)?).await?;
        run(client, planner.end_version()?).await?;
    }
    Ok(())
}

async fn run(client: &Client, batch: Option<Batch>) -> Result<()> {
    let Some(batch) = batch else { return Ok(()) };
    match client.batch(batch).await {
        Ok(_) => Ok(()),
        // Another import took the table over, or was faster.
        Err(DatabaseError::Guard(guard)) => Err(Error::new(ErrorKind::Conflict, guard)),
        Err(error) => Err(error.into()),
    }
}
