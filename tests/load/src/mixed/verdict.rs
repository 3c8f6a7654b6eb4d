//! What the checkers say in the end.

use std::collections::BTreeMap;
use std::path::Path;

use deltalakedb_core::snapshot::At;
use deltalakedb_native::database::SqliteDatabase;
use deltalakedb_simulation::checkers::check_catalog;
use deltalakedb_simulation::history::{self, TableHistory};
use deltalakedb_simulation::ledger::Ledger;
use serde::Serialize;

use super::journal::{Entry, Journal, Told, collect};
use super::{CATALOG, reader};
use crate::Result;

/// Versions of a table at which the catalog's snapshot is held against the replay of its commits.
const REPLAYED: i64 = 100;

/// How often each kind of commit ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Endings {
    pub(crate) committed: usize,
    pub(crate) conflicted: usize,
    /// By a rule of the table, such as a file that is no more.
    pub(crate) refused: usize,
    /// The process died before it was told.
    pub(crate) untold: usize,
}

pub(crate) struct Verdict {
    pub(crate) endings: BTreeMap<String, Endings>,
    /// Of the untold ones, how many are there.
    pub(crate) untold_there: usize,
    /// Commits that were sent more than once.
    pub(crate) sent_again: usize,
    /// Answers that nothing happened, this time: the database was busy.
    pub(crate) failures: Vec<String>,
    pub(crate) snapshots: usize,
    pub(crate) versions: BTreeMap<String, i64>,
    pub(crate) wrong: Vec<String>,
}

/// Holds the catalog against the journals.
pub(crate) async fn reach(database: &SqliteDatabase, folder: &Path, processes: usize) -> Result<Verdict> {
    let tables = history::read(database).await?;
    let mut ledger = Ledger::default();
    let mut failures = Vec::new();
    let mut endings: BTreeMap<String, Endings> = BTreeMap::new();
    for process in 0..processes {
        let (_, entries) = Journal::open(folder, process as u64)?;
        failures.extend(entries.iter().filter_map(|entry| match entry {
            Entry::Told { answer: Told::Failed(why), .. } => Some(why.clone()),
            _ => None,
        }));
        count(&mut endings, &entries);
        collect(&mut ledger, entries);
    }
    for table in &tables {
        let step = (table.latest_version / REPLAYED).max(1) as usize;
        let versions = (0..=table.latest_version).step_by(step).chain([table.latest_version]);
        let mut last = Vec::new();
        for version in versions {
            let view = reader::read(database, table.key, At::Version(version)).await?;
            last.extend(reader::look(&view, "the check", None));
        }
        collect(&mut ledger, last);
    }
    let mut wrong = integrity(&folder.join(CATALOG))?;
    wrong.extend(check_catalog(&tables, &ledger));
    Ok(Verdict {
        endings,
        untold_there: untold_there(&tables, &ledger),
        sent_again: ledger.commits.values().filter(|commit| commit.sent_count > 1).count(),
        failures,
        snapshots: ledger.seen.len(),
        versions: tables.iter().map(|table| (table.name.clone(), table.latest_version)).collect(),
        wrong,
    })
}

/// By the last answer to each commit.
fn count(endings: &mut BTreeMap<String, Endings>, entries: &[Entry]) {
    let mut told: BTreeMap<&str, (&str, Option<&Told>)> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Meant { id, kind, .. } => drop(told.insert(id, (kind, None))),
            Entry::Told { id, answer } => {
                if let Some((_, last)) = told.get_mut(id.as_str()) {
                    *last = Some(answer);
                }
            }
            _ => {}
        }
    }
    for (kind, last) in told.into_values() {
        let endings = endings.entry(kind.to_owned()).or_default();
        match last {
            Some(Told::Committed(_)) => endings.committed += 1,
            Some(Told::Conflicted(_)) => endings.conflicted += 1,
            Some(Told::Refused(_)) => endings.refused += 1,
            Some(Told::Unknown | Told::Failed(_)) | None => endings.untold += 1,
        }
    }
}

fn untold_there(tables: &[TableHistory], ledger: &Ledger) -> usize {
    let all = tables.iter().flat_map(|table| &table.versions).filter_map(|entry| entry.commit_id.as_ref());
    let untold = |id: &&String| ledger.commits.get(*id).is_some_and(|commit| commit.answers.is_empty());
    all.filter(untold).collect::<std::collections::BTreeSet<_>>().len()
}

/// What SQLite itself finds wrong with its file.
fn integrity(path: &Path) -> Result<Vec<String>> {
    let connection = rusqlite::Connection::open(path)?;
    let mut wrong = Vec::new();
    connection.pragma_query(None, "integrity_check", |row| {
        let line: String = row.get(0)?;
        if line != "ok" {
            wrong.push(format!("integrity_check: {line}"));
        }
        Ok(())
    })?;
    let guards: i64 = connection.query_row("SELECT count(*) FROM dl_guard", [], |row| row.get(0))?;
    if guards > 0 {
        wrong.push(format!("dl_guard holds {guards} rows; it is always empty"));
    }
    Ok(wrong)
}
