//! What a commit takes for granted of a domain that it does not name, or may not move back, others may have changed.

use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::commit::{CommitRequest, ConflictKind, Outcome, Writer};
use deltalakedb_native::database::SqliteDatabase;
use serde_json::{Value, json};

use crate::catalog::{FixedHost, begin_import, id, named, new_catalog, run};

const HOST: FixedHost = FixedHost { now_ms: 1 };

fn parsed(actions: &[Value]) -> Vec<Action> {
    actions.iter().flat_map(|action| parse_line(&action.to_string()).unwrap()).collect()
}

fn metadata(partition_columns: &[&str], configuration: Value) -> Value {
    let column = |name: &str| json!({ "name": name, "type": "long", "nullable": true, "metadata": {} });
    let schema = json!({ "type": "struct", "fields": [column("a"), column("b")] });
    json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} },
        "partitionColumns": partition_columns, "schemaString": schema.to_string(), "configuration": configuration } })
}

fn domain(name: &str, configuration: &str) -> Value {
    json!({ "domainMetadata": { "domain": name, "removed": false, "configuration": configuration } })
}

/// What becomes of a commit that was prepared before its rival was there.
async fn second(first: Value, rival: &[Value], late: &[Value]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let database = with_table(&folder, first).await;
    let mut writer = Writer::open(&database, &HOST, &named("t")).await.unwrap();
    let mut other = Writer::open(&database, &HOST, &named("t")).await.unwrap();
    committed(&mut other, "rival", parsed(rival)).await;
    writer.commit(&CommitRequest::new(id("late"), parsed(late))).await.unwrap()
}

/// A catalog with a table that may have domains.
async fn with_table(folder: &tempfile::TempDir, metadata: Value) -> SqliteDatabase {
    let database = new_catalog(folder);
    let protocol = json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 7,
        "writerFeatures": ["domainMetadata", "clustering", "rowTracking"] } });
    let mut planner = begin_import(&database, "t", 0).await;
    planner.begin_version(0, "a file", 0, false);
    run(&database, planner.actions(parsed(&[protocol, metadata])).unwrap()).await;
    run(&database, planner.end_version().unwrap()).await;
    run(&database, Some(planner.finish())).await;
    database
}

fn conflict(outcome: &Outcome) -> ConflictKind {
    let Outcome::Conflicted(conflict) = outcome else { panic!("{outcome:?}") };
    conflict.kind
}

#[tokio::test]
async fn clustering_that_came_meanwhile() {
    let clustering = domain("delta.clustering", r#"{"clusteringColumns":[["a"]]}"#);
    let partitioned = [metadata(&["b"], json!({})), partitioned_file()];
    let outcome = second(metadata(&[], json!({})), &[clustering], &partitioned).await;
    assert_eq!(conflict(&outcome), ConflictKind::ConcurrentTransaction);
}

#[tokio::test]
async fn a_mark_that_was_raised_meanwhile() {
    let mark = |mark: i64| domain("delta.rowTracking", &json!({ "rowIdHighWaterMark": mark }).to_string());
    let suspended = || metadata(&[], json!({ "delta.rowTrackingSuspended": "true" }));
    for late in [vec![mark(50)], vec![metadata(&[], json!({ "delta.rowTrackingSuspended": "TRUE" })), mark(50)]] {
        let outcome = second(suspended(), &[mark(100)], &late).await;
        assert_eq!(conflict(&outcome), ConflictKind::ConcurrentTransaction);
    }
    let outcome = second(metadata(&[], json!({})), &[mark(100)], &[suspended(), mark(50)]).await;
    assert_eq!(conflict(&outcome), ConflictKind::ConcurrentTransaction);
    // Where ids are assigned the mark is raised, whoever comes first.
    let outcome = second(metadata(&[], json!({})), &[mark(100)], &[mark(50)]).await;
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
}

/// A writer that is kept knows the domains that it set itself, and those that others set before its last commit.
#[tokio::test]
async fn a_kept_writer_knows_the_domains() {
    for is_own in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let database = with_table(&folder, metadata(&[], json!({}))).await;
        let mut writer = Writer::open(&database, &HOST, &named("t")).await.unwrap();
        let mut other = Writer::open(&database, &HOST, &named("t")).await.unwrap();
        let first = if is_own { &mut writer } else { &mut other };
        let clustering = domain("delta.clustering", r#"{"clusteringColumns":[["a"]]}"#);
        committed(first, "clustering", parsed(&[clustering])).await;
        let txn = json!({ "txn": { "appId": "app", "version": 1 } });
        committed(&mut writer, "txn", parsed(&[txn])).await;
        let partitioned = parsed(&[metadata(&["b"], json!({})), partitioned_file()]);
        let error = writer.commit(&CommitRequest::new(id("late"), partitioned)).await.unwrap_err();
        assert!(error.to_string().contains("delta.clustering"), "{error}");
    }
}

fn partitioned_file() -> Value {
    json!({ "add": { "path": "x", "partitionValues": { "b": "1" }, "size": 1, "modificationTime": 0,
                     "dataChange": true, "stats": "{\"numRecords\":1}" } })
}

async fn committed(writer: &mut Writer<'_, SqliteDatabase, FixedHost>, id: &str, actions: Vec<Action>) {
    let outcome = writer.commit(&CommitRequest::new(crate::catalog::id(id), actions)).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
}
