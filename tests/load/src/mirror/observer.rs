//! Sees when versions appear in the logs, and that what has appeared stays as it is.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::committer::Told;
use super::{table_folder, table_name};
use crate::Result;
use crate::processes::{Worker, now};

const LOOK: Duration = Duration::from_millis(1);

pub(crate) struct Observer {
    folder: PathBuf,
    waited_for: Vec<Told>,
    lags_us: Vec<u64>,
    /// A digest of each file when it was first seen.
    seen: BTreeMap<PathBuf, u64>,
}

impl Observer {
    pub(crate) fn new(folder: &Path) -> Self {
        Observer { folder: folder.to_owned(), waited_for: Vec::new(), lags_us: Vec::new(), seen: BTreeMap::new() }
    }

    fn told(&mut self, told: Told) {
        self.waited_for.push(told);
    }

    fn look(&mut self) {
        let waited_for = std::mem::take(&mut self.waited_for);
        for told in waited_for {
            let path = commit_file(&self.folder, told);
            match std::fs::read(&path) {
                Ok(content) => {
                    self.lags_us.push((now().as_micros() as u64).saturating_sub(told.at_us));
                    self.seen.insert(path, digest(&content));
                }
                Err(_) => self.waited_for.push(told),
            }
        }
    }

    /// Microseconds from the acknowledgement of a commit until its file could be read.
    pub(crate) fn lags_us(&self) -> Vec<u64> {
        self.lags_us.clone()
    }

    /// Published files are never rewritten, and what was acknowledged is published.
    pub(crate) fn check_unchanged(&self) -> Vec<String> {
        let changed = self
            .seen
            .iter()
            .filter(|(path, digest)| std::fs::read(path).map(|content| self::digest(&content)).ok() != Some(**digest));
        let changed =
            changed.map(|(path, _)| format!("{} was changed or deleted after it was published", path.display()));
        let missing = self.waited_for.iter().filter(|told| !commit_file(&self.folder, **told).exists());
        let missing =
            missing.map(|told| format!("{} version {} was not published", table_name(told.table), told.version));
        changed.chain(missing).collect()
    }
}

fn commit_file(folder: &Path, told: Told) -> PathBuf {
    table_folder(folder, &table_name(told.table)).join(format!("_delta_log/{:020}.json", told.version))
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// A thread that looks again and again.
pub(crate) struct Watching {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

pub(crate) fn start(observer: Arc<Mutex<Observer>>) -> Watching {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let thread = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            if let Ok(mut observer) = observer.lock() {
                observer.look();
            }
            std::thread::sleep(LOOK);
        }
    });
    Watching { is_over, thread }
}

impl Watching {
    pub(crate) fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

/// A committing process, and the thread that hears what it tells.
pub(crate) struct Heard {
    process: u32,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn listen(mut worker: Worker, observer: Arc<Mutex<Observer>>) -> Result<Heard> {
    let process = worker.process();
    let thread = std::thread::spawn(move || {
        // Until it ends, or is killed: then perhaps in the middle of a line.
        while let Ok(told) = worker.hear::<Told>() {
            if let Ok(mut observer) = observer.lock() {
                observer.told(told);
            }
        }
    });
    Ok(Heard { process, thread: Some(thread) })
}

impl Heard {
    /// Kills it (-9), and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let mut kill = std::process::Command::new("kill");
        let _ = kill.args(["-9", &self.process.to_string()]).stderr(std::process::Stdio::null()).status();
        let _ = self.wait();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.thread.take().map_or(Ok(()), |thread| thread.join().map_err(|_| "a listening thread panicked".into()))
    }
}
