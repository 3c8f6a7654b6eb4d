//! The law of segments: whatever was committed, removed, added again and brought into segments, and whatever is missing of
//! them or damaged, a list of files is the one that the rows give.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use deltalakedb_core::action::{Action, Add};
use deltalakedb_core::catalog::drop_table;
use deltalakedb_core::commit::{CommitRequest, Outcome, commit};
use deltalakedb_core::predicate::{FileView, PartitionValues, Predicate};
use deltalakedb_core::segment::{columns, refresh, scan};
use deltalakedb_core::snapshot::{At, FileCursor, Snapshot, files, snapshot};
use deltalakedb_core::sql::{Batch, Database, DatabaseError, Limits, ResultSet, SegmentSizes, Statement, Value as Sql};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::catalog::{WithLimits, id, named};
use crate::large_commits::{Catalog, HOST, catalog, parsed, remove};

/// So small that a few commits make several segments of several blocks.
const SIZES: SegmentSizes = SegmentSizes { tail: 4, files: 11, block: 3 };

const SCHEMA: &str = r#"{"type":"struct","fields":[
  {"name":"id","type":"long","nullable":true,"metadata":{}},
  {"name":"s","nullable":true,"metadata":{},"type":{"type":"struct","fields":[
    {"name":"text","type":"string","nullable":true,"metadata":{}}]}},
  {"name":"x","type":"double","nullable":true,"metadata":{}},
  {"name":"price","type":"decimal(30,2)","nullable":true,"metadata":{}},
  {"name":"at","type":"timestamp","nullable":true,"metadata":{}},
  {"name":"day","type":"date","nullable":true,"metadata":{}}]}"#;

const PREDICATES: [&str; 20] = [
    "id = 7",
    "id > 12",
    "id <= 3 OR id IS NULL",
    "id IS NOT NULL AND NOT id = 5",
    "day = '2024-01-02'",
    "day IS NULL",
    "day <> '2024-01-01' AND id < 8",
    "day = '2024-01-03' OR s.text = 'b'",
    "s.text LIKE 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%'",
    "s.text >= 'c'",
    "s.text < 'aa'",
    "s.text IS NULL",
    "x > 0.5",
    "x <= -1",
    "x = 2.5 AND day IS NOT NULL",
    "price >= 99999999999999999999.5",
    "price < 1",
    "at < TIMESTAMP '2024-01-01 00:00:00'",
    "at IS NULL OR id IN (1, 2, 19)",
    "FALSE",
];

#[derive(Clone, Debug)]
enum Step {
    /// Files by the seeds of what they say.
    Add(Vec<u32>),
    /// Live files by their numbers.
    Remove(Vec<prop::sample::Index>),
    /// One with other statistics.
    AddAgain(prop::sample::Index, u32),
    Refresh(usize),
    /// Chunks by their number: deleted, or their bytes changed.
    Damage(prop::sample::Index, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(any::<u32>(), 1..7).prop_map(Step::Add),
        2 => prop::collection::vec(any::<prop::sample::Index>(), 1..6).prop_map(Step::Remove),
        1 => (any::<prop::sample::Index>(), any::<u32>()).prop_map(|(file, seed)| Step::AddAgain(file, seed)),
        2 => (1..4_usize).prop_map(Step::Refresh),
        1 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(chunk, gone)| Step::Damage(chunk, gone)),
    ]
}

/// An add whose partition value and statistics, if it has any, follow from the seed.
fn add(path: &str, seed: u32) -> Value {
    let pick = |shift: u32, of: u32| (seed >> shift) % of;
    let day = [json!("2024-01-01"), json!("2024-01-02"), json!("2024-01-03"), Value::Null][pick(0, 4) as usize].clone();
    let low = i64::from(pick(2, 20));
    let long = "a".repeat(40);
    let texts = ["a", "b", "c", &long, "aa\u{10ffff}"];
    let (one, other) = (texts[pick(8, 5) as usize], texts[pick(11, 5) as usize]);
    let (first, last) = if one < other { (one, other) } else { (other, one) };
    let price = ["0.10", "5.00", "99999999999999999999.99", "-9999999999999999999999999999.99"][pick(14, 4) as usize];
    let price: Value = serde_json::from_str(price).unwrap();
    let at =
        ["2023-12-31T23:59:59.999Z", "2024-02-01T00:00:00.000+02:00", "1960-01-01T00:00:00.000Z"][pick(16, 3) as usize];
    let x = [json!(-1.5), json!(0.1), json!(2.5), json!("Infinity"), json!("NaN")][pick(18, 5) as usize].clone();
    let stats = json!({
        "numRecords": 10,
        "minValues": { "id": low, "s": { "text": first }, "x": x, "price": price, "at": at },
        "maxValues": { "id": low + i64::from(pick(6, 4)), "s": { "text": last }, "x": 3, "price": 99999999999999999999.99_f64, "at": at },
        "nullCount": { "id": pick(21, 2) * 3, "s": { "text": pick(22, 2) * 10 }, "x": 0, "at": pick(23, 3) * 5 },
    });
    let stats = match pick(25, 6) {
        0 => Value::Null,
        1 => json!("{\"numRecords\":10}"),
        2 => json!("{}"),
        3 => json!(json!({ "numRecords": 10, "nullCount": { "id": 10, "x": 10 } }).to_string()),
        _ => json!(stats.to_string()),
    };
    let mut add = json!({ "add": { "path": path, "partitionValues": { "day": day }, "size": seed % 1000,
                                   "modificationTime": seed, "dataChange": true } });
    if !stats.is_null() {
        add["add"]["stats"] = stats;
    }
    add
}

fn first() -> Vec<Action> {
    parsed(&[
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} },
                              "partitionColumns": ["day"], "schemaString": SCHEMA, "configuration": {} } }),
    ])
}

async fn live(database: &Catalog) -> (Snapshot, Vec<Add>) {
    let state = snapshot(database, &named("t"), At::Latest).await.unwrap();
    let adds = all_files(database, &state).await;
    (state, adds)
}

async fn all_files(database: &Catalog, state: &Snapshot) -> Vec<Add> {
    let mut found = Vec::new();
    let mut cursor = Some(FileCursor::start(state));
    while let Some(at) = cursor {
        let page = files(database, state, at, 1000).await.unwrap();
        found.extend(page.files);
        cursor = page.next;
    }
    found
}

async fn committed(database: &Catalog, name: &str, actions: &[Value]) {
    let request = CommitRequest::new(id(name), parsed(actions));
    match commit(database, &HOST, &named("t"), &request).await.unwrap() {
        Outcome::Committed(_) => {}
        other => panic!("{other:?}"),
    }
}

async fn query(database: &Catalog, sql: &'static str, params: Vec<Sql>) -> Vec<Vec<Sql>> {
    let batch = Batch { access: deltalakedb_core::sql::Access::Write, statements: vec![Statement::new(sql, params)] };
    database.batch(batch).await.unwrap().pop().unwrap().rows.into_iter().map(|row| row.0).collect()
}

async fn take(database: &Catalog, number: usize, step: &Step) {
    let name = |what: &str| format!("{what} {number}");
    match step {
        Step::Add(seeds) => {
            let adds: Vec<Value> =
                seeds.iter().enumerate().map(|(file, seed)| add(&format!("f-{number}-{file}"), *seed)).collect();
            committed(database, &name("add"), &adds).await;
        }
        Step::Remove(which) => {
            let (_, adds) = live(database).await;
            if adds.is_empty() {
                return;
            }
            let paths: BTreeSet<&str> = which.iter().map(|index| index.get(&adds).path.as_str()).collect();
            let removes: Vec<Value> = paths.into_iter().map(remove).collect();
            committed(database, &name("remove"), &removes).await;
        }
        Step::AddAgain(which, seed) => {
            let (_, adds) = live(database).await;
            if adds.is_empty() {
                return;
            }
            let old = which.get(&adds);
            let mut again = add(&old.path, *seed);
            again["add"]["partitionValues"]["day"] = json!(old.partition_values.0["day"]);
            again["add"]["dataChange"] = json!(false);
            committed(database, &name("again"), &[again]).await;
        }
        Step::Refresh(most) => {
            refresh(database, &named("t"), *most).await.unwrap();
        }
        Step::Damage(which, gone) => {
            let chunks = query(database, "SELECT segment_id, name, block, data FROM dl_segment_chunks", vec![]).await;
            if chunks.is_empty() {
                return;
            }
            let mut chunk = which.get(&chunks).clone();
            let Some(Sql::Blob(mut data)) = chunk.pop() else { return };
            if *gone {
                let sql = "DELETE FROM dl_segment_chunks WHERE segment_id = ?1 AND name = ?2 AND block = ?3";
                // A column that is missing counts as one of which nothing is known; all else is noticed.
                if matches!(&chunk[1], Sql::Text(name) if name.starts_with('[')) {
                    return;
                }
                query(database, sql, chunk).await;
            } else {
                data.truncate(data.len() / 2);
                chunk.push(Sql::Blob(data));
                let sql = "UPDATE dl_segment_chunks SET data = ?4 WHERE segment_id = ?1 AND name = ?2 AND block = ?3";
                query(database, sql, chunk).await;
            }
        }
    }
}

/// What a list says of a file.
type Listed = (String, i64, i64, Option<i64>, String);

fn listed(batch: &RecordBatch) -> Vec<Listed> {
    let texts = |name| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
    let integers = |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
    let (paths, sizes, times) = (texts(columns::PATH), integers(columns::SIZE), integers(columns::MODIFICATION_TIME));
    let rows = integers(columns::ROW_COUNT);
    let values = batch.column_by_name(columns::PARTITION_VALUES).unwrap().as_dictionary::<Int32Type>();
    let texts = values.values().as_string::<i32>();
    let row = |index| {
        let values = texts.value(values.key(index).unwrap()).to_owned();
        let row_count = rows.is_valid(index).then(|| rows.value(index));
        (paths.value(index).to_owned(), sizes.value(index), times.value(index), row_count, values)
    };
    (0..batch.num_rows()).map(row).collect()
}

async fn listing(database: &Catalog, state: &Snapshot, predicate: Option<&str>) -> Vec<Listed> {
    let predicate = predicate.map(|text| Predicate::parse(text, state.schema().unwrap()).unwrap());
    let mut found = Vec::new();
    for part in scan(database, state, predicate).await.unwrap().parts() {
        found.extend(part.read(database).await.unwrap().iter().flat_map(listed));
    }
    found.sort();
    found
}

fn expected(adds: &[Add], state: &Snapshot, predicate: Option<&str>) -> Vec<Listed> {
    let predicate = predicate.map(|text| Predicate::parse(text, state.schema().unwrap()).unwrap());
    let may_match = |add: &&Add| {
        predicate.as_ref().is_none_or(|predicate| {
            let partition_values = PartitionValues::Map(&add.partition_values.0);
            predicate.may_match(&FileView { partition_values, stats: add.stats.as_deref() })
        })
    };
    let list = |add: &Add| {
        let values = serde_json::to_string(&add.partition_values.0).unwrap();
        (add.path.clone(), add.size, add.modification_time, add.row_count(), values)
    };
    let mut list: Vec<Listed> = adds.iter().filter(may_match).map(list).collect();
    list.sort();
    list
}

async fn check(database: &Catalog, version: i64) {
    let state = snapshot(database, &named("t"), At::Version(version)).await.unwrap();
    let adds = all_files(database, &state).await;
    for predicate in std::iter::once(None).chain(PREDICATES.into_iter().map(Some)) {
        let (found, expected) = (listing(database, &state, predicate).await, expected(&adds, &state, predicate));
        assert_eq!(found, expected, "version {version}, {predicate:?}");
    }
}

#[test]
fn a_list_is_that_of_the_rows() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, cases, max_shrink_time: 20_000, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let law = |steps: Vec<Step>| {
        runtime.block_on(async {
            let (_folder, database) = catalog(Limits { segments: SIZES, ..Limits::SQLITE }, first()).await;
            let mut segments = 0;
            for (number, step) in steps.iter().enumerate() {
                take(&database, number, step).await;
                let (state, _) = live(&database).await;
                check(&database, state.version).await;
                segments = segments.max(query(&database, "SELECT 1 FROM dl_segments", vec![]).await.len());
            }
            let (state, _) = live(&database).await;
            for version in 0..=state.version {
                check(&database, version).await;
            }
            drop_table(&database, &named("t")).await.unwrap();
            for table in
                ["SELECT 1 FROM dl_segments", "SELECT 1 FROM dl_segment_chunks", "SELECT 1 FROM dl_segment_state"]
            {
                assert_eq!(query(&database, table, vec![]).await, Vec::<Vec<Sql>>::new());
            }
        });
        Ok(())
    };
    runner.run(&prop::collection::vec(step(), 1..24), law).unwrap();
}

/// So a list is read from segments indeed, and only from those that can hold what is asked for.
#[tokio::test]
async fn what_cannot_match_is_not_read() {
    let (_folder, database) = catalog(Limits { segments: SIZES, ..Limits::SQLITE }, first()).await;
    for number in 0..40_u32 {
        // The ids grow with the files.
        let mut file = add(&format!("f{number:02}"), 0);
        let stats = json!({ "numRecords": 1, "minValues": { "id": number }, "maxValues": { "id": number },
                            "nullCount": { "id": 0 } });
        file["add"]["stats"] = json!(stats.to_string());
        committed(&database, &format!("{number}"), &[file]).await;
    }
    refresh(&database, &named("t"), usize::MAX).await.unwrap();
    let segments = query(&database, "SELECT file_count, live_count FROM dl_segments ORDER BY segment_id", vec![]).await;
    assert!(segments.len() <= 6, "small ones were taken in: {segments:?}");
    let (state, _) = live(&database).await;
    let parts = |predicate: Option<&str>| {
        let predicate = predicate.map(|text| Predicate::parse(text, state.schema().unwrap()).unwrap());
        let (database, state) = (&database, &state);
        async move { scan(database, state, predicate).await.unwrap().parts().count() }
    };
    // The last files, too few for a segment, are always read.
    let tail = parts(None).await - segments.len();
    assert!(tail <= 1);
    assert_eq!(parts(Some("id = 17")).await, 1 + tail);
    assert_eq!(parts(Some("id = 17 AND day = '2024-01-02'")).await, tail);
    assert_eq!(parts(Some("id > 100 OR day IS NULL")).await, tail);
    // The rows are what a table has: without them there is nothing.
    query(&database, "DELETE FROM dl_add_files WHERE path < 'f30' AND path <> 'f17'", vec![]).await;
    assert_eq!(listing(&database, &state, None).await.len(), 40);
    query(&database, "DELETE FROM dl_segment_chunks", vec![]).await;
    assert_eq!(listing(&database, &state, None).await.len(), 11);
}

/// A catalog in which another one brings the same table into segments just before a batch.
struct Raced<'c> {
    catalog: &'c Catalog,
    batches: AtomicUsize,
    at: usize,
}

impl Database for Raced<'_> {
    async fn batch(&self, batch: Batch) -> Result<Vec<ResultSet>, DatabaseError> {
        if self.batches.fetch_add(1, Ordering::Relaxed) == self.at {
            let removes = [remove("f03"), remove("f20")];
            committed(self.catalog, "meanwhile", &removes).await;
            Box::pin(refresh(self.catalog, &named("t"), usize::MAX)).await.unwrap();
        }
        self.catalog.batch(batch).await
    }

    fn limits(&self) -> Limits {
        self.catalog.limits()
    }
}

/// Whoever comes second notices, whenever that is.
#[tokio::test]
async fn of_two_that_write_segments_one_gives_up() {
    let mut given_up = 0;
    for at in 0..14 {
        let unlimited = SegmentSizes { tail: i64::MAX, ..SIZES };
        let (_folder, database) = catalog(Limits { segments: unlimited, ..Limits::SQLITE }, first()).await;
        let adds: Vec<Value> = (0..30).map(|number| add(&format!("f{number:02}"), number * 977_777)).collect();
        committed(&database, "add", &adds).await;
        let database = WithLimits(database.0, Limits { segments: SIZES, ..Limits::SQLITE });
        refresh(&database, &named("t"), 1).await.unwrap();
        committed(&database, "remove", &(4..14).map(|number| remove(&format!("f{number:02}"))).collect::<Vec<_>>())
            .await;
        let raced = Raced { catalog: &database, batches: AtomicUsize::new(0), at };
        refresh(&raced, &named("t"), usize::MAX).await.unwrap();
        given_up += usize::from(raced.batches.into_inner() <= at + 2);
        let state = snapshot(&database, &named("t"), At::Latest).await.unwrap();
        for version in 0..=state.version {
            check(&database, version).await;
        }
        let sql = "SELECT 1 FROM dl_segments a JOIN dl_segments b ON a.segment_id < b.segment_id
                   AND a.first_file_id < b.end_file_id AND b.first_file_id < a.end_file_id";
        assert_eq!(query(&database, sql, vec![]).await.len(), 0, "segments do not overlap");
    }
    assert!(given_up > 3, "{given_up}");
}
