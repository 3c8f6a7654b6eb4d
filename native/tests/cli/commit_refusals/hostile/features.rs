//! What table features keep from one version to the next: identities, clustering, row tracking.

use serde_json::{Value, json};

use super::*;
use crate::support::{add_with, remove};

pub(super) fn hostile() -> Vec<Hostile> {
    let clustering = json!({ "domainMetadata": { "domain": "delta.clustering", "removed": false,
                             "configuration": r#"{"clusteringColumns":[["col-a"]]}"# } });
    let protocol = features(&["columnMapping"], &["columnMapping", "domainMetadata", "clustering"]);
    let (a, b) = (mapped_column("a", 1, "col-a"), mapped_column("b", 2, "col-b"));
    let clustered = lines(&[protocol, mapped(&[a, b], 2, "name"), clustering, add("first")]);
    let tracking = features(&[], &["domainMetadata", "rowTracking"]);
    let tracked = lines(&[
        tracking,
        names("_row-id", "_row-version"),
        add_with("first", json!({ "baseRowId": 0, "defaultRowCommitVersion": 0, "stats": ROWS })),
    ]);
    vec![
        Hostile {
            first: with_one_file(features(&[], &["identityColumns"]), identity(1, 1, Some(100))),
            commits: identities(1),
        },
        Hostile {
            first: with_one_file(features(&[], &["identityColumns"]), identity(1, -1, Some(-100))),
            commits: identities(-1),
        },
        Hostile { first: clustered, commits: on_clustered() },
        Hostile { first: to_be_clustered(), commits: clusterings() },
        Hostile { first: tracked, commits: on_tracked() },
    ]
}

fn identity(start: i64, step: i64, high_water_mark: Option<i64>) -> Value {
    let mut column = column("id", json!("long"));
    column["metadata"] = json!({ "delta.identity.start": start, "delta.identity.step": step,
                                 "delta.identity.allowExplicitInsert": false });
    if let Some(mark) = high_water_mark {
        column["metadata"]["delta.identity.highWaterMark"] = json!(mark);
    }
    with_columns(&[column])
}

fn identities(step: i64) -> Vec<(&'static str, Vec<u8>)> {
    let of = |metadata: Value| lines(&[metadata]);
    if step < 0 {
        return vec![("identities that go down, given again", of(identity(1, -1, Some(-99))))];
    }
    let restored = json!({ "commitInfo": { "operation": "RESTORE" } });
    vec![
        ("identities that are given again", of(identity(1, 1, Some(99)))),
        ("identities that begin again", of(identity(1, 1, None))),
        ("identities that a restored table gives again", lines(&[restored, identity(1, 1, Some(5))])),
        ("identities with another beginning", of(identity(3, 1, Some(100)))),
        ("identities that are none any more", of(with_columns(&[column("id", json!("long"))]))),
        ("identities with other steps", of(identity(1, 7, Some(100)))),
    ]
}

fn on_clustered() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = (mapped_column("a", 1, "col-a"), mapped_column("b", 2, "col-b"));
    let mut partitioned = mapped(&[a, b.clone()], 2, "name");
    partitioned["metaData"]["partitionColumns"] = json!(["b"]);
    let in_partition = add_with("b", json!({ "partitionValues": { "col-b": "1" } }));
    vec![
        ("partitions of a table that stays clustered", lines(&[remove("first"), partitioned, in_partition])),
        ("a clustering column that is dropped", lines(&[mapped(&[b], 2, "name")])),
    ]
}

/// A table with columns of several types, in order of their names.
fn to_be_clustered() -> Vec<u8> {
    let list = json!({ "type": "array", "elementType": below(), "containsNull": true });
    let map = json!({ "type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": true });
    let types = [("b", json!("boolean")), ("l", list), ("m", map), ("s", below())];
    let mut columns: Vec<Value> = types.into_iter().map(|(name, data_type)| column(name, data_type)).collect();
    columns.extend(["v", "w", "x", "y", "z"].map(|name| column(name, json!("long"))));
    with_one_file(features(&[], &["domainMetadata", "clustering"]), with_columns(&columns))
}

fn below() -> Value {
    json!({ "type": "struct", "fields": [column("n", json!("long"))] })
}

fn clusterings() -> Vec<(&'static str, Vec<u8>)> {
    let by = |columns: Value| {
        let configuration = json!({ "clusteringColumns": columns }).to_string();
        lines(&[
            json!({ "domainMetadata": { "domain": "delta.clustering", "removed": false, "configuration": configuration } }),
        ])
    };
    vec![
        ("clustering by five columns", by(json!([["v"], ["w"], ["x"], ["y"], ["z"]]))),
        ("clustering by a struct", by(json!([["v"], ["s"]]))),
        ("clustering by an array", by(json!([["l"]]))),
        ("clustering by a map", by(json!([["m"]]))),
        ("clustering by a field in an array", by(json!([["l", "element", "n"]]))),
        ("clustering by a boolean", by(json!([["b"]]))),
    ]
}

fn names(row_ids: &str, versions: &str) -> Value {
    with_properties(json!({ "delta.enableRowTracking": "true",
        "delta.rowTracking.materializedRowIdColumnName": row_ids,
        "delta.rowTracking.materializedRowCommitVersionColumnName": versions }))
}

fn on_tracked() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("row ids in another column", lines(&[names("_other", "_row-version")])),
        ("row commit versions in another column", lines(&[names("_row-id", "_other")])),
        ("a high-water mark that is removed", {
            let removed = json!({ "domain": "delta.rowTracking", "configuration": "", "removed": true });
            lines(&[json!({ "domainMetadata": removed })])
        }),
        ("row ids and versions in one column", lines(&[names("_row-id", "_ROW-ID")])),
        (
            "more rows under a path that the table has",
            lines(&[add_with("first", json!({ "stats": "{\"numRecords\":10}" }))]),
        ),
    ]
}
