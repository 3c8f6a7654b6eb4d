//! What daemons take from each other, and what they leave.

use deltalakedb_core::mirror::{Target, Wanted, add_target, balance, give_up, held_targets, register_daemon};
use deltalakedb_native::database::SqliteDatabase;

use crate::catalog::{begin_import, new_catalog};

/// A catalog with two daemons, of which the first one holds so many targets.
async fn with_targets(folder: &tempfile::TempDir, count: usize) -> (SqliteDatabase, [i64; 2], Vec<Target>) {
    let database = new_catalog(folder);
    begin_import(&database, "t", 0).await;
    let targets: Vec<Target> = (0..count).map(|number| Target { table: 1, url: format!("s3://b/{number}") }).collect();
    for target in &targets {
        add_target(&database, target, 0).await.unwrap();
    }
    let mut daemons = [0; 2];
    for daemon in &mut daemons {
        *daemon = register_daemon(&database, "a daemon", "of elsewhere").await.unwrap();
    }
    balance(&database, daemons[0], Wanted::default(), 0).await.unwrap();
    (database, daemons, targets)
}

async fn held(database: &SqliteDatabase, daemon: i64) -> Vec<Target> {
    held_targets(database, daemon).await.unwrap().into_iter().map(|held| held.target).collect()
}

#[tokio::test]
async fn what_a_daemon_gives_up_is_anybodys_but_its_own_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let (database, [one, other], targets) = with_targets(&folder, 3).await;
    assert!(give_up(&database, other, &targets).await.unwrap().is_empty(), "it holds none");
    assert_eq!(give_up(&database, one, &targets[..2]).await.unwrap(), targets[..2]);
    assert_eq!(held(&database, one).await, targets[2..]);
    let left = Wanted { left_to_others: &targets[..1], ..Wanted::default() };
    balance(&database, one, left, 0).await.unwrap();
    assert_eq!(held(&database, one).await, targets[1..]);
    balance(&database, other, Wanted::default(), 0).await.unwrap();
    assert_eq!(held(&database, other).await, targets[..1]);
}

#[tokio::test]
async fn what_is_not_wanted_from_others_is_taken_for_a_trial_only() {
    let folder = tempfile::tempdir().unwrap();
    let (database, [_, other], targets) = with_targets(&folder, 8).await;
    let wanted = Wanted { not_from_others: &targets[1..], ..Wanted::default() };
    assert!(balance(&database, other, wanted, 0).await.unwrap().is_empty());
    assert_eq!(held(&database, other).await, targets[..1]);
    let tried = balance(&database, other, Wanted { trials: 1, ..wanted }, 0).await.unwrap();
    assert_eq!(tried, targets[1..2]);
    let wanted = Wanted { left_to_others: &targets[2..3], trials: 5, ..wanted };
    assert_eq!(balance(&database, other, wanted, 0).await.unwrap(), targets[3..5], "until both hold as many");
    assert!(balance(&database, other, wanted, 0).await.unwrap().is_empty());
}
