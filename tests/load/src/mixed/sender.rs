//! Sending a commit, as its process wrote it down.

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{
    CommitRequest, Committed, Conflict, Host, Isolation, Outcome, ReadSet, Transaction, TransactionLimits,
    TransactionOutcome, Writer,
};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::{ErrorKind, Result};
use deltalakedb_native::database::SqliteDatabase;
use deltalakedb_native::host::SystemHost;

use super::journal::{Level, Part, ScopeLine, Told};
use crate::catalog::action;

/// Sends it once, and says what was told. An error that can never be is `Err`.
pub(crate) async fn send(database: &SqliteDatabase, id: &str, parts: &[Part]) -> Result<Told> {
    let told = match parts {
        [part] => send_one(database, id, part).await,
        _ => send_transaction(database, id, parts).await,
    };
    told.or_else(|error| match error.kind() {
        ErrorKind::Unavailable => Ok(Told::Failed(error.to_string())),
        ErrorKind::Invalid | ErrorKind::Unsupported => Ok(Told::Refused(error.to_string())),
        _ => Err(error),
    })
}

async fn send_one(database: &SqliteDatabase, id: &str, part: &Part) -> Result<Told> {
    let request = request(id, part)?;
    let mut writer = Writer::open(database, &SystemHost, &TableSelector::Key(part.table)).await?;
    Ok(match writer.commit(&request).await? {
        Outcome::Committed(committed) => committed_as(&[committed]),
        Outcome::Conflicted(conflict) => conflicted(&conflict),
        Outcome::Unknown => Told::Unknown,
    })
}

async fn send_transaction(database: &SqliteDatabase, id: &str, parts: &[Part]) -> Result<Told> {
    let mut transaction = Transaction::begin(id, SystemHost.now_ms(), TransactionLimits::default());
    for part in parts {
        let state = snapshot(database, &TableSelector::Key(part.table), At::Latest).await?;
        transaction.stage(state, request(id, part)?)?;
    }
    Ok(match transaction.commit(database, &SystemHost).await? {
        TransactionOutcome::Committed(committed) => committed_as(&committed),
        TransactionOutcome::Conflicted(conflict) => conflicted(&conflict),
        TransactionOutcome::Unknown => Told::Unknown,
    })
}

fn request(id: &str, part: &Part) -> Result<CommitRequest> {
    let read = ReadSet::of(part.base);
    let read = match &part.scope {
        ScopeLine::Nothing => read,
        ScopeLine::Application(app_id) => ReadSet { app_ids: vec![app_id.clone()], ..read },
        ScopeLine::Files(paths) => read.files(paths),
        ScopeLine::Partition(value) => read.predicate(format!("p = '{value}'")),
        ScopeLine::Table => read.whole_table(),
    };
    let isolation = part.isolation.map(|level| match level {
        Level::Serializable => Isolation::Serializable,
        Level::WriteSerializable => Isolation::WriteSerializable,
        Level::Snapshot => Isolation::Snapshot,
    });
    let invalid = |error: Box<dyn std::error::Error + Send + Sync>| deltalakedb_core::Error::invalid(error.to_string());
    let actions = part.actions.iter().map(|value| action(value).map_err(invalid)).collect::<Result<Vec<Action>>>()?;
    Ok(CommitRequest { read, isolation, ..CommitRequest::new(id, actions) })
}

fn committed_as(committed: &[Committed]) -> Told {
    Told::Committed(committed.iter().map(|committed| (committed.version, committed.timestamp_ms)).collect())
}

fn conflicted(conflict: &Conflict) -> Told {
    Told::Conflicted(format!("{} with version {} of {}", conflict.kind.as_str(), conflict.winner, conflict.table))
}
