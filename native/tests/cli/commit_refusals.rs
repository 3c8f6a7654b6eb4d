//! Commits that a table's rules forbid: each is refused with its reason, and nothing is committed.

mod allowed;
mod hostile;

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::support::{
    Home, add, add_with, first_commit, lines, metadata, metadata_with, protocol, protocol_with, remove, run_with,
};
use hostile::{Hostile, MAPPING_FEATURES, features, hostile, mapped, mapped_column, vector};

const VECTORS_ENABLED: &str = "delta.enableDeletionVectors";

fn protocol_of_mapping() -> Value {
    features(&["columnMapping"], MAPPING_FEATURES)
}

/// The reason without what it is about: quoted names and numbers.
fn reason(message: &str) -> String {
    let outside_quotes: String = message.split('`').step_by(2).collect();
    outside_quotes.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// How many rows each table of the catalog has.
fn row_counts(home: &Home) -> Vec<String> {
    let tables = home.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'dl\\_%' ESCAPE '\\'");
    let names = tables.iter().filter_map(|row| row.split('"').nth(1));
    names.map(|name| format!("{name} {:?}", home.query(&format!("SELECT count(*) FROM {name}")))).collect()
}

/// Each hostile commit is refused with a message of its own and a hint, and leaves the catalog as it was.
#[test]
fn refusals() {
    let mut shown = String::new();
    let (mut taken, mut alike) = (Vec::new(), Vec::new());
    let (mut messages, mut reasons) = (HashMap::new(), HashSet::new());
    for Hostile { first, commits } in hostile() {
        let home = Home::with_table(&[first]);
        let before = (home.content(), row_counts(&home));
        for (name, actions) in commits {
            let ran = home.commit(&actions, &[]);
            if ran.code == Some(0) {
                taken.push(name);
                continue;
            }
            let error = ran.error(1);
            let (kind, message) = (error["kind"].as_str().unwrap(), error["message"].as_str().unwrap());
            assert!(kind == "invalid" || kind == "unsupported", "{name}: {error}");
            let hint = error["hint"].as_str().unwrap_or_else(|| panic!("{name}: no word on what to do: {error}"));
            shown.push_str(&format!("{name}\n  {kind}: {message}\n  hint: {hint}\n"));
            if let Some(other) = messages.insert(message.to_owned(), name) {
                alike.push((other, name, message.to_owned()));
            }
            reasons.insert(reason(message));
        }
        assert!(taken.is_empty(), "these were committed: {taken:#?}");
        assert_eq!((home.content(), row_counts(&home)), before, "nothing was committed");
    }
    assert!(alike.is_empty(), "these have one message: {alike:#?}");
    assert!(messages.len() >= 120 && reasons.len() >= 90, "{} commits, {} reasons", messages.len(), reasons.len());
    insta::assert_snapshot!(shown);
}

/// A checkpoint has columns of fixed types: what does not fit there must not get in, or no mirror ever succeeds again.
#[test]
fn what_is_committed_can_be_mirrored() {
    let first = lines(&[
        protocol_with(&["deletionVectors"]),
        metadata_with(json!({ "configuration": { "delta.checkpointInterval": "1", VECTORS_ENABLED: "true" } })),
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

/// What a commit calls itself opens no door: a schema is restored that the table had.
#[test]
fn only_an_earlier_schema_is_restored() {
    let home = Home::with_table(&[first_commit()]);
    let other = json!({ "type": "struct", "fields": [] }).to_string();
    let restored = lines(&[metadata_with(json!({ "schemaString": other }))]);
    home.commit(&restored, &["--operation", "RESTORE"]).fails("invalid", "never had the schema");
}

/// Under two spellings a file would be read twice. What a table has already under an odd one it may keep.
#[test]
fn a_file_has_one_spelling() {
    let home = Home::with_table(&[lines(&[protocol(), metadata(), add("./odd.parquet"), add("d/a.parquet")])]);
    let folder = format!("{}", home.path("t").canonicalize().unwrap().display());
    for path in [format!("file://{folder}/d/a.parquet"), format!("file:{folder}/d/a.parquet")] {
        for args in [&[][..], &["--operation", "CLONE"]] {
            let error = home.commit(&lines(&[add(&path)]), args).fails("invalid", "in the table's own folder");
            assert_eq!(error["hint"], "write it relative to that: `d/a.parquet`");
            assert_eq!(error["path"], path);
        }
    }
    let error = home.commit(&lines(&[add("d/%61.parquet")]), &[]).fails("invalid", "odd spelling");
    assert_eq!(error["hint"], "write `d/a.parquet`");
    home.commit(&lines(&[add("new"), add("./odd.parquet")]), &[]).ok();
    home.commit(&lines(&[remove("./odd.parquet")]), &[]).ok();
    home.commit(&lines(&[add("./odd.parquet")]), &[]).ok();
    home.commit(&lines(&[add("./other.parquet")]), &[]).fails("invalid", "odd spelling");
}

/// Engines differ in what they escape: what one has brought in comes a second time from no other.
#[test]
fn a_file_has_the_spelling_of_its_first_add() {
    let home = Home::with_table(&[lines(&[protocol(), metadata(), add("p=é/a"), add("./odd"), add("p=ä/a")])]);
    home.commit(&lines(&[add("p=ö/b"), add("c~d"), add("p=%C3%9F/b"), add("p=1/a,b")]), &[]).ok();
    for (path, known) in [
        ("p=%C3%A9/a", "p=é/a"),
        ("p=%C3%B6/b", "p=ö/b"),
        ("p=ß/b", "p=%C3%9F/b"),
        ("c%7Ed", "c~d"),
        ("p=1/a%2Cb", "p=1/a,b"),
    ] {
        let error =
            home.commit(&lines(&[add("new"), add(path)]), &[]).fails("invalid", &format!("is one file with `{known}`"));
        assert_eq!(error["path"], path);
    }
    // Again under its own path, and in another spelling when it is gone.
    home.commit(&lines(&[add("p=ö/b"), add("p=%C3%A4/b")]), &[]).ok();
    home.commit(&lines(&[remove("p=é/a")]), &[]).ok();
    home.commit(&lines(&[add("p=%C3%A9/a")]), &[]).ok();
    home.commit(&lines(&[add("p=é/a")]), &[]).fails("invalid", "is one file with `p=%C3%A9/a`");
    // What the table had once under an odd path may come back, unless the file is there under its plain one.
    home.commit(&lines(&[remove("./odd")]), &[]).ok();
    home.commit(&lines(&[add("odd")]), &[]).ok();
    home.commit(&lines(&[add("./odd")]), &[]).fails("invalid", "is one file with `odd`");
}

#[test]
fn files_that_were_read_were_there() {
    let home = Home::with_table(&[first_commit(), lines(&[add("second")])]);
    let read =
        |version: &str, file: &str| home.commit(&lines(&[add("b")]), &["--read-version", version, "--read-file", file]);
    assert_eq!(read("1", "secnd").fails("invalid", "`secnd` is said to have been read")["path"], "secnd");
    read("0", "second").fails("invalid", "version 0 does not have it");
    read("1", "second").ok();
    read("0", "first").ok();
    // It came and went meanwhile: it was not there to be read.
    home.commit(&lines(&[remove("second")]), &[]).ok();
    read("0", "second").fails("invalid", "version 0 does not have it");
    let error = read("1", "second").error(4);
    assert!(error["message"].as_str().unwrap().contains("removed `second`, which this commit read"), "{error}");
}

#[test]
fn a_lost_race_names_the_winner() {
    let home = Home::with_table(&[first_commit()]);
    home.commit(&lines(&[add("b")]), &["--operation", "MERGE", "--read-version", "0", "--read-table"]).ok();
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
    let enabled = metadata_with(json!({ "configuration": { VECTORS_ENABLED: "true" } }));
    let first = lines(&[protocol_with(&["deletionVectors"]), enabled, add("first")]);
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

/// Files have the values of a dropped column under its physical name.
#[test]
fn a_physical_name_is_not_used_again() {
    let of = |columns: &[Value], max_id: i64| lines(&[mapped(columns, max_id, "name")]);
    let (a, b) = (mapped_column("a", 1, "a"), mapped_column("b", 2, "b"));
    let within = |column: &Value, id: i64, physical: &str| {
        let mut list = mapped_column("l", id, physical);
        list["type"] = json!({ "type": "array", "containsNull": true,
                               "elementType": { "type": "struct", "fields": [column] } });
        list
    };
    let first =
        [protocol_of_mapping(), mapped(&[a.clone(), b, within(&mapped_column("x", 3, "x"), 4, "l")], 4, "name")];
    let home = Home::with_table(&[lines(&[&first[..], &[add("first")]].concat())]);
    home.commit(&of(&[a.clone(), within(&mapped_column("y", 5, "y"), 4, "l")], 5), &[]).ok();
    let list = within(&mapped_column("y", 5, "y"), 4, "l");
    let error = home.commit(&of(&[a.clone(), list.clone(), mapped_column("b", 6, "b")], 6), &[]);
    error.fails("invalid", "the physical name `b` of a dropped one");
    let again = within(&mapped_column("z", 6, "x"), 4, "l");
    home.commit(&of(&[a.clone(), again], 6), &[]).fails("invalid", "the physical name `l.element.x` of a dropped one");
    // At another place, under a name of its own, or when no file is left that has the column.
    home.commit(&of(&[a.clone(), list.clone(), mapped_column("x", 6, "x")], 6), &[]).ok();
    home.commit(&of(&[a.clone(), list.clone(), mapped_column("b", 7, "col-7")], 7), &[]).ok();
    let replaced = mapped(&[a, mapped_column("b", 8, "b")], 8, "name");
    home.commit(&lines(&[remove("first"), add("new"), replaced]), &["--operation", "WRITE"]).ok();
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
    let home = Home::with_table(&[lines(&[protocol_of_mapping(), mapped("p", "col-1"), first])]);
    home.commit(&lines(&[mapped("renamed", "col-1")]), &[]).ok();
    home.commit(&lines(&[mapped("renamed", "col-2")]), &[]).fails("invalid", "may not change");
    home.commit(&lines(&[mapped("", "col-1")]), &[]).fails("invalid", "a column has no name");
}
