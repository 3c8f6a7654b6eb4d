//! Commits that come by pieces: all at once or not at all, and what dead clients leave behind.

use deltalakedb_core::ErrorKind;
use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::drop_table;
use deltalakedb_core::commit::{
    CommitRequest, Committed, ConflictKind, LargeCommit, Outcome, ReadSet, SweptCommits, commit, sweep_large_commits,
};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Batch, Database, Limits, Statement};
use deltalakedb_native::database::SqliteDatabase;
use serde_json::{Value, json};

use crate::catalog::{
    FixedHost, WithLimits, begin_import, dump, id, named, new_catalog, read_actions, read_state, run,
};
use crate::model::State;

pub(crate) const HOST: FixedHost = FixedHost { now_ms: 1000 };

pub(crate) type Catalog = WithLimits<SqliteDatabase>;

pub(crate) fn parsed(actions: &[Value]) -> Vec<Action> {
    actions.iter().flat_map(|action| parse_line(&action.to_string()).unwrap()).collect()
}

pub(crate) fn add(path: &str) -> Value {
    json!({ "add": { "path": path, "partitionValues": {}, "size": 7, "modificationTime": 0, "dataChange": true,
                     "stats": "{\"numRecords\":3}", "tags": { "a": "b" }, "new": 1.10 } })
}

pub(crate) fn remove(path: &str) -> Value {
    json!({ "remove": { "path": path, "deletionTimestamp": 5, "dataChange": true, "new": 1 } })
}

pub(crate) fn first(features: &[&str]) -> Vec<Action> {
    let features = [&["appendOnly", "invariants"], features].concat();
    let mut first = parsed(&[
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": features } }),
        json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} }, "partitionColumns": [],
                              "schemaString": r#"{"type":"struct","fields":[]}"#, "configuration": {} } }),
    ]);
    first.extend(parsed(&(0..10).map(|number| add(&format!("first-{number}"))).collect::<Vec<_>>()));
    first
}

pub(crate) async fn catalog(limits: Limits, first: Vec<Action>) -> (tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let database = WithLimits(new_catalog(&folder), limits);
    let mut planner = begin_import(&database, "t", 0).await;
    planner.begin_version(0, "a file", 0, false);
    run(&database, planner.actions(first).unwrap()).await;
    run(&database, planner.end_version().unwrap()).await;
    run(&database, Some(planner.finish())).await;
    (folder, database)
}

pub(crate) async fn begin<'a>(database: &'a Catalog, request: CommitRequest) -> LargeCommit<'a, Catalog, FixedHost> {
    LargeCommit::begin(database, &HOST, &named("t"), request).await.unwrap()
}

pub(crate) fn committed(version: i64) -> Outcome {
    Outcome::Committed(Committed { table: "t".into(), version, timestamp_ms: 1000.max(version) })
}

async fn rows_of(database: &Catalog, table: &'static str) -> i64 {
    let query = match table {
        "files" => "SELECT count(*) FROM dl_large_commit_files",
        _ => "SELECT count(*) FROM dl_large_commits",
    };
    database.batch(Batch::read(vec![Statement::new(query, [])])).await.unwrap()[0].rows[0].integer(0).unwrap()
}

async fn all_at_once(limits: Limits) {
    let (_folder, database) = catalog(limits, first(&["changeDataFeed", "domainMetadata"])).await;
    let (_, before) = read_state(&database, "t", At::Latest).await;
    let cdc_property = {
        let state = snapshot(&database, &named("t"), At::Latest).await.unwrap();
        let mut metadata = state.metadata;
        metadata.configuration.0.insert("delta.enableChangeDataFeed".into(), Some("true".into()));
        Action::Metadata(metadata)
    };
    let mut rest = vec![cdc_property];
    rest.extend(parsed(&[
        json!({ "txn": { "appId": "a", "version": 3 } }),
        json!({ "domainMetadata": { "domain": "d", "configuration": "{}", "removed": false } }),
        json!({ "commitInfo": { "operation": "MERGE", "userMetadata": "kept" } }),
    ]));
    let mut files: Vec<Value> = (0..300).map(|number| add(&format!("new-{number:03}"))).collect();
    files.extend([remove("first-3"), remove("first-4"), add("first-5")]);
    files.push(json!({ "cdc": { "path": "_change_data/1", "partitionValues": {}, "size": 1, "dataChange": false } }));
    let files = parsed(&files);

    let request = CommitRequest::new(id("large"), rest.clone());
    let mut large = begin(&database, request.clone()).await;
    for page in files.chunks(70) {
        large.write(page).await.unwrap();
        assert_eq!(read_state(&database, "t", At::Latest).await.1, before, "nothing is visible yet");
    }
    // Another commit comes in between; appends do not mind.
    commit(&database, &HOST, &named("t"), &CommitRequest::new(id("other"), parsed(&[add("other")]))).await.unwrap();
    assert_eq!(
        large.finalize().await.unwrap(),
        Outcome::Committed(Committed { table: "t".into(), version: 2, timestamp_ms: 1001 })
    );

    let mut expected = before.clone();
    expected.apply(&parsed(&[add("other")]));
    expected.apply(&[rest.clone(), files.clone()].concat());
    expected.tombstones.clear();
    let (state, found) = read_state(&database, "t", At::Latest).await;
    assert!(found == expected, "{:?}", found.files.keys());
    assert_eq!((state.file_count, state.size_bytes, state.row_count), (309, 309 * 7, Some(309 * 3)));
    let stored = read_actions(&database, &state).await.unwrap();
    let of = |actions: &[Action], name: &str| -> Vec<Action> {
        actions.iter().filter(|action| action.name() == name).cloned().collect()
    };
    for name in ["add", "remove", "cdc", "txn", "domainMetadata", "metaData"] {
        assert_eq!(of(&stored, name), of(&[rest.clone(), files.clone()].concat(), name), "in the order of writing");
    }
    let info = state.commit_info.unwrap().fields();
    assert_eq!((info["operation"].text(), info["isBlindAppend"].text()), ("\"MERGE\"", "false"));
    assert_eq!((rows_of(&database, "files").await, rows_of(&database, "commits").await), (0, 0));

    // Sent again as a whole, by pieces or at once, it has happened.
    let mut again = begin(&database, request).await;
    again.write(&files).await.unwrap();
    let same = Outcome::Committed(Committed { table: "t".into(), version: 2, timestamp_ms: 1001 });
    assert_eq!(again.finalize().await.unwrap(), same);
    let at_once = CommitRequest::new(id("large"), [rest, files].concat());
    assert_eq!(commit(&database, &HOST, &named("t"), &at_once).await.unwrap(), same);
}

#[tokio::test]
async fn a_large_commit_is_visible_at_once() {
    all_at_once(Limits::SQLITE).await;
}

#[tokio::test]
async fn a_large_commit_is_visible_at_once_with_rows_in_json() {
    all_at_once(Limits { max_json_bytes: 3000, ..Limits::D1 }).await;
}

/// Imports bring in paths that no commit may; such a file gets a deletion vector, be the commit large or not.
#[tokio::test]
async fn a_file_with_an_odd_path_gets_a_vector() {
    let actions = parsed(&[
        json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"],
                              "writerFeatures": ["deletionVectors"] } }),
        json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} }, "partitionColumns": [],
                              "schemaString": r#"{"type":"struct","fields":[]}"#,
                              "configuration": { "delta.enableDeletionVectors": "true" } } }),
        add("a b"),
        add("c d"),
    ]);
    let with_vector = |path: &str| {
        let mut add = add(path);
        add["add"]["deletionVector"] = json!({ "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
                                               "offset": 4, "sizeInBytes": 40, "cardinality": 2 });
        add
    };
    let (_folder, database) = catalog(Limits::SQLITE, actions).await;
    let at_once = parsed(&[remove("a b"), with_vector("a b")]);
    assert_eq!(
        commit(&database, &HOST, &named("t"), &CommitRequest::new(id("small"), at_once)).await.unwrap(),
        committed(1)
    );
    let mut large = begin(&database, CommitRequest::new(id("large"), Vec::new())).await;
    let alone = large.write(&parsed(&[with_vector("c d")])).await.unwrap_err();
    assert!(alone.to_string().contains("`c d` is no URI"), "{alone}");
    large.write(&parsed(&[remove("c d")])).await.unwrap();
    large.write(&parsed(&[with_vector("c d")])).await.unwrap();
    assert_eq!(
        large.finalize().await.unwrap(),
        Outcome::Committed(Committed { table: "t".into(), version: 2, timestamp_ms: 1001 })
    );
    let mut same_page = begin(&database, CommitRequest::new(id("same page"), Vec::new())).await;
    same_page.write(&parsed(&[with_vector("e f"), remove("e f")])).await.unwrap();
    let error = same_page.finalize().await.unwrap_err();
    assert!(error.to_string().contains("`e f` is to be removed, but it is not in the table"), "{error}");
}

#[tokio::test]
async fn a_file_of_a_large_commit_has_the_spelling_of_its_first_add() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let mut large = begin(&database, CommitRequest::new(id("large"), Vec::new())).await;
    large.write(&parsed(&[add("p=é/a")])).await.unwrap();
    large.write(&parsed(&[add("p=é/b")])).await.unwrap();
    commit(&database, &HOST, &named("t"), &CommitRequest::new(id("other"), parsed(&[add("p=%C3%A9/b")])))
        .await
        .unwrap();
    let error = large.finalize().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`p=é/b` is one file with `p=%C3%A9/b`"), "{error}");
}

#[tokio::test]
async fn a_dead_client_leaves_nothing_visible() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let before = dump_without_large(&database).await;
    let mut dead = begin(&database, CommitRequest::new(id("dead"), Vec::new())).await;
    dead.write(&parsed(&[add("a"), add("b"), remove("first-1")])).await.unwrap();
    assert_eq!(dump_without_large(&database).await, before);
    // It wrote at 1000: it may live until then.
    assert_eq!(sweep_large_commits(&database, 1000).await.unwrap(), SweptCommits::default());
    let swept = SweptCommits { commit_count: 1, row_count: 3 };
    assert_eq!(sweep_large_commits(&database, 1001).await.unwrap(), swept);
    assert_eq!((rows_of(&database, "files").await, rows_of(&database, "commits").await), (0, 0));
    // It was only slow, and learns it.
    for error in [dead.write(&parsed(&[add("c")])).await.unwrap_err(), dead.finalize().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("swept"), "{error}");
    }
    assert_eq!(dump_without_large(&database).await, before);
    // Begun anew with the same id, the one before can go on no more, as long as the new one has not happened.
    let mut old = begin(&database, CommitRequest::new(id("again"), Vec::new())).await;
    old.write(&parsed(&[add("a")])).await.unwrap();
    let mut new = begin(&database, CommitRequest::new(id("again"), Vec::new())).await;
    assert_eq!(old.write(&parsed(&[add("b")])).await.unwrap_err().kind(), ErrorKind::NotFound);
    new.write(&parsed(&[add("a"), add("c")])).await.unwrap();
    assert_eq!(new.finalize().await.unwrap(), committed(1));
    let overtaken = old.finalize().await.unwrap_err();
    assert_eq!((overtaken.kind(), &overtaken.to_json()["version"]), (ErrorKind::NotFound, &json!(1)));
    assert!(overtaken.to_string().contains("another client committed it, as version 1"), "{overtaken}");
    // Then it is compared with what happened.
    old.write(&parsed(&[add("b")])).await.unwrap();
    assert!(old.finalize().await.unwrap_err().to_string().contains("with other actions"));
    sweep_large_commits(&database, 0).await.unwrap();
    assert_eq!((rows_of(&database, "files").await, rows_of(&database, "commits").await), (0, 0));
}

/// Another client commits it while this one writes: what it writes is compared with that, and the answer is the same.
#[tokio::test]
async fn an_overtaken_client_is_told_what_happened() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let pages: Vec<Vec<Action>> =
        (0..2).map(|page| parsed(&[add(&format!("a{page}")), add(&format!("b{page}"))])).collect();
    let request = CommitRequest::new(id("twice"), Vec::new());
    let mut slow = begin(&database, request.clone()).await;
    slow.write(&pages[0]).await.unwrap();
    let mut fast = begin(&database, request.clone()).await;
    for page in &pages {
        let error = slow.write(&pages[1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("nothing was committed with its id so far"), "{error}");
        fast.write(page).await.unwrap();
    }
    assert_eq!(fast.finalize().await.unwrap(), committed(1));
    slow.write(&pages[1]).await.unwrap();
    assert!(slow.has_happened());
    assert_eq!(slow.finalize().await.unwrap(), committed(1));
}

async fn dump_without_large(database: &Catalog) -> Vec<deltalakedb_core::sql::ResultSet> {
    let tables = [
        "SELECT * FROM dl_tables",
        "SELECT * FROM dl_table_versions",
        "SELECT * FROM dl_add_files",
        "SELECT * FROM dl_remove_files",
    ];
    database.batch(Batch::read(tables.into_iter().map(|sql| Statement::new(sql, [])).collect())).await.unwrap()
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let before = dump_without_large(&database).await;
    let refused = |error: deltalakedb_core::Error, part: &str| {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{error}");
    };
    let with_file = CommitRequest::new(id("files"), parsed(&[add("a")]));
    refused(LargeCommit::begin(&database, &HOST, &named("t"), with_file).await.err().unwrap(), "an `add` is among");
    let mut large = begin(&database, CommitRequest::new(id("refused"), Vec::new())).await;
    large.write(&parsed(&[add("a")])).await.unwrap();
    refused(large.write(&parsed(&[add("../b")])).await.unwrap_err(), "../b");
    refused(large.write(&parsed(&[add("b"), add("b")])).await.unwrap_err(), "two `add` actions of `b`");
    refused(large.write(&parsed(&[add("c"), add("a")])).await.unwrap_err(), "two `add` actions of `a`");
    // What was refused is not there, and the commit goes on.
    large.write(&parsed(&[add("c")])).await.unwrap();
    assert_eq!(large.finalize().await.unwrap(), committed(1));
    assert_eq!(snapshot(&database, &named("t"), At::Latest).await.unwrap().file_count, 12);

    let mut both = begin(&database, CommitRequest::new(id("both"), Vec::new())).await;
    both.write(&parsed(&[remove("first-1")])).await.unwrap();
    both.write(&parsed(&[add("first-1")])).await.unwrap();
    refused(both.finalize().await.unwrap_err(), "both adds and removes `first-1`");
    let mut missing = begin(&database, CommitRequest::new(id("missing"), Vec::new())).await;
    missing.write(&parsed(&[remove("none")])).await.unwrap();
    refused(missing.finalize().await.unwrap_err(), "`none` is to be removed, but it is not in the table");
    both.abandon().await.unwrap();
    missing.abandon().await.unwrap();
    assert_eq!((rows_of(&database, "files").await, rows_of(&database, "commits").await), (0, 0));
    assert_eq!(dump_without_large(&database).await.len(), before.len());
    let empty = begin(&database, CommitRequest::new(id("empty"), Vec::new())).await.finalize().await;
    refused(empty.unwrap_err(), "nothing to commit");
}

#[tokio::test]
async fn a_large_backfill_takes_nothing_back() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&["rowTracking", "domainMetadata"])).await;
    let again = |path: &str, tag: &str| {
        let mut add = add(path);
        add["add"]["dataChange"] = false.into();
        add["add"]["tags"] = json!({ "a": tag });
        parsed(&[add])
    };
    let backfill = |id: &str| CommitRequest {
        operation: Some("ROW TRACKING BACKFILL".into()),
        ..CommitRequest::new(self::id(id), Vec::new())
    };
    let mut late = begin(&database, backfill("late")).await;
    late.write(&again("first-1", "b")).await.unwrap();
    let mut elsewhere = begin(&database, backfill("elsewhere")).await;
    elsewhere.write(&again("first-2", "b")).await.unwrap();
    commit(&database, &HOST, &named("t"), &CommitRequest::new(id("tags"), again("first-1", "c"))).await.unwrap();
    let Outcome::Conflicted(conflict) = late.finalize().await.unwrap() else { panic!("it was committed") };
    assert_eq!((conflict.kind, conflict.winner), (ConflictKind::ConcurrentAppend, 1));
    let outcome = elsewhere.finalize().await.unwrap();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.version == 2));
}

#[tokio::test]
async fn large_commits_conflict_as_others_do() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&[])).await;
    let read = ReadSet::of(0).whole_table();
    let mut large = begin(&database, CommitRequest { read, ..CommitRequest::new(id("large"), Vec::new()) }).await;
    large.write(&parsed(&[add("a"), remove("first-1")])).await.unwrap();
    let rival = CommitRequest::new(id("rival"), parsed(&[remove("first-1")]));
    commit(&database, &HOST, &named("t"), &rival).await.unwrap();
    let before = dump_without_large(&database).await;
    let outcome = large.finalize().await.unwrap();
    let Outcome::Conflicted(conflict) = outcome else { panic!("{outcome:?}") };
    assert_eq!((conflict.kind, conflict.winner), (ConflictKind::ConcurrentDeleteRead, 1));
    assert_eq!(dump_without_large(&database).await, before);
    assert_eq!((rows_of(&database, "files").await, rows_of(&database, "commits").await), (0, 0));

    let mut dropped = begin(&database, CommitRequest::new(id("dropped"), Vec::new())).await;
    dropped.write(&parsed(&[add("a")])).await.unwrap();
    drop_table(&database, &named("t")).await.unwrap();
    assert_eq!(dropped.finalize().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(dump(&database).await.iter().all(|table| table.rows.len() <= 3), "no row of the table is left");
}

#[tokio::test]
async fn large_commits_get_row_ids() {
    let (_folder, database) = catalog(Limits::SQLITE, first(&["rowTracking", "domainMetadata"])).await;
    let mut large = begin(&database, CommitRequest::new(id("large"), Vec::new())).await;
    let files: Vec<Value> = (0..100).map(|number| add(&format!("new-{number:03}"))).collect();
    for page in parsed(&files).chunks(30) {
        large.write(page).await.unwrap();
    }
    assert_eq!(large.finalize().await.unwrap(), committed(1));
    let (state, found): (_, State) = read_state(&database, "t", At::Latest).await;
    let mut ids: Vec<i64> = found.files.values().filter_map(|add| add.base_row_id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).map(|number| number * 3).collect::<Vec<_>>());
    assert_eq!(state.domain_metadata[0].configuration, r#"{"rowIdHighWaterMark":299}"#);
}

/// A table that is append-only, with the given properties and row tracking.
fn first_with(properties: &Value) -> Vec<Action> {
    let mut actions = first(&["rowTracking", "domainMetadata"]);
    for action in &mut actions {
        match action {
            Action::Metadata(metadata) => {
                let properties = properties.as_object().unwrap().iter();
                metadata
                    .configuration
                    .0
                    .extend(properties.map(|(name, value)| (name.clone(), Some(value.as_str().unwrap().to_owned()))));
            }
            Action::Add(add) if add.path == "first-0" => {
                (add.base_row_id, add.default_row_commit_version) = (Some(0), Some(0));
            }
            _ => {}
        }
    }
    actions
}

/// What only the catalog knows of files is asked of staged ones, too.
#[tokio::test]
async fn large_commits_are_no_way_around() {
    let mut more_rows = add("first-0");
    more_rows["add"]["stats"] = json!("{\"numRecords\":4}");
    let mut kept = more_rows.clone();
    (kept["add"]["baseRowId"], kept["add"]["stats"]) = (json!(0), json!("{\"numRecords\":3}"));
    let mut taken = add("new");
    taken["add"]["baseRowId"] = json!(0);
    let suspended = json!({ "delta.rowTrackingSuspended": "true" });
    for (properties, fine, wrong, part) in [
        (json!({}), add("first-0"), more_rows, "`first-0` comes again with more rows"),
        (suspended, kept, taken, "`new` has row ids that are not its own"),
        (json!({ "delta.appendOnly": "true" }), add("b"), add("first-1"), "`first-1` is in it already"),
        (json!({}), add("b"), add("./c"), "`./c` is an odd spelling"),
        (json!({}), add("b"), add("s3://other/c"), "`s3://other/c` leads out"),
    ] {
        let (_folder, database) = catalog(Limits::SQLITE, first_with(&properties)).await;
        for (file, refused) in [(wrong, Some(part)), (fine, None)] {
            let id = if refused.is_some() { "refused" } else { "fine" };
            let mut large = begin(&database, CommitRequest::new(self::id(id), Vec::new())).await;
            large.write(&parsed(&[add("a")])).await.unwrap();
            large.write(&parsed(&[file])).await.unwrap();
            match (large.finalize().await, refused) {
                (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
                (outcome, _) => assert_eq!(outcome, Ok(committed(1)), "{properties}"),
            }
        }
    }
}

/// All files of a table are written anew, which keeps its rows, when column mapping ends.
#[tokio::test]
async fn column_mapping_ends_in_a_large_commit() {
    let metadata = |mode: &str, column_metadata: Value| {
        let column = json!({ "name": "a", "type": "long", "nullable": true, "metadata": column_metadata });
        json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} }, "partitionColumns": [],
            "schemaString": json!({ "type": "struct", "fields": [column] }).to_string(),
            "configuration": { "delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "1" } } })
    };
    let protocol = json!({ "protocol": { "minReaderVersion": 2, "minWriterVersion": 5 } });
    let mapped = json!({ "delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1" });
    let first = parsed(&[protocol, metadata("name", mapped), add("a"), add("b")]);
    let rearranged = |mut action: Value| {
        action.as_object_mut().unwrap().values_mut().for_each(|file| file["dataChange"] = json!(false));
        action
    };
    let (_folder, database) = catalog(Limits::SQLITE, first).await;
    for (id, files, fine) in
        [("one stays", vec![remove("a"), add("c")], false), ("all go", vec![remove("a"), remove("b"), add("c")], true)]
    {
        let request = CommitRequest::new(self::id(id), parsed(&[metadata("none", json!({}))]));
        let mut large = begin(&database, request).await;
        for file in files {
            large.write(&parsed(&[rearranged(file)])).await.unwrap();
        }
        match large.finalize().await {
            Err(error) => assert!(!fine && error.to_string().contains("may not change from name to none"), "{error}"),
            outcome => assert_eq!((fine, outcome), (true, Ok(committed(1)))),
        }
    }
}
