//! Clients that commit.

mod commit;
mod invalid;
mod large;
mod plan;
mod rewrites;

use std::sync::{Arc, Mutex};

use deltalakedb_core::catalog::{Table, list_tables};
use deltalakedb_core::snapshot::Snapshot;
use deltalakedb_core::{ErrorKind, Result};
use serde_json::Value;

use crate::executor::{Start, TaskFuture};
use crate::ledger::{Answer, Commit, Intent, Isolation};
use crate::lock;
use crate::port::Client;
use crate::readers::read_files;
use crate::tables::{FLEETING, LASTING};
use crate::world::World;

pub(crate) use large::start as start_large;

/// How often a client sends a commit of which it does not know the end.
const TRIES: usize = 6;

/// A table as a writer sees it.
struct View {
    snapshot: Snapshot,
    /// Each the body of an `add`.
    files: Vec<Value>,
}

/// A commit with the states that it was planned on, as its writer holds it; a writer that died finds it again.
#[derive(Clone)]
struct Pending {
    commit_id: String,
    intents: Vec<(Snapshot, Intent)>,
}

/// A writer that begins anew after a crash, with the commit that it was about to send.
pub(crate) fn start(world: &Arc<World>, name: &str) -> Start {
    let client = world.client(name);
    let notebook: Arc<Mutex<Option<Pending>>> = Arc::default();
    Box::new(move || -> TaskFuture { Box::pin(write_for_ever(client.clone(), notebook.clone())) })
}

async fn write_for_ever(client: Client, notebook: Arc<Mutex<Option<Pending>>>) {
    let left = lock(&notebook).take();
    if let Some(pending) = left.filter(|_| !client.once_in(4)) {
        client.tell(format!("is back with {}", pending.commit_id));
        send(&client, &notebook, pending).await;
    }
    loop {
        client.sleep(client.below(40) as u64).await;
        match prepare(&client).await {
            Ok(Some(pending)) => send(&client, &notebook, pending).await,
            Ok(None) => {}
            Err(error) => expect_fault(&client, "reading to write", &error),
        }
    }
}

/// What is neither a fault of the network nor a refusal is a fault of the catalog.
pub(crate) fn expect_fault(client: &Client, doing: &str, error: &deltalakedb_core::Error) {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::NotFound => client.tell(format!("{doing}: {error}")),
        kind => client.world.violation(format!("{}: {doing}: {kind:?}: {error}", client.name)),
    }
}

/// Reads a table, or several, and decides what to commit.
async fn prepare(client: &Client) -> Result<Option<Pending>> {
    let Some(kind) = plan::Kind::choose(client) else { return Ok(None) };
    let tables = written_tables(client).await?;
    let count =
        if kind == plan::Kind::Transaction { 2 + client.below(tables.len().saturating_sub(1).min(3)) } else { 1 };
    if tables.len() < count {
        return Ok(None);
    }
    let first = client.below(tables.len());
    let mut intents = Vec::new();
    for offset in 0..count {
        let view = look(client, &tables[(first + offset) % tables.len()]).await?;
        let kind = if kind == plan::Kind::Transaction { plan::Kind::part_of_transaction(client) } else { kind };
        let planned = match kind.plan(client, &view) {
            None if count > 1 => plan::Kind::Append.plan(client, &view),
            planned => planned,
        };
        let Some(planned) = planned else { return Ok(None) };
        let levels = [Isolation::Serializable, Isolation::WriteSerializable, Isolation::Snapshot];
        let asked = if client.once_in(3) { None } else { client.pick(&levels).copied() };
        let intent = Intent {
            table: view.snapshot.table.key,
            base: view.snapshot.version,
            scope: planned.scope,
            isolation: asked.unwrap_or_else(|| Isolation::default_of(&planned.actions)),
            is_isolation_asked: asked.is_some(),
            actions: planned.actions,
        };
        intents.push((view.snapshot, intent));
    }
    let commit_id = client.world.uuid();
    let commit = Commit {
        kind: kind.name(),
        intents: intents.iter().map(|(_, intent)| intent.clone()).collect(),
        is_invalid: kind == plan::Kind::Invalid,
        sent_count: 0,
        answers: Vec::new(),
    };
    let tables: Vec<i64> = intents.iter().map(|(_, intent)| intent.table).collect();
    client.tell(format!("means {commit_id}: {} to {tables:?} at {}", commit.kind, intents[0].1.base));
    lock(&client.world.ledger).commits.insert(commit_id.clone(), commit);
    // Deciding takes a while, sometimes a long one, and what was read gets old.
    let longest = if client.once_in(5) { 300 } else { 20 };
    client.sleep(client.below(longest) as u64).await;
    Ok(Some(Pending { commit_id, intents }))
}

/// The tables that are no copies; some of them may be dropped.
async fn written_tables(client: &Client) -> Result<Vec<Table>> {
    let tables = list_tables(client).await?;
    Ok(tables.into_iter().filter(|table| table.name.starts_with(LASTING) || table.name.starts_with(FLEETING)).collect())
}

async fn look(client: &Client, table: &Table) -> Result<View> {
    let (snapshot, files) = read_files(client, table.key, deltalakedb_core::snapshot::At::Latest).await?;
    Ok(View { snapshot, files })
}

/// Sends a commit until its end is known, or its client gives up.
async fn send(client: &Client, notebook: &Mutex<Option<Pending>>, pending: Pending) {
    *lock(notebook) = Some(pending.clone());
    for _ in 0..TRIES {
        let id = &pending.commit_id;
        with_commit(client, id, |commit| commit.sent_count += 1);
        let answer = commit::send(client, id, &pending.intents).await;
        client.tell(format!("{id}: {answer:?}"));
        with_commit(client, id, |commit| commit.answers.push(answer.clone()));
        match answer {
            Answer::Committed(_) if client.once_in(10) => {} // forgets that it was told
            Answer::Committed(_) | Answer::Refused(_) => break,
            Answer::Unknown | Answer::Failed => {}
        }
        client.sleep(client.below(200) as u64).await;
    }
    *lock(notebook) = None;
}

fn with_commit(client: &Client, id: &str, change: impl FnOnce(&mut Commit)) {
    if let Some(commit) = lock(&client.world.ledger).commits.get_mut(id) {
        change(commit);
    }
}
