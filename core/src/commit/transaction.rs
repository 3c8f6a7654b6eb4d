use crate::catalog::quoted;
use crate::snapshot::Snapshot;
use crate::sql::Database;
use crate::time::format_interval_ms;
use crate::{Error, ErrorKind, Result};

use super::attempts::{Ending, committed_before, run};
use super::digest::Digest;
use super::host::{Host, RetryPolicy};
use super::outcome::TransactionOutcome;
use super::plan::Part;
use super::request::CommitRequest;

/// How large and how old a transaction may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionLimits {
    /// Tables.
    pub max_tables: usize,
    /// Actions of all tables.
    pub max_actions: usize,
    /// Bytes of all actions, as JSON.
    pub max_bytes: usize,
    /// Milliseconds between [`Transaction::begin`] and [`Transaction::commit`].
    pub max_age_ms: i64,
}

impl TransactionLimits {
    /// 100 tables, 100,000 actions, 64 MiB, 1 hour.
    pub const DEFAULT: TransactionLimits =
        TransactionLimits { max_tables: 100, max_actions: 100_000, max_bytes: 64 << 20, max_age_ms: 3_600_000 };
}

impl Default for TransactionLimits {
    fn default() -> Self {
        TransactionLimits::DEFAULT
    }
}

/// Commits to several tables of one catalog that happen all or not at all, in one batch.
///
/// Each table gets a version of its own, whose `commitInfo.tags` hold the transaction's id as
/// `delta.multiTableTransaction.transactionId` (Delta's open RFC for multi-table transactions). Conflicts are those of
/// the single tables: one is enough to refuse all.
///
/// ```
/// use deltalakedb_core::Result;
/// use deltalakedb_core::action::Action;
/// use deltalakedb_core::catalog::TableSelector;
/// use deltalakedb_core::commit::{CommitRequest, Host, Transaction, TransactionLimits, TransactionOutcome};
/// use deltalakedb_core::snapshot::{At, snapshot};
/// use deltalakedb_core::sql::Database;
///
/// async fn book(
///     database: &impl Database,
///     host: &impl Host,
///     id: &str,
///     orders: Vec<Action>,
///     stock: Vec<Action>,
/// ) -> Result<TransactionOutcome> {
///     let mut transaction = Transaction::begin(id, host.now_ms(), TransactionLimits::default());
///     for (table, actions) in [("orders", orders), ("stock", stock)] {
///         let state = snapshot(database, &TableSelector::Named(table.into()), At::Latest).await?;
///         transaction.stage(state, CommitRequest::new(id, actions))?;
///     }
///     transaction.commit(database, host).await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Transaction {
    id: String,
    begun_ms: i64,
    limits: TransactionLimits,
    retry: RetryPolicy,
    tables: Vec<(Snapshot, CommitRequest)>,
    action_count: usize,
    size_bytes: usize,
}

impl Transaction {
    /// Begins a transaction. `id` is a UUID, as [`CommitRequest::commit_id`]: sent again with it, the transaction happens once. `now_ms` is the time, in
    /// milliseconds since the epoch. Nothing is written before [`commit`](Self::commit).
    pub fn begin(id: impl Into<String>, now_ms: i64, limits: TransactionLimits) -> Self {
        Transaction {
            id: id.into(),
            begun_ms: now_ms,
            limits,
            retry: RetryPolicy::default(),
            tables: Vec::new(),
            action_count: 0,
            size_bytes: 0,
        }
    }

    /// With another policy for tries.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The id, which is the commit id in each table.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes in the commit to one table, whose latest known state is `state`; the request's commit id becomes the
    /// transaction's.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the table is in it already, or a limit is exceeded: the transaction
    /// is as it was then.
    pub fn stage(&mut self, state: Snapshot, mut request: CommitRequest) -> Result<()> {
        let name = &state.table.name;
        if self.tables.iter().any(|(staged, _)| staged.table.key == state.table.key) {
            return Err(self
                .refused(format!("the table {} is in it twice", quoted(name)))
                .table(name)
                .hint("put all actions of a table into one part"));
        }
        let action_count = self.action_count + request.actions.len();
        let sizes = request.actions.iter().map(|action| action.to_json().len());
        let size_bytes = self.size_bytes + sizes.sum::<usize>();
        for (what, found, limit) in [
            ("tables", self.tables.len() + 1, self.limits.max_tables),
            ("actions", action_count, self.limits.max_actions),
            ("bytes", size_bytes, self.limits.max_bytes),
        ] {
            if found > limit {
                return Err(self
                    .refused(format!("with this table the number of its {what} is {found}; the limit is {limit}"))
                    .table(name)
                    .hint(format!(
                        "raise the limit (--max-{what}); two smaller transactions are each all or none, not both together"
                    )));
            }
        }
        request.commit_id.clone_from(&self.id);
        (self.action_count, self.size_bytes) = (action_count, size_bytes);
        self.tables.push((state, request));
        Ok(())
    }

    /// Commits to all tables in one batch; more batches only where others were first.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when no table was staged, a table's rules forbid its part, or the
    /// transaction is older than allowed; [`NotFound`](crate::ErrorKind::NotFound) when a table was dropped;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the tries are used up; those of the database. Nothing has
    /// happened then.
    pub async fn commit(&self, database: &impl Database, host: &impl Host) -> Result<TransactionOutcome> {
        if self.tables.is_empty() {
            return Err(self.refused("it has no tables".into()).hint("stage a commit to at least one"));
        }
        let mut states: Vec<Snapshot> = self.tables.iter().map(|(state, _)| state.clone()).collect();
        let tables = Digest::of_tables(self.tables.iter().map(|(state, _)| &state.table));
        let requests = self.tables.iter().map(|(_, request)| request);
        let parts = states.iter_mut().zip(requests);
        let mut parts: Vec<Part<'_>> =
            parts.map(|(state, request)| Part::in_transaction(state, request, tables)).collect();
        if let Err(too_old) = self.check_age(host.now_ms()) {
            // Sent again, it may have happened in time.
            let before = committed_before(database, &parts).await.map_err(|error| self.failed(error))?;
            return before.map(TransactionOutcome::Committed).ok_or(too_old);
        }
        let ending = run(database, host, &self.retry, &mut parts).await;
        let ending = ending.map_err(|error| self.failed(error))?;
        Ok(match ending {
            Ending::Committed(committed) => TransactionOutcome::Committed(committed),
            Ending::Conflicted(conflict) => TransactionOutcome::Conflicted(conflict),
            Ending::Unknown => TransactionOutcome::Unknown,
        })
    }

    fn check_age(&self, now_ms: i64) -> Result<()> {
        let age_ms = now_ms.saturating_sub(self.begun_ms);
        let max_age_ms = self.limits.max_age_ms;
        if age_ms.saturating_abs() <= max_age_ms {
            return Ok(());
        }
        let (begun, limit) = (format_interval_ms(age_ms.saturating_abs()), format_interval_ms(max_age_ms));
        let begun = match age_ms > 0 {
            true => format!("{begun} ago"),
            false => format!("{begun} from now, by this clock"),
        };
        Err(self
            .refused(format!("it was begun {begun}; the limit is {limit}"))
            .detail("age_ms", age_ms)
            .detail("max_age_ms", max_age_ms)
            .hint("read the tables again and begin a new transaction, or raise the limit (--max-age)"))
    }

    fn failed(&self, error: Error) -> Error {
        let error = match error.kind() {
            // Were it for an earlier sending, the tables that are still there would have it.
            ErrorKind::NotFound => error.context("nothing was committed"),
            _ => error,
        };
        error.context(format!("in the transaction {}", self.id))
    }

    fn refused(&self, wrong: String) -> Error {
        Error::invalid(format!("in the transaction {}: {wrong}", self.id))
    }
}
