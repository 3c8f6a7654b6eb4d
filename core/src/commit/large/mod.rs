//! Commits that are larger than one batch may be: begun, written piece by piece, and made visible by one last batch.

mod errors;
mod rows;
pub(super) mod statements;
mod sweep;

pub(super) use errors::gone;
pub use sweep::{SweptCommits, sweep_large_commits};

use std::collections::HashSet;

use crate::action::Action;
use crate::catalog::{TableSelector, quoted};
use crate::snapshot::{At, Snapshot, snapshot};
use crate::sql::{Batch, Database, DatabaseError, Statement, Value, with_rows};
use crate::{Error, ErrorKind, Result};

use super::added_files::UnusualFiles;
use super::attempts::{Ending, committed_before, find_commit, run};
use super::check::{Past, Spellings, check_page, check_rest, ill_formed_removes, operation_of, other_spellings};
use super::digest::Digest;
use super::host::{Host, RetryPolicy};
use super::outcome::Outcome;
use super::plan::Part;
use super::request::CommitRequest;
use super::totals::Totals;
use super::write::json;
use errors::{overtaken, unwritten};
use rows::StagedRows;
use statements::{
    BEGIN, DUPLICATE, END, GUARD_ADDED_OR_REMOVED, GUARD_COMPLETE, GUARD_REPLACED, GUARD_VECTORS, GUARD_WRITTEN,
    STAGE_ADDS, STAGE_CDC, STAGE_REMOVES, TAKE_OVER, WRITTEN,
};
use sweep::delete_files;

/// File actions of one batch, at the most.
const BATCH_ACTIONS: usize = 4096;

/// The file actions that were written for a large commit.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    /// The catalog's key of the large commit.
    pub key: i64,
    pub totals: Totals,
    pub cdc_count: i64,
    /// Rows in the added files, as far as their statistics tell.
    pub row_count: i64,
    /// Whether each tells.
    pub all_rows_known: bool,
    pub removes_data: bool,
    /// Whether each removed file takes its rows with it.
    pub removes_only_data: bool,
    pub changes_data: bool,
    /// Whether a path of an added file has others.
    pub has_other_spellings: bool,
    pub digest: Digest,
}

impl Staged {
    pub(super) fn count(&self) -> i64 {
        self.totals.added_count + self.totals.removed_count + self.cdc_count
    }

    /// What must hold of the files when they become visible. `replaces`: the commit replaces the table's files by others;
    /// `refuses_vectors`: the table takes no new deletion vectors.
    pub(super) fn guards(&self, replaces: bool, refuses_vectors: bool) -> Vec<Statement> {
        let mut statements = vec![
            Statement::new(GUARD_COMPLETE, vec![self.key.into(), self.count().into()]),
            Statement::new(GUARD_ADDED_OR_REMOVED, [self.key.into()]),
        ];
        if replaces {
            statements.push(Statement::new(GUARD_REPLACED, [self.key.into()]));
        }
        if refuses_vectors {
            statements.push(Statement::new(GUARD_VECTORS, [self.key.into()]));
        }
        statements
    }

    /// Its rows are needed no more.
    pub(super) fn end(&self) -> Statement {
        Statement::new(END, [self.key.into()])
    }

    /// Those of the path of an added file, as JSON.
    fn other_spellings(&mut self, path: &str) -> Value {
        let spellings = other_spellings(path);
        self.has_other_spellings |= !spellings.is_empty();
        (!spellings.is_empty()).then(|| json(&spellings)).into()
    }

    /// What an action tells of the commit, before it is written.
    fn note(&mut self, action: &Action) {
        self.digest.insert(action);
        self.totals.note(action);
        match action {
            Action::Add(add) => {
                let num_records = add.num_records();
                self.row_count = self.row_count.saturating_add(num_records.unwrap_or(0));
                self.all_rows_known &= num_records.is_some();
                self.changes_data |= add.data_change;
            }
            Action::Remove(remove) => {
                self.removes_data |= remove.data_change;
                self.removes_only_data &= remove.data_change;
                self.changes_data |= remove.data_change;
            }
            Action::Cdc(_) => self.cdc_count += 1,
            _ => {}
        }
    }
}

/// A commit of any number of files to one table: begin, write, finalize.
///
/// 1. Nothing of it is visible before [`finalize`](Self::finalize), and then all of it at once: one batch, whatever the
///    number of files.
/// 2. A client that dies leaves rows that nobody sees, until [`sweep_large_commits`] deletes them.
/// 3. Begun again with the same commit id it begins anew, and the one before can go on no more, but for comparing itself
///    with the one that happened; once it has happened it happens no second time.
///
/// For more actions than a client holds at once. A plain commit is one batch, too, with all its actions in it: other writers
/// wait until they are written, and a database may refuse a batch that is too large for it, with an error of its own
/// ([`Unavailable`](ErrorKind::Unavailable) or [`Internal`](ErrorKind::Internal)) after which nothing was committed. The
/// command `dl commit` begins a large commit from 16,385 actions, or 32 MiB of them, on.
///
/// ```
/// use deltalakedb_core::Result;
/// use deltalakedb_core::action::Action;
/// use deltalakedb_core::catalog::TableSelector;
/// use deltalakedb_core::commit::{CommitRequest, Host, LargeCommit, Outcome};
/// use deltalakedb_core::sql::Database;
///
/// async fn append(
///     database: &impl Database,
///     host: &impl Host,
///     id: &str,
///     pages: impl Iterator<Item = Vec<Action>>,
/// ) -> Result<Outcome> {
///     let table = TableSelector::Named("events".into());
///     // What is no action on files is part of the request.
///     let request = CommitRequest::new(id, Vec::new());
///     let mut commit = LargeCommit::begin(database, host, &table, request).await?;
///     for page in pages {
///         commit.write(&page).await?;
///     }
///     commit.finalize().await
/// }
/// ```
pub struct LargeCommit<'a, D, H> {
    database: &'a D,
    host: &'a H,
    retry: RetryPolicy,
    state: Snapshot,
    request: CommitRequest,
    staged: Staged,
    spellings: Spellings,
    unusual_files: UnusualFiles,
    /// Files that it removes at paths that are ill-formed: those it may add again.
    ill_formed: HashSet<String>,
    /// The page that may be written in part.
    failed: Option<FailedPage>,
    /// It happened before; what is written now is compared only.
    has_happened: bool,
}

/// A page that may be written in part.
struct FailedPage {
    /// Of its actions in their order, as its parts are.
    digest: Digest,
    /// Its parts that are, each of [`BATCH_ACTIONS`].
    written: usize,
    error: Error,
}

impl<'a, D: Database, H: Host> LargeCommit<'a, D, H> {
    /// Begins a commit. The request's actions are those that are no file actions; the files come by
    /// [`write`](Self::write).
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) or [`Unsupported`](ErrorKind::Unsupported) for what the table's rules forbid;
    /// [`NotFound`](ErrorKind::NotFound) for an unknown table; those of the database.
    pub async fn begin(database: &'a D, host: &'a H, selector: &TableSelector, request: CommitRequest) -> Result<Self> {
        let state = snapshot(database, selector, At::Latest).await?;
        let name = &state.table.name;
        let refused = |error: Error| error.context(format!("committing to table {}", quoted(name))).table(name);
        request.check().map_err(refused)?;
        if let Some(file) = request.actions.iter().find(|action| is_file(action)) {
            return Err(refused(
                Error::invalid(format!("an `{}` is among the actions that begin it", file.name()))
                    .hint("write the actions on files page by page"),
            ));
        }
        let has_happened = find_commit(database, &state.table, &request.commit_id).await?.is_some();
        if !has_happened {
            // Whether the files of the table stay is known when all are there; what no commit may do is told now.
            let operation = request.operation.as_deref();
            check_rest(&state, &request.actions, operation, Past::Replaced).map_err(refused)?;
        }
        let params: Vec<Value> = vec![state.table.key.into(), request.commit_id.as_str().into(), host.now_ms().into()];
        let batch = Batch::write(vec![Statement::new(TAKE_OVER, params[..2].to_vec()), Statement::new(BEGIN, params)]);
        let mut results = database.batch(batch).await.map_err(|error| unwritten(&state.table, error))?;
        let row = results.pop().and_then(|result| result.rows.into_iter().next());
        let row = row.ok_or_else(|| {
            refused(Error::new(ErrorKind::NotFound, "nothing was committed: the table was dropped meanwhile"))
        })?;
        let staged = Staged {
            key: row.integer(0)?,
            totals: Totals::default(),
            cdc_count: 0,
            row_count: 0,
            all_rows_known: true,
            removes_data: false,
            removes_only_data: true,
            changes_data: false,
            has_other_spellings: false,
            digest: Digest::of(&request),
        };
        let retry = RetryPolicy::default();
        Ok(LargeCommit {
            database,
            host,
            retry,
            state,
            request,
            staged,
            spellings: Spellings::default(),
            unusual_files: UnusualFiles::default(),
            ill_formed: HashSet::new(),
            failed: None,
            has_happened,
        })
    }

    /// With another policy for tries.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Whether the commit happened before all of it was written here: what is written is compared with it, and no more.
    pub fn has_happened(&self) -> bool {
        self.has_happened
    }

    /// Takes in a page of file actions: `add`, `remove`, `cdc`. Nobody sees them yet. A page that is refused as
    /// [`Invalid`](ErrorKind::Invalid) was not taken in, and the commit may go on without it; after any other error it is
    /// unknown what was, and the same page must be written again, or the commit begun anew. A file at an ill-formed path,
    /// which only an import brings in, is removed in the page that adds it again, or before.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for what the table's rules forbid, for an action that is none on a file, for a
    /// second one on a file, or for another page than the one that failed; [`NotFound`](ErrorKind::NotFound) when the commit was swept or begun anew and has
    /// not happened, or its table was dropped; those of the database.
    pub async fn write(&mut self, actions: &[Action]) -> Result<()> {
        let name = self.state.table.name.clone();
        let refused = |error: Error| error.context(format!("committing to table {}", quoted(&name))).table(&name);
        if let Some(other) = actions.iter().find(|action| !is_file(action)) {
            return Err(refused(
                Error::invalid(format!("a page of files has the action `{}`", other.name()))
                    .hint("begin the commit with what is no action on a file: `add`, `remove` or `cdc`"),
            ));
        }
        if self.has_happened {
            actions.iter().for_each(|action| self.staged.note(action));
            return Ok(());
        }
        let digest = Digest::of_sequence(actions);
        let written = match &self.failed {
            Some(failed) if failed.digest != digest => {
                return Err(refused(
                    Error::invalid("another page of the large commit was not written")
                        .hint("write that page again, or begin anew"),
                ));
            }
            failed => failed.as_ref().map_or(0, |failed| failed.written),
        };
        check_page(&self.state, &self.request.actions, &self.ill_formed, actions).map_err(refused)?;
        self.spellings.check(actions).map_err(refused)?;
        for (number, part) in actions.chunks(BATCH_ACTIONS).enumerate().skip(written) {
            // Until it is known that it was written, whatever ends the sending.
            let unheard = refused(Error::new(ErrorKind::Unavailable, "it is not known whether it was written"));
            self.failed = Some(FailedPage { digest, written: number, error: unheard });
            let (statements, staged) = self.stage(part);
            if let Err(error) = self.send(statements, part).await {
                if error.kind() == ErrorKind::NotFound && self.version().await?.is_some() {
                    (self.has_happened, self.failed) = (true, None);
                    actions[number * BATCH_ACTIONS..].iter().for_each(|action| self.staged.note(action));
                    return Ok(());
                }
                let is_refused = number == 0 && error.kind() == ErrorKind::Invalid;
                self.failed = (!is_refused).then(|| FailedPage { digest, written: number, error: error.clone() });
                return Err(error);
            }
            self.staged = staged;
        }
        self.failed = None;
        self.spellings.insert(actions);
        let operation = operation_of(&self.request.actions, self.request.operation.as_deref());
        self.ill_formed.extend(ill_formed_removes(actions).map(str::to_owned));
        self.unusual_files.extend(UnusualFiles::of(actions, &self.state.table.location, &operation));
        Ok(())
    }

    /// The statements that write actions, and what is staged then.
    fn stage(&self, actions: &[Action]) -> (Vec<Statement>, Staged) {
        let mut staged = self.staged.clone();
        let rows = StagedRows::of(actions, &mut staged);
        let key: Value = self.staged.key.into();
        let limits = self.database.limits();
        let written = vec![key.clone(), self.host.now_ms().into(), staged.count().into()];
        let mut statements = vec![Statement::new(WRITTEN, written), Statement::new(GUARD_WRITTEN, [])];
        statements.extend(with_rows(&limits, STAGE_ADDS, std::slice::from_ref(&key), rows.adds));
        statements.extend(with_rows(&limits, STAGE_REMOVES, std::slice::from_ref(&key), rows.removes));
        statements.extend(with_rows(&limits, STAGE_CDC, std::slice::from_ref(&key), rows.cdc));
        (statements, staged)
    }

    /// Runs a batch that does the same when it is run again.
    async fn send(&self, statements: Vec<Statement>, actions: &[Action]) -> Result<()> {
        let mut error = None;
        for number in 1..=self.retry.max_tries.max(1) {
            let wait_ms = self.retry.wait_ms(number, self.host);
            if wait_ms > 0 {
                self.host.sleep(wait_ms).await;
            }
            match self.database.batch(Batch::write(statements.clone())).await {
                Ok(_) => return Ok(()),
                Err(lost @ DatabaseError::AnswerLost(_)) => error = Some(lost),
                Err(DatabaseError::Guard(guard)) if guard == "large_commit_not_found" => {
                    return Err(gone(self.database, &self.state.table).await);
                }
                Err(DatabaseError::Unique(_)) => return Err(self.duplicate(actions).await?),
                Err(other) => return Err(unwritten(&self.state.table, other)),
            }
        }
        match error {
            Some(lost) => Err(unwritten(&self.state.table, lost)),
            None => Err(gone(self.database, &self.state.table).await),
        }
    }

    /// The version that has the commit's id, if it happened: by another client, too.
    async fn version(&self) -> Result<Option<i64>> {
        let row = find_commit(self.database, &self.state.table, &self.request.commit_id).await?;
        row.map(|row| row.integer(0)).transpose()
    }

    /// Which file has a second action.
    async fn duplicate(&self, actions: &[Action]) -> Result<Error> {
        let rows = rows::names(actions, self.staged.count());
        let statements = with_rows(&self.database.limits(), DUPLICATE, &[self.staged.key.into()], rows);
        let results = self.database.batch(Batch::read(statements)).await?;
        let name = &self.state.table.name;
        let Some(mut row) = results.into_iter().flat_map(|result| result.rows).next() else {
            return Ok(gone(self.database, &self.state.table).await);
        };
        let (path, action) = (row.text(0)?, row.text(1)?);
        Ok(Error::invalid(format!(
            "committing to table {}: the commit has two `{action}` actions of {}; one is allowed",
            quoted(name),
            quoted(&path)
        ))
        .table(name)
        .path(path)
        .hint("leave one of them out, or make two commits"))
    }

    /// Makes the commit visible, by one batch; more only where others were first.
    ///
    /// # Errors
    /// As [`Writer::commit`](super::Writer::commit), and [`NotFound`](ErrorKind::NotFound) when the commit was swept or begun
    /// anew and has not happened; what was written can be finalized again then, or is swept.
    pub async fn finalize(&mut self) -> Result<Outcome> {
        if let Some(failed) = &self.failed {
            return Err(match self.version().await? {
                Some(version) => overtaken(&self.state.table, version),
                None => failed.error.clone().context("a page of the large commit was not written"),
            });
        }
        let mut state = self.state.clone();
        let mut parts = [Part::large(&mut state, &self.request, self.staged.clone(), self.unusual_files.clone())];
        let asked = committed_before(self.database, &parts).await.map_err(|error| match error.kind() {
            ErrorKind::Invalid => error,
            _ => error.context("asking whether the large commit has happened"),
        });
        if let Some(before) = asked? {
            self.clean_up().await;
            return Ok(before.into_iter().next().map_or(Outcome::Unknown, Outcome::Committed));
        }
        let ending = run(self.database, self.host, &self.retry, &mut parts).await?;
        Ok(match ending {
            Ending::Committed(committed) => {
                self.clean_up().await;
                committed.into_iter().next().map_or(Outcome::Unknown, Outcome::Committed)
            }
            Ending::Conflicted(conflict) => {
                self.clean_up().await;
                Outcome::Conflicted(conflict)
            }
            Ending::Unknown => Outcome::Unknown,
        })
    }

    /// Gives up: deletes what was written.
    ///
    /// # Errors
    /// Those of the database; a sweep deletes the rest then.
    pub async fn abandon(self) -> Result<()> {
        delete_files(self.database, self.staged.key).await.map(drop)
    }

    /// What is over leaves its rows behind; that it cannot be cleaned up now is nobody's concern, a sweep will do it.
    async fn clean_up(&self) {
        let _ = delete_files(self.database, self.staged.key).await;
    }
}

fn is_file(action: &Action) -> bool {
    matches!(action, Action::Add(_) | Action::Remove(_) | Action::Cdc(_))
}
