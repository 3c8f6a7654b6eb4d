//! Reading the files of a log as actions, in order, on a thread beside.

use deltalakedb_core::action::Action;
use deltalakedb_core::diff::Source;
use deltalakedb_core::log::{LogFile, LogFileKind, LogPlan, read_commit_line};
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::store::{Fetched, LogStore};

/// Actions that are handed on at once.
pub(crate) const PIECE: usize = 1024;
/// Of its address space, not of its memory: a deeply nested Parquet schema is read by recursion.
const READER_STACK_BYTES: usize = 256 << 20;
/// Objects that are fetched from a store at the same time.
const FETCHES: usize = 8;
const RESTORE_CHECKPOINT: &str = "restore the file, or delete the checkpoint where an older one and the commits since \
    are still there";

/// Some actions of a file.
pub(crate) struct Piece {
    /// Of the file; of a compacted log, its last one.
    pub(crate) version: i64,
    pub(crate) source: Source,
    pub(crate) actions: Vec<Action>,
    /// With the last ones: what is wrong in the file that they do not show.
    pub(crate) faults: Vec<String>,
    /// Whether the file ends with them.
    pub(crate) is_last: bool,
}

/// What becomes of the structs in checkpoints that say again what texts beside them say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Structs {
    PassedOver,
    /// They are compared with the texts.
    Checked,
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
pub(crate) fn read_files(log: &LogStore, files: Vec<LogFile>, structs: Structs) -> Result<Pieces> {
    let (sender, pieces) = mpsc::channel(4);
    let mut reader = Reader { log: log.clone(), handle: Handle::current(), structs, pieces: sender };
    start_reader(move || {
        if let Err(error) = reader.read(files) {
            let _ = reader.pieces.blocking_send(Err(error)); // who asked may be gone
        }
    })?;
    Ok(Pieces(pieces))
}

struct Reader {
    log: LogStore,
    handle: Handle,
    structs: Structs,
    pieces: mpsc::Sender<Result<Piece>>,
}

impl Reader {
    fn read(&mut self, files: Vec<LogFile>) -> Result<()> {
        let mut contents = fetch_all(&self.log, &self.handle, files.iter().map(|file| file.name.clone()).collect());
        for file in files {
            let content =
                contents.next().ok_or_else(|| Error::new(ErrorKind::Internal, "the fetching task ended early"))?;
            content
                .and_then(|content| self.read_file(&file, content))
                .map_err(|error| error.version(file.version).path(&file.name))?;
        }
        Ok(())
    }

    fn read_file(&self, file: &LogFile, content: Fetched) -> Result<()> {
        let (sidecars, faults) = (Vec::new(), Vec::new());
        let mut out = Sink { reader: self, version: file.version, source: Source::Checkpoint, sidecars, faults };
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
    faults: Vec<String>,
}

impl Sink<'_> {
    fn lines(&mut self, content: Fetched, name: &str) -> Result<()> {
        let mut actions = Vec::with_capacity(PIECE);
        content.for_each_line(name, |number, line| {
            read_commit_line(name, number, line, &mut actions)?;
            if actions.len() >= PIECE {
                self.send(std::mem::replace(&mut actions, Vec::with_capacity(PIECE)), false)?;
            }
            Ok(())
        })?;
        self.send(actions, false)
    }

    fn rows(&mut self, content: Fetched, name: &str) -> Result<()> {
        if self.reader.structs == Structs::Checked {
            let of_sidecar = name.strip_prefix("_sidecars/").map(|_| format!(" (in {name})")).unwrap_or_default();
            let faults = content.wrong_structs(name)?;
            self.faults.extend(faults.into_iter().map(|fault| fault + &of_sidecar));
        }
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
        let faults = if is_last { std::mem::take(&mut self.faults) } else { Vec::new() };
        let piece = Piece { version: self.version, source: self.source, actions, faults, is_last };
        let ended = |_| Error::new(ErrorKind::Internal, "who reads the log has ended");
        self.reader.pieces.blocking_send(Ok(piece)).map_err(ended)
    }
}

/// Runs `read` on a thread of its own: tokio's, which run the database's batches, must not wait for it.
pub(crate) fn start_reader(read: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("log reader".to_owned()).stack_size(READER_STACK_BYTES);
    thread.spawn(read).map(drop).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("starting a thread to read the log: {error}"))
            .hint("check the limits on threads and memory")
    })
}

/// The contents of objects, in order; from a store some are under way at once.
pub(crate) fn fetch_all(
    log: &LogStore,
    handle: &Handle,
    names: Vec<String>,
) -> impl Iterator<Item = Result<Fetched>> + use<> {
    let (sender, mut fetched) = mpsc::channel(1);
    let log = log.clone();
    handle.spawn(async move {
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

/// A sidecar that cannot be fetched.
pub(crate) fn without_sidecar(checkpoint: &str, sidecar: &str, error: &Error) -> Error {
    let kind = if error.kind() == ErrorKind::NotFound { ErrorKind::Corrupt } else { error.kind() };
    let hint = error.hint_text().filter(|_| kind != ErrorKind::Corrupt).unwrap_or(RESTORE_CHECKPOINT);
    Error::new(kind, format!("the checkpoint {checkpoint} needs its sidecar {sidecar}: {error}"))
        .path(sidecar)
        .hint(hint)
}

/// The object of a sidecar: a name in `_sidecars`, or an absolute URI that ends there.
pub(crate) fn sidecar_name(path: &str) -> Result<String> {
    let name = path.rsplit_once("/_sidecars/").map_or(path, |(_, name)| name);
    if name.is_empty() || name.contains(['/', '\\', '\0']) || name.contains("..") {
        return Err(Error::corrupt(format!("the sidecar path `{path}` is not one of this log")));
    }
    Ok(format!("_sidecars/{name}"))
}
