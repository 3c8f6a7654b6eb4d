//! Clients that read snapshots while others commit.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use deltalakedb_core::Result;
use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector, list_tables};
use deltalakedb_core::segment::{columns, scan};
use deltalakedb_core::snapshot::{At, FileCursor, Snapshot, files, files_by_id, snapshot};
use serde_json::Value;

use crate::executor::{Start, TaskFuture};
use crate::history::to_value;
use crate::ledger::Seen;
use crate::lock;
use crate::model::{State, key, text};
use crate::port::Client;
use crate::world::World;
use crate::writers::expect_fault;

/// Small, so that paging takes part.
const PAGE: usize = 5;

pub(crate) fn start(world: &Arc<World>, name: &str) -> Start {
    let client = world.client(name);
    Box::new(move || -> TaskFuture { Box::pin(read_for_ever(client.clone())) })
}

async fn read_for_ever(client: Client) {
    loop {
        client.sleep(client.below(60) as u64).await;
        if let Err(error) = look(&client).await {
            expect_fault(&client, "reading", &error);
        }
    }
}

async fn look(client: &Client) -> Result<()> {
    let tables = list_tables(client).await?;
    let Some(table) = client.pick(&tables) else { return Ok(()) };
    let now_ms = client.world.clock.now_ms();
    let (at, asked_ms) = match client.below(4) {
        0 => (At::Version(old_version(client, table)), None),
        1 => {
            let time = now_ms - client.below(2_000) as i64;
            (At::Timestamp(time), Some(time))
        }
        _ => (At::Latest, None),
    };
    let (snapshot, files) = read_files(client, table.key, at).await?;
    client.tell(format!("saw table {} at {} of {}", table.key, snapshot.version, snapshot.table.version));
    let seen = Seen {
        reader: client.name.to_string(),
        table: table.key,
        version: snapshot.version,
        timestamp_ms: snapshot.timestamp_ms,
        latest_version: snapshot.table.version,
        asked_ms,
        file_count: snapshot.file_count,
        size_bytes: snapshot.size_bytes,
        state: state(client, &snapshot, files),
    };
    lock(&client.world.ledger).seen.push(seen);
    Ok(())
}

fn old_version(client: &Client, table: &Table) -> i64 {
    table.earliest_version + client.below((table.version - table.earliest_version + 1) as usize) as i64
}

fn state(client: &Client, snapshot: &Snapshot, adds: Vec<Value>) -> State {
    let mut state = State {
        metadata: serde_json::to_value(&snapshot.metadata).unwrap_or_default(),
        protocol: serde_json::to_value(&snapshot.protocol).unwrap_or_default(),
        ..State::default()
    };
    for txn in &snapshot.transactions {
        state.txns.insert(txn.app_id.clone(), serde_json::to_value(txn).unwrap_or_default());
    }
    for domain in &snapshot.domain_metadata {
        state.domains.insert(domain.domain.clone(), serde_json::to_value(domain).unwrap_or_default());
    }
    for add in adds {
        let path = text(&add, "path");
        if state.files.insert(key(&add), add).is_some() {
            client.world.violation(format!("{}: {path} is twice in one snapshot", client.name));
        }
    }
    state
}

/// A snapshot and the bodies of its `add`s, page by page or by way of segments.
pub(crate) async fn read_files(client: &Client, key: i64, at: At) -> Result<(Snapshot, Vec<Value>)> {
    let snapshot = snapshot(client, &TableSelector::Key(key), at).await?;
    let mut found = Vec::new();
    if client.once_in(2) {
        for part in scan(client, &snapshot, None).await?.parts() {
            for batch in part.read(client).await? {
                found.extend(files_by_id(client, &snapshot, &ids(&batch)).await?);
            }
        }
    } else {
        let mut cursor = Some(FileCursor::start(&snapshot));
        while let Some(at) = cursor {
            let limit = if client.once_in(2) { PAGE } else { 1000 };
            let page = files(client, &snapshot, at, limit).await?;
            found.extend(page.files);
            cursor = page.next;
        }
    }
    Ok((snapshot, found.into_iter().map(|add| to_value(&Action::Add(add))["add"].take()).collect()))
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    let ids = batch.column_by_name(columns::FILE_ID).and_then(|ids| ids.as_primitive_opt::<Int64Type>());
    ids.map_or_else(Vec::new, |ids| ids.values().to_vec())
}
