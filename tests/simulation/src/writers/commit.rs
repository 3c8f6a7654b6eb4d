//! The one place that knows the commit API.

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{CommitRequest, Outcome, commit};
use deltalakedb_core::snapshot::Snapshot;
use deltalakedb_core::{ErrorKind, Result};

use crate::ledger::{Answer, Intent, Scope};
use crate::port::Client;
use crate::tables::action;

/// What the API promises, beyond that removed files are live and a transaction's application has not moved on.
pub(crate) struct Upholds {
    /// Rows that were read and are removed before the commit are a conflict.
    pub(crate) lost_rows: bool,
    /// The commit holds against the version that its writer read, also when it read no rows.
    pub(crate) base_of_blind: bool,
    /// One commit to several tables.
    pub(crate) transactions: bool,
}

/// What this release promises.
pub(crate) const UPHOLDS: Upholds = Upholds { lost_rows: false, base_of_blind: false, transactions: false };

/// Sends a commit once.
pub(super) async fn send(client: &Client, commit_id: &str, intents: &[(Snapshot, Intent)]) -> Answer {
    let [(_, intent)] = intents else { return Answer::Refused("transactions are not there yet".into()) };
    match send_one(client, commit_id, intent).await {
        Ok(Outcome::Committed { version, timestamp_ms }) => Answer::Committed(vec![(version, timestamp_ms)]),
        Ok(Outcome::Conflicted(conflict)) => {
            Answer::Refused(format!("{} with version {}", conflict.kind.as_str(), conflict.winner))
        }
        Ok(Outcome::Unknown) => Answer::Unknown,
        Err(error) => match error.kind() {
            ErrorKind::Unavailable => Answer::Failed,
            ErrorKind::Invalid | ErrorKind::Unsupported => Answer::Refused(error.to_string()),
            kind => {
                client.world.violation(format!("{}: {commit_id} failed: {kind:?}: {error}", client.name));
                Answer::Unknown
            }
        },
    }
}

async fn send_one(client: &Client, commit_id: &str, intent: &Intent) -> Result<Outcome> {
    let request = CommitRequest {
        actions: intent.actions.iter().map(action).collect::<Result<Vec<Action>>>()?,
        read_version: match intent.scope {
            Scope::Nothing | Scope::Files(_) => None,
            Scope::Partition(_) | Scope::Table => Some(intent.base),
        },
        operation: None,
        commit_id: commit_id.to_owned(),
        now_ms: client.world.clock.now_ms(),
    };
    commit(client, &TableSelector::Key(intent.table), &request).await
}
