//! Which commits conflict: one folder of `tests/conflicts` a case, decided as Delta-Spark decides it.
//!
//! `table.ndjson` is version 0, `winner-1.json` and so on are committed on top, then `commit.json` is, by a writer that
//! knows version 0 only. `expected.json` says what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};

use deltalakedb_core::action::{Action, CommitInfo, Json, parse_line};
use deltalakedb_core::catalog::Table;
use deltalakedb_core::commit::{CommitRequest, Conflict, Isolation, Outcome, ReadSet, Subject, Writer, commit};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::{Database, Limits};
use deltalakedb_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::catalog::{FixedHost, WithLimits, begin_import, dump, id, named, new_catalog, run};

const HOST: FixedHost = FixedHost { now_ms: 1 };

/// A commit as the files of a case hold it.
struct Sent {
    request: CommitRequest,
    /// By another writer, into the log: not checked against any rule.
    is_imported: bool,
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn read_commit(path: &Path) -> Sent {
    let sent = read_json(path);
    let keys = ["operation", "isolation", "read", "imported", "actions"];
    assert!(sent.as_object().unwrap().keys().all(|key| keys.contains(&key.as_str())), "{}", path.display());
    let actions =
        sent["actions"].as_array().unwrap().iter().flat_map(|action| parse_line(&action.to_string()).unwrap());
    let read = &sent["read"];
    let isolation = sent["isolation"].as_str().map(|level| match level {
        "serializable" => Isolation::Serializable,
        "write-serializable" => Isolation::WriteSerializable,
        "snapshot" => Isolation::Snapshot,
        _ => panic!("{}: there is no isolation level {level}", path.display()),
    });
    let request = CommitRequest {
        read: ReadSet {
            version: read["version"].as_i64(),
            whole_table: read["whole_table"].as_bool().unwrap_or(false),
            predicates: texts(&read["where"]),
            files: texts(&read["files"]),
            app_ids: texts(&read["app_ids"]),
        },
        isolation,
        operation: sent["operation"].as_str().map(str::to_owned),
        ..CommitRequest::new(id(path.file_name().unwrap().to_str().unwrap()), actions.collect())
    };
    Sent { request, is_imported: sent["imported"] == true }
}

async fn register(database: &impl Database, folder: &Path) {
    let text = fs::read_to_string(folder.join("table.ndjson")).unwrap();
    let actions = text.lines().flat_map(|line| parse_line(line).unwrap()).collect();
    let mut planner = begin_import(database, "t", 0).await;
    planner.begin_version(0, "table.ndjson", 0, false);
    run(database, planner.actions(actions).unwrap()).await;
    run(database, planner.end_version().unwrap()).await;
    run(database, Some(planner.finish())).await;
}

async fn win(database: &impl Database, version: i64, sent: Sent, path: &Path) {
    if sent.is_imported {
        let state = snapshot(database, &named("t"), At::Latest).await.unwrap();
        let mut planner = ImportPlanner::incremental(&state.table, state.metadata, state.protocol, database.limits());
        planner.begin_version(version, "a commit file", version, false);
        run(database, planner.actions(sent.request.actions).unwrap()).await;
        run(database, planner.end_version().unwrap()).await;
        return run(database, planner.flush()).await;
    }
    let outcome = commit(database, &HOST, &named("t"), &sent.request).await;
    match outcome {
        Ok(Outcome::Committed(committed)) if committed.version == version => {}
        other => panic!("{}: {other:?}", path.display()),
    }
}

/// What became of a commit, in the words of `expected.json`.
fn told(outcome: &Outcome) -> Value {
    let Outcome::Conflicted(conflict) = outcome else {
        let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
        return json!({ "committed": committed.version });
    };
    let message = Error::from(conflict.clone()).to_string();
    let Conflict { kind, winner, subject, predicate, .. } = conflict;
    let mut told = json!({ "conflict": kind.as_str(), "winner": winner, "message": message });
    match subject {
        Some(Subject::File(path)) => told["path"] = path.as_str().into(),
        Some(Subject::Domain(domain)) => told["domain"] = domain.as_str().into(),
        Some(Subject::Application { app_id, txn_version, is_done }) => {
            told["app_id"] = app_id.as_str().into();
            told["txn_version"] = (*txn_version).into();
            told["is_done"] = (*is_done).into();
        }
        None => {}
    }
    if let Some(predicate) = predicate {
        told["predicate"] = predicate.as_str().into();
    }
    told
}

/// Whether all that is expected was told; what is not expected may be told besides.
fn agrees(expected: &Value, told: &Value) -> bool {
    let expected = expected.as_object().unwrap().iter();
    let beside = ["description", "tags", "refused_when_fresh"];
    expected.filter(|(key, _)| !beside.contains(&key.as_str())).all(|(key, value)| told[key] == *value)
}

async fn check(folder: &Path, limits: Limits, writer_is_fresh: bool) -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    let database = WithLimits(new_catalog(&home), limits);
    register(&database, folder).await;
    let mut sent = read_commit(&folder.join("commit.json"));
    let mut writer = Writer::open(&database, &HOST, &named("t")).await.unwrap();
    let mut version = 0;
    for number in 1.. {
        let path = folder.join(format!("winner-{number}.json"));
        if !path.exists() {
            break;
        }
        version = number;
        win(&database, version, read_commit(&path), &path).await;
    }
    if writer_is_fresh {
        writer = Writer::open(&database, &HOST, &named("t")).await.unwrap();
        sent.request.read.version = Some(0);
    }
    let before = dump(&database).await;
    let expected = read_json(&folder.join("expected.json"));
    let outcome = match writer.commit(&sent.request).await {
        // A writer that knows of the winner learns from the table's rules what another one learns from the conflict.
        Err(error) if writer_is_fresh && expected["refused_when_fresh"] == true => {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            return Ok(());
        }
        outcome => outcome.map_err(|error| format!("{error}"))?,
    };
    let told = told(&outcome);
    if !agrees(&expected, &told) {
        return Err(format!("expected {expected}, found {told}"));
    }
    if told["committed"].is_null() {
        assert_eq!(dump(&database).await, before, "a commit that conflicts has no effect");
    } else {
        assert_eq!(told["committed"], version + 1);
        check_tags(&database, writer.table(), &expected["tags"]).await;
    }
    Ok(())
}

async fn check_tags(database: &impl Database, table: &Table, expected: &Value) {
    let state = snapshot(database, &named(&table.name), At::Latest).await.unwrap();
    let tags = state
        .commit_info
        .as_ref()
        .and_then(|info: &CommitInfo| info.fields().get("tags").map(Json::text).map(str::to_owned));
    let tags: Value = tags.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    for (name, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(tags[name], *value, "the tag {name}");
    }
}

/// A commit that removes data and names a version is another one than without.
fn means_the_same_with_a_version(request: &CommitRequest) -> bool {
    let read = &request.read;
    let reads_files = read.whole_table || !read.predicates.is_empty() || !read.files.is_empty();
    read.version.is_some() || reads_files || !request.actions.iter().any(|action| matches!(action, Action::Remove(_)))
}

#[tokio::test]
async fn conflicts_are_decided_as_delta_spark_decides_them() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conflicts");
    let mut folders: Vec<PathBuf> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    assert!(folders.len() > 100, "{} has no cases", root.display());
    let mut failures = Vec::new();
    for folder in &folders {
        let fresh = means_the_same_with_a_version(&read_commit(&folder.join("commit.json")).request);
        for (limits, writer_is_fresh) in [(Limits::SQLITE, false), (Limits::D1, false), (Limits::SQLITE, true)] {
            if writer_is_fresh && !fresh {
                continue;
            }
            if let Err(failure) = check(folder, limits, writer_is_fresh).await {
                let name = folder.file_name().unwrap().to_string_lossy();
                failures.push(format!("{name} (fresh: {writer_is_fresh}, {:?}): {failure}", limits.rows));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
