//! Files that one piece of a large commit removes and another one adds again, where the table does not allow it: only the
//! last batch sees both.

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, Outcome};
use deltalakedb_core::sql::Limits;
use deltalakedb_core::{Result, snapshot};
use serde_json::{Value, json};

use crate::catalog::{id, named};
use crate::large_commits::{add, begin, catalog, committed, first, parsed, remove};

fn vector() -> Value {
    json!({ "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40, "cardinality": 1 })
}

/// A table whose file `kept` has a deletion vector, and which takes new ones or not.
fn table(takes_vectors: bool) -> Vec<Action> {
    let mut kept = add("kept");
    kept["add"]["deletionVector"] = vector();
    let mut actions = first(&[]);
    actions[0] = parsed(&[json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"] } })])
    .remove(0);
    if let Action::Metadata(metadata) = &mut actions[1] {
        metadata.configuration.0.insert("delta.enableDeletionVectors".into(), Some(takes_vectors.to_string()));
    }
    actions.extend(parsed(&[kept]));
    actions
}

/// Each file is a piece of its own.
async fn commit(table: Vec<Action>, rest: &[Value], files: &[Value]) -> Result<Outcome> {
    let (_folder, database) = catalog(Limits::SQLITE, table).await;
    let mut large = begin(&database, CommitRequest::new(id("large"), parsed(rest))).await;
    for file in files {
        large.write(&parsed(std::slice::from_ref(file))).await?;
    }
    let outcome = large.finalize().await;
    let state = snapshot::snapshot(&database, &named("t"), snapshot::At::Latest).await?;
    assert_eq!(state.version, i64::from(outcome.is_ok()));
    outcome
}

#[track_caller]
fn assert_refused(outcome: Result<Outcome>, path: &str) {
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains(&format!("`{path}` is removed and added again")), "{error}");
}

/// A file says that it changes no data: its vector would be an old one, did not another piece remove it.
#[tokio::test]
async fn no_vector_comes_where_none_may() {
    let mut with_vector = add("first-1");
    (with_vector["add"]["deletionVector"], with_vector["add"]["dataChange"]) = (vector(), json!(false));
    let files = [remove("first-1"), with_vector];
    assert_refused(commit(table(false), &[], &files).await, "first-1");
    assert_eq!(commit(table(true), &[], &files).await, Ok(committed(1)));
}

/// Who replaces a table, here by one that is partitioned, removes all of its files for good.
#[tokio::test]
async fn who_replaces_a_table_keeps_no_file() {
    let columns = ["a", "p"].map(|name| json!({ "name": name, "type": "string", "nullable": true, "metadata": {} }));
    let metadata = json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} },
        "schemaString": json!({ "type": "struct", "fields": columns }).to_string(), "partitionColumns": ["p"],
        "configuration": {} } });
    let replaced_by = |path: &str| {
        let mut added = add(path);
        added["add"]["partitionValues"] = json!({ "p": "x" });
        let mut kept = remove("kept");
        kept["remove"]["deletionVector"] = vector();
        let removes = (0..10).map(|number| remove(&format!("first-{number}")));
        removes.chain([kept, added]).collect::<Vec<_>>()
    };
    let rest = [metadata, json!({ "commitInfo": { "operation": "CREATE OR REPLACE TABLE AS SELECT" } })];
    assert_refused(commit(table(true), &rest, &replaced_by("kept")).await, "kept");
    assert_eq!(commit(table(true), &rest, &replaced_by("new")).await, Ok(committed(1)));
}
