//! Which files differ, in three steps: the log's files are known by their hashes, the catalog's come by pages, and what is
//! not alike then is looked for in the log once more.

use std::collections::HashMap;

use super::fields::{FileHash, StatsTypes, add_differences};
use super::state::{Entry, FileKey};
use super::{Difference, Found, Item, LogState, Source};
use crate::action::{Action, Add};
use crate::snapshot::{FILE_OF_PATH, Snapshot, add_from_row};
use crate::sql::{Batch, Database, Statement};
use crate::{Error, ErrorKind, Result};

/// Files that are looked up at once, and bytes of their statistics.
const LOOKED_UP: usize = 512;
const LOOKED_UP_BYTES: usize = 8 << 20;

/// The files of a state in a log, compared with a snapshot of the catalog.
pub struct FileComparison {
    /// Of the log: those that the catalog has shown no file for.
    log_only: HashMap<FileKey, Entry>,
    /// Both have them, with other hashes. The log's.
    unlike: HashMap<FileKey, FileHash>,
    types: StatsTypes,
    /// Of `unlike`, as the log has them, and not looked up yet.
    waiting: Vec<(Add, Source)>,
    waiting_bytes: usize,
    text: String,
}

impl FileComparison {
    /// Of a state in a log with a snapshot, whose files come next.
    pub fn new(log: LogState, catalog: &Snapshot) -> Self {
        FileComparison {
            log_only: log.files,
            unlike: HashMap::new(),
            types: StatsTypes::of(&catalog.metadata),
            waiting: Vec::new(),
            waiting_bytes: 0,
            text: String::new(),
        }
    }

    /// Takes some of the catalog's files; tells which of them the log lacks.
    pub fn take_catalog(&mut self, files: &[Add]) -> Vec<Difference> {
        let mut lacking = Vec::new();
        for add in files {
            let key = FileKey::of_add(add);
            match self.log_only.remove(&key) {
                None => lacking.push(difference(add, Found::CatalogOnly)),
                Some(entry) if entry.hash == FileHash::of(add, &mut self.text) => {}
                Some(entry) => {
                    self.unlike.insert(key, entry.hash);
                }
            }
        }
        lacking
    }

    /// Whether the log has files of which only the hashes are known; after the last one of the catalog's.
    pub fn needs_log(&self) -> bool {
        !self.log_only.is_empty() || !self.unlike.is_empty()
    }

    /// Takes actions of the log, all of the files that led to the state once more; tells of the files that the catalog lacks
    /// or has with other fields.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_log(
        &mut self,
        database: &impl Database,
        catalog: &Snapshot,
        actions: Vec<Action>,
        source: Source,
    ) -> Result<Vec<Difference>> {
        let mut found = Vec::new();
        for action in actions {
            let Action::Add(add) = action else { continue };
            let key = FileKey::of_add(&add);
            let (of_log_only, of_unlike) = (self.log_only.get(&key), self.unlike.get(&key));
            let Some(wanted) = of_log_only.map(|entry| entry.hash).or(of_unlike.copied()) else { continue };
            // A file that was added again counts as it was last.
            if wanted != FileHash::of(&add, &mut self.text) {
                continue;
            }
            if self.log_only.remove(&key).is_some() {
                found.push(difference(&add, Found::LogOnly));
                continue;
            }
            self.unlike.remove(&key);
            self.waiting_bytes += add.stats.as_ref().map_or(0, String::len);
            self.waiting.push((add, source));
            if self.waiting.len() == LOOKED_UP || self.waiting_bytes >= LOOKED_UP_BYTES {
                found.extend(self.look_up(database, catalog).await?);
            }
        }
        Ok(found)
    }

    /// What is left to tell, after the log's last action.
    ///
    /// # Errors
    /// Those of the database; [`Conflict`](ErrorKind::Conflict) when the log has changed since it was read first.
    pub async fn finish(mut self, database: &impl Database, catalog: &Snapshot) -> Result<Vec<Difference>> {
        let found = self.look_up(database, catalog).await?;
        if self.needs_log() {
            return Err(Error::new(ErrorKind::Conflict, "the log was changed while it was read")
                .hint("published files are never rewritten: look who does, and compare again"));
        }
        Ok(found)
    }

    async fn look_up(&mut self, database: &impl Database, catalog: &Snapshot) -> Result<Vec<Difference>> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let ours = files_of_paths(database, catalog, waiting.iter().map(|(add, _)| add)).await?;
        let compare = |((log, source), ours): ((Add, Source), Option<Add>)| match ours {
            None => Some(difference(&log, Found::LogOnly)),
            Some(ours) => {
                let fields = add_differences(&ours, &log, source, &self.types);
                (!fields.is_empty()).then(|| Difference { fields, ..difference(&log, Found::Different) })
            }
        };
        Ok(waiting.into_iter().zip(ours).filter_map(compare).collect())
    }
}

fn difference(add: &Add, found: Found) -> Difference {
    let deletion_vector = add.deletion_vector.as_ref().map(|vector| vector.unique_id());
    Difference { item: Item::File { path: add.path.clone(), deletion_vector }, found, fields: Vec::new() }
}

/// The files of a snapshot with these paths and vectors, in their order.
async fn files_of_paths(
    database: &impl Database,
    catalog: &Snapshot,
    files: impl Iterator<Item = &Add>,
) -> Result<Vec<Option<Add>>> {
    let key = catalog.table.key;
    let statement = |add: &Add| {
        let params = vec![key.into(), add.path.as_str().into(), add.dv_id().into(), catalog.version.into()];
        Statement::new(FILE_OF_PATH, params)
    };
    let statements: Vec<Statement> = files.map(statement).collect();
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let results = database.batch(Batch::read(statements)).await?;
    let add = |row| add_from_row(row, &catalog.table.name);
    results.into_iter().map(|result| result.rows.into_iter().next().map(add).transpose()).collect()
}
