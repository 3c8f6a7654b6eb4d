//! The pages of a large commit: what they may hold, and that one is written as a whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use deltalakedb_core::catalog::drop_table;
use deltalakedb_core::commit::{CommitRequest, LargeCommit, Outcome, commit};
use deltalakedb_core::snapshot::At;
use deltalakedb_core::sql::{Access, Batch, Database, DatabaseError, Limits, MaybeSend, ResultSet};
use deltalakedb_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::catalog::{id, named, read_actions, read_state};
use crate::large_commits::{Catalog, HOST, add, begin, catalog, committed, first, parsed, remove};

/// One of its write batches fails.
struct FailsOnce<'a> {
    database: &'a Catalog,
    /// Write batches before that one.
    left: AtomicUsize,
}

impl Database for FailsOnce<'_> {
    fn batch(&self, batch: Batch) -> impl Future<Output = Result<Vec<ResultSet>, DatabaseError>> + MaybeSend {
        let is_write = batch.access == Access::Write;
        let fails = is_write && self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        let answer = self.database.batch(batch);
        async move { if fails { Err(DatabaseError::Full("no space".into())) } else { answer.await } }
    }

    fn limits(&self) -> Limits {
        self.database.limits()
    }
}

const NO_SPACE: &str = "nothing was committed; free some space and try again";

#[tokio::test]
async fn a_full_disk_takes_no_commit() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let full = FailsOnce { database: &database, left: AtomicUsize::new(0) };
    let request = CommitRequest::new(id("small"), parsed(&[add("a")]));
    let error = commit(&full, &HOST, &named("t"), &request).await.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Unavailable, Some(NO_SPACE)));
    // Of what comes in several batches others may be there.
    let other = Error::from(DatabaseError::Full("no space".into()));
    assert_eq!(other.hint_text(), Some("free some space and try again"));
}

#[tokio::test]
async fn a_page_holds_actions_on_files() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&["domainMetadata"])).await;
    let metadata = first(&[]).remove(1);
    let mut others = parsed(&[
        json!({ "txn": { "appId": "a", "version": 3 } }),
        json!({ "domainMetadata": { "domain": "d", "configuration": "{}", "removed": false } }),
        json!({ "commitInfo": { "operation": "MERGE" } }),
        json!({ "unheard": {} }),
    ]);
    others.push(metadata);
    let mut large = begin(&database, CommitRequest::new(id("large"), Vec::new())).await;
    let refuses = async |large: &mut LargeCommit<'_, _, _>| {
        for other in &others {
            let page = [parsed(&[add("a")]), vec![other.clone()]].concat();
            let error = large.write(&page).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("has the action `{}`", other.name())), "{error}");
        }
    };
    refuses(&mut large).await;
    large.write(&parsed(&[add("a"), remove("first-1")])).await.unwrap();
    assert_eq!(large.finalize().await, Ok(committed(1)));
    let mut again = begin(&database, CommitRequest::new(id("large"), Vec::new())).await;
    assert!(again.has_happened());
    refuses(&mut again).await;
}

/// Its parts are written in order, and those that are there are not written again.
#[tokio::test]
async fn a_page_that_was_written_in_part_comes_again_in_its_order() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let new = |number| {
        json!({ "add": { "path": format!("new-{number}"), "partitionValues": {}, "size": 1,
                               "modificationTime": 0, "dataChange": true } })
    };
    let page = parsed(&(0..5000).map(new).collect::<Vec<Value>>());
    let reversed: Vec<_> = page.iter().rev().cloned().collect();
    // One that begins it, one for the first part.
    let failing = FailsOnce { database: &database, left: AtomicUsize::new(2) };
    let request = CommitRequest::new(id("large"), Vec::new());
    let mut large = LargeCommit::begin(&failing, &HOST, &named("t"), request).await.unwrap();
    let error = large.write(&page).await.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Unavailable, Some(NO_SPACE)));
    let error = large.write(&reversed).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("another page"), "{error}");
    large.write(&page).await.unwrap();
    assert!(matches!(large.finalize().await, Ok(Outcome::Committed(_))));
    let (state, _) = read_state(&database, "t", At::Latest).await;
    let stored = read_actions(&database, &state).await.unwrap();
    let adds: Vec<_> = stored.into_iter().filter(|action| action.name() == "add").collect();
    assert!(adds == page, "each once and in order");
}

#[tokio::test]
async fn a_table_that_is_dropped_meanwhile_is_told_as_such() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let mut large = begin(&database, CommitRequest::new(id("large"), Vec::new())).await;
    large.write(&parsed(&[add("a")])).await.unwrap();
    drop_table(&database, &named("t")).await.unwrap();
    for error in [large.write(&parsed(&[add("b")])).await.unwrap_err(), large.finalize().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let message = "committing to table `t`: nothing was committed: table `t` was dropped meanwhile";
        assert!(error.to_string().contains(message), "{error}");
    }
}
