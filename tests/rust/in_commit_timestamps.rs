//! The times of versions where in-commit timestamps begin at some version (protocol section "In-Commit Timestamps").

use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::find_table;
use deltalakedb_core::commit::{CommitRequest, Outcome, commit};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;
use serde_json::json;

use crate::catalog::{FixedHost, begin_import, id, named, new_catalog, run};

const VERSIONS: i64 = 5;
const FIRST_MS: i64 = 1_700_000_000_000;

/// The in-commit timestamp of a version.
fn stamp(version: i64) -> i64 {
    FIRST_MS + version * version * 10
}

/// What is in commit `version` of a table that has in-commit timestamps from version `enabled_at` on.
fn actions(version: i64, enabled_at: i64) -> Vec<Action> {
    let mut lines = Vec::new();
    if version >= enabled_at {
        lines.push(json!({"commitInfo": {"inCommitTimestamp": stamp(version), "operation": "WRITE"}}));
    }
    if version == 0 {
        let features = ["inCommitTimestamp"];
        lines.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": features}}));
    }
    if version == 0 || version == enabled_at {
        let configuration = if version == enabled_at {
            json!({"delta.enableInCommitTimestamps": "true",
                   "delta.inCommitTimestampEnablementVersion": enabled_at.to_string()})
        } else {
            json!({})
        };
        lines.push(json!({"metaData": {"id": "t", "format": {"provider": "parquet"}, "partitionColumns": [],
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}", "configuration": configuration}}));
    }
    lines.push(json!({"txn": {"appId": "a", "version": version}}));
    lines.iter().flat_map(|line| parse_line(&line.to_string()).unwrap()).collect()
}

/// Where a history begins, as an import finds it.
#[derive(Clone, Copy, Debug)]
enum Start {
    Commits,
    /// A checkpoint of this version; its own commit is not there.
    Checkpoint(i64),
}

#[derive(Debug)]
struct Case {
    enabled_at: i64,
    start: Start,
    /// The first version that comes by an incremental import.
    increment_from: i64,
    file_times: fn(i64) -> i64,
}

impl Case {
    fn first_version(&self) -> i64 {
        match self.start {
            Start::Commits => 0,
            Start::Checkpoint(version) => version,
        }
    }

    async fn import(&self, database: &impl Database, table: &str) {
        let mut planner = begin_import(database, table, self.first_version()).await;
        let mut first_commit = 0;
        if let Start::Checkpoint(version) = self.start {
            planner.begin_checkpoint(version, "a checkpoint");
            let state = (0..=version).flat_map(|earlier| actions(earlier, self.enabled_at));
            let state = state.filter(|action| !matches!(action, Action::CommitInfo(_)));
            run(database, planner.actions(state.collect()).unwrap()).await;
            run(database, planner.end_checkpoint(false, (self.file_times)(version)).unwrap()).await;
            first_commit = version + 1;
        }
        for version in first_commit..self.increment_from {
            self.import_commit(database, &mut planner, version).await;
        }
        run(database, Some(planner.finish())).await;
        for version in self.increment_from.max(first_commit)..VERSIONS {
            let state = snapshot(database, &named(table), At::Latest).await.unwrap();
            let found = find_table(database, &named(table)).await.unwrap();
            let mut planner = ImportPlanner::incremental(&found, state.metadata, state.protocol, database.limits());
            self.import_commit(database, &mut planner, version).await;
            run(database, planner.flush()).await;
        }
    }

    async fn import_commit(&self, database: &impl Database, planner: &mut ImportPlanner, version: i64) {
        planner.begin_version(version, "a file", (self.file_times)(version), false);
        run(database, planner.actions(actions(version, self.enabled_at)).unwrap()).await;
        run(database, planner.end_version().unwrap()).await;
    }

    /// In-commit timestamps as they are; before them, the times of files made increasing, as far as they come before
    /// the first in-commit timestamp. A checkpoint's file may be younger than the commit file after it.
    fn expected(&self) -> Vec<(i64, i64)> {
        let first_stamped = match self.start {
            Start::Checkpoint(version) => self.enabled_at.max(version + 1),
            Start::Commits => self.enabled_at,
        };
        let mut previous = i64::MIN;
        let times = (self.first_version()..VERSIONS).map(|version| {
            if version >= first_stamped {
                return (version, stamp(version));
            }
            let mut file_time = (self.file_times)(version);
            if matches!(self.start, Start::Checkpoint(first) if first == version && first + 1 < self.increment_from) {
                file_time = file_time.min((self.file_times)(version + 1) - 1);
            }
            let increasing = file_time.max(previous.saturating_add(1));
            previous = increasing;
            let bound =
                if first_stamped < VERSIONS { stamp(first_stamped) - (first_stamped - version) } else { i64::MAX };
            (version, increasing.min(bound))
        });
        times.collect()
    }
}

fn cases() -> Vec<Case> {
    let file_times: [fn(i64) -> i64; 4] = [
        |version| FIRST_MS - 1000 + version,      // before the in-commit timestamps
        |version| FIRST_MS + 1_000_000 + version, // the folder was copied later
        |_| FIRST_MS + 15,                        // all at once, among them
        |version| FIRST_MS + 100 - 30 * version,  // going back
    ];
    let mut cases = Vec::new();
    for file_times in file_times {
        for enabled_at in 0..=VERSIONS {
            for start in [Start::Commits, Start::Checkpoint(1), Start::Checkpoint(2), Start::Checkpoint(3)] {
                for increment_from in [2, 4, VERSIONS] {
                    cases.push(Case { enabled_at, start, increment_from, file_times });
                }
            }
        }
    }
    cases
}

#[tokio::test]
async fn in_commit_timestamps_are_exact_and_times_increase() {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    for (number, case) in cases().into_iter().enumerate() {
        let table = format!("table {number}");
        case.import(&database, &table).await;
        let expected = case.expected();
        assert!(expected.is_sorted_by(|(_, before), (_, after)| before < after), "{case:?}: {expected:?}");
        for &(version, timestamp_ms) in &expected {
            let found = snapshot(&database, &named(&table), At::Version(version)).await.unwrap();
            assert_eq!(found.timestamp_ms, timestamp_ms, "{case:?}, version {version}");
            let travelled = snapshot(&database, &named(&table), At::Timestamp(timestamp_ms)).await.unwrap();
            assert_eq!(travelled.version, version, "{case:?}, at the time of version {version}");
        }
    }
}

/// What was told to a writer stays, whatever time a foreign commit says it has.
#[tokio::test]
async fn a_commits_time_does_not_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    let case =
        Case { enabled_at: 2, start: Start::Commits, increment_from: 1, file_times: |version| FIRST_MS + version };
    let mut planner = begin_import(&database, "t", 0).await;
    case.import_commit(&database, &mut planner, 0).await;
    run(&database, Some(planner.finish())).await;
    let host = FixedHost { now_ms: stamp(2) + 5000 };
    let request = CommitRequest::new(id("own"), actions(1, 2));
    let Outcome::Committed(own) = commit(&database, &host, &named("t"), &request).await.unwrap() else {
        panic!("an append was not committed")
    };

    let state = snapshot(&database, &named("t"), At::Latest).await.unwrap();
    let found = find_table(&database, &named("t")).await.unwrap();
    let mut planner = ImportPlanner::incremental(&found, state.metadata, state.protocol, database.limits());
    case.import_commit(&database, &mut planner, 2).await;
    run(&database, planner.flush()).await;
    let mut times = Vec::new();
    for version in 0..=2 {
        times.push(snapshot(&database, &named("t"), At::Version(version)).await.unwrap().timestamp_ms);
    }
    assert_eq!(times, [FIRST_MS, own.timestamp_ms, own.timestamp_ms + 1]);
}

/// An imported table may have the property and not the feature, which a commit brings.
#[tokio::test]
async fn the_protocol_alone_begins_them() {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    let parsed = |lines: &[serde_json::Value]| -> Vec<Action> {
        lines.iter().flat_map(|line| parse_line(&line.to_string()).unwrap()).collect()
    };
    let mut planner = begin_import(&database, "t", 0).await;
    planner.begin_version(0, "a file", FIRST_MS, false);
    let first = parsed(&[
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": []}}),
        json!({"metaData": {"id": "t", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [],
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}",
            "configuration": {"delta.enableInCommitTimestamps": "true", "mine": "kept"}}}),
    ]);
    run(&database, planner.actions(first).unwrap()).await;
    run(&database, planner.end_version().unwrap()).await;
    run(&database, Some(planner.finish())).await;
    let host = FixedHost { now_ms: FIRST_MS + 5000 };
    let protocol = parsed(&[
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["inCommitTimestamp"]}}),
    ]);
    let outcome = commit(&database, &host, &named("t"), &CommitRequest::new(id("feature"), protocol)).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    let state = snapshot(&database, &named("t"), At::Latest).await.unwrap();
    let value = |name: &str| state.metadata.configuration.value(name).map(str::to_owned);
    assert_eq!(value("delta.inCommitTimestampEnablementVersion"), Some("1".into()));
    assert_eq!(value("delta.inCommitTimestampEnablementTimestamp"), Some((FIRST_MS + 5000).to_string()));
    assert_eq!(value("mine"), Some("kept".into()));
    assert_eq!(state.commit_info.unwrap().in_commit_timestamp(), Some(FIRST_MS + 5000));
}
