use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::action::{Action, CommitInfo, Extra, Json, Metadata, Protocol, StringMap};
use crate::catalog::plan_drop;
use crate::commit::write::VersionWriter;
use crate::sql::{Batch, Limits, Statement};
use crate::{Error, Result};

use super::statements::{FINISH, FORGET, GIVE_WAY, GUARD_VERSION, TAKE_NAME, TAKE_TARGETS, sign_of_life_statements};
use super::timestamps::in_commit_timestamp;

/// Actions of one batch, at the most; and bytes of their larger texts.
const BATCH_ACTIONS: usize = 8192;
const BATCH_BYTES: usize = 8 << 20;

/// A timestamp below all others, for state that has none.
const NO_TIMESTAMP: i64 = i64::MIN / 2;

/// How an import guards its batches.
#[derive(Clone, Debug)]
enum Guard {
    /// The table is being made by this import.
    Import(String),
    /// The table is at this version, before the first commit of the batch.
    Version(i64),
}

/// Plans the batches of an import. Call [`begin_version`](Self::begin_version), [`actions`](Self::actions)
/// any number of times and [`end_version`](Self::end_version) for each file, then
/// [`finish`](Self::finish) or, for a table that was there before, [`flush`](Self::flush).
pub struct ImportPlanner {
    key: i64,
    limits: Limits,
    guard: Guard,
    earliest_version: i64,
    checkpoint_version: Option<i64>,
    /// Whether a version with an in-commit timestamp was seen.
    has_in_commit_timestamps: bool,
    /// Whether the last version is known by a state, whose file's time is not the version's.
    follows_state: bool,
    statements: Vec<Statement>,
    /// The last version that was begun.
    last_version: i64,
    pending: Vec<Action>,
    pending_bytes: usize,
    pending_count: usize,
    current: Option<Current>,
    /// What the import has added so far, where it began with an empty table.
    added: Option<AddedFiles>,
    metadata: Option<Metadata>,
    /// Why the schema of `metadata` cannot be read.
    schema_error: Option<Error>,
    protocol: Option<Protocol>,
}

/// Hashes of the files that were added: eight bytes each. A file that was not added before cannot be replaced,
/// which spares the look-up; where two hashes fall together the look-up finds nothing.
#[derive(Default)]
struct AddedFiles(HashSet<u64>);

impl AddedFiles {
    /// Whether the file may have been added before; from now on it has.
    fn insert(&mut self, path: &str, dv_id: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        (path, dv_id).hash(&mut hasher);
        !self.0.insert(hasher.finish())
    }
}

/// The version that is being written.
struct Current {
    version: i64,
    file: String,
    modified_ms: i64,
    writer: VersionWriter,
    commit_info: Option<CommitInfo>,
}

impl ImportPlanner {
    /// For a table that [`register`](crate::catalog::register) has begun. Versions before `earliest_version`
    /// are needed for its state only and forgotten at the end.
    pub fn new(key: i64, import_id: String, earliest_version: i64, limits: Limits) -> Self {
        Self::with_guard(key, Guard::Import(import_id), earliest_version, limits)
    }

    /// For commits that follow the current version of a table: each batch holds whole versions.
    pub fn incremental(table: &crate::catalog::Table, metadata: Metadata, protocol: Protocol, limits: Limits) -> Self {
        let mut planner = Self::with_guard(table.key, Guard::Version(table.version), table.earliest_version, limits);
        planner.metadata = Some(metadata);
        planner.protocol = Some(protocol);
        planner.added = None;
        planner
    }

    fn with_guard(key: i64, guard: Guard, earliest_version: i64, limits: Limits) -> Self {
        ImportPlanner {
            key,
            limits,
            guard,
            earliest_version,
            checkpoint_version: None,
            has_in_commit_timestamps: false,
            follows_state: false,
            statements: Vec::new(),
            last_version: earliest_version,
            pending: Vec::new(),
            pending_bytes: 0,
            pending_count: 0,
            current: None,
            added: Some(AddedFiles::default()),
            metadata: None,
            schema_error: None,
            protocol: None,
        }
    }

    /// Begins with the state that a checkpoint holds. Its rows get the version before the checkpoint's, so that
    /// the commit of the checkpoint's own version can come on top.
    pub fn begin_checkpoint(&mut self, version: i64, file: &str) {
        self.checkpoint_version = Some(version);
        self.begin(version - 1, file, NO_TIMESTAMP, Source::State);
    }

    /// Ends the checkpoint. Where no commit file tells of its version, that version is made here;
    /// `modified_ms` is the checkpoint's time.
    ///
    /// # Errors
    /// As [`end_version`](Self::end_version).
    pub fn end_checkpoint(&mut self, own_commit_follows: bool, modified_ms: i64) -> Result<Option<Batch>> {
        self.end()?;
        if let (Some(version), false) = (self.checkpoint_version, own_commit_follows) {
            self.begin(version, "the checkpoint", modified_ms, Source::State);
            self.end_version()?;
        }
        Ok(self.full_batch())
    }

    /// Begins a version. `modified_ms` is the file's time; `compacted` says that the file stands for several commits.
    pub fn begin_version(&mut self, version: i64, file: &str, modified_ms: i64, compacted: bool) {
        self.begin(version, file, modified_ms, if compacted { Source::State } else { Source::Commit });
    }

    fn begin(&mut self, version: i64, file: &str, modified_ms: i64, source: Source) {
        let writer = VersionWriter::of_import(self.key, self.limits);
        let is_commit = matches!(source, Source::Commit);
        if is_commit && self.follows_state {
            self.statements.push(self.give_way(version, modified_ms));
        }
        self.follows_state = !is_commit;
        self.statements.push(writer.begin(version, modified_ms, is_commit));
        self.last_version = version;
        self.current = Some(Current { version, file: file.to_owned(), modified_ms, writer, commit_info: None });
    }

    /// Takes some of the version's actions; a batch to run when enough came together.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) or [`Unsupported`](crate::ErrorKind::Unsupported) when an action cannot be taken.
    pub fn actions(&mut self, actions: Vec<Action>) -> Result<Option<Batch>> {
        for action in actions {
            match &action {
                Action::Metadata(metadata) => {
                    if let (Guard::Version(_), Some(current)) = (&self.guard, &self.metadata)
                        && current.id != metadata.id
                    {
                        return Err(self.at_file(Error::corrupt(format!(
                            "the commit gives the table the id {}; it has {}",
                            crate::catalog::quoted(&metadata.id),
                            crate::catalog::quoted(&current.id)
                        ))));
                    }
                    self.schema_error = check_schema(metadata).err();
                    self.metadata = Some(metadata.clone());
                }
                Action::Protocol(protocol) => {
                    crate::table_features::check_readable(protocol).map_err(|error| match &self.current {
                        Some(current) => self.at_file(error.version(current.version)),
                        None => error,
                    })?;
                    self.protocol = Some(protocol.clone());
                }
                Action::CommitInfo(info) => {
                    if let Some(current) = &mut self.current {
                        current.commit_info = Some(info.clone());
                    }
                    continue;
                }
                Action::Add(add) => {
                    if add.path.is_empty() {
                        return Err(self.at_file(Error::corrupt("an `add` has an empty path")));
                    }
                    if add.size < 0 {
                        return Err(self.at_file(Error::corrupt(format!(
                            "the size of {} is {}",
                            crate::catalog::quoted(&add.path),
                            add.size
                        ))));
                    }
                }
                _ => {}
            }
            self.pending_bytes += text_bytes(&action);
            let is_state = self.follows_state;
            self.pending.push(if is_state { changing_no_data(action) } else { action });
            self.pending_count += 1;
        }
        // Whole versions only where readers watch the table.
        if matches!(self.guard, Guard::Import(_)) && self.is_batch_full() {
            self.write_pending();
            return Ok(self.take_batch());
        }
        Ok(None)
    }

    fn is_batch_full(&self) -> bool {
        self.pending_count >= BATCH_ACTIONS || self.pending_bytes >= BATCH_BYTES
    }

    /// Ends the version; a batch to run when enough came together.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the table has no metadata or protocol by now.
    pub fn end_version(&mut self) -> Result<Option<Batch>> {
        if let Some(version) = self.current.as_ref().map(|current| current.version)
            && version >= self.earliest_version
        {
            self.check_state(version)?;
        }
        self.end()?;
        Ok(self.full_batch())
    }

    /// The state that a version leaves must have what every reader needs.
    fn check_state(&self, version: i64) -> Result<()> {
        let missing = match (&self.metadata, &self.protocol) {
            (None, _) => "metaData",
            (_, None) => "protocol",
            (Some(_), Some(_)) => match &self.schema_error {
                Some(error) => return Err(self.at_file(error.clone()).version(version)),
                None => return Ok(()),
            },
        };
        let error = Error::corrupt(format!("the table has no `{missing}` action at version {version}"))
            .version(version)
            .hint("the first version of a table must hold one; the log is not complete");
        Err(self.at_file(error))
    }

    fn end(&mut self) -> Result<()> {
        self.write_pending();
        if let Some(current) = &self.current {
            let in_commit_timestamp = in_commit_timestamp(
                current.version,
                current.commit_info.as_ref(),
                self.metadata.as_ref(),
                self.protocol.as_ref(),
            )
            .map_err(|error| self.at_file(error))?;
            if let (Some(timestamp_ms), false) = (in_commit_timestamp, self.has_in_commit_timestamps) {
                self.statements.push(self.give_way(current.version, timestamp_ms));
                self.has_in_commit_timestamps = true;
            }
            let timestamp_ms = in_commit_timestamp.unwrap_or(current.modified_ms);
            if current.commit_info.is_some() || timestamp_ms != current.modified_ms {
                self.statements.push(current.writer.describe(timestamp_ms, current.commit_info.as_ref()));
            }
            self.statements.push(current.writer.end());
        }
        self.current = None;
        Ok(())
    }

    /// Versions before this one are moved before its time.
    fn give_way(&self, version: i64, timestamp_ms: i64) -> Statement {
        Statement::new(GIVE_WAY, vec![self.key.into(), version.into(), timestamp_ms.into()])
    }

    fn full_batch(&mut self) -> Option<Batch> {
        // Many small commits share a batch, too.
        if self.is_batch_full() || self.statements.len() >= BATCH_ACTIONS { self.take_batch() } else { None }
    }

    /// The last batch of an import: what is left, and the table becomes visible.
    pub fn finish(mut self) -> Batch {
        let params = vec![self.key.into(), self.earliest_version.into()];
        let mut with_checkpoint = params.clone();
        with_checkpoint.push(self.checkpoint_version.unwrap_or(0).into());
        for sql in FORGET {
            let params = if sql.contains("?3") { &with_checkpoint } else { &params };
            self.statements.push(Statement::new(sql, params.clone()));
        }
        self.statements.push(Statement::new(FINISH, params));
        self.take_batch().unwrap_or_else(|| Batch::write(Vec::new()))
    }

    /// The last batch of an import that takes the place of the table `old`: it goes, with all that the catalog knows of it,
    /// and the new one has its id, name, location and targets. Nothing happens when `old` is not at its version any more.
    pub fn finish_replacing(self, old: &crate::catalog::Table) -> Batch {
        let key = self.key;
        let mut batch = self.finish();
        let both: Vec<crate::sql::Value> = vec![key.into(), old.key.into()];
        batch.statements.push(Statement::new(GUARD_VERSION, [old.key.into(), old.version.into()]));
        batch.statements.push(Statement::new(TAKE_TARGETS, both));
        batch.statements.extend(plan_drop(old.key));
        let name =
            vec![key.into(), old.table_id.as_str().into(), old.name.as_str().into(), old.location.as_str().into()];
        batch.statements.push(Statement::new(TAKE_NAME, name));
        batch
    }

    /// What is left of an incremental import, if anything.
    pub fn flush(mut self) -> Option<Batch> {
        self.take_batch()
    }

    fn write_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(current) = &mut self.current {
            let added = &mut self.added;
            let may_be_live = |path: &str, dv_id: &str| added.as_mut().is_none_or(|added| added.insert(path, dv_id));
            self.statements.extend(current.writer.actions(pending, may_be_live));
        }
    }

    fn take_batch(&mut self) -> Option<Batch> {
        self.pending_bytes = 0;
        self.pending_count = 0;
        if self.statements.is_empty() {
            return None;
        }
        let mut statements = match &mut self.guard {
            Guard::Import(import_id) => sign_of_life_statements(self.key, import_id),
            Guard::Version(version) => {
                let guard = Statement::new(GUARD_VERSION, [self.key.into(), (*version).into()]);
                *version = self.last_version;
                vec![guard]
            }
        };
        statements.append(&mut self.statements);
        Some(Batch::write(statements))
    }

    fn at_file(&self, error: Error) -> Error {
        match &self.current {
            Some(current) => error.context(format!("reading {}", current.file)).path(&current.file),
            None => error,
        }
    }
}

/// Bytes of the texts of an action that may be long and there many times.
fn text_bytes(action: &Action) -> usize {
    let of_map = |map: &StringMap| -> usize {
        map.0.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len)).sum()
    };
    let of_json = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.text().len());
    let of_extra = |extra: &Extra| extra.iter().map(|(name, json)| name.len() + json.text().len()).sum::<usize>();
    let of_text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match action {
        Action::Add(add) => {
            let values = of_map(&add.partition_values);
            add.path.len() + values + of_text(&add.stats) + of_json(&add.tags) + of_extra(&add.extra)
        }
        Action::Remove(remove) => {
            let values = remove.partition_values.as_ref().map_or(0, of_map);
            remove.path.len() + values + of_text(&remove.stats) + of_json(&remove.tags) + of_extra(&remove.extra)
        }
        Action::Txn(txn) => txn.app_id.len() + of_extra(&txn.extra),
        Action::DomainMetadata(domain) => domain.domain.len() + domain.configuration.len() + of_extra(&domain.extra),
        Action::Unknown { value, .. } => value.text().len(),
        _ => 0,
    }
}

/// `dataChange` is about a commit: in a state it means nothing, and writers differ in what they put there.
fn changing_no_data(mut action: Action) -> Action {
    match &mut action {
        Action::Add(add) => add.data_change = false,
        Action::Remove(remove) => remove.data_change = false,
        _ => {}
    }
    action
}

fn check_schema(metadata: &Metadata) -> Result<()> {
    let Some(schema) = metadata.schema_string.as_deref() else { return Ok(()) };
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(schema).map(drop).map_err(|error| {
        Error::corrupt(format!("the `schemaString` of the table's `metaData` is not a JSON object: {error}"))
    })
}

enum Source {
    /// A commit: its actions are what the version did.
    Commit,
    /// A checkpoint or compacted log: its actions are a state, or several commits in one.
    State,
}
