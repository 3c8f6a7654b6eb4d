//! Commits that a table's rules forbid: each is refused with its reason, and nothing is committed.

use serde_json::{Value, json};

use crate::support::{
    Home, add, add_with, commit_info, first_commit, lines, metadata, metadata_with, protocol, protocol_with, remove,
    run_with,
};

fn vector() -> Value {
    json!({ "storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
            "sizeInBytes": 40, "cardinality": 6 })
}

fn features(readers: &[&str], writers: &[&str]) -> Value {
    json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
                          "readerFeatures": readers, "writerFeatures": writers } })
}

const MAPPING_FEATURES: &[&str] = &["appendOnly", "invariants", "columnMapping"];

fn with_column(data_type: Value, column_metadata: Value) -> Value {
    let column = json!({ "name": "c", "type": data_type, "nullable": true, "metadata": column_metadata });
    metadata_with(json!({ "schemaString": json!({ "type": "struct", "fields": [column] }).to_string() }))
}

fn mapped(column_metadata: Value) -> Value {
    let mut action = with_column(json!("long"), column_metadata);
    action["metaData"]["configuration"] =
        json!({ "delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1" });
    action
}

fn cdc(data_change: bool) -> Value {
    json!({ "cdc": { "path": "_change_data/1", "partitionValues": {}, "size": 1, "dataChange": data_change } })
}

/// Name and actions of commits that are refused on a table of protocol (1, 2).
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let versions =
        |reader: i64, writer: i64| json!({ "protocol": { "minReaderVersion": reader, "minWriterVersion": writer } });
    let removed_with = |fields: Value| {
        let mut action = remove("first");
        fields.as_object().unwrap().iter().for_each(|(name, value)| action["remove"][name] = value.clone());
        action
    };
    let of = |actions: &[Value]| lines(actions);
    vec![
        ("nothing", vec![]),
        ("an empty line", b"\n".to_vec()),
        ("no JSON", b"hello\n".to_vec()),
        ("an array", b"[]\n".to_vec()),
        ("an action over several lines", b"{\"add\":\n{}}\n".to_vec()),
        ("an add without partition values", b"{\"add\":{\"path\":\"b\",\"size\":1}}\n".to_vec()),
        ("statistics that are an object", of(&[add_with("b", json!({ "stats": {} }))])),
        ("statistics that are not JSON", of(&[add_with("b", json!({ "stats": "{" }))])),
        ("statistics that are an array", of(&[add_with("b", json!({ "stats": "[]" }))])),
        ("a negative size", of(&[add_with("b", json!({ "size": -1 }))])),
        ("an empty path", of(&[add("")])),
        ("a remove with an empty path", of(&[remove("")])),
        ("two adds of a path", of(&[add("b"), add("b")])),
        ("two removes of a path", of(&[remove("first"), remove("first")])),
        ("a remove and an add of one file", of(&[remove("first"), add("first")])),
        ("a remove of a file that is not there", of(&[remove("other")])),
        ("a remove with another vector", of(&[removed_with(json!({ "deletionVector": vector() }))])),
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
            of(&[remove("first"), add_with("first", json!({ "deletionVector": vector() }))]),
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
        (
            "column mapping without its feature",
            of(&[mapped(json!({ "delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "a" }))]),
        ),
        ("column mapping without ids", of(&[features(&["columnMapping"], MAPPING_FEATURES), mapped(json!({}))])),
        (
            "column mapping with an id over the largest",
            of(&[
                features(&["columnMapping"], MAPPING_FEATURES),
                mapped(json!({ "delta.columnMapping.id": 9, "delta.columnMapping.physicalName": "a" })),
            ]),
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
        ("tags that are no texts", of(&[add_with("b", json!({ "tags": { "a": { "b": 1 } } }))])),
    ]
}

#[test]
fn refusals() {
    let home = Home::with_table(&[first_commit()]);
    let before = home.content();
    let mut shown = String::new();
    let mut taken = Vec::new();
    for (name, actions) in refused() {
        let ran = home.commit(&actions, &[]);
        if ran.code == Some(0) {
            taken.push(name);
            continue;
        }
        let error = ran.error(1);
        assert!(error["kind"] == "invalid" || error["kind"] == "unsupported", "{name}: {error}");
        shown.push_str(&format!(
            "{name}\n  {}: {}\n",
            error["kind"].as_str().unwrap(),
            error["message"].as_str().unwrap()
        ));
        if let Some(hint) = error["hint"].as_str() {
            shown.push_str(&format!("  hint: {hint}\n"));
        }
    }
    assert!(taken.is_empty(), "these were committed: {taken:#?}");
    assert_eq!(home.content(), before, "nothing was committed");
    insta::assert_snapshot!(shown);
}

/// A checkpoint has columns of fixed types: what does not fit there must not get in, or no mirror ever succeeds again.
#[test]
fn what_is_committed_can_be_mirrored() {
    let first = lines(&[
        protocol_with(&["deletionVectors"]),
        metadata_with(json!({ "configuration": { "delta.checkpointInterval": "1" } })),
        add("first"),
    ]);
    let mut large_vector = vector();
    large_vector["sizeInBytes"] = json!(1_i64 << 40);
    let mut far_vector = vector();
    far_vector["offset"] = json!(1_i64 << 40);
    let half_pair =
        String::from_utf8(lines(&[add("b")])).unwrap().replace("\"dataChange\"", "\"x\":\"\\ud800\",\"dataChange\"");
    for (name, actions) in [
        ("tags that are a list", lines(&[add_with("b", json!({ "tags": [1] }))])),
        ("tags that are text", lines(&[add_with("b", json!({ "tags": "a" }))])),
        ("tags with numbers", lines(&[add_with("b", json!({ "tags": { "a": 1 } }))])),
        ("a vector of a terabyte", lines(&[add_with("b", json!({ "deletionVector": large_vector }))])),
        ("a vector at a terabyte", lines(&[add_with("b", json!({ "deletionVector": far_vector }))])),
        ("half of a surrogate pair in an unknown field", half_pair.into_bytes()),
        ("an unknown field", lines(&[add_with("b", json!({ "unknown": [1, { "a": null }] }))])),
    ] {
        println!("{name}");
        let home = Home::with_table(std::slice::from_ref(&first));
        let committed = home.commit(&actions, &[]);
        if committed.code == Some(0) {
            home.mirror("t").ok();
        } else {
            committed.fails("invalid", "");
        }
    }
}

#[test]
fn a_feature_is_not_taken_away() {
    let first = lines(&[protocol_with(&["deletionVectors", "appendOnly"]), metadata(), add("first")]);
    let home = Home::with_table(&[first]);
    home.commit(&lines(&[features(&[], &["appendOnly"])]), &[]).fails("invalid", "deletionVectors");
}

#[test]
fn an_append_only_table_keeps_its_files() {
    let only = metadata_with(json!({ "configuration": { "delta.appendOnly": "true" } }));
    let home = Home::with_table(&[lines(&[protocol(), only, add("first")])]);
    home.commit(&lines(&[remove("first")]), &[]).fails("invalid", "append-only");
    let mut rearranged = remove("first");
    rearranged["remove"]["dataChange"] = json!(false);
    home.commit(&lines(&[rearranged, add_with("second", json!({ "dataChange": false }))]), &[]).ok();
}

#[test]
fn read_versions_are_those_of_the_table() {
    let home = Home::with_table(&[first_commit(), lines(&[add("second")])]);
    for version in ["2", "-1", "9223372036854775807"] {
        home.commit(&lines(&[add("b")]), &["--read-version", version]).fails("invalid", "versions 0 to 1");
    }
    home.commit(&lines(&[add("b")]), &["--read-version", "0"]).ok();
}

#[test]
fn a_lost_race_names_the_winner() {
    let home = Home::with_table(&[first_commit()]);
    home.commit(&lines(&[add("b")]), &["--operation", "MERGE", "--read-table"]).ok();
    let error = home.commit(&lines(&[remove("first")]), &["--read-version", "0"]).error(4);
    assert_eq!((&error["kind"], &error["conflict_kind"]), (&json!("conflict"), &json!("concurrentAppend")));
    assert_eq!((&error["version"], &error["table"]), (&json!(1), &json!("t")));

    home.commit(&lines(&[remove("first")]), &[]).ok();
    let error = home.commit(&lines(&[remove("first")]), &[]).error(4);
    assert_eq!((&error["conflict_kind"], &error["version"]), (&json!("concurrentDeleteDelete"), &json!(2)));
    assert_eq!(error["path"], "first");

    let transaction = lines(&[json!({ "txn": { "appId": "a", "version": 7 } }), add("c")]);
    home.commit(&transaction, &[]).ok();
    let error = home.commit(&transaction, &[]).error(4);
    assert_eq!((&error["conflict_kind"], &error["version"]), (&json!("concurrentTransaction"), &json!(3)));
}

/// A commit whose answer was lost is sent again; another commit under its id is a mistake, and must not be taken for it.
#[test]
fn a_commit_id_stands_for_one_commit() {
    const ID: [&str; 2] = ["--commit-id", "5f7c1a4e-2f8b-4c06-9d1e-000000000001"];
    let home = Home::with_table(&[first_commit()]);
    let actions = lines(&[remove("first"), add("b")]);
    let first = home.commit(&actions, &ID).json();
    home.commit(&lines(&[add("c")]), &[]).ok();
    let again = home.commit(&actions, &ID).json();
    assert_eq!((&again["version"], &again["timestamp_ms"]), (&json!(1), &first["timestamp_ms"]));
    for other in [lines(&[add("d")]), lines(&[remove("first")]), lines(&[remove("b")])] {
        let error = home.commit(&other, &ID).fails("invalid", "commit id");
        assert_eq!(error["version"], 1);
    }
    assert_eq!(home.file_paths(), ["b", "c"]);
}

#[test]
fn the_actions_come_from_a_file() {
    let home = Home::with_table(&[first_commit()]);
    let from = |path: &str| home.run("commit", &["--table", "t", "--actions", path]);
    from(home.path("none").to_str().unwrap()).fails("not_found", "none");
    from(home.path("t").to_str().unwrap()).fails("invalid", "folder");
    std::fs::write(home.path("actions"), lines(&[add("b")])).unwrap();
    assert_eq!(from(home.path("actions").to_str().unwrap()).json()["version"], 1);
    let no_table = home.command("commit", &["--table", "other", "--actions", "-"]);
    run_with(no_table, &lines(&[add("b")])).fails("not_found", "`other`");
}

/// A path has one deletion vector at a time, or engines see its rows twice.
#[test]
fn a_path_is_not_added_with_another_vector_beside_its_own() {
    let first = lines(&[protocol_with(&["deletionVectors"]), metadata(), add("first")]);
    let home = Home::with_table(&[first]);
    let with = |fields: Value| add_with("first", json!({ "stats": "{\"numRecords\":9}", "deletionVector": fields }));
    let error = home.commit(&lines(&[with(vector())]), &[]).fails("invalid", "another deletion vector");
    assert_eq!(error["path"], "first");
    home.commit(&lines(&[remove("first"), with(vector())]), &[]).ok();
    home.commit(&lines(&[add("first")]), &[]).fails("invalid", "another deletion vector");
    // Sent again, a commit that was fine when it happened answers with its version.
    const ID: [&str; 2] = ["--commit-id", "5f7c1a4e-2f8b-4c06-9d1e-00000000000a"];
    let plain = lines(&[add("later")]);
    let version = home.commit(&plain, &ID).json()["version"].clone();
    let mut replaced = with(vector());
    replaced["add"]["path"] = json!("later");
    home.commit(&lines(&[remove("later"), replaced]), &[]).ok();
    assert_eq!(home.commit(&plain, &ID).json()["version"], version);
    let mut other = vector();
    other["storageType"] = json!("q");
    home.commit(&lines(&[remove("x"), with(other)]), &[]).fails("invalid", "`q`");
    let no_rows = add_with("other", json!({ "stats": "{}", "deletionVector": vector() }));
    home.commit(&lines(&[no_rows]), &[]).fails("invalid", "numRecords");
}

/// Whoever cannot hear that a commit happened must not send it again as another one.
#[cfg(target_os = "linux")]
#[test]
fn a_commit_whose_answer_cannot_be_printed() {
    let home = Home::with_table(&[first_commit()]);
    std::fs::write(home.path("actions"), lines(&[add("b")])).unwrap();
    let path = home.path("actions");
    let mut command = home.command("commit", &["--table", "t", "--actions", path.to_str().unwrap()]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("version 1 was committed"), "{error}");
    assert_eq!(error["error"]["version"], 1);
}

/// Files know a partition column by its physical name, which stays.
#[test]
fn a_partition_column_is_renamed() {
    let mapped = |name: &str, physical: &str| {
        let column = json!({ "name": name, "type": "string", "nullable": true, "metadata": {
            "delta.columnMapping.id": 1, "delta.columnMapping.physicalName": physical } });
        metadata_with(json!({
            "schemaString": json!({ "type": "struct", "fields": [column] }).to_string(),
            "partitionColumns": [name],
            "configuration": { "delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1" },
        }))
    };
    let first = add_with("a", json!({ "partitionValues": { "col-1": "x" } }));
    let home =
        Home::with_table(&[lines(&[features(&["columnMapping"], MAPPING_FEATURES), mapped("p", "col-1"), first])]);
    home.commit(&lines(&[mapped("renamed", "col-1")]), &[]).ok();
    home.commit(&lines(&[mapped("renamed", "col-2")]), &[]).fails("invalid", "may not change");
}
