//! On tables of several kinds: files, their vectors, values and statistics; domains.

use serde_json::{Value, json};

use super::*;
use crate::support::{add_with, metadata, remove};

pub(super) fn hostile() -> Vec<Hostile> {
    let partition = |name: &str, data_type: &str| column(name, json!(data_type));
    let partitioned = metadata_with(json!({
        "schemaString": schema_of(&[partition("id", "long"), partition("day", "date"), partition("n", "byte"),
                                    not_null(partition("k", "decimal(5,2)"))]),
        "partitionColumns": ["day", "n", "k"],
    }));
    let file = |path: &str, day: Value, n: Value, k: Value| {
        add_with(path, json!({ "partitionValues": { "day": day, "n": n, "k": k } }))
    };
    let first = file("first", json!("2024-01-01"), json!("1"), json!("1.50"));
    let with_vectors = with_properties(json!({ "delta.enableDeletionVectors": "true" }));
    let vectors_supported = || features(&["deletionVectors"], &["deletionVectors"]);
    vec![
        Hostile { first: plain(metadata()), commits: paths() },
        Hostile { first: plain(metadata()), commits: sizes_and_statistics() },
        Hostile {
            first: lines(&[protocol(), partitioned, first]),
            commits: vec![
                ("a day that is none", lines(&[file("b", json!("2024-02-30"), json!("1"), json!("1"))])),
                ("a byte of 300", lines(&[file("b", json!(null), json!("300"), json!("1"))])),
                ("a decimal with too many digits", lines(&[file("b", json!(null), json!(""), json!("1000"))])),
                ("null for what is not nullable", lines(&[file("b", json!(null), json!(null), json!(null))])),
                ("a partition value left out", lines(&[add_with("b", json!({ "partitionValues": { "k": "1" } }))])),
                ("a remove with other partition columns", {
                    let mut removed = remove("first");
                    removed["remove"]["partitionValues"] = json!({ "year": "2024" });
                    lines(&[removed])
                }),
            ],
        },
        Hostile { first: with_one_file(vectors_supported(), with_vectors), commits: vectors() },
        Hostile {
            first: with_one_file(vectors_supported(), metadata()),
            commits: vec![
                ("a new vector while they are not enabled", lines(&[remove("first"), with_vector("first", vector())])),
                ("a new file with a vector likewise", lines(&[with_vector("b", vector())])),
            ],
        },
        Hostile { first: append_only(), commits: on_append_only() },
        Hostile { first: clustered(), commits: domains() },
    ]
}

fn paths() -> Vec<(&'static str, Vec<u8>)> {
    let of = |path: &str| lines(&[add(path)]);
    vec![
        ("a path out of the table", of("../b")),
        ("a path out of the table, later", of("a/../../b")),
        ("escaped dots", of("%2e%2E/b")),
        ("an escaped slash", of("..%2Fb")),
        ("dots that are escaped twice", of("%252e%252e/b")),
        ("a backslash", of("..\\b")),
        ("an escaped backslash", of("..%5Cb")),
        ("an absolute URI with dots", of("s3://bucket/t/../other")),
        ("a file of the system", of("/etc/passwd")),
        ("a file of the system, escaped", of("%2Fetc/passwd")),
        ("another store, escaped", of("s3%3A%2F%2Fbucket/b")),
        ("another host", of("//host/b")),
        ("a drive", of("C:/b")),
        ("a script", of("javascript:alert(1)")),
        ("a space", of("a b")),
        ("a line's end", of("a\nb")),
        ("a NUL", of("a\u{0}b")),
        ("an escaped NUL", of("a%00b")),
        ("an escape that is none", of("a%zz")),
        ("an escape that is cut off", of("a%2")),
        ("an escape that is no UTF-8", of("a%ff")),
        ("a query", of("a?b")),
        ("a fragment", of("a#b")),
        ("a folder", of("a/")),
        ("a file of the system, by a whole URI", of("file:///etc/passwd")),
        ("a file of another store", of("s3://other/b")),
        ("a file of another host", of("http://evil/b")),
        ("a file of a script", of("javascript:/b")),
        ("a dot before a path", of("./b")),
        ("a dot in a path", of("d/./b")),
        ("a slash too many", of("d//b")),
        ("a letter that is escaped", of("%62.parquet")),
        ("an escape in lower case", of("p=%c3%a9/b")),
        ("an escaped equals sign", of("p%3D1/b")),
        ("an escaped slash within a path", of("d%2Fb")),
        ("a clone of a web site", lines(&[json!({ "commitInfo": { "operation": "CLONE" } }), add("https://evil/b")])),
        ("the log's folder", of("_delta_log/00000000000000000009.json")),
        ("the log's folder, escaped", of("%5fdelta_log/x")),
        ("a path without end", of(&"x".repeat(9000))),
        ("one file in two spellings", lines(&[add("a%62"), add("ab")])),
        ("a removed file in another spelling", lines(&[remove("first"), add("./first")])),
    ]
}

fn sizes_and_statistics() -> Vec<(&'static str, Vec<u8>)> {
    let stats = |stats: &str| lines(&[add_with("b", json!({ "stats": stats }))]);
    let removed = |fields: Value| {
        let mut action = remove("first");
        fields.as_object().unwrap().iter().for_each(|(name, value)| action["remove"][name] = value.clone());
        lines(&[action])
    };
    vec![
        ("a time before 1970", lines(&[add_with("b", json!({ "modificationTime": -1 }))])),
        ("a count in quotes", stats(r#"{"numRecords":"3"}"#)),
        ("half a row", stats(r#"{"numRecords":1.5}"#)),
        ("smallest values in a list", stats(r#"{"minValues":[1]}"#)),
        ("largest values in a text", stats(r#"{"maxValues":"x"}"#)),
        ("less than no nulls", stats(r#"{"nullCount":{"id":-1}}"#)),
        ("bounds that are neither tight nor wide", stats(r#"{"tightBounds":"no"}"#)),
        ("a remove with half a text as statistics", removed(json!({ "stats": "{" }))),
        ("a remove of less than no bytes", removed(json!({ "size": -5 }))),
        ("a remove before 1970", removed(json!({ "deletionTimestamp": -5 }))),
        ("a remove with a vector that the file does not have", removed(json!({ "deletionVector": vector() }))),
        ("a remove with tags that are a list", removed(json!({ "tags": [1] }))),
    ]
}

fn with_vector(path: &str, vector: Value) -> Value {
    add_with(path, json!({ "stats": ROWS, "deletionVector": vector }))
}

fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let with = |fields: Value| {
        let mut vector = vector();
        fields.as_object().unwrap().iter().for_each(|(name, value)| vector[name] = value.clone());
        lines(&[remove("first"), with_vector("first", vector)])
    };
    vec![
        ("a vector of a file without statistics", {
            lines(&[remove("first"), add_with("first", json!({ "deletionVector": vector() }))])
        }),
        ("a vector over all rows and more", with(json!({ "cardinality": 10 }))),
        ("a vector over no rows", with(json!({ "cardinality": 0 }))),
        ("a vector of no known kind", with(json!({ "storageType": "q" }))),
        ("a vector without a size", with(json!({ "sizeInBytes": null }))),
        ("a vector of a terabyte", with(json!({ "sizeInBytes": 1_i64 << 40 }))),
        ("an inline vector with an offset", with(json!({ "offset": 4 }))),
        ("an inline vector that is cut off", with(json!({ "pathOrInlineDv": "wi5b" }))),
        ("an inline vector of another size", with(json!({ "sizeInBytes": 4 }))),
        ("a vector in a file without a UUID", with(json!({ "storageType": "u", "pathOrInlineDv": "x" }))),
        (
            "a vector's prefix out of the table",
            with(json!({ "storageType": "u", "pathOrInlineDv": "../^-aqEH.-t@S}K{vb[*k^" })),
        ),
        ("a vector's relative path", with(json!({ "storageType": "p", "pathOrInlineDv": "a.bin" }))),
        (
            "a vector of another host",
            with(json!({ "storageType": "p", "pathOrInlineDv": "http://evil/a.bin", "offset": 1 })),
        ),
        (
            "a vector in another table",
            with(json!({ "storageType": "p", "pathOrInlineDv": "s3://other/a.bin", "offset": 1 })),
        ),
        ("a vector's path with dots", with(json!({ "storageType": "p", "pathOrInlineDv": "s3://b/../a.bin" }))),
    ]
}

fn append_only() -> Vec<u8> {
    let properties = json!({ "delta.appendOnly": "true", "delta.enableDeletionVectors": "true" });
    let protocol = features(&["deletionVectors"], &["deletionVectors", "appendOnly"]);
    with_one_file(protocol, with_properties(properties))
}

fn on_append_only() -> Vec<(&'static str, Vec<u8>)> {
    let mut rearranged = remove("first");
    rearranged["remove"]["dataChange"] = json!(false);
    vec![
        ("a remove on an append-only table", lines(&[remove("first")])),
        ("a remove that says to change no data", lines(&[rearranged.clone()])),
        ("a vector on an append-only table", lines(&[rearranged, with_vector("first", vector())])),
        ("a live file that others take the place of", lines(&[add("new"), add("first")])),
        ("a remove in the commit that ends append-only", lines(&[with_properties(json!({})), remove_other()])),
    ]
}

/// Named otherwise, for a message of its own.
fn remove_other() -> Value {
    remove("other")
}

fn clustered() -> Vec<u8> {
    with_one_file(features(&[], &["domainMetadata", "clustering"]), metadata())
}

fn domains() -> Vec<(&'static str, Vec<u8>)> {
    let of = |name: &str, configuration: &str, removed: bool| {
        let action = json!({ "domain": name, "configuration": configuration, "removed": removed });
        lines(&[json!({ "domainMetadata": action })])
    };
    vec![
        ("a domain without a name", of("", "", false)),
        ("a domain of a feature that the table lacks", of("delta.rowTracking", r#"{"rowIdHighWaterMark":1}"#, false)),
        ("a domain of Delta's that nobody knows", of("delta.mine", "{}", false)),
        ("a domain of Delta's that nobody knows, removed", of("delta.other", "{}", true)),
        ("clustering that is no JSON", of("delta.clustering", "hello", false)),
        ("clustering by no column", of("delta.clustering", r#"{"clusteringColumns":[["x"]]}"#, false)),
        ("two actions of a domain", {
            let one = of("mine", "{}", false);
            [one.clone(), one].concat()
        }),
    ]
}
