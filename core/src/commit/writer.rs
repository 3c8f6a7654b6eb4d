use crate::Result;
use crate::action::{Action, Metadata, Protocol};
use crate::catalog::{Table, TableSelector};
use crate::snapshot::{At, Snapshot, snapshot};
use crate::sql::{Batch, Database};

use super::attempts::{Ending, run};
use super::host::{Host, RetryPolicy};
use super::outcome::Outcome;
use super::plan::{Part, plan_commit};
use super::request::CommitRequest;

/// A table, opened to commit to it. As long as nobody else changes the table's metadata a commit is one batch.
///
/// 1. A commit that reads nothing and only adds new files never conflicts with other files' commits.
/// 2. A commit is acknowledged, or it has no effect; sent again with its id it happens once.
/// 3. After a conflict, after an error, and when it is unknown what became of a commit, the writer looks at the table anew
///    before its next one; what to commit is for its user to decide. Until then [`version`](Self::version) and the like
///    tell what it knew before.
/// 4. A commit that looked at the table says at which version ([`ReadSet::of`](super::ReadSet::of)), or it counts as having
///    seen what the writer knows by now: sent again, that is more than it saw.
///
/// A commit of more actions than its client wants to hold at once is a [`LargeCommit`](super::LargeCommit).
///
/// ```
/// use deltalakedb_core::Result;
/// use deltalakedb_core::action::parse_line;
/// use deltalakedb_core::catalog::TableSelector;
/// use deltalakedb_core::commit::{CommitRequest, Host, Outcome, ReadSet, Writer};
/// use deltalakedb_core::sql::Database;
///
/// async fn append(database: &impl Database, host: &impl Host, id: &str) -> Result<i64> {
///     let table = TableSelector::Named("events".into());
///     let mut writer = Writer::open(database, host, &table).await?;
///     let actions = parse_line(
///         r#"{"add":{"path":"a.parquet","partitionValues":{},"size":9,"modificationTime":0,"dataChange":true}}"#,
///     )?;
///     match writer.commit(&CommitRequest::new(id, actions)).await? {
///         Outcome::Committed(committed) => Ok(committed.version),
///         Outcome::Conflicted(conflict) => Err(conflict.into()),
///         // Call again, with the same id.
///         Outcome::Unknown => append_again(id),
///     }
/// }
/// # fn append_again(_: &str) -> Result<i64> { Ok(0) }
///
/// async fn delete_day(database: &impl Database, host: &impl Host, id: &str) -> Result<Outcome> {
///     let mut writer = Writer::open(database, host, &TableSelector::Named("events".into())).await?;
///     let remove = parse_line(r#"{"remove":{"path":"a.parquet","dataChange":true}}"#)?;
///     let read = ReadSet::of(writer.version()).predicate("day = '2024-01-31'");
///     // Conflicted, if another commit added rows of that day, or removed a file that may have some.
///     writer.commit(&CommitRequest { read, ..CommitRequest::new(id, remove) }).await
/// }
/// ```
pub struct Writer<'a, D, H> {
    database: &'a D,
    host: &'a H,
    retry: RetryPolicy,
    state: Snapshot,
    /// Whether the state must be read anew before the next commit.
    is_stale: bool,
    /// Whether others have committed since the state was read, and this writer on top of them: it may lack what they
    /// made of the table's domains.
    has_passed_others: bool,
}

impl<'a, D: Database, H: Host> Writer<'a, D, H> {
    /// Opens a table, in one batch.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) for an unknown table; those of the database.
    pub async fn open(database: &'a D, host: &'a H, selector: &TableSelector) -> Result<Self> {
        let state = snapshot(database, selector, At::Latest).await?;
        Ok(Writer { database, host, retry: RetryPolicy::default(), state, is_stale: false, has_passed_others: false })
    }

    /// With another policy for tries.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.state.table
    }

    /// The latest version that this writer knows.
    pub fn version(&self) -> i64 {
        self.state.version
    }

    /// In force at that version.
    pub fn metadata(&self) -> &Metadata {
        &self.state.metadata
    }

    /// In force at that version.
    pub fn protocol(&self) -> &Protocol {
        &self.state.protocol
    }

    /// The batch that [`commit`](Self::commit) would run first, on the version that this writer knows.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) or [`Unsupported`](crate::ErrorKind::Unsupported), with the reason, for a
    /// commit that the table's rules forbid.
    pub fn plan(&self, request: &CommitRequest) -> Result<Batch> {
        plan_commit(&self.state, request, self.host.now_ms(), &self.database.limits())
    }

    /// Commits: one batch, and more only where others were first.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) or [`Unsupported`](crate::ErrorKind::Unsupported) for a commit that the
    /// table's rules forbid; [`Unavailable`](crate::ErrorKind::Unavailable) when the tries are used up;
    /// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped; those of the database.
    pub async fn commit(&mut self, request: &CommitRequest) -> Result<Outcome> {
        let changes_rules = changes_rules(request);
        if self.is_stale || (self.has_passed_others && changes_rules) {
            self.refresh().await?;
        }
        let known_version = self.state.version;
        // Until it is known what became of the commit, whatever ends it.
        self.is_stale = true;
        let mut parts = [Part::new(&mut self.state, request)];
        let ending = run(self.database, self.host, &self.retry, &mut parts).await;
        let ending = ending?;
        self.is_stale = !self.has_followed(&ending) || changes_rules;
        self.has_passed_others |= self.state.version > known_version + 1;
        Ok(match ending {
            Ending::Committed(committed) => committed.into_iter().next().map_or(Outcome::Unknown, Outcome::Committed),
            Ending::Conflicted(conflict) => Outcome::Conflicted(conflict),
            Ending::Unknown => Outcome::Unknown,
        })
    }

    /// Whether the state is that of the commit: where an earlier sending was it, the state may be older.
    fn has_followed(&self, ending: &Ending) -> bool {
        match ending {
            Ending::Committed(committed) => committed.iter().all(|table| table.version <= self.state.version),
            _ => false,
        }
    }

    /// Looks at the table anew.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn refresh(&mut self) -> Result<()> {
        self.state = snapshot(self.database, &TableSelector::Key(self.state.table.key), At::Latest).await?;
        self.is_stale = false;
        self.has_passed_others = false;
        Ok(())
    }
}

/// Whether metadata, protocol or domains are others after the commit than they were known before.
fn changes_rules(request: &CommitRequest) -> bool {
    let is_rule =
        |action: &Action| matches!(action, Action::Metadata(_) | Action::Protocol(_) | Action::DomainMetadata(_));
    request.actions.iter().any(is_rule)
}

/// Opens a table, commits to it and closes it: two batches where nobody else was first. Who commits often keeps a
/// [`Writer`].
///
/// # Errors
/// As [`Writer::open`] and [`Writer::commit`].
pub async fn commit(
    database: &impl Database,
    host: &impl Host,
    selector: &TableSelector,
    request: &CommitRequest,
) -> Result<Outcome> {
    Writer::open(database, host, selector).await?.commit(request).await
}
