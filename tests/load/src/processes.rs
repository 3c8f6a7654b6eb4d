//! Processes of this program that do the same at the same moment.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, appends, mirror, mixed};

/// What a process does.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Job {
    Appends,
    Mixed,
    Mirror,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    job: Job,
    /// Where databases and journals are.
    folder: PathBuf,
}

/// Runs in the process: begins, and follows its orders.
pub(crate) fn work(options: &Options) -> Result<()> {
    match options.job {
        Job::Appends => appends::worker::work(&options.folder),
        Job::Mixed => mixed::worker::work(&options.folder),
        Job::Mirror => mirror::committer::work(&options.folder),
    }
}

/// A process; killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a process.
    pub(crate) fn start(job: Job, folder: &Path) -> Result<Self> {
        let job = match job {
            Job::Appends => "appends",
            Job::Mixed => "mixed",
            Job::Mirror => "mirror",
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["worker", job]).arg(folder);
        Self::spawn(&mut command)
    }

    /// Starts another program that takes orders and answers alike.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (orders, answers) = child.stdin.take().zip(child.stdout.take()).ok_or("a process without pipes")?;
        Ok(Worker { child, orders, answers: BufReader::new(answers) })
    }

    /// Its id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Result<()> {
        match self.child.wait()?.success() {
            true => Ok(()),
            false => Err("a process failed; see its message above".into()),
        }
    }

    /// Sends an order.
    pub(crate) fn tell(&mut self, order: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.orders, order)?;
        self.orders.write_all(b"\n")?;
        Ok(self.orders.flush()?)
    }

    /// Waits for an answer.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err("a process ended before it answered; see its message above".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The orders that a process gets, until there are no more.
pub(crate) fn orders<T: DeserializeOwned>() -> impl Iterator<Item = Result<T>> {
    std::io::stdin().lock().lines().map(|line| Ok(serde_json::from_str(&line?)?))
}

/// Answers an order.
pub(crate) fn answer(answer: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// The time, since the epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Waits for a moment, which all processes name alike.
pub(crate) fn wait_until(moment: Duration) {
    std::thread::sleep(moment.saturating_sub(now()));
}

/// A number of processes.
pub(crate) fn parse_count(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1000) => Ok(count),
        _ => Err("1 to 1000 processes".into()),
    }
}
