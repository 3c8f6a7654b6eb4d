//! On a table of protocol (1, 2): the form of a commit, protocol, properties.

use serde_json::{Value, json};

use super::*;
use crate::support::{add_with, commit_info, first_commit, metadata, remove};

fn cdc(data_change: bool) -> Value {
    json!({ "cdc": { "path": "_change_data/1", "partitionValues": {}, "size": 1, "dataChange": data_change } })
}

pub(super) fn hostile() -> Vec<Hostile> {
    let first = first_commit();
    vec![Hostile { first: first.clone(), commits: form() }, Hostile { first, commits: protocol_and_properties() }]
}

fn versions(reader: i64, writer: i64) -> Value {
    json!({ "protocol": { "minReaderVersion": reader, "minWriterVersion": writer } })
}

fn of(actions: &[Value]) -> Vec<u8> {
    lines(actions)
}

fn form() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", b"\n".to_vec()),
        ("no JSON", b"hello\n".to_vec()),
        ("an array", b"[]\n".to_vec()),
        ("an action over several lines", b"{\"add\":\n{}}\n".to_vec()),
        ("two actions in one object", of(&[json!({ "add": add("b")["add"], "remove": remove("first")["remove"] })])),
        ("one action twice in an object", {
            let twice = add("b")["add"].to_string();
            format!("{{\"add\":{twice},\"remove\":null,\"add\":{twice}}}\n").into_bytes()
        }),
        ("an add without partition values", b"{\"add\":{\"path\":\"b\",\"size\":1}}\n".to_vec()),
        ("statistics that are an object", of(&[add_with("b", json!({ "stats": {} }))])),
        ("statistics that are not JSON", of(&[add_with("b", json!({ "stats": "{" }))])),
        ("a negative size", of(&[add_with("b", json!({ "size": -1 }))])),
        ("an empty path", of(&[add("")])),
        ("two adds of a path", of(&[add("b"), add("b")])),
        ("two removes of a path", of(&[remove("first"), remove("first")])),
        ("a remove and an add of one file", of(&[remove("first"), add("first")])),
        ("a remove of a file that is not there", of(&[remove("other")])),
        ("two metadata", of(&[metadata(), metadata()])),
        ("two protocols", of(&[protocol(), protocol()])),
        ("two commit infos", of(&[commit_info(), commit_info(), add("b")])),
        ("another table id", of(&[metadata_with(json!({ "id": "other" }))])),
        ("other partition columns", of(&[metadata_with(json!({ "partitionColumns": ["id"] }))])),
        ("no schema", of(&[metadata_with(json!({ "schemaString": null }))])),
        ("half a schema", of(&[metadata_with(json!({ "schemaString": "{" }))])),
        ("partition values of another table", of(&[add_with("b", json!({ "partitionValues": { "day": "1" } }))])),
        ("a lower writer version", of(&[versions(1, 1)])),
        ("an unknown reader version", of(&[versions(99, 2)])),
        ("an unknown writer version", of(&[versions(1, 99)])),
        ("table features without their list", of(&[versions(3, 7)])),
        ("an unknown feature", of(&[features(&["x"], &["x"])])),
        ("a reader feature that writers do not have", of(&[features(&["deletionVectors"], &[])])),
        (
            "a feature that makes the catalog's log the only one",
            of(&[features(&["catalogManaged"], &["catalogManaged"])]),
        ),
        (
            "a vector without its feature",
            of(&[remove("first"), add_with("first", json!({ "deletionVector": vector(), "stats": ROWS }))]),
        ),
        (
            "a domain without its feature",
            of(&[json!({ "domainMetadata": { "domain": "d", "configuration": "", "removed": false } })]),
        ),
        (
            "row ids without their feature",
            of(&[add_with("b", json!({ "baseRowId": 0, "defaultRowCommitVersion": 0 }))]),
        ),
        (
            "a checkpoint's own action",
            of(&[json!({ "sidecar": { "path": "x", "sizeInBytes": 1, "modificationTime": 1 } })]),
        ),
        (
            "a property without its feature",
            of(&[metadata_with(json!({ "configuration": { "delta.enableDeletionVectors": "true" } }))]),
        ),
        (
            "a constraint without its feature",
            of(&[metadata_with(json!({ "configuration": { "delta.constraints.positive": "id > 0" } }))]),
        ),
        (
            "a column type without its feature",
            of(&[with_column(
                json!({ "type": "array", "elementType": "timestamp_ntz", "containsNull": true }),
                json!({}),
            )]),
        ),
        (
            "a generated column without its feature",
            of(&[with_column(json!("long"), json!({ "delta.generationExpression": "1 + 1" }))]),
        ),
        ("column mapping without its feature", of(&[mapped(&[mapped_column("id", 1, "id")], 1, "name")])),
        (
            "column mapping without ids",
            of(&[features(&["columnMapping"], MAPPING_FEATURES), mapped(&[column("id", json!("long"))], 1, "name")]),
        ),
        (
            "column mapping with an id over the largest",
            of(&[features(&["columnMapping"], MAPPING_FEATURES), mapped(&[mapped_column("id", 9, "id")], 1, "name")]),
        ),
        ("a feature that readers are not told of", of(&[features(&[], MAPPING_FEATURES)])),
        ("change data without its feature", of(&[cdc(false)])),
        (
            "change data that is not switched on",
            of(&[features(&[], &["appendOnly", "invariants", "changeDataFeed"]), cdc(false)]),
        ),
        (
            "change data that changes data",
            of(&[
                features(&[], &["appendOnly", "invariants", "changeDataFeed"]),
                metadata_with(json!({ "configuration": { "delta.enableChangeDataFeed": "true" } })),
                cdc(true),
            ]),
        ),
        ("a commit info that is a text", of(&[json!({ "commitInfo": "hello" }), add("b")])),
        ("a misspelt action", of(&[json!({ "Add": add("b")["add"].clone() })])),
        ("another format", of(&[metadata_with(json!({ "format": { "provider": "csv", "options": {} } }))])),
        ("a null as a property", of(&[metadata_with(json!({ "configuration": { "a": null } }))])),
        ("a type that no protocol knows", of(&[with_column(json!("longg"), json!({}))])),
        (
            "columns that differ in case alone",
            of(&[metadata_with(json!({ "schemaString": json!({ "type": "struct", "fields": [
                { "name": "a", "type": "long", "nullable": true, "metadata": {} },
                { "name": "A", "type": "long", "nullable": true, "metadata": {} },
            ] }).to_string() }))]),
        ),
        (
            "a column without nullable",
            of(&[metadata_with(
                json!({ "schemaString": r#"{"type":"struct","fields":[{"name":"a","type":"long","metadata":{}}]}"# }),
            )]),
        ),
        ("less than no rows", of(&[add_with("b", json!({ "stats": "{\"numRecords\":-5}" }))])),
        ("tags that are a list", of(&[add_with("b", json!({ "tags": [1] }))])),
        ("tags that are no texts", of(&[add_with("c", json!({ "tags": { "a": { "b": 1 } } }))])),
    ]
}

fn protocol_and_properties() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("reader version 2 with writer version 2", of(&[versions(2, 2)])),
        (
            "reader version 3 with writer version 2",
            of(&[json!({ "protocol": {
            "minReaderVersion": 3, "minWriterVersion": 2, "readerFeatures": [] } })]),
        ),
        ("version 0", of(&[versions(0, 2)])),
        ("a negative version", of(&[versions(1, -7)])),
        ("a feature of writers for readers", of(&[features(&["appendOnly"], &["appendOnly", "invariants"])])),
        ("a feature listed twice", of(&[features(&[], &["appendOnly", "invariants", "appendOnly"])])),
        (
            "feature lists with old versions",
            of(&[json!({ "protocol": {
            "minReaderVersion": 1, "minWriterVersion": 2, "writerFeatures": ["appendOnly"] } })]),
        ),
        ("an implied feature that is lost", of(&[features(&[], &["invariants"])])),
        ("clustering without domains", of(&[features(&[], &["appendOnly", "invariants", "clustering"])])),
        (
            "shredding without variants",
            of(&[features(&["variantShredding"], &["appendOnly", "invariants", "variantShredding"])]),
        ),
        ("a boolean that is none", of(&[with_properties(json!({ "delta.appendOnly": "yes" }))])),
        ("a checkpoint interval of 0", of(&[with_properties(json!({ "delta.checkpointInterval": "0" }))])),
        ("a checkpoint interval in words", of(&[with_properties(json!({ "delta.checkpointInterval": "abc" }))])),
        ("an unknown isolation level", of(&[with_properties(json!({ "delta.isolationLevel": "Chaos" }))])),
        ("a retention that is none", of(&[with_properties(json!({ "delta.logRetentionDuration": "soon" }))])),
        ("a retention in months", of(&[with_properties(json!({ "delta.deletedFileRetentionDuration": "2 months" }))])),
        ("an unknown checkpoint policy", of(&[with_properties(json!({ "delta.checkpointPolicy": "v3" }))])),
        ("an unknown mapping mode", of(&[with_properties(json!({ "delta.columnMapping.mode": "position" }))])),
        ("a largest id in words", of(&[with_properties(json!({ "delta.columnMapping.maxColumnId": "many" }))])),
        ("a property that Delta does not have", of(&[with_properties(json!({ "delta.unknown": "1" }))])),
        ("a property in another case", of(&[with_properties(json!({ "delta.appendonly": "true" }))])),
        ("an empty constraint", of(&[with_properties(json!({ "delta.constraints.c": " " }))])),
        ("a feature by a property", of(&[with_properties(json!({ "delta.feature.clustering": "supported" }))])),
        ("a time in words", of(&[json!({ "commitInfo": { "timestamp": "noon" } }), add("b")])),
        ("an operation that is a number", of(&[json!({ "commitInfo": { "operation": 1 } }), add("b")])),
        ("an operation without a name", of(&[json!({ "commitInfo": { "operation": "" } }), add("b")])),
        ("an operation of blanks", of(&[json!({ "commitInfo": { "operation": "  " } }), add("b")])),
        ("an operation with a NUL", of(&[json!({ "commitInfo": { "operation": "A\0B" } }), add("b")])),
        ("an operation of many words", of(&[json!({ "commitInfo": { "operation": "A ".repeat(999) } }), add("b")])),
        ("a user who is a number", of(&[json!({ "commitInfo": { "userId": 1 } }), add("b")])),
        ("a user's name that is none", of(&[json!({ "commitInfo": { "userName": {} } }), add("b")])),
        ("a user's words in an object", of(&[json!({ "commitInfo": { "userMetadata": { "a": 1 } } }), add("b")])),
        ("a cluster that is a number", of(&[json!({ "commitInfo": { "clusterId": 1 } }), add("b")])),
        ("an isolation that nobody knows", of(&[json!({ "commitInfo": { "isolationLevel": "None" } }), add("b")])),
        ("a version that was read below 0", of(&[json!({ "commitInfo": { "readVersion": -1 } }), add("b")])),
        ("metrics in metrics", of(&[json!({ "commitInfo": { "operationMetrics": { "a": { "b": 1 } } } }), add("b")])),
        ("a job that is a text", of(&[json!({ "commitInfo": { "job": "nightly" } }), add("b")])),
        ("a notebook that is a list", of(&[json!({ "commitInfo": { "notebook": ["a"] } }), add("b")])),
        ("tags of the commit in tags", of(&[json!({ "commitInfo": { "tags": { "a": [1] } } }), add("b")])),
        ("parameters that are a list", of(&[json!({ "commitInfo": { "operationParameters": [] } }), add("b")])),
        ("a commit that says to be one of a transaction", {
            let tags = json!({ "delta.multiTableTransaction.transactionId": "x" });
            of(&[json!({ "commitInfo": { "tags": tags } }), add("b")])
        }),
        ("a transaction of nobody", of(&[json!({ "txn": { "appId": "", "version": 1 } })])),
        ("a transaction without a version", of(&[json!({ "txn": { "appId": "a" } })])),
        ("a transaction with a version in words", of(&[json!({ "txn": { "appId": "a", "version": "1" } })])),
        ("a remove without dataChange", of(&[json!({ "remove": { "path": "first" } })])),
        ("an add with null for its size", of(&[add_with("b", json!({ "size": null }))])),
        ("an add with null for its partition values", of(&[add_with("b", json!({ "partitionValues": null }))])),
        ("metadata without an id", of(&[metadata_with(json!({ "id": null }))])),
        ("metadata without a format", of(&[metadata_with(json!({ "format": null }))])),
        ("a protocol without versions", of(&[json!({ "protocol": {} })])),
        ("a domain without its configuration", of(&[json!({ "domainMetadata": { "domain": "d", "removed": false } })])),
    ]
}
