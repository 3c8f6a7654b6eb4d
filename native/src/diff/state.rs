//! The states of a version in both, compared.

use deltalakedb_core::diff::{Difference, FileComparison, LogState, rule_differences};
use deltalakedb_core::log::{LogListing, LogPlan};
use deltalakedb_core::snapshot::{FileCursor, Snapshot, files};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};

use crate::log_reader::{Structs, files_of, read_files};
use crate::store::LogStore;

const PAGE: usize = 4096;

/// The state that files of a log lead to.
pub(crate) async fn read_state(log: &LogStore, plan: &LogPlan, structs: Structs) -> Result<LogState> {
    let mut state = LogState::default();
    let mut pieces = read_files(log, files_of(plan), structs)?;
    while let Some(piece) = pieces.next().await? {
        state.apply(piece.version, &piece.actions, piece.source);
        piece.faults.into_iter().for_each(|fault| state.see_fault(fault));
    }
    Ok(state)
}

/// Calls `on_difference` for all that differs in the catalog's snapshot and the state that a plan leads to.
pub(crate) async fn compare_state(
    database: &impl Database,
    catalog: &Snapshot,
    log: &LogStore,
    plan: LogPlan,
    now_ms: i64,
    on_difference: &mut impl FnMut(Difference) -> Result<()>,
) -> Result<()> {
    let state = read_state(log, &plan, Structs::PassedOver).await?;
    rule_differences(catalog, &state, now_ms).into_iter().try_for_each(&mut *on_difference)?;
    let mut comparison = FileComparison::new(state, catalog);
    let mut cursor = Some(FileCursor::start(catalog));
    while let Some(at) = cursor {
        let page = files(database, catalog, at, PAGE).await?;
        comparison.take_catalog(&page.files).into_iter().try_for_each(&mut *on_difference)?;
        cursor = page.next;
    }
    if !comparison.needs_log() {
        return Ok(());
    }
    let mut pieces = read_files(log, files_of(&plan), Structs::PassedOver)?;
    while let Some(piece) = pieces.next().await? {
        let found = comparison.take_log(database, catalog, piece.actions, piece.source).await?;
        found.into_iter().try_for_each(&mut *on_difference)?;
    }
    comparison.finish(database, catalog).await?.into_iter().try_for_each(on_difference)
}

/// A log whose history says nothing of the table must at least have its id.
pub(crate) async fn check_same_table(catalog: &Snapshot, log: &LogStore, listing: &LogListing) -> Result<()> {
    let Some(newest) = listing.newest_readable(i64::MAX) else { return Ok(()) };
    let state = match read_state(log, &listing.plan_at(newest)?, Structs::PassedOver).await {
        // What cannot be read is told by the comparison.
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(()),
        state => state?,
    };
    let ours = &catalog.metadata.id;
    match state.table_id() {
        Some(theirs) if theirs != ours => Err(Error::new(
            ErrorKind::Conflict,
            format!("the log at {} is another table's: its id is {theirs}, the catalog's table is {ours}", log.url()),
        )
        .table(&catalog.table.name)
        .path(log.url().as_str())
        .hint("name the table's own folder with --target")),
        _ => Ok(()),
    }
}
