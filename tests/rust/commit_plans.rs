//! The batches of commits, word for word: a change of a guard does not slip in unseen.

use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::commit::{CommitRequest, Isolation, ReadSet, plan_commit};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::{Batch, Database, Limits, Statement, Value};

use crate::catalog::{begin_import, id, named, new_catalog, run};

fn parsed(lines: &[&str]) -> Vec<Action> {
    lines.iter().flat_map(|line| parse_line(line).unwrap()).collect()
}

async fn state() -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    let first = parsed(&[
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["domainMetadata","rowTracking"]}}"#,
        r#"{"metaData":{"id":"t","format":{"provider":"parquet","options":{}},"schemaString":
            "{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}",
            "partitionColumns":[],"configuration":{"delta.rowTrackingSuspended":"true"}}}"#,
    ]);
    let mut planner = begin_import(&database, "t", 0).await;
    planner.begin_version(0, "a file", 0, false);
    run(&database, planner.actions(first).unwrap()).await;
    run(&database, planner.end_version().unwrap()).await;
    run(&database, Some(planner.finish())).await;
    snapshot(&database, &named("t"), At::Latest).await.unwrap()
}

/// Statements with their parameters; long texts are cut.
fn text(state: &Snapshot, request: &CommitRequest, limits: &Limits) -> String {
    let batch = plan_commit(state, request, 1000, limits).unwrap();
    let show = |value: &Value| match value {
        Value::Text(text) if text.len() > 40 => format!("{:?}…", text.chars().take(40).collect::<String>()),
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(value) => value.to_string(),
        Value::Null => "NULL".to_owned(),
        other => format!("{other:?}"),
    };
    let statements = batch.statements.iter().map(|statement| {
        let params: Vec<String> = statement.params.iter().map(show).collect();
        format!("{}\n-- {}\n", statement.sql.trim(), params.join(", "))
    });
    statements.collect::<Vec<_>>().join("\n")
}

const ADD: &str = r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true}}"#;
const REMOVE: &str = r#"{"remove":{"path":"b","deletionTimestamp":0,"dataChange":true}}"#;

#[tokio::test]
async fn an_append() {
    insta::assert_snapshot!(text(&state().await, &CommitRequest::new(id("id"), parsed(&[ADD])), &Limits::SQLITE));
}

#[tokio::test]
async fn a_delete_with_all_that_can_be_read() {
    let actions = parsed(&[
        ADD,
        REMOVE,
        r#"{"txn":{"appId":"app","version":3}}"#,
        r#"{"domainMetadata":{"domain":"d","configuration":"","removed":false}}"#,
    ]);
    let request = CommitRequest {
        read: ReadSet { app_ids: vec!["other".into()], ..ReadSet::of(0).predicate("id > 1").files(["b"]) },
        isolation: Some(Isolation::Serializable),
        ..CommitRequest::new(id("id"), actions)
    };
    insta::assert_snapshot!(text(&state().await, &request, &Limits::D1));
}

#[tokio::test]
async fn row_ids_and_in_commit_timestamps() {
    let actions = parsed(&[
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,
            "writerFeatures":["domainMetadata","rowTracking","inCommitTimestamp"]}}"#,
        r#"{"metaData":{"id":"t","format":{"provider":"parquet","options":{}},"schemaString":
            "{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}",
            "partitionColumns":[],"configuration":{"delta.enableInCommitTimestamps":"true"}}}"#,
        &ADD.replace("true}", r#"true,"stats":"{\"numRecords\":2}"}"#),
    ]);
    insta::assert_snapshot!(text(&state().await, &CommitRequest::new(id("id"), actions), &Limits::SQLITE));
}

/// How SQLite goes about the statements of a batch.
async fn query_plans(request: &CommitRequest) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    let mut plans = Vec::new();
    for statement in plan_commit(&state().await, request, 1, &Limits::SQLITE).unwrap().statements {
        let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql).into();
        let explain = Statement { sql, params: statement.params };
        for row in &mut database.batch(Batch::read(vec![explain])).await.unwrap()[0].rows {
            plans.push(row.text(3).unwrap());
        }
    }
    plans
}

/// A commit costs the same however many files and versions the table has.
#[tokio::test]
async fn no_statement_looks_at_a_whole_table() {
    let removes = [ADD, REMOVE, r#"{"txn":{"appId":"app","version":3}}"#];
    let read = ReadSet { app_ids: vec!["other".into()], ..ReadSet::of(0).files(["b"]) };
    let requests = [
        CommitRequest::new(id("append"), parsed(&[ADD])),
        CommitRequest { read, ..CommitRequest::new(id("delete"), parsed(&removes)) },
    ];
    for request in requests {
        let plans = query_plans(&request).await;
        assert!(plans.len() > 10);
        for plan in plans {
            let scans_rows = ["SCAN r", "SCAN CONSTANT ROW"].contains(&plan.as_str());
            assert!(scans_rows || !plan.starts_with("SCAN"), "{plan}");
            assert!(!plan.ends_with("dl_add_files_path (table_id=?)"), "{plan}");
        }
    }
}
