//! Commits that restore an earlier schema: the files that come with it are those that were there under it.

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, Outcome, commit};
use deltalakedb_core::sql::Limits;
use deltalakedb_core::{ErrorKind, Result};
use serde_json::{Value, json};

use crate::catalog::{id, named};
use crate::large_commits::{Catalog, HOST, add, begin, catalog, first, parsed, remove};

fn with_columns(names: &[&str]) -> Value {
    let columns: Vec<Value> =
        names.iter().map(|name| json!({ "name": name, "type": "string", "nullable": true, "metadata": {} })).collect();
    json!({ "metaData": { "id": "t", "format": { "provider": "parquet", "options": {} }, "partitionColumns": [],
            "schemaString": json!({ "type": "struct", "fields": columns }).to_string(), "configuration": {} } })
}

fn with_vector(path: &str) -> Value {
    let mut add = add(path);
    add["add"]["deletionVector"] = json!({ "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4,
                                           "sizeInBytes": 40, "cardinality": 1 });
    add
}

#[derive(Clone, Copy, Debug)]
enum How {
    AtOnce,
    /// Each file is a piece of its own.
    ByPages,
}

async fn send(database: &Catalog, how: How, name: &str, actions: &[Value]) -> Result<Outcome> {
    let actions = parsed(actions);
    let is_file = |action: &Action| matches!(action, Action::Add(_) | Action::Remove(_));
    match how {
        How::AtOnce => commit(database, &HOST, &named("t"), &CommitRequest::new(id(name), actions)).await,
        How::ByPages => {
            let (files, rest): (Vec<_>, Vec<_>) = actions.into_iter().partition(is_file);
            let mut large = begin(database, CommitRequest::new(id(name), rest)).await;
            for file in files {
                large.write(&[file]).await?;
            }
            large.finalize().await
        }
    }
}

/// A table that had no column, and then one: `later` and `gone` came since, `first-0` and `gone` went, and `first-1` got
/// new statistics.
async fn table(how: How) -> (tempfile::TempDir, Catalog) {
    let mut actions = first(&[]);
    actions[0] = parsed(&[json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"] } })])
    .remove(0);
    let mut enabled = with_columns(&[]);
    enabled["metaData"]["configuration"] = json!({ "delta.enableDeletionVectors": "true" });
    actions[1] = parsed(&[enabled]).remove(0);
    let (folder, database) = catalog(Limits::SQLITE, actions).await;
    let mut column = with_columns(&["a"]);
    column["metaData"]["configuration"] = json!({ "delta.enableDeletionVectors": "true" });
    for (at, actions) in
        [vec![column], vec![add("later"), add("gone"), remove("first-0")], vec![remove("gone"), add("first-1")]]
            .into_iter()
            .enumerate()
    {
        assert!(matches!(send(&database, how, &at.to_string(), &actions).await, Ok(Outcome::Committed(_))));
    }
    (folder, database)
}

fn restore(files: &[Value]) -> Vec<Value> {
    let mut metadata = with_columns(&[]);
    metadata["metaData"]["configuration"] = json!({ "delta.enableDeletionVectors": "true" });
    [&[json!({ "commitInfo": { "operation": "RESTORE" } }), metadata], files].concat()
}

#[tokio::test]
async fn what_came_since_goes() {
    for how in [How::AtOnce, How::ByPages] {
        let (_folder, database) = table(how).await;
        for (name, files, path) in [
            ("it stays", vec![add("first-0")], "later"),
            ("it comes again", vec![remove("later"), with_vector("later")], "later"),
            ("it came and went", vec![remove("later"), add("gone")], "gone"),
        ] {
            let error = send(&database, how, name, &restore(&files)).await.unwrap_err();
            let wrong = format!("`{path}` is not of the schema that the commit restores");
            assert!(error.to_string().contains(&wrong), "{how:?}, {name}: {error}");
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        let files = [remove("later"), add("first-0"), remove("first-2"), with_vector("first-2"), add("new")];
        let outcome = send(&database, how, "restored", &restore(&files)).await.unwrap();
        assert!(matches!(outcome, Outcome::Committed(_)), "{how:?}: {outcome:?}");
    }
}
