//! Reading the files of a log as actions, in order, on a thread beside.

use deltalakedb_core::action::Action;
use deltalakedb_core::diff::Source;
use deltalakedb_core::log::{LogFile, LogFileKind, LogPlan, read_commit_line};
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::import::{FETCHES, PIECE, READER_STACK_BYTES, sidecar_name, without_sidecar};
use crate::store::{Fetched, LogStore};

/// Some actions of a file.
pub(crate) struct Piece {
    /// Of the file; of a compacted log, its last one.
    pub(crate) version: i64,
    pub(crate) source: Source,
    pub(crate) actions: Vec<Action>,
    /// Whether the file ends with them.
    pub(crate) is_last: bool,
}

/// What is being read.
pub(crate) struct Pieces(mpsc::Receiver<Result<Piece>>);

impl Pieces {
    /// The next actions; none after the last file. After an error there is nothing more.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>> {
        self.0.recv().await.transpose()
    }
}

/// The files of a plan, in order.
pub(crate) fn files_of(plan: &LogPlan) -> Vec<LogFile> {
    let checkpoint = plan.checkpoint.iter().flat_map(|checkpoint| &checkpoint.files);
    checkpoint.chain(plan.steps.iter().map(|step| &step.file)).cloned().collect()
}

/// Reads files of a log: commits, compacted logs, checkpoints with their sidecars.
pub(crate) fn read_files(log: &LogStore, files: Vec<LogFile>) -> Result<Pieces> {
    let (sender, pieces) = mpsc::channel(4);
    let mut reader = Reader { log: log.clone(), handle: Handle::current(), pieces: sender };
    let thread = std::thread::Builder::new().name("log reader".to_owned()).stack_size(READER_STACK_BYTES);
    let started = thread.spawn(move || {
        if let Err(error) = reader.read(files) {
            let _ = reader.pieces.blocking_send(Err(error)); // who asked may be gone
        }
    });
    started.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("starting a thread to read the log: {error}"))
            .hint("check the limits on threads and memory")
    })?;
    Ok(Pieces(pieces))
}

struct Reader {
    log: LogStore,
    handle: Handle,
    pieces: mpsc::Sender<Result<Piece>>,
}

impl Reader {
    fn read(&mut self, files: Vec<LogFile>) -> Result<()> {
        let mut contents = self.fetch_all(files.iter().map(|file| file.name.clone()).collect());
        for file in files {
            let content =
                contents.next().ok_or_else(|| Error::new(ErrorKind::Internal, "the fetching task ended early"))?;
            content
                .and_then(|content| self.read_file(&file, content))
                .map_err(|error| error.version(file.version).path(&file.name))?;
        }
        Ok(())
    }

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

    fn read_file(&self, file: &LogFile, content: Fetched) -> Result<()> {
        let mut out = Sink { reader: self, version: file.version, source: Source::Checkpoint, sidecars: Vec::new() };
        match file.kind {
            LogFileKind::Commit => {
                out.source = Source::Commit;
                out.lines(content, &file.name)?;
            }
            LogFileKind::CompactedTo(end) => {
                (out.source, out.version) = (Source::Commit, end);
                out.lines(content, &file.name)?;
            }
            LogFileKind::UuidCheckpointJson => out.lines(content, &file.name)?,
            LogFileKind::ClassicCheckpoint
            | LogFileKind::CheckpointPart { .. }
            | LogFileKind::UuidCheckpointParquet => out.rows(content, &file.name)?,
        }
        for sidecar in std::mem::take(&mut out.sidecars) {
            let content = self.handle.block_on(self.log.fetch(&sidecar));
            let content = content.map_err(|error| without_sidecar(&file.name, &sidecar, &error))?;
            out.rows(content, &sidecar)?;
        }
        out.send(Vec::new(), true)
    }
}

/// Hands on what is in one file.
struct Sink<'a> {
    reader: &'a Reader,
    version: i64,
    source: Source,
    /// Those that a checkpoint names.
    sidecars: Vec<String>,
}

impl Sink<'_> {
    fn lines(&mut self, content: Fetched, name: &str) -> Result<()> {
        let mut actions = Vec::with_capacity(PIECE);
        content.for_each_line(|number, line| {
            read_commit_line(name, number, line, &mut actions)?;
            if actions.len() >= PIECE {
                self.send(std::mem::replace(&mut actions, Vec::with_capacity(PIECE)), false)?;
            }
            Ok(())
        })?;
        self.send(actions, false)
    }

    fn rows(&mut self, content: Fetched, name: &str) -> Result<()> {
        content.checkpoint(name)?.try_for_each(|actions| self.send(actions?, false))
    }

    fn send(&mut self, actions: Vec<Action>, is_last: bool) -> Result<()> {
        if actions.is_empty() && !is_last {
            return Ok(());
        }
        if self.source == Source::Checkpoint {
            for action in &actions {
                if let Action::Sidecar(sidecar) = action {
                    self.sidecars.push(sidecar_name(&sidecar.path)?);
                }
            }
        }
        let piece = Piece { version: self.version, source: self.source, actions, is_last };
        let ended = |_| Error::new(ErrorKind::Internal, "who reads the log has ended");
        self.reader.pieces.blocking_send(Ok(piece)).map_err(ended)
    }
}
