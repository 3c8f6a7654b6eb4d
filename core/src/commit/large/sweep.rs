use crate::Result;
use crate::sql::{Batch, Database, Statement};

use super::statements::{DELETE_COMMIT, DELETE_FILES, DELETED, END, EXPIRE, OVER};

/// Rows of one batch: other writers wait for no longer.
const PAGE: i64 = 20_000;

/// When an answer was lost.
const SWEEP_AGAIN: &str = "sweep again: it deletes what is left";

/// What a sweep deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweptCommits {
    /// Large commits.
    pub commit_count: usize,
    /// Their rows.
    pub row_count: i64,
}

/// Deletes what large commits left behind: those that were committed or given up, and those of clients that wrote
/// nothing after `expired_before_ms`, in milliseconds since the epoch. Such a client fails when it goes on; nothing of its
/// commit is visible.
///
/// # Errors
/// Those of the database; what is left is for the next sweep.
pub async fn sweep_large_commits(database: &impl Database, expired_before_ms: i64) -> Result<SweptCommits> {
    let expire = vec![Statement::new(EXPIRE, [expired_before_ms.into()]), Statement::new(OVER, [])];
    let over = database.batch(Batch::write(expire)).await.map_err(|error| error.or_lost(SWEEP_AGAIN))?;
    let over = over.into_iter().next_back().unwrap_or_default();
    let mut swept = SweptCommits::default();
    for row in over.rows {
        swept.row_count += delete_files(database, row.integer(0)?).await?;
        swept.commit_count += 1;
    }
    Ok(swept)
}

/// Ends a large commit and deletes its rows, in batches of a bounded size.
pub(super) async fn delete_files(database: &impl Database, key: i64) -> Result<i64> {
    let mut deleted = 0;
    loop {
        let batch = Batch::write(vec![
            Statement::new(END, [key.into()]),
            Statement::new(DELETE_FILES, vec![key.into(), PAGE.into()]),
            Statement::new(DELETED, []),
            Statement::new(DELETE_COMMIT, [key.into()]),
        ]);
        let results = database.batch(batch).await.map_err(|error| error.or_lost(SWEEP_AGAIN))?;
        let count = results.get(2).and_then(|result| result.rows.first()).map_or(Ok(0), |row| row.integer(0))?;
        deleted += count;
        if count < PAGE {
            return Ok(deleted);
        }
    }
}
