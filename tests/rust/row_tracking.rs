//! Row ids and in-commit timestamps, which a commit gets where its version is: inside the batch.

use deltalakedb_core::action::{Action, Add, parse_line};
use deltalakedb_core::commit::{CommitRequest, Outcome, Writer};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::{Database, Limits};
use deltalakedb_native::database::SqliteDatabase;
use serde_json::{Value, json};

use crate::catalog::{FixedHost, WithLimits, begin_import, id, named, new_catalog, read_actions, run};

fn parsed(actions: &[Value]) -> Vec<Action> {
    actions.iter().flat_map(|action| parse_line(&action.to_string()).unwrap()).collect()
}

fn protocol(features: &[&str]) -> Value {
    let writers = [&["deletionVectors", "appendOnly", "invariants"], features].concat();
    json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"],
                          "writerFeatures": writers } })
}

fn metadata(configuration: Value) -> Value {
    json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} }, "partitionColumns": [],
                          "schemaString": r#"{"type":"struct","fields":[]}"#, "configuration": configuration } })
}

fn add(path: &str, row_count: i64) -> Value {
    json!({ "add": { "path": path, "partitionValues": {}, "size": 1, "modificationTime": 0, "dataChange": true,
                     "stats": json!({ "numRecords": row_count }).to_string() } })
}

fn with_vector(path: &str, row_count: i64) -> Value {
    let mut action = add(path, row_count);
    action["add"]["deletionVector"] = json!({ "storageType": "i", "sizeInBytes": 40, "cardinality": 1,
        "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L" });
    action
}

fn remove(path: &str) -> Value {
    json!({ "remove": { "path": path, "deletionTimestamp": 0, "dataChange": true } })
}

struct Table<D> {
    database: D,
    sent: usize,
    /// Outlives the database.
    _folder: tempfile::TempDir,
}

async fn table(limits: Limits, first: &[Value]) -> Table<WithLimits<SqliteDatabase>> {
    let folder = tempfile::tempdir().unwrap();
    let database = WithLimits(new_catalog(&folder), limits);
    let mut planner = begin_import(&database, "t", 0).await;
    planner.begin_version(0, "a file", 0, false);
    run(&database, planner.actions(parsed(first)).unwrap()).await;
    run(&database, planner.end_version().unwrap()).await;
    run(&database, Some(planner.finish())).await;
    Table { database, sent: 0, _folder: folder }
}

impl<D: Database> Table<D> {
    async fn try_commit(&mut self, now_ms: i64, actions: &[Value]) -> deltalakedb_core::Result<i64> {
        self.sent += 1;
        let host = FixedHost { now_ms };
        let mut writer = Writer::open(&self.database, &host, &named("t")).await?;
        let request = CommitRequest::new(id(&format!("commit {}", self.sent)), parsed(actions));
        let outcome = writer.commit(&request).await?;
        let Outcome::Committed(committed) = &outcome else { panic!("{outcome:?}") };
        // Sent again it is the same commit, though other row ids were stored than were sent.
        assert_eq!(writer.commit(&request).await?, outcome);
        Ok(committed.version)
    }

    async fn commit(&mut self, actions: &[Value]) -> i64 {
        self.try_commit(1, actions).await.unwrap()
    }

    async fn state(&self) -> Snapshot {
        snapshot(&self.database, &named("t"), At::Latest).await.unwrap()
    }

    /// What the latest version did.
    async fn actions(&self) -> Vec<Action> {
        read_actions(&self.database, &self.state().await).await.unwrap()
    }

    /// Path, base row id and default row commit version of what the latest version added.
    async fn row_ids(&self) -> Vec<(String, Option<i64>, Option<i64>)> {
        let actions = self.actions().await.into_iter();
        let adds = actions.filter_map(|action| match action {
            Action::Add(Add { path, base_row_id, default_row_commit_version, .. }) => {
                Some((path, base_row_id, default_row_commit_version))
            }
            _ => None,
        });
        adds.collect()
    }

    async fn high_water_mark(&self) -> Option<Value> {
        let state = self.state().await;
        let domain = state.domain_metadata.iter().find(|domain| domain.domain == "delta.rowTracking")?;
        Some(serde_json::from_str::<Value>(&domain.configuration).unwrap()["rowIdHighWaterMark"].clone())
    }
}

fn ids(path: &str, base_row_id: i64, version: i64) -> (String, Option<i64>, Option<i64>) {
    (path.to_owned(), Some(base_row_id), Some(version))
}

fn enabled() -> Value {
    json!({ "delta.enableRowTracking": "true",
            "delta.rowTracking.materializedRowIdColumnName": "_row-id",
            "delta.rowTracking.materializedRowCommitVersionColumnName": "_row-version" })
}

async fn row_ids_are_assigned_in_the_batch(limits: Limits) {
    let first =
        [protocol(&["rowTracking", "domainMetadata"]), metadata(json!({ "delta.enableDeletionVectors": "true" }))];
    let mut table = table(limits, &first).await;
    assert_eq!(table.high_water_mark().await, None);
    table.commit(&[add("a", 10), add("b", 5)]).await;
    assert_eq!(table.row_ids().await, [ids("a", 0, 1), ids("b", 10, 1)]);
    assert_eq!(table.high_water_mark().await, Some(json!(14)));

    // What the writer thought does not count: another commit may have come before it.
    let mut thought = add("c", 7);
    thought["add"]["baseRowId"] = json!(100);
    thought["add"]["defaultRowCommitVersion"] = json!(77);
    table.commit(&[thought]).await;
    assert_eq!(table.row_ids().await, [ids("c", 15, 2)]);
    assert_eq!(table.high_water_mark().await, Some(json!(21)));

    // A file keeps its ids, with a vector, with new statistics, and when it comes back.
    table.commit(&[remove("a"), with_vector("a", 10)]).await;
    assert_eq!(table.row_ids().await, [ids("a", 0, 1)]);
    let removed = table.actions().await.into_iter().find_map(|action| match action {
        Action::Remove(remove) => Some((remove.base_row_id, remove.default_row_commit_version)),
        _ => None,
    });
    assert_eq!(removed, Some((Some(0), Some(1))));
    table.commit(&[add("b", 5)]).await;
    assert_eq!(table.row_ids().await, [ids("b", 10, 1)]);
    table.commit(&[remove("c")]).await;
    table.commit(&[add("c", 7)]).await;
    assert_eq!(table.row_ids().await, [ids("c", 15, 2)]);

    // Ids that the writer reserved are not given to others.
    let reserved = json!({ "domainMetadata": { "domain": "delta.rowTracking", "removed": false,
                                               "configuration": r#"{"rowIdHighWaterMark":999}"# } });
    table.commit(&[reserved]).await;
    assert_eq!(table.high_water_mark().await, Some(json!(999)));
    table.commit(&[add("d", 1)]).await;
    let version = table.state().await.version;
    assert_eq!(table.row_ids().await, [ids("d", 1000, version)]);
    assert_eq!(table.high_water_mark().await, Some(json!(1000)));

    // Many files travel in several statements.
    let many: Vec<Value> = (0..100).map(|number| add(&format!("many-{number:03}"), 3)).collect();
    table.commit(&many).await;
    let expected: Vec<_> = (0..100).map(|n| ids(&format!("many-{n:03}"), 1001 + 3 * n, version + 1)).collect();
    assert_eq!(table.row_ids().await, expected);
}

#[tokio::test]
async fn row_ids_are_assigned() {
    row_ids_are_assigned_in_the_batch(Limits::SQLITE).await;
}

#[tokio::test]
async fn row_ids_are_assigned_with_rows_in_json() {
    row_ids_are_assigned_in_the_batch(Limits::D1).await;
}

#[tokio::test]
async fn row_ids_need_numbers_of_rows() {
    let mut table = table(Limits::SQLITE, &[protocol(&["rowTracking", "domainMetadata"]), metadata(json!({}))]).await;
    let mut unknown = add("a", 1);
    unknown["add"]["stats"] = Value::Null;
    let error = table.try_commit(1, &[unknown]).await.unwrap_err();
    assert!(error.to_string().contains("numRecords"), "{error}");
}

#[tokio::test]
async fn suspended_row_tracking_assigns_nothing() {
    let first =
        [protocol(&["rowTracking", "domainMetadata"]), metadata(json!({ "delta.rowTrackingSuspended": "true" }))];
    let mut table = table(Limits::SQLITE, &first).await;
    table.commit(&[add("a", 10)]).await;
    assert_eq!(table.row_ids().await, [("a".to_owned(), None, None)]);
    assert_eq!(table.high_water_mark().await, None);
}

#[tokio::test]
async fn row_tracking_is_enabled_when_every_file_has_ids() {
    let mut table = table(Limits::SQLITE, &[protocol(&[]), metadata(json!({})), add("a", 10)]).await;
    let features = protocol(&["rowTracking", "domainMetadata"]);
    table.commit(&[features, add("b", 5)]).await;
    assert_eq!(table.row_ids().await, [ids("b", 0, 1)]);
    let error = table.try_commit(1, &[metadata(enabled())]).await.unwrap_err();
    assert!(error.to_string().contains("`a`"), "{error}");
    let mut again = add("a", 10);
    again["add"]["dataChange"] = json!(false);
    table.commit(&[again, metadata(enabled())]).await;
    assert_eq!(table.row_ids().await, [ids("a", 5, 2)]);
    table.commit(&[add("c", 1)]).await;
    let info = table.state().await.commit_info.unwrap().fields();
    assert_eq!(info["tags"].text(), r#"{"delta.rowTracking.preserved":"true"}"#);
}

fn domain(configuration: &str, removed: bool) -> Value {
    json!({ "domainMetadata": { "domain": "delta.rowTracking", "removed": removed, "configuration": configuration } })
}

fn with_ids(path: &str, row_count: i64, base_row_id: Option<i64>, version: Option<i64>) -> Value {
    let mut action = add(path, row_count);
    action["add"]["baseRowId"] = json!(base_row_id);
    action["add"]["defaultRowCommitVersion"] = json!(version);
    action
}

/// A table whose only file `a` has the ids 0 to 9.
fn tracked(properties: Value) -> [Value; 4] {
    let features = protocol(&["rowTracking", "domainMetadata"]);
    [features, metadata(properties), domain(r#"{"rowIdHighWaterMark":9}"#, false), with_ids("a", 10, Some(0), Some(0))]
}

async fn refused<D: Database>(table: &mut Table<D>, actions: &[Value], part: &str) {
    let before = table.state().await.version;
    let error = table.try_commit(1, actions).await.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
    assert_eq!(table.state().await.version, before);
}

/// A path keeps its ids, and those after them are other rows'.
#[tokio::test]
async fn a_path_does_not_come_again_with_more_rows() {
    for limits in [Limits::SQLITE, Limits::D1] {
        let mut table = table(limits, &tracked(json!({ "delta.enableDeletionVectors": "true" }))).await;
        table.commit(&[add("b", 5)]).await;
        refused(&mut table, &[add("b", 5), add("a", 11)], "`a` comes again with more rows").await;
        refused(&mut table, &[remove("a"), with_vector("a", 11)], "`a` comes again with more rows").await;
        // Deleted rows count, and so do those that it had before.
        table.commit(&[remove("a"), with_vector("a", 10)]).await;
        let mut as_before = remove("a");
        as_before["remove"]["deletionVector"] = with_vector("a", 10)["add"]["deletionVector"].clone();
        table.commit(&[as_before, add("a", 3)]).await;
        table.commit(&[add("a", 10)]).await;
        assert_eq!(table.row_ids().await, [ids("a", 0, 0)]);
        table.commit(&[remove("a")]).await;
        refused(&mut table, &[add("a", 1000)], "`a` comes again with more rows").await;
    }
}

#[tokio::test]
async fn no_ids_are_given_while_row_tracking_is_suspended() {
    let suspended = json!({ "delta.rowTrackingSuspended": "true" });
    let mut table = table(Limits::SQLITE, &tracked(suspended)).await;
    let not_own = "row ids that are not its own";
    refused(&mut table, &[with_ids("b", 10, Some(5), Some(1))], not_own).await;
    refused(&mut table, &[with_ids("b", 10, None, Some(1))], not_own).await;
    refused(&mut table, &[with_ids("a", 10, Some(1), Some(0))], not_own).await;
    table.commit(&[with_ids("a", 10, Some(0), Some(0))]).await;
    table.commit(&[add("b", 10)]).await;
    refused(&mut table, &[domain(r#"{"rowIdHighWaterMark":8}"#, false)], "goes down to 8").await;
    table.commit(&[domain(r#"{"rowIdHighWaterMark":11}"#, false)]).await;
    // Whoever takes the mark away gives no ids back.
    table.commit(&[domain("", true)]).await;
    table.commit(&[domain(r#"{"rowIdHighWaterMark":3}"#, false)]).await;
    table.commit(&[metadata(json!({})), add("c", 1)]).await;
    let version = table.state().await.version;
    assert_eq!(table.row_ids().await, [ids("c", 10, version)]);
    assert_eq!(table.high_water_mark().await, Some(json!(10)));
}

/// What an import brought is not given again, whatever the mark says.
#[tokio::test]
async fn the_mark_is_raised_above_the_ids_that_are_there() {
    let [features, _, _, a] = tracked(json!({}));
    let suspended = metadata(json!({ "delta.rowTrackingSuspended": "true" }));
    let mut table = table(Limits::SQLITE, &[features, suspended, domain("", true), a]).await;
    table.commit(&[metadata(json!({}))]).await;
    assert_eq!(table.high_water_mark().await, Some(json!(9)));
    table.commit(&[add("b", 1)]).await;
    assert_eq!(table.row_ids().await, [ids("b", 10, 2)]);
}

/// An id beyond 64 bits would become a floating-point number, and so one that another row has.
#[tokio::test]
async fn row_ids_do_not_run_out_of_their_range() {
    for limits in [Limits::SQLITE, Limits::D1] {
        let [features, metadata, ..] = tracked(json!({}));
        let mark = domain(&format!(r#"{{"rowIdHighWaterMark":{}}}"#, i64::MAX - 10), false);
        let mut table = table(limits, &[features, metadata, mark]).await;
        refused(&mut table, &[add("a", 11)], "64 bits").await;
        table.commit(&[add("a", 10)]).await;
        assert_eq!(table.row_ids().await, [ids("a", i64::MAX - 9, 1)]);
        assert_eq!(table.high_water_mark().await, Some(json!(i64::MAX)));
        refused(&mut table, &[add("b", 1)], "64 bits").await;
    }
}

#[tokio::test]
async fn a_mark_that_is_none_does_not_block_a_table() {
    for (configuration, removed) in
        [("", true), ("hello", false), ("{}", false), (r#"{"rowIdHighWaterMark":"x"}"#, false)]
    {
        let [features, metadata, ..] = tracked(json!({}));
        let mut table = table(Limits::SQLITE, &[features, metadata, domain(configuration, removed)]).await;
        table.commit(&[add("a", 10)]).await;
        assert_eq!(table.row_ids().await, [ids("a", 0, 1)]);
        assert_eq!(table.high_water_mark().await, Some(json!(9)));
    }
}

#[tokio::test]
async fn row_tracking_is_enabled_when_every_file_has_a_row_commit_version() {
    let suspended = metadata(json!({ "delta.rowTrackingSuspended": "true" }));
    let [features, _, mark, _] = tracked(json!({}));
    let mut table = table(Limits::SQLITE, &[features, suspended, mark, with_ids("a", 10, Some(0), None)]).await;
    refused(&mut table, &[metadata(enabled())], "`a` lacks row ids or their version").await;
    table.commit(&[metadata(enabled()), add("a", 10)]).await;
    assert_eq!(table.row_ids().await, [ids("a", 0, 1)]);
}

#[tokio::test]
async fn row_tracking_is_enabled_when_no_ids_overlap() {
    let suspended = metadata(json!({ "delta.rowTrackingSuspended": "true" }));
    let [features, _, mark, a] = tracked(json!({}));
    let last_id_again = with_ids("b", 1, Some(9), Some(0));
    let mut table = table(Limits::SQLITE, &[features, suspended, mark, a, last_id_again]).await;
    refused(&mut table, &[metadata(enabled())], "rows of `a` have the ids of others").await;
    table.commit(&[remove("a"), add("c", 10), metadata(enabled())]).await;
    assert_eq!(table.row_ids().await, [ids("c", 10, 1)]);
}

/// A file without rows shares its first id with the file after it.
#[tokio::test]
async fn files_without_rows_overlap_with_none() {
    let [features, _, mark, _] = tracked(json!({}));
    let mut table = table(Limits::SQLITE, &[features, metadata(json!({})), mark]).await;
    table.commit(&[add("empty", 0)]).await;
    table.commit(&[add("full", 100)]).await;
    table.commit(&[add("empty", 0)]).await;
    table.commit(&[metadata(enabled())]).await;
}

#[tokio::test]
async fn in_commit_timestamps_are_switched_on() {
    let mut table = table(Limits::SQLITE, &[protocol(&["inCommitTimestamp"]), metadata(json!({}))]).await;
    table.try_commit(500, &[add("a", 1)]).await.unwrap();
    // A clock that went back does not take the version with it.
    let on = metadata(json!({ "delta.enableInCommitTimestamps": "true", "other": "kept" }));
    table.try_commit(100, &[on]).await.unwrap();
    let state = table.state().await;
    let property = |name: &str| state.metadata.configuration.value(name).map(str::to_owned);
    assert_eq!(state.timestamp_ms, 501);
    assert_eq!(property("delta.inCommitTimestampEnablementVersion").as_deref(), Some("2"));
    assert_eq!(property("delta.inCommitTimestampEnablementTimestamp").as_deref(), Some("501"));
    assert_eq!(property("other").as_deref(), Some("kept"));
    assert_eq!(state.commit_info.unwrap().in_commit_timestamp(), Some(501));
    table.try_commit(100, &[add("b", 1)]).await.unwrap();
    assert_eq!(table.state().await.commit_info.unwrap().in_commit_timestamp(), Some(502));
}
