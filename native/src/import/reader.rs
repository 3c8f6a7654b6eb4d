//! The reading side of an import: files into the planner, its batches to the writing side.

use std::time::Duration;

use deltalakedb_core::action::Action;
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::log::{LogFileKind, LogPlan, Step, read_commit_line};
use deltalakedb_core::sql::{Batch, Database};
use deltalakedb_core::{Error, ErrorKind, Result};
use indicatif::ProgressBar;
use tokio::sync::{mpsc, oneshot};

use crate::database::SqliteDatabase;
use crate::log_reader::{PIECE, fetch_all, sidecar_name, start_reader, without_sidecar};
use crate::store::{Fetched, LogStore};

/// An import without a batch to write, as during a long download, gives a sign of life so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Runs `read` on a thread of its own and applies the batches that it sends, in order; while none comes, `heartbeat`.
pub(super) async fn run(
    database: &SqliteDatabase,
    log: &LogStore,
    bar: ProgressBar,
    heartbeat: Option<Batch>,
    read: impl FnOnce(&mut Reader) -> Result<()> + Send + 'static,
) -> Result<()> {
    let (sender, mut batches) = mpsc::channel(2);
    let mut reader = Reader { log: log.clone(), batches: sender, handle: tokio::runtime::Handle::current(), bar };
    let (done, reading) = oneshot::channel();
    start_reader(move || {
        let _ = done.send(read(&mut reader)); // who asked may be gone
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
            applied = Err(error.or_lost("import again: it goes on after what is there, or begins anew"));
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
pub(super) struct Reader {
    log: LogStore,
    batches: mpsc::Sender<Batch>,
    handle: tokio::runtime::Handle,
    bar: ProgressBar,
}

impl Reader {
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

/// `last` makes the last batch.
pub(super) fn read_plan(
    reader: &mut Reader,
    plan: &LogPlan,
    mut planner: ImportPlanner,
    last: impl FnOnce(ImportPlanner) -> Batch,
) -> Result<()> {
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
    reader.send(Some(last(planner)))
}

pub(super) fn read_increment(reader: &mut Reader, steps: &[Step], mut planner: ImportPlanner) -> Result<()> {
    read_steps(reader, steps, &mut planner)?;
    reader.send(planner.flush())
}

fn read_steps(reader: &mut Reader, steps: &[Step], planner: &mut ImportPlanner) -> Result<()> {
    let mut contents =
        fetch_all(&reader.log, &reader.handle, steps.iter().map(|step| step.file.name.clone()).collect());
    for (number, step) in steps.iter().enumerate() {
        let content =
            contents.next().ok_or_else(|| Error::new(ErrorKind::Internal, "the fetching task ended early"))?;
        planner.begin_version(step.version, &step.file.name, step.file.modified_ms, step.compacted);
        let doing = |error: Error| error.version(step.version);
        if step.file.size == 0 && number + 1 == steps.len() {
            return Err(doing(empty(&step.file.name)));
        }
        read_lines(reader, content.map_err(doing)?, &step.file.name, planner, |_| Ok(())).map_err(doing)?;
        reader.send(planner.end_version().map_err(doing)?)?;
        reader.bar.inc(step.file.size);
    }
    Ok(())
}

/// Where files do not come all at once, their writer has only made it so far.
fn empty(name: &str) -> Error {
    Error::corrupt(format!("the last commit of the log, {name}, is empty"))
        .path(name)
        .hint("import again when its writer is done; when the writer is dead, delete the file")
}

fn read_lines(
    reader: &Reader,
    content: Fetched,
    name: &str,
    planner: &mut ImportPlanner,
    mut see: impl FnMut(&[Action]) -> Result<()>,
) -> Result<()> {
    let mut actions = Vec::with_capacity(PIECE);
    content.for_each_line(name, |number, line| {
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
        let content = reader.fetch(&sidecar).map_err(|error| without_sidecar(name, &sidecar, &error))?;
        for actions in content.checkpoint(&sidecar)? {
            reader.send(planner.actions(actions?)?)?;
        }
    }
    Ok(())
}
