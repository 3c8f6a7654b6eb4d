//! What every implementation of the port [`Database`] keeps. To test another one, add a line at the end.
//!
//! Each check gets an empty catalog of its own.

use std::collections::BTreeSet;

use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::commit::{CommitRequest, Committed, Outcome, ReadSet, commit};
use deltalakedb_core::snapshot::At;
use deltalakedb_core::sql::{Batch, Database, DatabaseError, Limits, Statement, Value};

use crate::catalog::{FixedHost, WithLimits, begin_import, id, named, new_catalog, read_actions, read_state, run};
use crate::model::State;

/// A handle that tasks can share.
trait Shared: Database + Clone + Send + Sync + 'static {}
impl<D: Database + Clone + Send + Sync + 'static> Shared for D {}

const CREATE: &str = "CREATE TABLE contract (id INTEGER PRIMARY KEY, value, CONSTRAINT pair UNIQUE (value))";
const INSERT: &str = "INSERT INTO contract (id, value) VALUES (?1, ?2)";
const UPSERT: &str = "INSERT INTO contract (id, value) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET value = ?2";
const SELECT: &str = "SELECT id, value FROM contract ORDER BY id";
const GUARD: &str = "INSERT INTO dl_guard (guard) VALUES ('version_moved')";

fn insert(id: i64, value: impl Into<Value>) -> Statement {
    Statement::new(INSERT, vec![id.into(), value.into()])
}

fn query(sql: &'static str) -> Statement {
    Statement::new(sql, [])
}

async fn create(database: &impl Database) {
    database.batch(Batch::write(vec![query(CREATE)])).await.unwrap();
}

/// The rows of the table, as id and value.
async fn rows(database: &impl Database) -> Vec<(i64, Value)> {
    let results = database.batch(Batch::read(vec![query(SELECT)])).await.unwrap();
    assert_eq!(results.len(), 1);
    results[0].rows.iter().map(|row| (row.integer(0).unwrap(), row.0[1].clone())).collect()
}

async fn a_failing_statement_undoes_the_batch(database: impl Shared) {
    create(&database).await;
    database.batch(Batch::write(vec![insert(1, "before")])).await.unwrap();
    for failing in [
        query("INSERT INTO no_such_table VALUES (1)"),
        query("no SQL"),
        query(GUARD),
        insert(1, "the id is taken"),
        insert(9, "change"),
        query("INSERT INTO dl_tables (table_uuid) VALUES ('a name is missing')"),
        query("INSERT INTO dl_mirror_status (table_id, target, updated_at_ms) VALUES (77, 'no such table', 1)"),
        query("SELECT json('{')"),
        Statement::new(INSERT, [Value::from(9)]),
    ] {
        let changes = vec![
            insert(2, "change"),
            query("UPDATE contract SET value = 'changed' WHERE id = 1"),
            query("CREATE TABLE undone (x)"),
            failing.clone(),
            insert(3, "not reached"),
        ];
        let result = database.batch(Batch::write(changes)).await;
        assert!(result.is_err(), "{failing:?} gave {result:?}");
        assert_eq!(rows(&database).await, [(1, "before".into())], "{failing:?}");
        // The connection is as good as new, for reading and writing.
        database.batch(Batch::write(vec![insert(2, "after"), query("CREATE TABLE undone (x)")])).await.unwrap();
        database
            .batch(Batch::write(vec![query("DELETE FROM contract WHERE id = 2"), query("DROP TABLE undone")]))
            .await
            .unwrap();
    }
    assert!(database.batch(Batch::read(vec![query("SELECT 1"), query("SELECT x FROM no_such_table")])).await.is_err());
    assert_eq!(rows(&database).await.len(), 1);
}

async fn errors_are_told_apart(database: impl Shared) {
    create(&database).await;
    let fails = async |statements: Vec<Statement>| database.batch(Batch::write(statements)).await.unwrap_err();
    assert_eq!(fails(vec![query(GUARD)]).await, DatabaseError::Guard("version_moved".into()));
    let twice = fails(vec![insert(1, "a"), insert(1, "b")]).await;
    assert_eq!(twice, DatabaseError::Unique("contract.id".into()));
    let twice = fails(vec![insert(1, "a"), insert(2, "a")]).await;
    assert_eq!(twice, DatabaseError::Unique("contract.value".into()));
    let version = "INSERT INTO dl_txn_actions (table_id, app_id, version, txn_version, txn) VALUES (1, 'a', 1, 1, '')";
    let twice = fails(vec![query(version), query(version)]).await;
    let columns = "dl_txn_actions.table_id, dl_txn_actions.app_id, dl_txn_actions.version";
    assert_eq!(twice, DatabaseError::Unique(columns.into()));
    let missing = fails(vec![query("DROP TABLE dl_migrations"), query("SELECT * FROM dl_migrations")]).await;
    assert!(matches!(missing, DatabaseError::NoCatalog(_)), "{missing:?}");
    // Still there: the batch did not happen.
    database.batch(Batch::read(vec![query("SELECT * FROM dl_migrations")])).await.unwrap();
}

async fn each_statement_has_a_result_set_in_order(database: impl Shared) {
    create(&database).await;
    assert_eq!(database.batch(Batch::read(Vec::new())).await.unwrap(), []);
    assert_eq!(database.batch(Batch::write(Vec::new())).await.unwrap(), []);
    let statements = vec![
        insert(1, "a"),
        query("INSERT INTO contract (id, value) VALUES (3, 'c'), (2, 'b') RETURNING id, value"),
        query("SELECT id FROM contract WHERE id > 5"),
        query(SELECT),
        query("UPDATE contract SET value = 'z' WHERE id = 9"),
        query("SELECT count(*), max(id), min(id) FROM contract"),
    ];
    let results = database.batch(Batch::write(statements)).await.unwrap();
    let rows: Vec<usize> = results.iter().map(|result| result.rows.len()).collect();
    assert_eq!(rows, [0, 2, 0, 3, 0, 1]);
    let ids: Vec<i64> = results[3].rows.iter().map(|row| row.integer(0).unwrap()).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(results[5].rows[0].0, [3.into(), 3.into(), 1.into()]);
    let statements = (0..100).map(|n| Statement::new("SELECT ?1, ?2", vec![n.into(), (-n).into()])).collect();
    let results = database.batch(Batch::read(statements)).await.unwrap();
    for (n, result) in (0..100).zip(results) {
        assert_eq!(result.rows[0].0, [Value::from(n), Value::from(-n)]);
    }
}

fn values() -> Vec<Value> {
    let texts = ["", "\0", "a\0b", "'\"\\", "ä😀\u{feff}", "9007199254740993", "1.10", "null", "\r\n\t\u{1f}\u{7f}"];
    let integers = [0, -1, i64::MAX, i64::MIN, (1 << 53) + 1, -(1 << 53) - 1];
    let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
    values.extend(integers.map(Value::from));
    values.extend([0.5, -1e300, 1e-300, f64::MAX].map(Value::Real));
    values.extend([vec![], vec![0, 255, 128]].map(Value::Blob));
    values.push("x".repeat(1_000_000).into());
    values.push(Value::Null);
    values
}

async fn values_come_back_exactly(database: impl Shared) {
    create(&database).await;
    for (id, value) in (0..).zip(values()) {
        let statements = vec![insert(id, value.clone()), Statement::new("SELECT ?1, typeof(?1)", [value.clone()])];
        let results = database.batch(Batch::write(statements)).await.unwrap();
        let mut row = results[1].rows[0].clone();
        assert_eq!(row.0[0], value);
        let name = match value {
            Value::Null => "null",
            Value::Integer(_) => "integer",
            Value::Real(_) => "real",
            Value::Text(_) => "text",
            Value::Blob(_) => "blob",
        };
        assert_eq!(row.text(1).unwrap(), name);
    }
    let stored: Vec<Value> = rows(&database).await.into_iter().map(|(_, value)| value).collect();
    assert_eq!(stored, values());
}

async fn a_read_batch_sees_one_state(database: impl Shared) {
    create(&database).await;
    let set = |n: i64| (1..=2).map(move |id| Statement::new(UPSERT, vec![id.into(), (id * 1000 + n).into()])).collect();
    database.batch(Batch::write(set(0))).await.unwrap();
    let writer = database.clone();
    let writing = tokio::spawn(async move {
        for n in 1..=200 {
            writer.batch(Batch::write(set(n))).await.unwrap();
        }
    });
    let mut seen = BTreeSet::new();
    while !writing.is_finished() {
        let value = |id: i64| Statement::new("SELECT value FROM contract WHERE id = ?1", [id.into()]);
        let results = database.batch(Batch::read(vec![value(1), value(2)])).await.unwrap();
        let [first, second] = [0, 1].map(|index: usize| results[index].rows[0].integer(0).unwrap());
        assert_eq!(first + 1000, second);
        assert!(seen.last().is_none_or(|last| *last <= first), "a reader went back");
        seen.insert(first);
    }
    writing.await.unwrap();
    assert_eq!(rows(&database).await, [(1, 1200.into()), (2, 2200.into())]);
}

async fn concurrent_writes_all_happen(database: impl Shared) {
    create(&database).await;
    database.batch(Batch::write(vec![insert(0, 0)])).await.unwrap();
    let tasks: Vec<_> = (1..=64)
        .map(|id: i64| {
            let database = database.clone();
            tokio::spawn(async move {
                let statements = vec![
                    query("UPDATE contract SET value = value + 1 WHERE id = 0"),
                    Statement::new(
                        "INSERT INTO contract SELECT ?1, 'after ' || value FROM contract WHERE id = 0 RETURNING id, value",
                        [id.into()],
                    ),
                ];
                let mut results = database.batch(Batch::write(statements)).await.unwrap();
                // The answer is to this task's own batch.
                assert_eq!(results[1].rows[0].integer(0).unwrap(), id);
                results[1].rows[0].text(1).unwrap()
            })
        })
        .collect();
    let mut orders = BTreeSet::new();
    for task in tasks {
        orders.insert(task.await.unwrap());
    }
    assert_eq!(orders.len(), 64, "each batch came after another one");
    assert_eq!(rows(&database).await[0], (0, 64.into()));
}

/// As many file actions as there are rows, with whatever text and numbers rows may hold.
fn actions(count: i64, name: &str) -> Vec<Action> {
    let odd = ["", "\0", "a\0b", "'\"\\", "ä😀", "1.10", "null", "[]", "9007199254740993"];
    (0..count)
        .flat_map(|n| {
            let text = odd[n as usize % odd.len()];
            let mut action = serde_json::json!({
                "path": format!("{n}{text}"),
                "partitionValues": {},
                "size": n,
                "modificationTime": if n % 2 == 0 { i64::MAX } else { i64::MIN },
                "deletionTimestamp": i64::MAX - n,
                "dataChange": n % 3 == 0,
                "stats": serde_json::json!({"numRecords": n, "minValues": {"c": text}}).to_string(),
                "baseRowId": if n % 2 == 0 { i64::MIN } else { (1 << 53) + 1 },
                "tags": {"text": text, "null": null},
                "future": {"text": text},
            });
            let unused = if name == "add" { "deletionTimestamp" } else { "modificationTime" };
            action.as_object_mut().unwrap().remove(unused);
            parse_line(&serde_json::json!({ name: action }).to_string()).unwrap()
        })
        .collect()
}

/// Actions become the same rows in either encoding, whatever their number.
async fn rows_of_any_number_come_back(database: impl Shared) {
    for count in [1, 4, 16, 64, 65, 85, 1000] {
        let table = format!("{count} rows");
        let head = [
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
            r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}"#,
        ];
        let mut imported: Vec<Action> = head.iter().flat_map(|line| parse_line(line).unwrap()).collect();
        imported.extend(actions(count, "add"));
        let mut planner = begin_import(&database, &table, 0).await;
        planner.begin_version(0, "a file", 0, false);
        run(&database, planner.actions(imported.clone()).unwrap()).await;
        run(&database, planner.end_version().unwrap()).await;
        run(&database, Some(planner.finish())).await;
        let mut expected = State::default();
        expected.apply(&imported);
        let (snapshot, state) = read_state(&database, &table, At::Latest).await;
        assert_eq!(state, expected);
        assert_eq!(snapshot.size_bytes, count * (count - 1) / 2);

        let request =
            CommitRequest { read: ReadSet::of(0), ..CommitRequest::new(id(&table), actions(count, "remove")) };
        let outcome = commit(&database, &FixedHost { now_ms: 1 }, &named(&table), &request).await.unwrap();
        let committed = Committed { table: table.clone(), version: 1, timestamp_ms: 1 };
        assert_eq!(outcome, Outcome::Committed(committed));
        let (snapshot, state) = read_state(&database, &table, At::Latest).await;
        assert_eq!((state.files.len(), snapshot.size_bytes, snapshot.row_count), (0, 0, Some(0)));
        let removes = read_actions(&database, &snapshot).await.unwrap();
        assert_eq!(removes[1..], request.actions);
    }
}

macro_rules! contract {
    ($implementation:ident: $wrap:expr, [$($check:ident),* $(,)?]) => {
        mod $implementation {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    let folder = tempfile::tempdir().unwrap();
                    let database = super::new_catalog(&folder);
                    super::$check(($wrap)(database)).await;
                }
            )*
        }
    };
    ($($implementation:ident: $wrap:expr;)*) => {
        $(contract!($implementation: $wrap, [
            a_failing_statement_undoes_the_batch,
            errors_are_told_apart,
            each_statement_has_a_result_set_in_order,
            values_come_back_exactly,
            a_read_batch_sees_one_state,
            concurrent_writes_all_happen,
            rows_of_any_number_come_back,
        ]);)*
    };
}

contract! {
    sqlite: std::convert::identity;
    sqlite_with_rows_in_json: |database| super::WithLimits(database, super::Limits::D1);
}
