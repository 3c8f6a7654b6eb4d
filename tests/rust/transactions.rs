//! Commits in one batch, and transactions over several tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deltalakedb_core::ErrorKind;
use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::drop_table;
use deltalakedb_core::commit::{
    CommitRequest, ConflictKind, LargeCommit, Outcome, ReadSet, RetryPolicy, Transaction, TransactionLimits,
    TransactionOutcome, Writer, commit,
};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Access, Batch, Database, DatabaseError, Limits, MaybeSend, ResultSet};
use deltalakedb_native::database::SqliteDatabase;

use crate::catalog::{FixedHost, begin_import, dump, id, named, new_catalog, run};

const HOST: FixedHost = FixedHost { now_ms: 1 };

/// A database that counts what is asked of it.
#[derive(Clone)]
struct Counting {
    database: SqliteDatabase,
    batches: Arc<AtomicUsize>,
}

impl Counting {
    fn new(folder: &tempfile::TempDir) -> Self {
        Counting { database: new_catalog(folder), batches: Arc::default() }
    }

    /// Batches since it was asked last.
    fn count(&self) -> usize {
        self.batches.swap(0, Ordering::Relaxed)
    }
}

impl Database for Counting {
    fn batch(&self, batch: Batch) -> impl Future<Output = Result<Vec<ResultSet>, DatabaseError>> + MaybeSend {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.database.batch(batch)
    }

    fn limits(&self) -> Limits {
        self.database.limits()
    }
}

fn actions(lines: &[&str]) -> Vec<Action> {
    lines.iter().flat_map(|line| parse_line(line).unwrap()).collect()
}

fn add(path: &str) -> Vec<Action> {
    actions(&[&format!(
        r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":1,"modificationTime":0,"dataChange":true}}}}"#
    )])
}

fn remove(path: &str) -> Vec<Action> {
    actions(&[&format!(r#"{{"remove":{{"path":"{path}","deletionTimestamp":0,"dataChange":true}}}}"#)])
}

async fn register(database: &impl Database, table: &str) {
    let first = actions(&[
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
        r#"{"metaData":{"id":"t","format":{"provider":"parquet","options":{}},
            "schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}"#,
    ]);
    let mut planner = begin_import(database, table, 0).await;
    planner.begin_version(0, "a file", 0, false);
    run(database, planner.actions([first, add("first")].concat()).unwrap()).await;
    run(database, planner.end_version().unwrap()).await;
    run(database, Some(planner.finish())).await;
}

async fn with_tables(folder: &tempfile::TempDir, count: usize) -> (Counting, Vec<String>) {
    let database = Counting::new(folder);
    let names: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
    for name in &names {
        register(&database, name).await;
    }
    database.count();
    (database, names)
}

async fn begin(database: &impl Database, id: &str, parts: &[(&str, Vec<Action>, ReadSet)]) -> Transaction {
    let mut transaction = Transaction::begin(self::id(id), 1, TransactionLimits::default());
    for (table, actions, read) in parts {
        let state = snapshot(database, &named(table), At::Latest).await.unwrap();
        let request = CommitRequest { read: read.clone(), ..CommitRequest::new("", actions.clone()) };
        transaction.stage(state, request).unwrap();
    }
    transaction
}

fn versions(outcome: &TransactionOutcome) -> Vec<(String, i64)> {
    let TransactionOutcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
    committed.iter().map(|table| (table.table.clone(), table.version)).collect()
}

#[tokio::test]
async fn a_commit_is_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 1).await;
    let mut writer = Writer::open(&database, &HOST, &named("t0")).await.unwrap();
    let mut other = Writer::open(&database, &HOST, &named("t0")).await.unwrap();
    assert_eq!(database.count(), 2);
    for number in 0..20 {
        // Two writers that take turns are two that know less than the other one did.
        let (writer, name) = if number % 3 == 0 { (&mut other, "other") } else { (&mut writer, "writer") };
        let path = format!("{name}-{number}");
        let outcome = writer.commit(&CommitRequest::new(id(&path), add(&path))).await.unwrap();
        assert!(matches!(outcome, Outcome::Committed(committed) if committed.version == number + 1));
        assert_eq!(database.count(), 1, "{path}");
    }
    let mut txn = add("with-a-txn");
    txn.extend(actions(&[r#"{"txn":{"appId":"a","version":1}}"#]));
    writer.commit(&CommitRequest::new(id("txn"), txn)).await.unwrap();
    assert_eq!(database.count(), 1);
    let read = ReadSet::of(writer.version()).files(["first"]);
    writer.commit(&CommitRequest { read, ..CommitRequest::new(id("delete"), remove("first")) }).await.unwrap();
    assert_eq!(database.count(), 1);
}

#[tokio::test]
async fn a_transaction_over_ten_tables_is_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (database, names) = with_tables(&folder, 10).await;
    let parts: Vec<_> = names.iter().map(|name| (name.as_str(), add("second"), ReadSet::default())).collect();
    let transaction = begin(&database, "a transaction", &parts).await;
    database.count();
    let outcome = transaction.commit(&database, &HOST).await.unwrap();
    assert_eq!(database.count(), 1);
    let expected: Vec<(String, i64)> = names.iter().map(|name| (name.clone(), 1)).collect();
    assert_eq!(versions(&outcome), expected);
    for name in &names {
        let state = snapshot(&database, &named(name), At::Latest).await.unwrap();
        let info = state.commit_info.unwrap().fields();
        let tags = info["tags"].text();
        assert_eq!(tags, format!(r#"{{"delta.multiTableTransaction.transactionId":"{}"}}"#, id("a transaction")));
        assert_eq!((state.version, state.file_count), (1, 2));
    }
    // Sent again, it happened once, with the same versions.
    assert_eq!(transaction.commit(&database, &HOST).await.unwrap(), outcome);
}

#[tokio::test]
async fn one_conflict_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 3).await;
    let read = || ReadSet::default().files(["first"]);
    let parts =
        [("t0", add("a"), ReadSet::default()), ("t1", remove("first"), read()), ("t2", add("c"), ReadSet::default())];
    let transaction = begin(&database, "loses", &parts).await;
    commit(&database, &HOST, &named("t1"), &CommitRequest::new(id("wins"), remove("first"))).await.unwrap();
    let before = dump(&database).await;
    let outcome = transaction.commit(&database, &HOST).await.unwrap();
    let TransactionOutcome::Conflicted(conflict) = outcome else { panic!("{outcome:?}") };
    assert_eq!((conflict.table.as_str(), conflict.winner), ("t1", 1));
    assert_eq!(conflict.kind, ConflictKind::ConcurrentDeleteRead);
    assert_eq!(dump(&database).await, before);
}

#[tokio::test]
async fn a_transaction_is_rebased_on_what_it_does_not_mind() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 2).await;
    let read = ReadSet::default().whole_table();
    let parts = [("t0", add("a"), ReadSet::default()), ("t1", remove("first"), read)];
    let transaction = begin(&database, "rebased", &parts).await;
    for table in ["t0", "t1"] {
        commit(&database, &HOST, &named(table), &CommitRequest::new(id("append"), add("other"))).await.unwrap();
    }
    let outcome = transaction.commit(&database, &HOST).await.unwrap();
    assert_eq!(versions(&outcome), [("t0".to_owned(), 2), ("t1".to_owned(), 2)]);
}

/// Metadata with these columns and properties.
fn metadata(columns: &str, properties: &str) -> Vec<Action> {
    let columns: Vec<String> = columns
        .split_terminator(' ')
        .map(|name| format!(r#"{{\"name\":\"{name}\",\"type\":\"long\",\"nullable\":true,\"metadata\":{{}}}}"#))
        .collect();
    actions(&[&format!(
        r#"{{"metaData":{{"id":"t","format":{{"provider":"parquet","options":{{}}}},"partitionColumns":[],
            "schemaString":"{{\"type\":\"struct\",\"fields\":[{}]}}","configuration":{properties}}}}}"#,
        columns.join(",")
    )])
}

/// The table that a transaction is refused for, and why.
async fn refused(database: &Counting, parts: &[(&str, Vec<Action>, ReadSet)]) -> (String, String) {
    let error = begin(database, "refused", parts).await.commit(database, &HOST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    (error.to_json()["table"].as_str().unwrap().to_owned(), error.to_string())
}

#[tokio::test]
async fn the_table_that_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 3).await;
    let nothing = ReadSet::default;
    // All tables have a file without row ids; only the last one is to track rows.
    let protocol = actions(&[r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,
        "writerFeatures":["appendOnly","invariants","domainMetadata","rowTracking"]}}"#]);
    let tracks = metadata(
        "",
        r#"{"delta.enableRowTracking":"true","delta.rowTracking.materializedRowIdColumnName":"_id",
            "delta.rowTracking.materializedRowCommitVersionColumnName":"_version"}"#,
    );
    let enables = [protocol, tracks].concat();
    let (table, error) = refused(&database, &[("t0", add("a"), nothing()), ("t1", enables, nothing())]).await;
    assert!(table == "t1" && error.contains("lacks row ids"), "{error}");

    // One goes back to a schema that it had, one to another's, and one restores nothing.
    let restore = |columns| [actions(&[r#"{"commitInfo":{"operation":"RESTORE"}}"#]), metadata(columns, "{}")].concat();
    for (table, columns) in [("t1", "x"), ("t2", "y")] {
        let request = CommitRequest::new(id(table), metadata(columns, "{}"));
        commit(&database, &HOST, &named(table), &request).await.unwrap();
    }
    let parts = [("t0", add("a"), nothing()), ("t1", restore(""), nothing()), ("t2", restore("x"), nothing())];
    let (table, error) = refused(&database, &parts).await;
    assert!(table == "t2" && error.contains("never had the schema"), "{error}");
}

#[tokio::test]
async fn limits_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 3).await;
    let limits = TransactionLimits { max_tables: 2, max_actions: 3, max_bytes: 400, max_age_ms: 10 };
    let state = async |table| snapshot(&database, &named(table), At::Latest).await.unwrap();
    let refused = |result: deltalakedb_core::Result<()>, part: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{error}");
    };
    let request = |paths: &[&str]| CommitRequest::new("", paths.iter().flat_map(|path| add(path)).collect());
    let mut transaction = Transaction::begin(id("limited"), 1, limits);
    transaction.stage(state("t0").await, request(&["a"])).unwrap();
    refused(transaction.stage(state("t0").await, request(&["b"])), "twice");
    refused(transaction.stage(state("t1").await, request(&["a", "b", "c"])), "actions is 4; the limit is 3");
    refused(transaction.stage(state("t1").await, request(&[&"long".repeat(100)])), "; the limit is 400");
    transaction.stage(state("t1").await, request(&["a"])).unwrap();
    refused(transaction.stage(state("t2").await, request(&["a"])), "tables is 3; the limit is 2");
    let late = FixedHost { now_ms: 12 };
    refused(
        transaction.commit(&database, &late).await.map(drop),
        "begun 11 milliseconds ago; the limit is 10 milliseconds",
    );
    let empty = Transaction::begin(id("empty"), 1, limits);
    refused(empty.commit(&database, &HOST).await.map(drop), "no tables");
    assert_eq!(versions(&transaction.commit(&database, &HOST).await.unwrap()).len(), 2);
    // The id is the transaction's: with other tables it is another one.
    let mut other = Transaction::begin(id("limited"), 1, limits);
    other.stage(state("t0").await, request(&["a"])).unwrap();
    other.stage(state("t2").await, request(&["a"])).unwrap();
    refused(
        other.commit(&database, &HOST).await.map(drop),
        "for version 1, with other actions or another operation, or not",
    );
}

/// A database that loses its first batch on the way.
struct LosesFirst {
    database: SqliteDatabase,
    is_lost: AtomicUsize,
}

impl Database for LosesFirst {
    async fn batch(&self, batch: Batch) -> Result<Vec<ResultSet>, DatabaseError> {
        let is_write = batch.access == Access::Write;
        if is_write && self.is_lost.swap(1, Ordering::Relaxed) == 0 {
            return Err(DatabaseError::AnswerLost("the connection broke".into()));
        }
        self.database.batch(batch).await
    }

    fn limits(&self) -> Limits {
        self.database.limits()
    }
}

/// While a batch may still arrive, what is wrong with it now says nothing of then.
#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_not_final() {
    let folder = tempfile::tempdir().unwrap();
    let (counting, _) = with_tables(&folder, 1).await;
    let removes_nothing = actions(&[r#"{"remove":{"path":"gone","deletionTimestamp":0,"dataChange":true}}"#]);
    let request = CommitRequest::new(id("lost"), removes_nothing);
    let refused = commit(&counting.database, &HOST, &named("t0"), &request).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let losing = LosesFirst { database: counting.database.clone(), is_lost: AtomicUsize::new(0) };
    assert_eq!(commit(&losing, &HOST, &named("t0"), &request).await.unwrap(), Outcome::Unknown);
}

#[tokio::test]
async fn an_id_of_other_tables_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 4).await;
    let parts = |first, second| [(first, add("a"), ReadSet::default()), (second, add("a"), ReadSet::default())];
    begin(&database, "id", &parts("t0", "t1")).await.commit(&database, &HOST).await.unwrap();
    let error = begin(&database, "id", &parts("t2", "t3")).await.commit(&database, &HOST).await.unwrap_err();
    assert!(error.to_string().contains("the commit id was used for other tables"), "{error}");
}

/// What is sent with an id is answered by what was committed with it only where both are the same: its actions, its
/// operation, and whether it was a transaction, over these tables.
#[tokio::test]
async fn an_id_answers_for_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 3).await;
    let parts = |first, second| [(first, add("a"), ReadSet::default()), (second, add("a"), ReadSet::default())];
    let plain = |name: &str| CommitRequest::new(id(name), add("a"));
    let taken = |error: deltalakedb_core::Error, part: &str| {
        assert_eq!((error.kind(), &error.to_json()["version"]), (ErrorKind::Invalid, &1.into()), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };

    for table in ["t0", "t1"] {
        commit(&database, &HOST, &named(table), &plain("both")).await.unwrap();
    }
    let error = begin(&database, "both", &parts("t0", "t1")).await.commit(&database, &HOST).await.unwrap_err();
    taken(error, "not in a transaction of these tables");
    let merge = CommitRequest { operation: Some("MERGE".into()), ..plain("both") };
    taken(commit(&database, &HOST, &named("t0"), &merge).await.unwrap_err(), "another operation");
    let read_anew = CommitRequest { read: ReadSet::of(1).whole_table(), ..plain("both") };
    let outcome = commit(&database, &HOST, &named("t0"), &read_anew).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.version == 1));

    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 3).await;
    let done = begin(&database, "id", &parts("t0", "t1")).await.commit(&database, &HOST).await.unwrap();
    taken(commit(&database, &HOST, &named("t0"), &plain("id")).await.unwrap_err(), "in a transaction");
    // Somebody else's commit with the id, to another table, takes nothing from the transaction.
    commit(&database, &HOST, &named("t2"), &plain("id")).await.unwrap();
    assert_eq!(begin(&database, "id", &parts("t0", "t1")).await.commit(&database, &HOST).await.unwrap(), done);
}

/// A commit is not told by its parameters' order, but by what they are.
#[tokio::test]
async fn parameters_are_part_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 1).await;
    let sent = async |parameters: &str| {
        let info = format!(r#"{{"commitInfo":{{"operation":"DELETE","operationParameters":{parameters}}}}}"#);
        let request = CommitRequest::new(id("delete"), [actions(&[&info]), remove("first")].concat());
        commit(&database, &HOST, &named("t0"), &request).await
    };
    let done = sent(r#"{"predicate":"[]","mode":"a"}"#).await.unwrap();
    assert_eq!(sent(r#"{ "mode": "a", "predicate": "[]" }"#).await.unwrap(), done);
    assert_eq!(sent(r#"{"mode":"b","predicate":"[]"}"#).await.unwrap_err().kind(), ErrorKind::Invalid);
}

/// Writers that keep tags in hash maps write them in another order when they send again.
#[tokio::test]
async fn a_commit_is_the_same_in_another_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 1).await;
    let sent = async |tags: &str, operation: Option<&str>| {
        let file = format!(
            r#"{{"add":{{"path":"a","partitionValues":{{}},"size":1,"modificationTime":1,"dataChange":true,"tags":{tags}}}}}"#
        );
        let request = CommitRequest {
            operation: operation.map(str::to_owned),
            ..CommitRequest::new(id("tags"), actions(&[&file]))
        };
        commit(&database, &HOST, &named("t0"), &request).await
    };
    let done = sent(r#"{"x":"1","y":"2"}"#, None).await.unwrap();
    assert_eq!(sent(r#"{"y":"2", "x":"1"}"#, None).await.unwrap(), done);
    assert_eq!(sent(r#"{"x":"1","y":"2"}"#, Some("write")).await.unwrap(), done, "it is a WRITE when it does not say");
    assert_eq!(sent(r#"{"x":"2","y":"1"}"#, None).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_operation_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 1).await;
    let request = CommitRequest { operation: Some(" ".into()), ..CommitRequest::new(id("nameless"), add("a")) };
    let error = commit(&database, &HOST, &named("t0"), &request).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("operation is empty")), (ErrorKind::Invalid, true), "{error}");
}

#[tokio::test]
async fn a_commit_id_is_a_uuid() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 1).await;
    let refused = |error: deltalakedb_core::Error, found: &str| {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let expected = format!("with hyphens and in lower case; it is `{found}`");
        assert!(error.to_string().ends_with(&expected), "{error}");
    };
    let upper = id("x").replace("8000", "ABCD");
    let nil = "00000000-0000-0000-0000-000000000000";
    for wrong in ["", "load 7", &id("x").replace('-', ""), &upper, nil] {
        let request = CommitRequest::new(wrong, add("a"));
        refused(commit(&database, &HOST, &named("t0"), &request).await.unwrap_err(), wrong);
        let large = CommitRequest::new(wrong, Vec::new());
        refused(LargeCommit::begin(&database, &HOST, &named("t0"), large).await.err().unwrap(), wrong);
        let mut transaction = Transaction::begin(wrong, 1, TransactionLimits::default());
        let state = snapshot(&database, &named("t0"), At::Latest).await.unwrap();
        transaction.stage(state, request).unwrap();
        refused(transaction.commit(&database, &HOST).await.unwrap_err(), wrong);
    }
}

/// What happened stays so for the tables that are left.
#[tokio::test]
async fn a_transaction_of_which_a_table_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 3).await;
    let parts = |second| [("t0", add("a"), ReadSet::default()), (second, add("a"), ReadSet::default())];
    let done = begin(&database, "done", &parts("t1")).await;
    done.commit(&database, &HOST).await.unwrap();
    let [lost, late] = [begin(&database, "lost", &parts("t1")).await, begin(&database, "late", &parts("t2")).await];
    for table in ["t1", "t2"] {
        drop_table(&database, &named(table)).await.unwrap();
    }
    assert_eq!(versions(&done.commit(&database, &HOST).await.unwrap()), [("t0".to_owned(), 1)]);
    for (transaction, table) in [(lost, "t1"), (late, "t2")] {
        let error = transaction.commit(&database, &HOST).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let expected = format!(": nothing was committed: table `{table}` was dropped meanwhile");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

/// A writer that does not know what became of its commit looks at the table before it does anything else.
#[tokio::test]
async fn a_writer_looks_anew_when_an_answer_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (counting, _) = with_tables(&folder, 1).await;
    let losing = LosesFirst { database: counting.database.clone(), is_lost: AtomicUsize::new(0) };
    let once = RetryPolicy { max_tries: 1, ..RetryPolicy::default() };
    let mut writer = Writer::open(&losing, &HOST, &named("t0")).await.unwrap().with_retry(once);
    let request = CommitRequest::new(id("lost"), add("a"));
    assert_eq!(writer.commit(&request).await.unwrap(), Outcome::Unknown);
    let other = CommitRequest::new(id("other"), metadata("x", "{}"));
    commit(&counting.database, &HOST, &named("t0"), &other).await.unwrap();
    assert_eq!(writer.version(), 0);
    // In one try: it knows of the metadata.
    let outcome = writer.commit(&request).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.version == 2));
    assert!(writer.metadata().schema_string.as_deref().unwrap().contains("\"x\""));
}

/// The keys of tables are a catalog's own: another one has another table under the same key.
#[tokio::test]
async fn a_table_of_another_catalog_is_refused() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (here, _) = with_tables(&folders[0], 2).await;
    let elsewhere = Counting::new(&folders[1]);
    register(&elsewhere, "strange").await;
    let transaction = begin(&elsewhere, "id", &[("strange", add("a"), ReadSet::default())]).await;
    let before = dump(&here.database).await;
    let error = transaction.commit(&here, &HOST).await.unwrap_err();
    assert!(error.to_string().contains("another catalog"), "{error}");
    assert_eq!(dump(&here.database).await, before);
}

/// That one table has an application's version says nothing of the others.
#[tokio::test]
async fn a_transaction_is_not_done_by_one_of_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _) = with_tables(&folder, 2).await;
    let txn = || actions(&[r#"{"txn":{"appId":"app","version":1}}"#]);
    commit(&database, &HOST, &named("t0"), &CommitRequest::new(id("alone"), txn())).await.unwrap();
    let parts = [("t0", txn(), ReadSet::default()), ("t1", add("a"), ReadSet::default())];
    let outcome = begin(&database, "both", &parts).await.commit(&database, &HOST).await.unwrap();
    let TransactionOutcome::Conflicted(conflict) = outcome else { panic!("{outcome:?}") };
    assert!(conflict.kind == ConflictKind::ConcurrentTransaction && !conflict.is_done());
}
