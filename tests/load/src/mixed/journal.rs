//! What a process meant, was told and saw: lines in a file of its own, written before and after each commit, so that they
//! outlive the process.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deltalakedb_simulation::ledger::{Answer, Commit, Intent, Isolation, Ledger, Scope, Seen};
use deltalakedb_simulation::model::{State, key, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actions::known_kind;
use crate::Result;

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A commit that is about to be sent.
    Meant { id: String, kind: String, parts: Vec<Part> },
    /// It is sent now, perhaps once more.
    Sent { id: String },
    /// What was told of it.
    Told { id: String, answer: Told },
    /// A snapshot.
    Saw(Box<Saw>),
    /// What can never be.
    Wrong(String),
}

/// A commit's part for one table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) table: i64,
    pub(crate) actions: Vec<Value>,
    pub(crate) base: i64,
    pub(crate) scope: ScopeLine,
    /// As `SERIALIZABLE`, `WRITE_SERIALIZABLE` or `SNAPSHOT`; none: not asked for.
    pub(crate) isolation: Option<Level>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScopeLine {
    Nothing,
    Application(String),
    Files(Vec<String>),
    Partition(String),
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Serializable,
    WriteSerializable,
    Snapshot,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// Version and time by table.
    Committed(Vec<(i64, i64)>),
    Conflicted(String),
    Refused(String),
    Unknown,
    Failed(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Saw {
    pub(crate) reader: String,
    pub(crate) table: i64,
    pub(crate) version: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) latest_version: i64,
    pub(crate) asked_ms: Option<i64>,
    pub(crate) file_count: i64,
    pub(crate) size_bytes: i64,
    pub(crate) metadata: Value,
    pub(crate) protocol: Value,
    pub(crate) txns: Vec<Value>,
    pub(crate) domains: Vec<Value>,
    /// Bodies of `add`s.
    pub(crate) files: Vec<Value>,
}

/// The file, open to be written.
pub(crate) struct Journal(File);

impl Journal {
    /// Opens a process's journal, with what it holds from earlier lives; a line that the death cut off is dropped.
    pub(crate) fn open(folder: &Path, process: u64) -> Result<(Self, Vec<Entry>)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path(folder, process))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let whole = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Journal(file), parse(&content[..whole])?))
    }

    /// Hands a line to the operating system, which keeps it whatever becomes of the process.
    pub(crate) fn write(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        Ok(self.0.write_all(&line)?)
    }
}

/// Waits until a process writes something, if it does so soon.
pub(crate) fn wait_for_a_line(folder: &Path, process: u64) {
    let len = || std::fs::metadata(path(folder, process)).map_or(0, |metadata| metadata.len());
    let before = len();
    let begin = Instant::now();
    while len() == before && begin.elapsed() < Duration::from_millis(100) {
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn path(folder: &Path, process: u64) -> PathBuf {
    folder.join(format!("journal-{process}.jsonl"))
}

fn parse(content: &[u8]) -> Result<Vec<Entry>> {
    let lines = content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

/// Adds what a process wrote down.
pub(crate) fn collect(ledger: &mut Ledger, entries: Vec<Entry>) {
    for entry in entries {
        match entry {
            Entry::Meant { id, kind, parts } => {
                let intents = parts.into_iter().map(intent).collect();
                let kind = known_kind(&kind).unwrap_or("unknown");
                let commit = Commit { kind, intents, is_invalid: false, sent_count: 0, answers: Vec::new() };
                ledger.commits.insert(id, commit);
            }
            Entry::Sent { id } => {
                if let Some(commit) = ledger.commits.get_mut(&id) {
                    commit.sent_count += 1;
                }
            }
            Entry::Told { id, answer } => {
                if let Some(commit) = ledger.commits.get_mut(&id) {
                    commit.answers.push(answer.into());
                }
            }
            Entry::Saw(saw) => ledger.seen.push(seen(*saw)),
            Entry::Wrong(what) => ledger.violations.push(what),
        }
    }
}

impl From<Told> for Answer {
    fn from(told: Told) -> Self {
        match told {
            Told::Committed(versions) => Answer::Committed(versions),
            Told::Conflicted(reason) | Told::Refused(reason) => Answer::Refused(reason),
            Told::Unknown => Answer::Unknown,
            Told::Failed(_) => Answer::Failed,
        }
    }
}

fn intent(part: Part) -> Intent {
    let isolation = match part.isolation {
        Some(Level::Serializable) => Isolation::Serializable,
        Some(Level::WriteSerializable) => Isolation::WriteSerializable,
        Some(Level::Snapshot) => Isolation::Snapshot,
        None => Isolation::default_of(&part.actions),
    };
    let scope = match part.scope {
        ScopeLine::Nothing => Scope::Nothing,
        ScopeLine::Application(app_id) => Scope::Application(app_id),
        ScopeLine::Files(paths) => Scope::Files(paths),
        ScopeLine::Partition(value) => Scope::Partition(value),
        ScopeLine::Table => Scope::Table,
    };
    let is_isolation_asked = part.isolation.is_some();
    Intent { table: part.table, actions: part.actions, base: part.base, scope, isolation, is_isolation_asked }
}

fn seen(saw: Saw) -> Seen {
    let named =
        |values: Vec<Value>, field: &str| values.into_iter().map(|value| (text(&value, field), value)).collect();
    let state = State {
        files: saw.files.into_iter().map(|add| (key(&add), add)).collect(),
        metadata: saw.metadata,
        protocol: saw.protocol,
        txns: named(saw.txns, "appId"),
        domains: named(saw.domains, "domain"),
    };
    Seen {
        reader: saw.reader,
        table: saw.table,
        version: saw.version,
        timestamp_ms: saw.timestamp_ms,
        latest_version: saw.latest_version,
        asked_ms: saw.asked_ms,
        file_count: saw.file_count,
        size_bytes: saw.size_bytes,
        state,
    }
}

impl From<Scope> for ScopeLine {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Nothing => ScopeLine::Nothing,
            Scope::Application(app_id) => ScopeLine::Application(app_id),
            Scope::Files(paths) => ScopeLine::Files(paths),
            Scope::Partition(value) => ScopeLine::Partition(value),
            Scope::Table => ScopeLine::Table,
        }
    }
}
