//! The mirror: once, all the time, compared with the catalog, and read back.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::command::Dl;
use super::folder::file_names;
use super::{Places, Steps, new_file, written};
use crate::tools::{Failure, Result, at};

/// How long a commit may take into the log, and the daemon to its end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn show(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    mirror(dl, places, steps)?;
    watch(dl, places, steps)?;
    compare(dl, steps)?;
    read_back(dl, places, steps)
}

fn mirror(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    let before = file_names(&places.log)?;
    steps.begin(
        "Mirror the commits into the table's log",
        "The new versions are in SQL alone until now. After this every Delta reader sees them.",
    );
    dl.show(&["mirror", "--table", "people"])?;
    let mut new_names = file_names(&places.log)?;
    new_names.retain(|name| !before.contains(name));
    if new_names.is_empty() {
        return Err(Failure::new("mirroring", format!("{} has no new file", places.log.display()))
            .hint("the mirror should have written the new version's commit file"));
    }
    println!("New in {}:\n  {}", places.log.display(), new_names.join("\n  "));
    Ok(())
}

/// A commit beside a daemon.
fn watch(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    steps.begin(
        "Mirror all the time",
        "A daemon publishes what anybody commits to any table, moments later. It tells what changes for it.",
    );
    let before = file_names(&places.log)?.len();
    let mut daemon = Daemon(dl.show_start(&["mirror", "--watch"])?);
    let append = new_file(dl, "people", &places.table, "part-00000-eve.snappy.parquet")?;
    let actions = written(&places.dir.join("eve.ndjson"), &append.action.to_string())?;
    let begun = Instant::now();
    dl.show(&["commit", "--table", "people", "--actions", &actions])?;
    while file_names(&places.log)?.len() == before {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new("waiting for the daemon", format!("the log has no new file after {PATIENCE:?}"))
                .hint("what it says above may tell why"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("\nIt is in the log {} ms after the command to commit began.", begun.elapsed().as_millis());
    daemon.end()?;
    println!("\nHow far each target is; there may be several a table, in object stores, too:");
    dl.show(&["targets"])
}

/// Ended when it is dropped.
struct Daemon(Child);

impl Daemon {
    /// As an operator does.
    fn end(&mut self) -> Result<()> {
        let id = self.0.id().to_string();
        println!("\n$ kill {id}\n");
        Command::new("kill").arg(&id).status().map_err(at("ending the daemon with", Path::new("kill")))?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) if status.success() => return Ok(()),
                ended => return Err(Failure::new("ending the daemon", format!("it ended with {ended:?}"))),
            }
        }
        Err(Failure::new("ending the daemon", format!("it goes on {PATIENCE:?} after it was told to end")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn compare(dl: &Dl, steps: &mut Steps) -> Result<()> {
    steps.begin(
        "Compare log and catalog",
        "`dl diff` compares the state and who committed what; `dl verify` reads the log back and proves each version\n\
         equal. Both say by their exit code what they found: here 0, equal.",
    );
    dl.show(&["diff", "--table", "people"])?;
    dl.show(&["verify", "--table", "people"])
}

fn read_back(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    steps.begin(
        "Read the mirror back",
        "The mirrored log goes into a second, empty catalog. Both must list the same files.",
    );
    let second = dl.with_database(&places.second_catalog);
    let log = places.log.to_string_lossy();
    second.show(&["import", "--log-dir", &log, "--name", "people", "--mode", "full-history"])?;

    let files = &["files", "--table", "people", "--format", "ndjson"];
    let (written, read) = (sorted_lines(&dl.ask(files)?)?, sorted_lines(&second.ask(files)?)?);
    if written != read {
        let wrong = format!(
            "the catalogs differ\nfirst:\n{}\nsecond:\n{}",
            indented(&written.join("\n")),
            indented(&read.join("\n"))
        );
        return Err(Failure::new("reading the mirror back", wrong)
            .hint("the mirror or the import loses something; run `cargo xtask test`"));
    }
    println!("Equal: both list the same {} files.", written.len());
    Ok(())
}

/// The lines as JSON with sorted keys, in one order.
fn sorted_lines(ndjson: &str) -> Result<Vec<String>> {
    let parsed: std::result::Result<Vec<Value>, _> = ndjson.lines().map(serde_json::from_str).collect();
    let values = parsed
        .map_err(|error| Failure::new("reading `dl files --format ndjson`", format!("a line is not JSON: {error}")))?;
    let mut lines: Vec<_> = values.iter().map(Value::to_string).collect();
    lines.sort();
    Ok(lines)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
