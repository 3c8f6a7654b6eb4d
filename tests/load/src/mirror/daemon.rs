//! `dl mirror --watch`, as a process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::CATALOG;
use crate::Result;

/// Until a daemon must have begun, and until it must be gone after it was told to end.
const LONG: Duration = Duration::from_secs(5);

/// The program: the given one, or that beside this one.
pub(crate) fn program(given: Option<&Path>) -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name(format!("dl{}", std::env::consts::EXE_SUFFIX));
    let program = given.map_or(beside, Path::to_owned);
    match program.exists() {
        true => Ok(program),
        false => Err(format!("there is no program {}; `cargo build` makes it", program.display()).into()),
    }
}

/// A process that mirrors all tables.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn start(dl: &Path, folder: &Path) -> Result<Self> {
        let log = folder.join("daemon.log");
        let stderr = File::options().append(true).create(true).open(&log)?;
        let mut command = Command::new(dl);
        command.args(["mirror", "--watch", "--database"]).arg(folder.join(CATALOG));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Daemon { child, log })
    }

    /// With -9.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as an operator would; what is wrong about how it does.
    pub(crate) fn end(&mut self) -> Option<String> {
        // A process that has only just begun does not listen to signals yet.
        let begun = Instant::now();
        while !self.has_begun() && begun.elapsed() < LONG {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let asked = Instant::now();
        while asked.elapsed() < LONG {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return None,
                Ok(Some(status)) => return Some(format!("a daemon ended with {status}; see daemon.log (--keep)")),
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        Some(format!("a daemon did not end within {LONG:?}"))
    }

    /// Whether it has said so, by a line that names its process.
    fn has_begun(&self) -> bool {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let process = format!(":{}", self.child.id());
        log.lines().any(|line| line.contains("mirroring") && line.trim_end_matches('"').ends_with(&process))
    }

    /// What it has used so far, as Linux tells it.
    pub(crate) fn usage(&self) -> Usage {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap_or_default();
        let stat = read("stat");
        // After the name, which is in brackets: the 12th and 13th are times in user and system mode.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        Usage {
            cpu_s: (ticks(11) + ticks(12)) / 100.0,
            core_share: 0.0,
            peak_mib: peak.and_then(|kib| kib.trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0,
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a process takes.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Usage {
    pub(crate) cpu_s: f64,
    pub(crate) core_share: f64,
    pub(crate) peak_mib: f64,
}

impl Usage {
    pub(crate) fn since(self, before: &Usage, elapsed: Duration) -> Usage {
        let cpu_s = self.cpu_s - before.cpu_s;
        Usage { cpu_s, core_share: cpu_s / elapsed.as_secs_f64(), ..self }
    }
}

/// A run of `dl mirror` that ends by itself.
pub(crate) fn mirror_once(dl: &Path, folder: &Path) -> Result<()> {
    let mut command = Command::new(dl);
    command.args(["mirror", "--all", "--database"]).arg(folder.join(CATALOG)).stdout(Stdio::null());
    match command.status()?.success() {
        true => Ok(()),
        false => Err("the last run of `dl mirror` failed; see its message above".into()),
    }
}
