//! Comparing the catalog with a log: histories, then the state at a version that both have.

mod history;
pub(crate) mod metrics;
mod report;
pub(crate) mod resolve;
mod state;

use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::diff::{Counts, Difference};
use deltalakedb_core::log::LogListing;
use deltalakedb_core::mirror::{lag_ms, read_commit};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};

pub(crate) use history::{ForeignCommit, History, LogSide};
pub(crate) use report::{Comparison, Lag, Thresholds, Verdict};
pub(crate) use state::{compare_state, read_state};

use crate::mirror::named_checkpoint;
use crate::store::LogStore;
use history::compare_histories;
pub(crate) use state::check_same_table;

/// What is in a log that must be there.
pub(crate) async fn list_target(log: &LogStore) -> Result<LogListing> {
    let listing = match log.list().await {
        Err(error) if error.kind() == ErrorKind::NotFound => LogListing::default(),
        objects => LogListing::new(objects?),
    };
    if listing.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no log at {}", log.url()))
            .path(log.url().as_str())
            .hint("name the table's folder with --target; `dl mirror` writes the log of a new one"));
    }
    Ok(listing)
}

/// Compares a table with a log, at `version` or at the newest one that both have. `on_difference` is called for each
/// difference of the states, as they are found.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when one of them lacks the version; [`Conflict`](ErrorKind::Conflict) when the log is
/// another table's; those of the database and the store. What cannot be read in the log is no error, but a difference.
pub(crate) async fn compare(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    version: Option<i64>,
    now_ms: i64,
    on_difference: &mut impl FnMut(Difference) -> Result<()>,
) -> Result<Comparison> {
    // The name before the log: whoever names a checkpoint has written it.
    let named = named_checkpoint(log).await?;
    // The log before the catalog: what a mirror publishes after this look is no reason to think that the log is ahead.
    let listing = list_target(log).await?;
    let selector = TableSelector::Key(table.key);
    let latest = snapshot(database, &selector, At::Latest).await?;
    let table = &latest.table;
    let compared = compared_version(table, log, &listing, version)?;
    let catalog = snapshot(database, &selector, At::Version(compared)).await?;

    let history = compare_histories(database, table, log, &listing, version).await?;
    if history.begins_differently(&listing, table) {
        check_same_table(&latest, log, &listing).await?;
    }
    let mut counts = Counts::default();
    let plan = listing.plan_at(compared)?;
    let mut see = |difference: Difference| {
        counts.count(&difference);
        on_difference(difference)
    };
    let unreadable = match compare_state(database, &catalog, log, plan, now_ms, &mut see).await {
        Ok(()) => None,
        Err(error) if error.kind() == ErrorKind::Corrupt => Some(error),
        Err(error) => return Err(error),
    };
    let log_version = listing.latest_version().unwrap_or(compared);
    Ok(Comparison {
        target: log.url().to_string(),
        log_version,
        is_log_ahead: version.is_none() && history.foreign.is_empty() && log_version > table.version,
        version: compared,
        lag: lag(database, table, &listing, &history, now_ms).await?,
        table: table.clone(),
        counts,
        history,
        misnamed_checkpoint: named.filter(|named| !named.leads_to_one_in(&listing)).map(|named| named.version),
        unreadable,
    })
}

fn compared_version(table: &Table, log: &LogStore, listing: &LogListing, version: Option<i64>) -> Result<i64> {
    let doing = |error: Error| error.context(format!("comparing with {}", log.url())).path(log.url().as_str());
    if let Some(version) = version {
        listing.plan_at(version).map_err(doing)?;
        return Ok(version);
    }
    let common = listing.newest_readable(table.version).filter(|&version| version >= table.earliest_version);
    common.ok_or_else(|| {
        let log_range = match (listing.oldest_readable(), listing.newest_readable(i64::MAX)) {
            (Some(first), Some(last)) => format!("the log has {first} to {last}"),
            _ => "the log can be read at none".to_owned(),
        };
        doing(Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no version that both can be read at: the catalog has {} to {}, {log_range}",
                table.earliest_version, table.version
            ),
        ))
        .hint("if parts of the log were deleted, `dl mirror` writes them again from the catalog")
    })
}

/// How far the log is behind: it lacks what the catalog has after the last version that is alike.
async fn lag(
    database: &impl Database,
    table: &Table,
    listing: &LogListing,
    history: &History,
    now_ms: i64,
) -> Result<Lag> {
    let readable = listing.newest_by_commits(table.version).unwrap_or(table.earliest_version - 1);
    let alike = history.diverged_at.map_or(readable, |diverged_at| readable.min(diverged_at - 1));
    let versions = table.version - alike;
    if versions <= 0 {
        return Ok(Lag::default());
    }
    let oldest = read_commit(database, table, (alike + 1).max(table.earliest_version)).await?;
    Ok(Lag { versions, ms: lag_ms(oldest.timestamp_ms, now_ms) })
}
