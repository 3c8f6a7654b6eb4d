//! The one place that knows the commit API.

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{
    self, CommitRequest, Committed, Conflict, Host, Outcome, ReadSet, RetryPolicy, Transaction, TransactionLimits,
    TransactionOutcome, Writer,
};
use deltalakedb_core::snapshot::Snapshot;
use deltalakedb_core::sql::MaybeSend;
use deltalakedb_core::{Error, ErrorKind, Result};

use crate::ledger::{Answer, Intent, Isolation, Scope};
use crate::lock;
use crate::port::Client;
use crate::tables::action;

impl Host for Client {
    fn now_ms(&self) -> i64 {
        self.world.clock.now_ms()
    }

    fn random(&self) -> f64 {
        self.below(1000) as f64 / 1000.0
    }

    fn sleep(&self, duration_ms: u64) -> impl Future<Output = ()> + MaybeSend {
        self.world.clock.sleep(duration_ms)
    }
}

/// Sends a commit once; the API may try it several times. A commit to several tables is a transaction.
pub(super) async fn send(client: &Client, commit_id: &str, intents: &[(Snapshot, Intent)]) -> Answer {
    let tries = [1, 2, 5, 30];
    let retry = RetryPolicy { max_tries: client.pick(&tries).copied().unwrap_or(1), ..RetryPolicy::default() };
    let answered = match intents {
        // One that does not say what it read is planned on what its client saw, however long ago.
        [(_, intent)] if intent.states_version() => send_one(client, commit_id, intent, retry).await,
        _ => send_transaction(client, commit_id, intents, retry).await,
    };
    answered.unwrap_or_else(|error| refusal(client, commit_id, &error))
}

async fn send_one(client: &Client, commit_id: &str, intent: &Intent, retry: RetryPolicy) -> Result<Answer> {
    let request = request(commit_id, intent)?;
    let table = TableSelector::Key(intent.table);
    let mut writer = Writer::open(client, client, &table).await?.with_retry(retry);
    Ok(match writer.commit(&request).await? {
        Outcome::Committed(committed) => acknowledged(&[committed]),
        Outcome::Conflicted(conflict) => conflicted(&conflict),
        Outcome::Unknown => Answer::Unknown,
    })
}

async fn send_transaction(
    client: &Client,
    commit_id: &str,
    intents: &[(Snapshot, Intent)],
    retry: RetryPolicy,
) -> Result<Answer> {
    let mut transaction =
        Transaction::begin(commit_id, client.now_ms(), TransactionLimits::default()).with_retry(retry);
    for (state, intent) in intents {
        transaction.stage(state.clone(), request(commit_id, intent)?)?;
    }
    Ok(match transaction.commit(client, client).await? {
        TransactionOutcome::Committed(committed) => {
            // A table that was dropped since is left out; the places of the others stay.
            let place = |(state, _): &(Snapshot, Intent)| {
                let told = committed.iter().find(|told| told.table == state.table.name);
                told.map_or((-1, -1), |told| (told.version, told.timestamp_ms))
            };
            Answer::Committed(intents.iter().map(place).collect())
        }
        TransactionOutcome::Conflicted(conflict) => conflicted(&conflict),
        TransactionOutcome::Unknown => Answer::Unknown,
    })
}

pub(super) fn request(commit_id: &str, intent: &Intent) -> Result<CommitRequest> {
    let read = ReadSet::of(intent.base);
    let read = match &intent.scope {
        Scope::Nothing if !intent.states_version() => ReadSet::default(),
        Scope::Nothing => read,
        Scope::Application(app_id) => ReadSet { app_ids: vec![app_id.clone()], ..read },
        Scope::Files(paths) => read.files(paths),
        Scope::Partition(value) => read.predicate(format!("p = '{value}'")),
        Scope::Table => read.whole_table(),
    };
    let isolation = match intent.isolation {
        Isolation::Serializable => commit::Isolation::Serializable,
        Isolation::WriteSerializable => commit::Isolation::WriteSerializable,
        Isolation::Snapshot => commit::Isolation::Snapshot,
    };
    let actions = intent.actions.iter().map(action).collect::<Result<Vec<Action>>>()?;
    let isolation = intent.is_isolation_asked.then_some(isolation);
    Ok(CommitRequest { read, isolation, ..CommitRequest::new(commit_id, actions) })
}

pub(super) fn acknowledged(committed: &[Committed]) -> Answer {
    Answer::Committed(committed.iter().map(|committed| (committed.version, committed.timestamp_ms)).collect())
}

pub(super) fn conflicted(conflict: &Conflict) -> Answer {
    Answer::Refused(format!("{} with version {} of {}", conflict.kind.as_str(), conflict.winner, conflict.table))
}

pub(super) fn refusal(client: &Client, commit_id: &str, error: &Error) -> Answer {
    match error.kind() {
        ErrorKind::Unavailable => {
            client.tell(format!("{commit_id}: {error}"));
            Answer::Failed
        }
        ErrorKind::Invalid | ErrorKind::Unsupported => Answer::Refused(error.to_string()),
        ErrorKind::NotFound if is_dropped(client, commit_id) => Answer::Refused(error.to_string()),
        kind => {
            client.world.violation(format!("{}: {commit_id} failed: {kind:?}: {error}", client.name));
            Answer::Unknown
        }
    }
}

fn is_dropped(client: &Client, commit_id: &str) -> bool {
    let ledger = lock(&client.world.ledger);
    ledger.commits.get(commit_id).is_some_and(|commit| ledger.touches_dropped(commit))
}
