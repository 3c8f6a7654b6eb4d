//! Imports that continue a table beside others.

use deltalakedb_core::catalog::find_table;
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Batch, Database, DatabaseError, Limits};

use crate::catalog::{dump, named};
use crate::large_commits::{Catalog, add, catalog, first, parsed};

/// The one batch that takes version 1 in.
async fn increment(database: &Catalog) -> Batch {
    let state = snapshot(database, &named("t"), At::Latest).await.unwrap();
    let table = find_table(database, &named("t")).await.unwrap();
    let mut planner = ImportPlanner::incremental(&table, state.metadata, state.protocol, database.limits());
    planner.begin_version(1, "a file", 5, false);
    assert_eq!(planner.actions(parsed(&[add("new")])).unwrap(), None);
    assert_eq!(planner.end_version().unwrap(), None);
    planner.flush().unwrap()
}

/// Both read version 0; who comes second has read too little, and writes nothing.
#[tokio::test]
async fn of_two_that_continue_a_version_one_does() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let (one, other) = (increment(&database).await, increment(&database).await);
    database.batch(one).await.unwrap();
    let before = dump(&database).await;
    assert_eq!(database.batch(other).await, Err(DatabaseError::Guard("version_moved".into())));
    assert_eq!(dump(&database).await, before);
}
