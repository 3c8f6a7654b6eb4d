//! Letting one side win where histories diverge. The loser is kept in a folder beside the log, which no engine reads:
//! `<table>/_diverged/<side>-<version>/_delta_log`. Engines look for a log in `_delta_log` alone, and take folders whose
//! names begin with `_` for no data (protocol section "Delta Log Entries"; `VACUUM` passes them over).

use std::collections::BTreeSet;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::log::{HistoryMode, LogFileKind, LogListing, MAX_VERSION, parse_file_name};
use deltalakedb_core::mirror::LastCheckpoint;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::table_features::check_publishable;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::{Comparison, Thresholds, Verdict, compare, list_target};
use crate::database::SqliteDatabase;
use crate::import::{import_in_place_of, import_increment, plan_import};
use crate::log_reader::{Structs, read_files};
use crate::mirror::mirror_table;
use crate::output::Output;
use crate::store::{LogStore, Put};

const LAST_CHECKPOINT: &str = "_last_checkpoint";
const SIDECARS: &str = "_sidecars";
/// Folders for losers of one version, at the most.
const FOLDERS: usize = 1000;

/// What became of a divergence.
pub(crate) struct Resolved {
    /// Catalog and log, compared anew.
    pub(crate) after: Comparison,
    /// Where the losing side is kept; none when there was nothing to keep.
    pub(crate) kept_at: Option<String>,
}

impl Resolved {
    /// What to do where they still differ: their commits are alike now, so it is a checkpoint or other writers go on.
    pub(crate) fn hint(&self, thresholds: Thresholds) -> Option<&'static str> {
        let differs = self.after.verdict(thresholds) == Verdict::Drift;
        let is_state = self.after.history.foreign.is_empty();
        differs.then_some(match is_state {
            true => {
                "the commits are alike, but a checkpoint of the log says something else: `dl verify` names it; move it \
                 away, and `dl mirror` writes it anew where the log needs it"
            }
            false => "another writer still commits to the log: stop it and run this again",
        })
    }
}

/// Compares the two again.
async fn compared_again(database: &SqliteDatabase, table: &Table, log: &LogStore, now_ms: i64) -> Result<Comparison> {
    let table = snapshot(database, &TableSelector::Key(table.key), At::Latest).await?.table;
    compare(database, &table, log, None, now_ms, &mut |_| Ok(())).await
}

/// The catalog wins: the log's files from the first foreign version on are moved aside, and the mirror writes the
/// catalog's. The newest go first, so that at any moment the log is whole up to some version; killed and run again it goes
/// on where it was.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when the rest of the log could not be read, or another writer goes on.
pub(crate) async fn catalog_wins(
    database: &SqliteDatabase,
    comparison: &Comparison,
    log: &LogStore,
    now_ms: i64,
) -> Result<Resolved> {
    let selector = TableSelector::Key(comparison.table.key);
    let state = snapshot(database, &selector, At::Latest).await?;
    check_publishable(&state.protocol)?;
    let mut kept_at = None;
    if let Some(first) = comparison.history.first_foreign() {
        check_rest_is_whole(log, &state.table, first).await?;
        kept_at = move_aside(log, first).await?;
        sweep_aside(log, first, now_ms).await?;
        if has_objects_from(&log.list().await?, first) {
            return Err(Error::new(ErrorKind::Conflict, "another writer still commits to the log")
                .path(log.url().as_str())
                .hint("stop it and run this again: what was moved aside stays there, and the rest follows"));
        }
    }
    mirror_table(database, &state.table, log, now_ms, || ()).await?;
    Ok(Resolved { after: compared_again(database, &state.table, log, now_ms).await?, kept_at })
}

/// What stays of the log must lead to the version before, or be such that the mirror can write it.
async fn check_rest_is_whole(log: &LogStore, table: &Table, first: i64) -> Result<()> {
    let rest = log.list().await?.into_iter().filter(|(name, ..)| version_of(name).is_some_and(|v| v < first));
    let rest = LogListing::new(rest);
    if rest.is_empty() || table.earliest_version == 0 || rest.plan_at(first - 1).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "without its files from version {first} on, the log does not lead to version {}, and the catalog knows the \
             table from version {} on",
            first - 1,
            table.earliest_version
        ),
    )
    .version(first)
    .hint("nothing was changed; mirror the table to another folder, or let the log win"))
}

/// Of an object directly in a log: the last version that it tells of. Every name of the protocol begins with one.
fn version_of(name: &str) -> Option<i64> {
    if let Some((version, kind)) = parse_file_name(name) {
        return Some(match kind {
            LogFileKind::CompactedTo(end) => end,
            _ => version,
        });
    }
    let (version, _) = name.split_once('.')?;
    let version = (version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit())).then(|| version.parse());
    version?.ok().filter(|&version: &i64| version <= MAX_VERSION)
}

fn has_objects_from(objects: &[(String, u64, i64)], first: i64) -> bool {
    objects.iter().any(|(name, ..)| version_of(name).is_some_and(|version| version >= first))
}

/// Moves the objects of versions from `first` on; where to.
async fn move_aside(log: &LogStore, first: i64) -> Result<Option<String>> {
    let objects = log.list().await?;
    let checkpoints = LogListing::new(objects.iter().cloned());
    let mut moved: Vec<_> =
        objects.into_iter().filter(|(name, ..)| version_of(name).is_some_and(|version| version >= first)).collect();
    // It may name a checkpoint that goes; readers look without it, and the mirror writes it anew.
    if !moved.is_empty() && names_from(log, first).await? {
        move_object(log, None, LAST_CHECKPOINT, 0, first).await?;
    }
    // The newest first, and a version's commit last.
    moved.sort_by_key(|(name, ..)| {
        (version_of(name), parse_file_name(name).map(|(_, kind)| kind) != Some(LogFileKind::Commit))
    });
    let mut kept_at = None;
    for (name, _, modified_ms) in moved.into_iter().rev() {
        if let Some((version, _)) = parse_file_name(&name).filter(|(_, kind)| *kind != LogFileKind::Commit) {
            for sidecar in sidecars(log, &checkpoints, version, &name).await? {
                move_object(log, Some(SIDECARS), &sidecar, modified_ms, first).await?;
            }
        }
        kept_at = move_object(log, None, &name, modified_ms, first).await?.or(kept_at);
    }
    Ok(kept_at)
}

/// What a run that was killed left half-written.
async fn sweep_aside(log: &LogStore, first: i64, now_ms: i64) -> Result<()> {
    for number in 1..=FOLDERS {
        let kept = aside(log, first, "log", number)?;
        if is_empty(&kept).await? {
            break;
        }
        kept.sweep_temporary_files(now_ms).await?;
        let sidecars = kept.child(SIDECARS)?;
        if !is_empty(&sidecars).await? {
            sidecars.sweep_temporary_files(now_ms).await?;
        }
    }
    Ok(())
}

async fn is_empty(folder: &LogStore) -> Result<bool> {
    match folder.list().await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        objects => Ok(objects?.is_empty()),
    }
}

/// The folder for a loser: further ones when there are others of an earlier time.
fn aside(log: &LogStore, first: i64, side: &str, number: usize) -> Result<LogStore> {
    let suffix = if number == 1 { String::new() } else { format!("-{number}") };
    log.beside(&format!("_diverged/{side}-{first:020}{suffix}"))
}

/// Whether `_last_checkpoint` names a checkpoint that goes, or nothing that can be read.
async fn names_from(log: &LogStore, first: i64) -> Result<bool> {
    match log.fetch_small(LAST_CHECKPOINT).await {
        Ok(None) => Ok(false),
        Ok(Some(there)) => {
            Ok(serde_json::from_slice::<LastCheckpoint>(&there).map_or(true, |last| last.version >= first))
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(true),
        Err(error) => Err(error),
    }
}

/// The sidecars of a checkpoint file. Of one that cannot be read they stay where they are.
async fn sidecars(log: &LogStore, listing: &LogListing, version: i64, name: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let of_name =
        listing.checkpoints_of(version).find(|checkpoint| checkpoint.files.iter().any(|file| file.name == name));
    let Some(checkpoint) = of_name else { return Ok(found) };
    let mut pieces = read_files(log, checkpoint.files.clone(), Structs::PassedOver)?;
    loop {
        let piece = match pieces.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(found),
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(found),
            Err(error) => return Err(error),
        };
        for action in piece.actions {
            if let Action::Sidecar(sidecar) = action {
                found.extend(sidecar.path.rsplit('/').next().map(str::to_owned));
            }
        }
    }
}

/// Copies an object, then deletes it: whoever is killed in between does both again. The answer is where it went; none when
/// another run was faster.
async fn move_object(
    log: &LogStore,
    folder: Option<&str>,
    name: &str,
    modified_ms: i64,
    first: i64,
) -> Result<Option<String>> {
    let inner = |log: &LogStore| folder.map_or_else(|| Ok(log.clone()), |folder| log.child(folder));
    let from = inner(log)?;
    for number in 1..=FOLDERS {
        let content = match from.fetch(name).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            content => content?,
        };
        let kept = aside(log, first, "log", number)?;
        let to = inner(&kept)?;
        to.make().await?;
        let is_kept = match to.put_if_absent(name, content, modified_ms).await? {
            Put::Written => true,
            Put::AlreadyThere => from.fetch(name).await?.equals(to.fetch(name).await?).await?,
        };
        if is_kept {
            from.delete(name).await?;
            return Ok(Some(kept.url().to_string()));
        }
    }
    Err(Error::new(ErrorKind::Conflict, format!("there are {FOLDERS} other versions of {name} in _diverged"))
        .path(name)
        .hint("move those folders away; nothing was lost"))
}

/// The log wins: what the catalog has is written out as a log of its own, and then the log is taken in anew. Readers see the
/// old table until the new one takes its place, at once; killed before that and run again it begins anew.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when the table is committed to meanwhile.
pub(crate) async fn log_wins(
    database: &SqliteDatabase,
    comparison: &Comparison,
    log: &LogStore,
    now_ms: i64,
    output: &Output,
) -> Result<Resolved> {
    let listing = list_target(log).await?;
    let table = comparison.table.clone();
    let Some(first) = comparison.history.diverged_at else {
        // The catalog has nothing that the log has not, or has not yet.
        if !comparison.history.foreign.is_empty() {
            import_increment(database, log, &listing, table.clone(), output).await?;
        }
        return Ok(Resolved { after: compared_again(database, &table, log, now_ms).await?, kept_at: None });
    };
    let plan = plan_import(log, &listing, HistoryMode::Full)?;
    let kept = keep_catalog(database, &table, log, first, now_ms).await?;
    let imported = import_in_place_of(database, log, plan, table, output).await?;
    let after = compared_again(database, &imported.table, log, now_ms).await?;
    Ok(Resolved { after, kept_at: Some(kept.url().to_string()) })
}

/// Writes the catalog's table to a folder of its own, and looks whether it is all there.
async fn keep_catalog(
    database: &SqliteDatabase,
    table: &Table,
    log: &LogStore,
    first: i64,
    now_ms: i64,
) -> Result<LogStore> {
    for number in 1..=FOLDERS {
        let kept = aside(log, first, "catalog", number)?;
        kept.make().await?;
        let mirrored = match mirror_table(database, table, &kept, now_ms, || ()).await {
            // Another one's, of an earlier time.
            Err(error) if error.kind() == ErrorKind::Conflict => continue,
            mirrored => mirrored?,
        };
        let doing = |error: Error| error.context(format!("keeping what the catalog has at {}", kept.url()));
        let copy = compare(database, table, &kept, None, now_ms, &mut |_| Ok(())).await.map_err(doing)?;
        let is_whole = copy.version == table.version && copy.verdict(Thresholds::default()) == Verdict::Equal;
        if mirrored.version == table.version && is_whole {
            return Ok(kept);
        }
        return Err(doing(Error::new(ErrorKind::Conflict, "the table was committed to meanwhile"))
            .hint("run this again; nothing was changed"));
    }
    Err(Error::new(ErrorKind::Conflict, format!("there are {FOLDERS} other folders of version {first} in _diverged"))
        .hint("move them away; nothing was changed"))
}
