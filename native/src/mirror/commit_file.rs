//! Writing a version's commit file.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::Table;
use deltalakedb_core::import::catalog_digest;
use deltalakedb_core::log::commit_file_name;
use deltalakedb_core::mirror::{StoredCommit, commit_actions};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::{PAGE, Paths, no_space, temporary_file};
use crate::import::log_digest;
use crate::store::{Fetched, LogStore, Put};

/// Larger commits go to a temporary file, so that memory does not grow with them.
const MEMORY_BYTES: usize = 1 << 20;

/// Writes a commit file unless it is there and says the same; the bytes that were written.
pub(super) async fn write_commit(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    commit: &StoredCommit,
) -> Result<Option<u64>> {
    let (content, size_bytes) = content(database, commit, Paths::AsStored, &table.location).await?;
    let name = commit_file_name(commit.version);
    match log.put_if_absent(&name, content, commit.timestamp_ms).await? {
        Put::Written => Ok(Some(size_bytes)),
        Put::AlreadyThere => check_equal(database, table, log, commit, &name).await.map(|()| None),
    }
}

/// A commit file and its bytes.
pub(super) async fn content(
    database: &impl Database,
    commit: &StoredCommit,
    paths: Paths,
    location: &str,
) -> Result<(Fetched, u64)> {
    let mut out = Lines::Memory(Vec::new());
    let mut actions = commit.actions.clone();
    paths.write_in(&mut actions, location)?;
    out.write(&actions)?;
    let mut cursor = commit.start();
    while let Some(at) = cursor {
        let (mut actions, next) = commit_actions(database, commit, at, PAGE).await?;
        paths.write_in(&mut actions, location)?;
        out.write(&actions)?;
        cursor = next;
    }
    out.finish()
}

/// Actions as lines: in memory while they are few.
enum Lines {
    Memory(Vec<u8>),
    File(BufWriter<File>),
}

impl Lines {
    fn write(&mut self, actions: &[Action]) -> Result<()> {
        if let Lines::Memory(bytes) = self
            && bytes.len() > MEMORY_BYTES
        {
            let mut file = BufWriter::new(temporary_file()?);
            file.write_all(bytes).map_err(no_space)?;
            *self = Lines::File(file);
        }
        match self {
            Lines::Memory(bytes) => write_lines(bytes, actions),
            Lines::File(file) => write_lines(file, actions),
        }
    }

    fn finish(self) -> Result<(Fetched, u64)> {
        match self {
            Lines::Memory(bytes) => {
                let size = bytes.len() as u64;
                Ok((Fetched::Bytes(bytes.into()), size))
            }
            Lines::File(file) => {
                let mut file = file.into_inner().map_err(|error| no_space(error.into_error()))?;
                let size = file.stream_position().map_err(no_space)?;
                file.seek(SeekFrom::Start(0)).map_err(no_space)?;
                Ok((Fetched::File(file), size))
            }
        }
    }
}

pub(super) fn write_lines(out: &mut impl Write, actions: &[Action]) -> Result<()> {
    for action in actions {
        serde_json::to_writer(&mut *out, action).map_err(std::io::Error::from).map_err(no_space)?;
        out.write_all(b"\n").map_err(no_space)?;
    }
    Ok(())
}

/// Another mirror may have been first, or the answer to an earlier put was lost; then the file says the same.
async fn check_equal(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    commit: &StoredCommit,
    name: &str,
) -> Result<()> {
    let theirs = log_digest(log, name).await?;
    let ours = catalog_digest(database, table, commit.version).await?.unwrap_or_default();
    if ours.is_same(&theirs) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!("{name} appeared in {} meanwhile, with {theirs}; the catalog has {ours}", log.url()),
    )
    .version(commit.version)
    .path(name)
    .hint("another writer committed to the log; nothing was overwritten"))
}
