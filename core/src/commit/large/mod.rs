//! Commits that are larger than one batch may be: begun, written piece by piece, and made visible by one last batch.

mod rows;
pub(super) mod statements;
mod sweep;

pub use sweep::{SweptCommits, sweep_large_commits};

use crate::action::Action;
use crate::catalog::{TableSelector, quoted};
use crate::snapshot::{At, Snapshot, snapshot};
use crate::sql::{Batch, Database, DatabaseError, Statement, Value, with_rows};
use crate::{Error, ErrorKind, Result};

use super::attempts::{Ending, committed_before, run};
use super::check::{check_files, check_rest};
use super::digest::Digest;
use super::host::{Host, RetryPolicy};
use super::outcome::Outcome;
use super::plan::Part;
use super::request::CommitRequest;
use rows::StagedRows;
use statements::{BEGIN, DUPLICATE, GUARD_WRITTEN, STAGE_ADDS, STAGE_CDC, STAGE_REMOVES, TAKE_OVER, WRITTEN};
use sweep::delete_files;

/// File actions of one batch, at the most.
const BATCH_ACTIONS: usize = 4096;

/// The file actions that were written for a large commit.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    /// The catalog's key of the large commit.
    pub key: i64,
    pub added_count: i64,
    pub removed_count: i64,
    pub cdc_count: i64,
    /// Rows in the added files, as far as their statistics tell.
    pub row_count: i64,
    /// Whether each tells.
    pub all_rows_known: bool,
    pub removes_data: bool,
    pub changes_data: bool,
    pub digest: Digest,
}

impl Staged {
    pub(super) fn count(&self) -> i64 {
        self.added_count + self.removed_count + self.cdc_count
    }

    /// What an action tells of the commit, before it is written.
    fn note(&mut self, action: &Action) {
        self.digest.insert(action);
        match action {
            Action::Add(add) => {
                self.added_count += 1;
                let num_records = add.num_records();
                self.row_count = self.row_count.saturating_add(num_records.unwrap_or(0));
                self.all_rows_known &= num_records.is_some();
                self.changes_data |= add.data_change;
            }
            Action::Remove(remove) => {
                self.removed_count += 1;
                self.removes_data |= remove.data_change;
                self.changes_data |= remove.data_change;
            }
            _ => self.cdc_count += 1,
        }
    }
}

/// A commit of any number of files to one table: begin, write, finalize.
///
/// 1. Nothing of it is visible before [`finalize`](Self::finalize), and then all of it at once: one batch, whatever the
///    number of files.
/// 2. A client that dies leaves rows that nobody sees, until [`sweep_large_commits`] deletes them.
/// 3. Begun again with the same commit id it begins anew, and the one before can go on no more; once it has happened
///    it happens no second time.
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
        if let Some(file) = request.actions.iter().find(|action| is_file(action)) {
            return Err(refused(Error::invalid(format!("an `{}` is among the actions that begin it", file.name()))));
        }
        check_rest(&state, &request.actions, request.operation.as_deref()).map_err(refused)?;
        let params: Vec<Value> = vec![state.table.key.into(), request.commit_id.as_str().into(), host.now_ms().into()];
        let batch = Batch::write(vec![Statement::new(TAKE_OVER, params[..2].to_vec()), Statement::new(BEGIN, params)]);
        let mut results = database.batch(batch).await?;
        let row = results.pop().and_then(|result| result.rows.into_iter().next());
        let row = row.ok_or_else(|| refused(Error::new(ErrorKind::NotFound, "the table was dropped meanwhile")))?;
        let staged = Staged {
            key: row.integer(0)?,
            added_count: 0,
            removed_count: 0,
            cdc_count: 0,
            row_count: 0,
            all_rows_known: true,
            removes_data: false,
            changes_data: false,
            digest: Digest::of(&request.actions),
        };
        Ok(LargeCommit { database, host, retry: RetryPolicy::default(), state, request, staged })
    }

    /// With another policy for tries.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Takes in file actions: `add`, `remove`, `cdc`. Nobody sees them yet.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for what the table's rules forbid, or for a second action on a file;
    /// [`NotFound`](ErrorKind::NotFound) when the commit was swept or begun anew; those of the database.
    pub async fn write(&mut self, actions: &[Action]) -> Result<()> {
        let name = self.state.table.name.clone();
        let refused = |error: Error| error.context(format!("committing to table {}", quoted(&name))).table(&name);
        for actions in actions.chunks(BATCH_ACTIONS) {
            check_files(&self.state, &self.request.actions, actions).map_err(refused)?;
            let (statements, staged) = self.stage(actions);
            self.send(statements, actions).await?;
            self.staged = staged;
        }
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
                Err(DatabaseError::Guard(guard)) if guard == "large_commit_not_found" => return Err(self.is_gone()),
                Err(DatabaseError::Unique(_)) => return Err(self.duplicate(actions).await?),
                Err(other) => return Err(other.into()),
            }
        }
        Err(error.map_or_else(|| self.is_gone(), Error::from))
    }

    fn is_gone(&self) -> Error {
        let name = &self.state.table.name;
        Error::new(
            ErrorKind::NotFound,
            format!("committing to table {}: the large commit was swept, or begun anew", quoted(name)),
        )
        .table(name)
        .hint("nothing of it was committed; begin again")
    }

    /// Which file has a second action.
    async fn duplicate(&self, actions: &[Action]) -> Result<Error> {
        let rows = rows::names(actions, self.staged.count());
        let statements = with_rows(&self.database.limits(), DUPLICATE, &[self.staged.key.into()], rows);
        let results = self.database.batch(Batch::read(statements)).await?;
        let name = &self.state.table.name;
        let Some(mut row) = results.into_iter().flat_map(|result| result.rows).next() else {
            return Ok(self.is_gone());
        };
        let (path, action) = (row.text(0)?, row.text(1)?);
        Ok(Error::invalid(format!(
            "committing to table {}: the commit has two `{action}` actions of {}; one is allowed",
            quoted(name),
            quoted(&path)
        ))
        .table(name)
        .path(path))
    }

    /// Makes the commit visible, by one batch; more only where others were first.
    ///
    /// # Errors
    /// As [`Writer::commit`](super::Writer::commit); what was written can be finalized again then, or is swept.
    pub async fn finalize(&mut self) -> Result<Outcome> {
        let mut parts = [Part::large(self.state.clone(), &self.request, self.staged.clone())];
        if let Some(before) = committed_before(self.database, &parts).await? {
            self.clean_up().await;
            return Ok(before.into_iter().next().map_or(Outcome::Unknown, Outcome::Committed));
        }
        let ending = run(self.database, self.host, &self.retry, &mut parts, None).await?;
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
