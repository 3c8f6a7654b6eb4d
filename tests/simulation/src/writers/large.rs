//! Clients of commits that come by pages: begun, written, finalized, with all that can happen in between.

use std::sync::{Arc, Mutex};

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{CommitRequest, LargeCommit, Outcome, RetryPolicy};
use deltalakedb_core::{ErrorKind, Result};
use futures::future::join;
use serde_json::json;

use super::commit::{acknowledged, conflicted, refusal, request};
use super::plan::{Kind, Planned, new_file, stream};
use super::rewrites::remove;
use super::{TRIES, View, expect_fault, look, with_commit, written_tables};
use crate::executor::{Start, TaskFuture};
use crate::ledger::{Answer, Commit, Intent, Isolation, Scope};
use crate::lock;
use crate::model::text;
use crate::port::Client;
use crate::tables::action;
use crate::world::World;

/// File actions of a page, at the most: few, so that there are many pages.
const LONGEST_PAGE: usize = 4;

#[derive(Clone)]
struct Pending {
    commit_id: String,
    intent: Intent,
}

/// A writer that begins anew after a crash, mostly with the commit that it was writing.
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
        client.sleep(client.below(150) as u64).await;
        match prepare(&client).await {
            Ok(Some(pending)) => send(&client, &notebook, pending).await,
            Ok(None) => {}
            Err(error) => expect_fault(&client, "reading to write a large commit", &error),
        }
    }
}

async fn prepare(client: &Client) -> Result<Option<Pending>> {
    let tables = written_tables(client).await?;
    let Some(table) = client.pick(&tables) else { return Ok(None) };
    let view = look(client, table).await?;
    let (kind, planned) = match client.below(8) {
        0 => ("large overwrite", Kind::Overwrite.plan(client, &view)),
        1 => ("large delete", Kind::Delete.plan(client, &view)),
        2 => ("large compact", Kind::Compact.plan(client, &view)),
        3 => ("large invalid", removed_and_added(client, &view)),
        _ => ("large append", Some(append(client, &view))),
    };
    let Some(planned) = planned else { return Ok(None) };
    let intent = Intent {
        table: view.snapshot.table.key,
        base: view.snapshot.version,
        scope: planned.scope,
        isolation: Isolation::default_of(&planned.actions),
        is_isolation_asked: false,
        actions: planned.actions,
    };
    let commit_id = client.world.uuid();
    client.tell(format!("means {commit_id}: {kind} to {} at {}", intent.table, intent.base));
    let commit = Commit {
        kind,
        intents: vec![intent.clone()],
        is_invalid: kind == "large invalid",
        sent_count: 0,
        answers: Vec::new(),
    };
    let mut ledger = lock(&client.world.ledger);
    ledger.commits.insert(commit_id.clone(), commit);
    ledger.large_commits.insert(commit_id.clone());
    Ok(Some(Pending { commit_id, intent }))
}

fn append(client: &Client, view: &View) -> Planned {
    let mut actions: Vec<_> = (0..3 + client.below(12)).map(|_| new_file(client)).collect();
    if client.once_in(4) {
        actions.extend(stream(client, view));
    }
    Planned { actions, scope: Scope::Nothing }
}

/// Removes a live file and adds it again as it is, in pages that do not know of each other.
fn removed_and_added(client: &Client, view: &View) -> Option<Planned> {
    let add = client.pick(&view.files)?;
    let mut actions = vec![remove(client, add, true)];
    actions.extend((0..LONGEST_PAGE).map(|_| new_file(client)));
    actions.push(json!({"add": add}));
    Some(Planned { actions, scope: Scope::Files(vec![text(add, "path")]) })
}

/// Sends a commit until its end is known, or its client gives up; sometimes twice at the same time.
async fn send(client: &Client, notebook: &Mutex<Option<Pending>>, pending: Pending) {
    *lock(notebook) = Some(pending.clone());
    for _ in 0..TRIES {
        let answer = if client.once_in(8) {
            let twin = async {
                client.sleep(client.below(300) as u64).await;
                attempt(client, &pending).await
            };
            join(attempt(client, &pending), twin).await.0
        } else {
            attempt(client, &pending).await
        };
        match answer {
            Answer::Committed(_) if client.once_in(10) => {} // forgets that it was told
            Answer::Committed(_) | Answer::Refused(_) => break,
            Answer::Unknown | Answer::Failed => {}
        }
        client.sleep(client.below(200) as u64).await;
    }
    *lock(notebook) = None;
}

async fn attempt(client: &Client, pending: &Pending) -> Answer {
    let id = &pending.commit_id;
    with_commit(client, id, |commit| commit.sent_count += 1);
    let answer = begin_to_end(client, pending).await.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            client.tell(format!("{id}: {error}"));
            Answer::Failed
        }
        _ => refusal(client, id, &error),
    });
    client.tell(format!("{id}: {answer:?}"));
    with_commit(client, id, |commit| commit.answers.push(answer.clone()));
    answer
}

async fn begin_to_end(client: &Client, pending: &Pending) -> Result<Answer> {
    let whole = request(&pending.commit_id, &pending.intent)?;
    let (mut files, rest): (Vec<Action>, Vec<Action>) =
        whole.actions.into_iter().partition(|action| matches!(action, Action::Add(_) | Action::Remove(_)));
    let whole = CommitRequest { actions: rest, ..whole };
    let table = TableSelector::Key(pending.intent.table);
    let retry = RetryPolicy { max_tries: 1 + client.below(4) as u32, ..RetryPolicy::default() };
    let mut commit = LargeCommit::begin(client, client, &table, whole).await?.with_retry(retry);
    let mut failures = 0;
    let mut page_length = 0;
    while !files.is_empty() {
        // A page that failed is written again.
        if page_length == 0 {
            if client.once_in(6) && !commit.has_happened() {
                write_invalid(client, &mut commit).await?;
            }
            page_length = files.len().min(1 + client.below(LONGEST_PAGE));
        }
        match commit.write(&files[..page_length]).await {
            Ok(()) => {
                files.drain(..page_length);
                page_length = 0;
            }
            Err(error) if error.kind() == ErrorKind::Unavailable && failures < TRIES => {
                client.tell(format!("writing a page of {}: {error}", pending.commit_id));
                failures += 1;
            }
            Err(error) => return Err(error),
        }
        client.sleep(client.below(40) as u64).await;
    }
    if client.once_in(12) {
        client.tell(format!("abandons {}", pending.commit_id));
        commit.abandon().await?;
        return Ok(Answer::Failed);
    }
    finalize(client, &mut commit).await
}

/// A page that is refused; the commit goes on as if it had not been.
async fn write_invalid(client: &Client, commit: &mut LargeCommit<'_, Client, Client>) -> Result<()> {
    let mut add = new_file(client);
    let page = if client.once_in(2) {
        add["add"]["size"] = json!(-1);
        vec![action(&add)?]
    } else {
        vec![action(&add)?, action(&add)?]
    };
    match commit.write(&page).await {
        Err(error) if error.kind() == ErrorKind::Invalid => {}
        other => client.world.violation(format!("{}: an invalid page was answered {other:?}", client.name)),
    }
    Ok(())
}

async fn finalize(client: &Client, commit: &mut LargeCommit<'_, Client, Client>) -> Result<Answer> {
    let mut is_unknown = false;
    for _ in 0..=client.below(3) {
        match commit.finalize().await {
            Ok(Outcome::Committed(committed)) => return Ok(acknowledged(&[committed])),
            Ok(Outcome::Conflicted(conflict)) => return Ok(conflicted(&conflict)),
            Ok(Outcome::Unknown) => is_unknown = true,
            Err(error) if error.kind() == ErrorKind::Unavailable => client.tell(format!("finalizing: {error}")),
            Err(error) => return Err(error),
        }
        client.sleep(client.below(100) as u64).await;
    }
    Ok(if is_unknown { Answer::Unknown } else { Answer::Failed })
}
