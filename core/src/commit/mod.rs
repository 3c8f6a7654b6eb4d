//! Committing to a table: one batch that happens wholly or not at all.
//!
//! The version is allocated inside the batch, so blind appends never lose a race. A commit that removes
//! files, or changes what others rely on, carries guards; when one does not hold, the answer names the commit
//! that won.

mod check;
mod conflict;
mod plan;
mod statements;
pub(crate) mod write;

pub use check::check_commit;
pub use conflict::{Conflict, ConflictKind};
pub use plan::{CommitPlan, plan_commit};

use crate::action::Action;
use crate::catalog::{Table, TableSelector};
use crate::import::{CommitDigest, catalog_digest};
use crate::snapshot::{At, snapshot};
use crate::sql::{Batch, Database, DatabaseError};
use crate::{Error, Result};

/// What a writer wants to commit.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// The commit's actions. A `commitInfo` among them is kept, its missing fields filled in.
    pub actions: Vec<Action>,
    /// The version that the writer looked at when it decided what to remove; `None`: it only adds, or names
    /// the files that it removes and minds no others.
    pub read_version: Option<i64>,
    /// Name of the operation, such as `WRITE`; overrides the one in `commitInfo`.
    pub operation: Option<String>,
    /// UUID. Sent again with the same id, a commit happens once.
    pub commit_id: String,
    /// The time, in milliseconds since the epoch.
    pub now_ms: i64,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is version `version`; perhaps by an earlier sending of the same commit.
    Committed {
        /// The version.
        version: i64,
        /// Its time, in milliseconds since the epoch.
        timestamp_ms: i64,
    },
    /// Another commit was first; nothing happened.
    Conflicted(Conflict),
    /// The answer was lost: send the same request again to learn, or to commit.
    Unknown,
}

/// Commits to a table: reads its state, plans, runs the batch.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) for an unknown table; [`Invalid`](crate::ErrorKind::Invalid) or
/// [`Unsupported`](crate::ErrorKind::Unsupported) for a commit that the table's rules forbid; those of the database.
pub async fn commit(database: &impl Database, selector: &TableSelector, request: &CommitRequest) -> Result<Outcome> {
    let state = snapshot(database, selector, At::Latest).await?;
    let plan = match plan_commit(&state, request, &database.limits()) {
        Ok(plan) => plan,
        // What the table forbids now it may have allowed when the commit was sent first.
        Err(error) => {
            return match conflict::committed_before(database, &state.table, &request.commit_id).await? {
                Some((version, timestamp_ms)) => {
                    check_same(database, &state.table, &request.actions, version).await?;
                    Ok(Outcome::Committed { version, timestamp_ms })
                }
                None => Err(error
                    .context(format!("committing to table {}", crate::catalog::quoted(&state.table.name)))
                    .table(&state.table.name)),
            };
        }
    };
    apply_commit(database, &plan).await
}

/// Runs a planned commit.
///
/// # Errors
/// Those of the database; [`Invalid`](crate::ErrorKind::Invalid) when the commit removes a file that never was in the table.
pub async fn apply_commit(database: &impl Database, plan: &CommitPlan) -> Result<Outcome> {
    match database.batch(plan.batch.clone()).await {
        Ok(mut results) => {
            let row = results.pop().and_then(|result| result.rows.into_iter().next());
            let row = row.ok_or_else(|| Error::corrupt("the commit's batch gave no version"))?;
            Ok(Outcome::Committed { version: row.integer(0)?, timestamp_ms: row.integer(1)? })
        }
        Err(DatabaseError::AnswerLost(_)) => Ok(Outcome::Unknown),
        Err(error @ (DatabaseError::Guard(_) | DatabaseError::Unique(_) | DatabaseError::OutOfRange(_))) => {
            // First whether it is a commit that happened and was sent again, whatever refuses it now.
            let mut results = database.batch(Batch::read(plan.explanation.clone())).await?;
            match conflict::same_commit(&mut results)? {
                Some((version, timestamp_ms)) => {
                    check_same(database, &plan.table, &plan.actions, version).await?;
                    Ok(Outcome::Committed { version, timestamp_ms })
                }
                None => match &error {
                    DatabaseError::OutOfRange(_) => Err(out_of_range(plan)),
                    DatabaseError::Guard(guard) if guard == "totals_in_range" => Err(out_of_range(plan)),
                    DatabaseError::Guard(guard) if guard == "path_added_again" => {
                        path_added_again(database, plan).await
                    }
                    _ => conflict::explain(plan, error, results),
                },
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn out_of_range(plan: &CommitPlan) -> Error {
    Error::invalid(format!(
        "committing to table {}: the sizes or row counts of its files would add up to more than 64 bits hold",
        crate::catalog::quoted(&plan.table.name)
    ))
    .table(&plan.table.name)
    .hint("look at `size` and `numRecords` of the added files")
}

async fn path_added_again(database: &impl Database, plan: &CommitPlan) -> Result<Outcome> {
    let results = database.batch(Batch::read(plan.path_queries.clone())).await?;
    let row = results.into_iter().flat_map(|result| result.rows).next();
    let path = row.map(|mut row| row.text(0)).transpose()?.unwrap_or_default();
    Err(Error::invalid(format!(
        "committing to table {}: {} is in the table with another deletion vector",
        crate::catalog::quoted(&plan.table.name),
        crate::catalog::quoted(&path)
    ))
    .table(&plan.table.name)
    .path(path)
    .hint("remove that entry in the same commit; `dl files` shows its deletion vector"))
}

/// A commit id stands for one commit: what was committed with it must be what is sent again.
async fn check_same(database: &impl Database, table: &Table, actions: &[Action], version: i64) -> Result<()> {
    let mut sent = CommitDigest::default();
    sent.insert(actions);
    // Its commitInfo holds the time of sending.
    if catalog_digest(database, table, version).await?.is_some_and(|stored| stored.makes_same_changes(&sent)) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "committing to table {}: the commit id was used for version {version}, with other actions",
        crate::catalog::quoted(&table.name)
    ))
    .table(&table.name)
    .version(version)
    .hint("a commit id belongs to one commit; take a new one for a new commit"))
}
