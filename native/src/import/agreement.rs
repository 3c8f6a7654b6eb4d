//! Whether a log and the catalog tell the same of a table.

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::import::{CommitDigest, catalog_digest};
use deltalakedb_core::log::{LogFile, LogFileKind, LogListing, read_commit_line};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};

use crate::store::{Fetched, LogStore, listed};

/// The log must tell the same as the catalog of the oldest and the newest version that both have.
pub(super) async fn check_agreement(
    database: &impl Database,
    log: &LogStore,
    listing: &LogListing,
    table: &Table,
) -> Result<()> {
    match disagreement(database, table, log, listing).await? {
        None => Ok(()),
        Some(disagreement) => Err(Error::new(
            ErrorKind::Conflict,
            format!("the log and the catalog differ: {}", disagreement.text),
        )
        .version(disagreement.version)
        .hint(
            "another writer committed to the log, or it is another table's; nothing was changed. `dl diff` shows both \
                     sides, and its --resolve lets one of them win and keeps the other",
        )),
    }
}

/// Where a log and the catalog tell different things.
pub(crate) struct Disagreement {
    pub(crate) version: i64,
    /// Both sides.
    pub(crate) text: String,
    /// The log has another table's id.
    pub(crate) is_other_table: bool,
}

/// Compares a log with the catalog: the oldest and the newest commit that both know, or, where they know none in
/// common, the table's id in the log's checkpoint.
pub(crate) async fn disagreement(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    listing: &LogListing,
) -> Result<Option<Disagreement>> {
    let versions = table.earliest_version..=table.version;
    let common: Vec<&LogFile> = versions.filter_map(|version| listing.commit(version)).collect();
    let oldest = compare_first(database, table, log, common.iter().copied()).await?;
    let newest = match &oldest {
        Some((version, Compared::Same)) => {
            let later = common.iter().copied().rev().take_while(|file| file.version > *version);
            compare_first(database, table, log, later).await?
        }
        _ => None,
    };
    for (version, compared) in oldest.iter().chain(&newest) {
        if let Compared::Different { text, is_other_table } = compared {
            let (version, text, is_other_table) = (*version, text.clone(), *is_other_table);
            return Ok(Some(Disagreement { version, text, is_other_table }));
        }
    }
    if oldest.is_some() {
        return Ok(None);
    }
    let ours = snapshot(database, &TableSelector::Key(table.key), At::Latest).await?.metadata.id;
    let theirs = match listing.newest_checkpoint(table.version) {
        Some(checkpoint) => checkpoint_table_id(log, &checkpoint.files[0]).await?,
        None => None,
    };
    if theirs.as_ref() == Some(&ours) {
        return Ok(None);
    }
    let is_other_table = theirs.is_some();
    let theirs = theirs.map_or("no version that both have".to_owned(), |id| format!("the table id {id}"));
    let text = format!("the log has {theirs}, the catalog has version {} of the table {ours}", table.version);
    Ok(Some(Disagreement { version: table.version, text, is_other_table }))
}

enum Compared {
    Same,
    Different {
        /// Both sides.
        text: String,
        is_other_table: bool,
    },
}

/// Compares the first of the commits that the catalog knows by its actions.
async fn compare_first<'a>(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    files: impl Iterator<Item = &'a LogFile>,
) -> Result<Option<(i64, Compared)>> {
    for file in files {
        let version = file.version;
        let Some(ours) = catalog_digest(database, table, version).await? else { continue };
        let theirs = log_digest(log, &file.name).await?;
        let compared = if ours.is_same(&theirs) { Compared::Same } else { different(version, &ours, &theirs) };
        return Ok(Some((version, compared)));
    }
    Ok(None)
}

fn different(version: i64, ours: &CommitDigest, theirs: &CommitDigest) -> Compared {
    match (ours.table_id(), theirs.table_id()) {
        (Some(our_id), Some(their_id)) if our_id != their_id => Compared::Different {
            text: format!("at version {version} the log is that of the table {their_id}, the catalog's is {our_id}"),
            is_other_table: true,
        },
        _ => Compared::Different {
            text: format!("at version {version} the log has {theirs}, the catalog has {ours}"),
            is_other_table: false,
        },
    }
}

/// The `id` in the `metaData` of a checkpoint.
async fn checkpoint_table_id(log: &LogStore, file: &LogFile) -> Result<Option<String>> {
    let content = log.fetch(&file.name).await.map_err(listed)?;
    let id = |actions: &[Action]| {
        actions.iter().find_map(|action| match action {
            Action::Metadata(metadata) => Some(metadata.id.clone()),
            _ => None,
        })
    };
    if file.kind == LogFileKind::UuidCheckpointJson {
        return Ok(id(&read_actions(content, &file.name)?));
    }
    for actions in content.checkpoint(&file.name)? {
        if let Some(id) = id(&actions?) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Reads all actions of a small file of lines.
pub(crate) fn read_actions(content: Fetched, name: &str) -> Result<Vec<Action>> {
    let mut actions = Vec::new();
    content.for_each_line(name, |number, line| read_commit_line(name, number, line, &mut actions))?;
    Ok(actions)
}

/// What a commit file says that was listed.
pub(crate) async fn log_digest(log: &LogStore, name: &str) -> Result<CommitDigest> {
    let mut digest = CommitDigest::default();
    let mut actions = Vec::new();
    let read = log.fetch(name).await.map_err(listed)?.for_each_line(name, |number, line| {
        read_commit_line(name, number, line, &mut actions)?;
        digest.insert(&actions);
        actions.clear();
        Ok(())
    });
    read.map(|()| digest).map_err(|error| error.context(format!("reading the log at {}", log.url())))
}
