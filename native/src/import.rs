//! Bringing a log into the catalog: a reader and a writer side by side, batches between them.

use std::time::Duration;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{
    Registered, Registration, Table, TableSelector, UnfinishedImport, find_table, list_tables, register, take_over,
};
use deltalakedb_core::import::{CommitDigest, ImportPlanner, catalog_digest, sign_of_life};
use deltalakedb_core::log::{HistoryMode, LogFile, LogFileKind, LogListing, LogPlan, Step, read_commit_line};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Batch, Database};
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use indicatif::ProgressBar;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::database::SqliteDatabase;
use crate::output::Output;
use crate::progress::bytes_bar;
use crate::store::{Fetched, LogStore};

/// Actions that are handed on at once.
const PIECE: usize = 1024;
/// Of its address space, not of its memory: a deeply nested Parquet schema is read by recursion.
const READER_STACK_BYTES: usize = 256 << 20;
/// Objects that are fetched from a store at the same time.
const FETCHES: usize = 8;
/// An import without a batch to write, as during a long download, gives a sign of life so often.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long an import that gives no sign of life is watched before it counts as dead.
const WATCH: Duration = Duration::from_secs(5);

/// What an import did.
pub(crate) struct Imported {
    pub(crate) table: Table,
    pub(crate) versions_imported: i64,
}

/// What is in a log.
pub(crate) async fn list_log(log: &LogStore) -> Result<LogListing> {
    Ok(LogListing::new(log.list().await.map_err(|error| error.context(format!("importing {}", log.url())))?))
}

/// What to read of a log.
pub(crate) fn plan_import(log: &LogStore, listing: &LogListing, mode: HistoryMode) -> Result<LogPlan> {
    let plan = listing.plan(mode);
    plan.map_err(|error| error.context(format!("importing {}", log.url())).path(log.url().as_str()))
}

/// Imports a log as a new table.
pub(crate) async fn import_table(
    database: &SqliteDatabase,
    log: &LogStore,
    plan: LogPlan,
    name: String,
    location: String,
    output: &Output,
) -> Result<Imported> {
    let registration =
        Registration { import_id: Uuid::new_v4().to_string(), table_id: Uuid::new_v4().to_string(), name, location };
    let key = begin(database, &registration, output).await?;
    let planner = ImportPlanner::new(key, registration.import_id.clone(), plan.earliest_version, database.limits());
    let bar = bytes_bar(plan_bytes(&plan), &format!("importing {}", registration.name));
    let heartbeat = sign_of_life(key, &registration.import_id);
    let result = run(database, log, bar, Some(heartbeat), move |reader| read_plan(reader, &plan, planner)).await;
    if let Err(error) = result {
        // What the import had written is nobody's; a later import would sweep it, too.
        if let Ok(Registered::Held(unfinished)) = register(database, &registration).await {
            let _ = take_over_own(database, &unfinished, &registration).await;
        }
        let error = superseded(error, &registration).context(format!("importing {}", log.url()));
        return Err(error.table(registration.name));
    }
    let table = find_table(database, &TableSelector::Key(key)).await?;
    Ok(Imported { versions_imported: table.version - table.earliest_version + 1, table })
}

async fn take_over_own(
    database: &SqliteDatabase,
    unfinished: &UnfinishedImport,
    registration: &Registration,
) -> Result<()> {
    if unfinished.is(&registration.import_id) {
        take_over(database, unfinished).await?;
    }
    Ok(())
}

/// Registers the table; what a dead import left is swept, a living one is left alone.
async fn begin(database: &SqliteDatabase, registration: &Registration, output: &Output) -> Result<i64> {
    loop {
        let unfinished = match register(database, registration).await? {
            Registered::Begun(key) => return Ok(key),
            Registered::Held(unfinished) => unfinished,
        };
        output.note("another import of this table has begun and not ended; looking whether it is still running");
        tokio::time::sleep(WATCH).await;
        match register(database, registration).await? {
            Registered::Begun(key) => return Ok(key),
            Registered::Held(later) if later == unfinished => {
                // Alive after all: the next look tells what it has become.
                take_over(database, &later).await?;
            }
            Registered::Held(_) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("another import of {} is running", registration.location),
                )
                .table(registration.name.clone())
                .hint("wait until it has ended; `dl tables` shows the table then"));
            }
        }
    }
}

fn superseded(error: Error, registration: &Registration) -> Error {
    if error.kind() == ErrorKind::Conflict {
        return Error::new(ErrorKind::Conflict, "another import took the table over, or the table was dropped")
            .table(registration.name.clone())
            .hint("`dl tables` shows what is there");
    }
    error
}

/// Takes in the commits that a registered table lacks.
pub(crate) async fn import_increment(
    database: &SqliteDatabase,
    log: &LogStore,
    listing: &LogListing,
    table: Table,
) -> Result<Imported> {
    let doing =
        |error: Error| error.context(format!("importing {} into table {}", log.url(), table.name)).table(&table.name);
    check_agreement(database, log, listing, &table).await.map_err(doing)?;
    let steps = listing.plan_after(table.version).map_err(doing)?;
    let versions_imported = steps.len() as i64;
    let selector = TableSelector::Key(table.key);
    let state = snapshot(database, &selector, At::Latest).await?;
    let planner = ImportPlanner::incremental(&table, state.metadata, state.protocol, database.limits());
    let bar = bytes_bar(steps.iter().map(|step| step.file.size).sum(), &format!("importing {}", table.name));
    run(database, log, bar, None, move |reader| read_increment(reader, &steps, planner)).await.map_err(|error| {
        if error.kind() == ErrorKind::Conflict {
            return doing(
                Error::new(ErrorKind::Conflict, "the table was committed to meanwhile").hint("run the import again"),
            );
        }
        doing(error)
    })?;
    Ok(Imported { table: find_table(database, &selector).await?, versions_imported })
}

/// The table that is registered at a location.
pub(crate) async fn table_at(database: &impl Database, location: &str) -> Result<Option<Table>> {
    Ok(list_tables(database).await?.into_iter().find(|table| table.location == location))
}

/// The log must tell the same as the catalog of the oldest and the newest version that both have.
async fn check_agreement(database: &impl Database, log: &LogStore, listing: &LogListing, table: &Table) -> Result<()> {
    match disagreement(database, table, log, listing).await? {
        None => Ok(()),
        Some(disagreement) => {
            Err(Error::new(ErrorKind::Conflict, format!("the log and the catalog differ: {}", disagreement.text))
                .version(disagreement.version)
                .hint(
                    "another writer committed to the log, or it is another table's; nothing was changed. `dl drop` and \
                     `dl import` take the log's side, and give up what the catalog alone has",
                ))
        }
    }
}

/// Where a log and the catalog tell different things.
pub(crate) struct Disagreement {
    pub(crate) version: i64,
    /// Both sides.
    pub(crate) text: String,
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
        if let Compared::Different(text) = compared {
            return Ok(Some(Disagreement { version: *version, text: text.clone() }));
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
    let theirs = theirs.map_or("no version that both have".to_owned(), |id| format!("the table id {id}"));
    let text = format!("the log has {theirs}, the catalog has version {} of the table {ours}", table.version);
    Ok(Some(Disagreement { version: table.version, text }))
}

enum Compared {
    Same,
    /// Both sides.
    Different(String),
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
        let text = || format!("at version {version} the log has {theirs}, the catalog has {ours}");
        let compared = if ours.is_same(&theirs) { Compared::Same } else { Compared::Different(text()) };
        return Ok(Some((version, compared)));
    }
    Ok(None)
}

/// The `id` in the `metaData` of a checkpoint.
async fn checkpoint_table_id(log: &LogStore, file: &LogFile) -> Result<Option<String>> {
    let content = log.fetch(&file.name).await?;
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
fn read_actions(content: Fetched, name: &str) -> Result<Vec<Action>> {
    let mut actions = Vec::new();
    content.for_each_line(|number, line| read_commit_line(name, number, line, &mut actions))?;
    Ok(actions)
}

/// What a commit file says.
pub(crate) async fn log_digest(log: &LogStore, name: &str) -> Result<CommitDigest> {
    let mut digest = CommitDigest::default();
    let mut actions = Vec::new();
    log.fetch(name).await?.for_each_line(|number, line| {
        read_commit_line(name, number, line, &mut actions)?;
        digest.insert(&actions);
        actions.clear();
        Ok(())
    })?;
    Ok(digest)
}

fn plan_bytes(plan: &LogPlan) -> u64 {
    let checkpoint = plan.checkpoint.iter().flat_map(|checkpoint| &checkpoint.files);
    checkpoint.chain(plan.steps.iter().map(|step| &step.file)).map(|file| file.size).sum()
}

/// Runs `read` on a thread of its own and applies the batches that it sends, in order; while none comes, `heartbeat`.
async fn run(
    database: &SqliteDatabase,
    log: &LogStore,
    bar: ProgressBar,
    heartbeat: Option<Batch>,
    read: impl FnOnce(&mut Reader) -> Result<()> + Send + 'static,
) -> Result<()> {
    let (sender, mut batches) = mpsc::channel(2);
    let mut reader = Reader { log: log.clone(), batches: sender, handle: tokio::runtime::Handle::current(), bar };
    let (done, reading) = oneshot::channel();
    // Not one of tokio's threads: those that run the batches must not wait for it.
    let thread = std::thread::Builder::new().name("log reader".to_owned()).stack_size(READER_STACK_BYTES);
    let started = thread.spawn(move || {
        let _ = done.send(read(&mut reader)); // who asked may be gone
    });
    started.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("starting a thread to read the log: {error}"))
            .hint("check the limits on threads and memory")
    })?;
    let mut applied = Ok(());
    loop {
        let batch = match (tokio::time::timeout(HEARTBEAT, batches.recv()).await, &heartbeat) {
            (Ok(Some(batch)), _) => batch,
            (Ok(None), _) => break,
            (Err(_), Some(heartbeat)) => heartbeat.clone(),
            (Err(_), None) => continue,
        };
        if let Err(error) = database.batch(batch).await {
            applied = Err(error.into());
            break;
        }
    }
    drop(batches); // the reader stops at its next batch
    let read = reading
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the thread that reads the log ended early")));
    applied.and(read)
}

/// The reading side of an import.
struct Reader {
    log: LogStore,
    batches: mpsc::Sender<Batch>,
    handle: tokio::runtime::Handle,
    bar: ProgressBar,
}

impl Reader {
    /// The contents of objects, in order; from a store some are under way at once.
    fn fetch_all(&self, names: Vec<String>) -> impl Iterator<Item = Result<Fetched>> + use<> {
        let (sender, mut fetched) = mpsc::channel(1);
        let log = self.log.clone();
        self.handle.spawn(async move {
            let fetch = |name: String| {
                let log = log.clone();
                async move { log.fetch(&name).await }
            };
            let mut contents = std::pin::pin!(futures::stream::iter(names).map(fetch).buffered(FETCHES));
            while let Some(content) = contents.next().await {
                if sender.send(content).await.is_err() {
                    break; // the reader has met an error
                }
            }
        });
        std::iter::from_fn(move || fetched.blocking_recv())
    }

    fn fetch(&self, name: &str) -> Result<Fetched> {
        self.handle.block_on(self.log.fetch(name))
    }

    fn send(&self, batch: Option<Batch>) -> Result<()> {
        match batch {
            Some(batch) => self
                .batches
                .blocking_send(batch)
                .map_err(|_| Error::new(ErrorKind::Internal, "the writing side of the import ended")),
            None => Ok(()),
        }
    }
}

fn read_plan(reader: &mut Reader, plan: &LogPlan, mut planner: ImportPlanner) -> Result<()> {
    if let Some(checkpoint) = &plan.checkpoint {
        let first = &checkpoint.files[0];
        planner.begin_checkpoint(checkpoint.version, &first.name);
        for file in &checkpoint.files {
            let is_json = file.kind == LogFileKind::UuidCheckpointJson;
            read_checkpoint(reader, &file.name, is_json, &mut planner)?;
            reader.bar.inc(file.size);
        }
        let own_commit_follows = plan.steps.first().is_some_and(|step| step.file.version <= checkpoint.version);
        let is_base_only = plan.earliest_version > checkpoint.version;
        reader.send(planner.end_checkpoint(own_commit_follows || is_base_only, first.modified_ms)?)?;
    }
    read_steps(reader, &plan.steps, &mut planner)?;
    reader.send(Some(planner.finish()))
}

fn read_increment(reader: &mut Reader, steps: &[Step], mut planner: ImportPlanner) -> Result<()> {
    read_steps(reader, steps, &mut planner)?;
    reader.send(planner.flush())
}

fn read_steps(reader: &mut Reader, steps: &[Step], planner: &mut ImportPlanner) -> Result<()> {
    let mut contents = reader.fetch_all(steps.iter().map(|step| step.file.name.clone()).collect());
    for step in steps {
        let content =
            contents.next().ok_or_else(|| Error::new(ErrorKind::Internal, "the fetching task ended early"))?;
        planner.begin_version(step.version, &step.file.name, step.file.modified_ms, step.compacted);
        let doing = |error: Error| error.version(step.version);
        read_lines(reader, content.map_err(doing)?, &step.file.name, planner, |_| Ok(())).map_err(doing)?;
        reader.send(planner.end_version().map_err(doing)?)?;
        reader.bar.inc(step.file.size);
    }
    Ok(())
}

fn read_lines(
    reader: &Reader,
    content: Fetched,
    name: &str,
    planner: &mut ImportPlanner,
    mut see: impl FnMut(&[Action]) -> Result<()>,
) -> Result<()> {
    let mut actions = Vec::with_capacity(PIECE);
    content.for_each_line(|number, line| {
        read_commit_line(name, number, line, &mut actions)?;
        if actions.len() >= PIECE {
            let piece = std::mem::replace(&mut actions, Vec::with_capacity(PIECE));
            see(&piece)?;
            reader.send(planner.actions(piece)?)?;
        }
        Ok(())
    })?;
    see(&actions)?;
    reader.send(planner.actions(actions)?)
}

const RESTORE_CHECKPOINT: &str = "restore the file, or delete the checkpoint where an older one and the commits since \
    are still there";

/// Reads a checkpoint file, then the sidecars that it names.
fn read_checkpoint(reader: &Reader, name: &str, is_json: bool, planner: &mut ImportPlanner) -> Result<()> {
    let mut sidecars = Vec::new();
    let mut see = |actions: &[Action]| {
        for action in actions {
            if let Action::Sidecar(sidecar) = action {
                sidecars.push(sidecar_name(&sidecar.path)?);
            }
        }
        Ok(())
    };
    if is_json {
        read_lines(reader, reader.fetch(name)?, name, planner, &mut see)?;
    } else {
        for actions in reader.fetch(name)?.checkpoint(name)? {
            let actions = actions?;
            see(&actions)?;
            reader.send(planner.actions(actions)?)?;
        }
    }
    for sidecar in sidecars {
        let content = reader.fetch(&sidecar).map_err(|error| {
            let kind = if error.kind() == ErrorKind::NotFound { ErrorKind::Corrupt } else { error.kind() };
            let hint = error.hint_text().filter(|_| kind != ErrorKind::Corrupt).unwrap_or(RESTORE_CHECKPOINT);
            Error::new(kind, format!("the checkpoint {name} needs its sidecar {sidecar}: {error}"))
                .path(&sidecar)
                .hint(hint)
        })?;
        for actions in content.checkpoint(&sidecar)? {
            reader.send(planner.actions(actions?)?)?;
        }
    }
    Ok(())
}

/// The object of a sidecar: a name in `_sidecars`, or an absolute URI that ends there.
fn sidecar_name(path: &str) -> Result<String> {
    let name = path.rsplit_once("/_sidecars/").map_or(path, |(_, name)| name);
    if name.is_empty() || name.contains(['/', '\\', '\0']) || name.contains("..") {
        return Err(Error::corrupt(format!("the sidecar path `{path}` is not one of this log")));
    }
    Ok(format!("_sidecars/{name}"))
}
