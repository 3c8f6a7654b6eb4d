//! The project's own mirror, against the simulated store.

use std::sync::Arc;

use deltalakedb_core::catalog::{Table, TableSelector, find_table, list_tables};
use deltalakedb_core::{Error, ErrorKind, Result};
use deltalakedb_native::mirror::mirror_table;
use deltalakedb_native::store::LogStore;
use object_store::path::Path;
use url::Url;

use crate::executor::{Start, TaskFuture};
use crate::port::Client;
use crate::store::SimStore;
use crate::world::World;

/// The folder of a table's log in the store.
pub(crate) fn folder(table: i64) -> String {
    format!("{table}/_delta_log")
}

/// A mirror of all tables; of some of them, others may be made at the same time.
pub(crate) fn start(world: &Arc<World>, name: &str) -> Start {
    let client = world.client(name);
    Box::new(move || -> TaskFuture { Box::pin(mirror_for_ever(client.clone())) })
}

async fn mirror_for_ever(client: Client) {
    loop {
        client.sleep(client.below(300) as u64).await;
        let tables = match list_tables(&client).await {
            Ok(tables) => tables,
            Err(error) => {
                expect_fault(&client, &error);
                continue;
            }
        };
        // Copies have the commits of their source, whose mirror is checked.
        let tables: Vec<Table> = tables.into_iter().filter(|table| table.name.starts_with("table-")).collect();
        let Some(table) = client.pick(&tables) else { continue };
        if let Err(error) = mirror(&client, table).await {
            expect_fault(&client, &error);
        }
    }
}

/// A log has no other writer here, so there is no conflict and no damage.
fn expect_fault(client: &Client, error: &Error) {
    match error.kind() {
        ErrorKind::Unavailable => client.tell(format!("mirroring: {error}")),
        kind => client.world.violation(format!("{}: mirroring: {kind:?}: {error}", client.name)),
    }
}

async fn mirror(client: &Client, table: &Table) -> Result<()> {
    let store = Arc::new(SimStore(client.clone()));
    let url = Url::parse(&format!("sim:///{}", folder(table.key)))
        .map_err(|error| Error::invalid(format!("the address of a log: {error}")))?;
    let log = LogStore::in_store(url, store, Path::from(folder(table.key)));
    let mirrored = mirror_table(client, table, &log, client.world.clock.next_day_ms(), || {}).await?;
    client.tell(format!("mirrored table {} up to {}", table.key, mirrored.version));
    Ok(())
}

/// Brings the mirror of a table up to date; there are no faults any more.
pub(crate) async fn finish(client: Client, key: i64) {
    let done = async {
        let table = find_table(&client, &TableSelector::Key(key)).await?;
        mirror(&client, &table).await
    };
    if let Err(error) = done.await {
        client.world.violation(format!("after all faults, mirroring table {key}: {:?}: {error}", error.kind()));
    }
}
