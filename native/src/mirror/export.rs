//! A log that begins at one version, in another place.
//!
//! While it is written, a marker in it says what it is to be; it goes last. So a run that was killed is told from a log
//! that is there, and is finished by the next one that means the same.

use std::io::Read;

use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::commit_file_name;
use deltalakedb_core::mirror::read_commit;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::check_publishable;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::Paths;
use super::checkpoint::write_checkpoint_with;
use super::checksum::write_checksum;
use super::commit_file::content;
use crate::store::{Fetched, LogStore, Put};

/// Readers of logs pass it over.
const MARKER: &str = "_dl_export.json";
/// Of a file that is called like the marker, no more is read.
const MARKER_BYTES: u64 = 64 << 10;
/// Names that are told of a log that is in the way.
const TOLD: usize = 3;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The log's address.
    pub target: String,
    /// The only version of the copy.
    pub version: i64,
    /// Whether the catalog knows that version's commit, so that it could be written.
    pub has_commit: bool,
    /// Files of the table.
    pub file_count: i64,
    /// Their bytes.
    pub size_bytes: i64,
}

/// What a log is to be.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    table_id: String,
    version: i64,
    absolute_paths: bool,
}

/// Writes a table as of a version to `log`, as a log that begins there: a checkpoint, the version's commit, its checksum, and
/// `_last_checkpoint`. Killed at any point it is finished by a run that asks for the same.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when there is a log already, or a part of another export;
/// [`NotFound`](ErrorKind::NotFound) for a version that is not there; those of the database and the store.
pub async fn export_table(
    database: &impl Database,
    table: &Table,
    at: At,
    log: &LogStore,
    paths: Paths,
    now_ms: i64,
) -> Result<Exported> {
    let state = snapshot(database, &TableSelector::Key(table.key), at).await?;
    check_publishable(&state.protocol)?;
    let marker = Marker {
        table_id: state.table.table_id.clone(),
        version: state.version,
        absolute_paths: paths == Paths::Absolute,
    };
    log.make().await?;
    log.sweep_temporary_files(now_ms).await?;
    begin(log, &marker, now_ms).await?;
    write_checkpoint_with(database, &state.table, log, state.version, now_ms, paths).await?;
    let commit = read_commit(database, &state.table, state.version).await?;
    if commit.is_known {
        let (content, _) = content(database, &commit, paths, &state.table.location).await?;
        log.put_if_absent(&commit_file_name(state.version), content, commit.timestamp_ms).await?;
    }
    write_checksum(database, &state.table, log, state.version, None).await?;
    log.delete(MARKER).await?;
    Ok(Exported {
        target: log.url().to_string(),
        version: state.version,
        has_commit: commit.is_known,
        file_count: state.file_count,
        size_bytes: state.size_bytes,
    })
}

/// Puts the marker into an empty log; one that is there must say the same.
async fn begin(log: &LogStore, marker: &Marker, now_ms: i64) -> Result<()> {
    let objects = log.list().await?;
    if !objects.is_empty() && !objects.iter().any(|(name, ..)| name == MARKER) {
        return Err(there_already(log, objects.into_iter().map(|(name, ..)| name).collect()));
    }
    let text = serde_json::to_vec(marker).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    if log.put_if_absent(MARKER, Fetched::Bytes(text.into()), now_ms).await? == Put::Written {
        return Ok(());
    }
    let mut text = Vec::new();
    let read = log.fetch(MARKER).await?.into_reader().take(MARKER_BYTES).read_to_end(&mut text);
    read.map_err(|error| Error::new(ErrorKind::Unavailable, format!("reading {MARKER}: {error}")))?;
    match serde_json::from_slice::<Marker>(&text) {
        Ok(there) if there == *marker => Ok(()),
        Ok(there) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "in {} is a part of another export: of table {} at version {}, {} absolute paths",
                log.url(),
                there.table_id,
                there.version,
                if there.absolute_paths { "with" } else { "without" }
            ),
        )
        .path(log.url().as_str())
        .hint("run that one again to finish it (--version names the version), or delete the folder")),
        Err(_) => Err(Error::corrupt(format!("{MARKER} in {} cannot be read", log.url()))
            .path(MARKER)
            .hint("delete the folder, or choose another one")),
    }
}

fn there_already(log: &LogStore, mut names: Vec<String>) -> Error {
    names.sort();
    let more = names.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.truncate(TOLD);
    Error::new(ErrorKind::Conflict, format!("a log is there already: {} has {}{more}", log.url(), names.join(", ")))
        .path(log.url().as_str())
        .hint("nothing was written; choose another folder")
}
