//! Writing `<v>.crc`.

use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::checksum_file_name;
use deltalakedb_core::mirror::{Checksum, FileTotals};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{ErrorKind, Result};

use super::PAGE;
use crate::store::{Fetched, LogStore, Put};

/// Writes the checksum of a version whose commit is in the log. It is counted on from `previous`, of any earlier version, or
/// from the file of the version before, so its cost is that of what has changed; without either, all files are read once.
/// The answer is what was written, for the next version; nothing when the file was there already.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when the catalog has no such version; those of the database and the store.
pub(crate) async fn write_checksum(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    version: i64,
    previous: Option<Checksum>,
) -> Result<Option<Checksum>> {
    let state = snapshot(database, &TableSelector::Key(table.key), At::Version(version)).await?;
    let previous = match previous {
        Some(previous) => Some(previous),
        None => read_checksum(log, version - 1).await?,
    };
    let before = previous.and_then(|previous| previous.file_totals());
    let totals = FileTotals::of(database, &state, before, PAGE).await?;
    let checksum = Checksum::new(&state, totals);
    let content = Fetched::Bytes(checksum.to_json()?.into());
    let put = log.put_if_absent(&checksum_file_name(version), content, state.timestamp_ms).await?;
    Ok((put == Put::Written).then_some(checksum))
}

/// The checksum of a version in the log; nothing when there is none, or one that nobody can read: it is there to be compared
/// with, and nothing depends on it.
pub(super) async fn read_checksum(log: &LogStore, version: i64) -> Result<Option<Checksum>> {
    match log.fetch_small(&checksum_file_name(version)).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        content => Ok(content?.and_then(|content| Checksum::read(version, &content).ok())),
    }
}
