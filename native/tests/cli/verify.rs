//! `dl verify`: each version, checkpoint and checksum of a log, compared with the catalog.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    Home, Ran, add, add_with, commit_info, commit_name, first_commit, lines, many_commits, metadata_with, protocol,
    remove, run, tables_folder,
};

fn checkpoint_name(version: usize) -> String {
    format!("{version:020}.checkpoint.parquet")
}

/// A table of versions 0 to 12, mirrored to `m`.
fn mirrored() -> (Home, PathBuf) {
    let home = Home::with_table(&many_commits(12, 2));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    (home, log)
}

fn verify(home: &Home, args: &[&str]) -> Ran {
    let target = home.path("m");
    home.run("verify", &[&["--target", target.to_str().unwrap()], args].concat())
}

#[track_caller]
fn found(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
    serde_json::from_str::<Value>(&ran.out).unwrap()[0].clone()
}

/// The versions at which something is wrong.
fn unequal(document: &Value) -> Vec<i64> {
    let versions = document["versions"].as_array().unwrap().iter();
    versions.filter(|at| at["problems"] != json!([])).map(|at| at["version"].as_i64().unwrap()).collect()
}

#[test]
fn a_mirror_is_equal_at_each_version() {
    let (home, _) = mirrored();
    let document = found(&verify(&home, &[]), 0);
    assert_eq!((&document["first_version"], &document["last_version"]), (&json!(0), &json!(12)));
    assert_eq!((&document["checkpoint_count"], &document["status"]), (&json!(1), &json!("equal")));
    assert_eq!(document["versions"].as_array().unwrap().len(), 13);
    for (args, first, last) in [
        (&["--last", "3"][..], 10, 12),
        (&["--last", "100"], 0, 12),
        (&["--version", "5"], 5, 5),
        (&["--version", "3..11"], 3, 11),
        (&["--version", "11.."], 11, 12),
        (&["--version", "..2"], 0, 2),
    ] {
        let document = found(&verify(&home, args), 0);
        assert_eq!((&document["first_version"], &document["last_version"]), (&json!(first), &json!(last)), "{args:?}");
    }
    verify(&home, &["--version", "12..13"]).fails("not_found", "0 to 12");
    home.run("verify", &["--target", "/nowhere/at/all"]).fails("not_found", "");
}

/// Tables of other writers are equal to their own logs, but where those are damaged; their mirrors are anyway.
#[test]
fn bundled_tables_and_their_mirrors() {
    let damaged = [
        "corrupt-checkpoint-with-commits",
        "cleaned-up-last-checkpoint-stale",
        "last-checkpoint-ahead",
        "last-checkpoint-corrupt",
        "last-checkpoint-empty",
        "last-checkpoint-wrong-parts",
        "multi-part-incomplete",
    ];
    for entry in fs::read_dir(tables_folder()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !folder.join("_delta_log").is_dir() || name == "broken" {
            continue;
        }
        println!("{name}");
        let home = Home::new();
        home.run("import", &["--log-dir", folder.to_str().unwrap(), "--name", "t"]).ok();
        found(&home.run("verify", &[]), if damaged.contains(&name.as_str()) { 2 } else { 0 });
        home.mirror("m").ok();
        found(&verify(&home, &[]), 0);
    }
}

/// What is wrong at one version is found there, even where the next checkpoint is right again.
#[test]
fn a_changed_commit_is_found_where_it_is() {
    for (name, change) in [
        ("another size", ("\"size\":10", "\"size\":11")),
        ("another path", ("v3/f1", "v3/other")),
        ("another operation", ("WRITE", "DELETE")),
        ("cut off", ("\"modificationTime\"", "\u{0}")),
    ] {
        println!("{name}");
        let (home, log) = mirrored();
        let path = log.join(commit_name(3));
        let text = fs::read_to_string(&path).unwrap().replace(change.0, change.1);
        fs::write(&path, text).unwrap();
        let versions = unequal(&found(&verify(&home, &[]), 2));
        assert_eq!(versions[0], 3);
        assert!(!versions.contains(&10) && !versions.contains(&12), "{versions:?}");
        found(&verify(&home, &["--version", "..2"]), 0);
        found(&verify(&home, &["--version", "10.."]), 0);
        // Its file is in the state up to the checkpoint; its operation is said once.
        assert_eq!(versions.contains(&9), name != "another operation", "{name}: {versions:?}");
    }
}

/// A checkpoint that tells another state is found, and so are the versions that are read from it.
#[test]
fn a_wrong_checkpoint_is_found() {
    let (home, log) = mirrored();
    let other = Home::with_table(&many_commits(12, 1));
    other.mirror("m").ok();
    fs::copy(other.path("m/_delta_log").join(checkpoint_name(10)), log.join(checkpoint_name(10))).unwrap();
    let document = found(&verify(&home, &[]), 2);
    assert_eq!(unequal(&document), [10, 11, 12]);
    assert_eq!(document["versions"][10]["problems"][0]["object"], checkpoint_name(10));
    assert_eq!(document["versions"][10]["problems"][0]["message"], "10 files in the catalog only");
    // A further one of the same version counts, too.
    let (home, log) = mirrored();
    let further = format!("{:020}.checkpoint.0000000001.0000000001.parquet", 10);
    fs::copy(other.path("m/_delta_log").join(checkpoint_name(10)), log.join(&further)).unwrap();
    let document = found(&verify(&home, &[]), 2);
    assert_eq!((unequal(&document), &document["checkpoint_count"]), (vec![10], &json!(2)));
    assert_eq!(document["versions"][10]["problems"][0]["object"], further);
}

/// The catalog's rows are what is proven: an interval that ends too early, or totals that are wrong.
#[test]
fn a_damaged_catalog_is_found() {
    let (home, _) = mirrored();
    let sql = "UPDATE dl_add_files SET removed_version = 7 WHERE path = 'v2/f0'";
    rusqlite::Connection::open(home.database()).unwrap().execute(sql, []).unwrap();
    assert_eq!(unequal(&found(&verify(&home, &[]), 2)), (7..=12).collect::<Vec<_>>());
    found(&verify(&home, &["--version", "..6"]), 0);
    let (home, _) = mirrored();
    let sql = "UPDATE dl_table_versions SET size_bytes = size_bytes + 1 WHERE version = 4";
    rusqlite::Connection::open(home.database()).unwrap().execute(sql, []).unwrap();
    assert_eq!(unequal(&found(&verify(&home, &[]), 2)), [4]);
}

#[test]
fn logs_that_lack_something() {
    let (home, log) = mirrored();
    // Cleaned up behind the checkpoint: nothing is missed.
    (0..5).for_each(|version| fs::remove_file(log.join(commit_name(version))).unwrap());
    assert_eq!(found(&verify(&home, &[]), 0)["first_version"], 10);
    // Who asks for those versions is told that they are not there.
    assert_eq!(unequal(&found(&verify(&home, &["--version", "8.."]), 2)), [8, 9]);
    // A hole after the checkpoint, and what follows.
    fs::remove_file(log.join(commit_name(11))).unwrap();
    assert_eq!(unequal(&found(&verify(&home, &[]), 2)), [11, 12]);
    // The log is ahead.
    let (home, log) = mirrored();
    fs::write(log.join(commit_name(13)), lines(&[add("x")])).unwrap();
    let document = found(&verify(&home, &[]), 2);
    assert_eq!(document["problems"][0]["message"], "the log goes on to version 13, the catalog ends at 12");
    found(&verify(&home, &["--version", "..12"]), 0);
    // `_last_checkpoint` of another size, or none that can be read.
    for text in [r#"{"version":10,"size":4,"sizeInBytes":5}"#, r#"{"version":11,"size":4}"#, "{", ""] {
        let (home, log) = mirrored();
        fs::write(log.join("_last_checkpoint"), text).unwrap();
        let document = found(&verify(&home, &[]), 2);
        assert_eq!((unequal(&document), &document["problems"][0]["object"]), (vec![], &json!("_last_checkpoint")));
    }
}

/// What is not published yet is no damage, unless one asks for it.
#[test]
fn a_log_that_is_behind() {
    let (home, log) = mirrored();
    for version in [11, 12] {
        fs::remove_file(log.join(commit_name(version))).unwrap();
        let _ = fs::remove_file(log.join(format!("{version:020}.crc"))); // the last version has one
    }
    let document = found(&verify(&home, &[]), 0);
    assert_eq!((&document["status"], &document["lag_versions"]), (&json!("lagging"), &json!(2)));
    for (args, first, last) in [
        (&["--last", "2"][..], 9, 10),
        (&["--last", "100"], 0, 10),
        (&["--version", "9.."], 9, 10),
        (&["--version", "..10"], 0, 10),
    ] {
        let document = found(&verify(&home, args), 0);
        assert_eq!((&document["first_version"], &document["last_version"]), (&json!(first), &json!(last)), "{args:?}");
    }
    for (args, lacking) in [
        (&["--version", "10..12"][..], vec![11, 12]),
        (&["--version", "11"], vec![11]),
        (&["--version", "12.."], vec![12]),
    ] {
        assert_eq!(unequal(&found(&verify(&home, args), 2)), lacking, "{args:?}");
    }
    // Damage before the end is told all the same.
    fs::remove_file(log.join(commit_name(3))).unwrap();
    let document = found(&verify(&home, &[]), 2);
    assert_eq!((&document["status"], document["lag_versions"].clone()), (&json!("unequal"), json!(2)));
}

/// Bounds that a checkpoint has as a struct only are compared with the commits' JSON by what they are.
#[test]
fn bounds_in_other_forms() {
    let field =
        |name: &str, data_type: &str| json!({ "name": name, "type": data_type, "nullable": true, "metadata": {} });
    let fields =
        [field("t", "timestamp"), field("n", "timestamp_ntz"), field("d", "decimal(5,2)"), field("day", "date")];
    let schema = json!({ "type": "struct", "fields": fields }).to_string();
    let configuration = json!({
        "delta.checkpointInterval": "1", "delta.checkpoint.writeStatsAsJson": "false",
        "delta.checkpoint.writeStatsAsStruct": "true",
    });
    let bounds = |t: &str, n: &str, d: Value, day: &str| json!({ "t": t, "n": n, "d": d, "day": day });
    let stats = json!({
        "numRecords": 2,
        "minValues": bounds("2021-05-01T12:00:00.000-07:00", "2021-05-01T12:00:00.000Z", json!("1.50"), "1969-1-3"),
        "maxValues": bounds("2021-05-01T19:00:00.000+00:00", "2021-05-01T12:00:00.000", json!(1.5), "1970-01-03"),
    });
    let first = [
        commit_info(),
        crate::support::protocol_with(&["timestampNtz"]),
        metadata_with(json!({ "schemaString": schema, "configuration": configuration })),
        add_with("a", json!({ "stats": stats.to_string() })),
    ];
    let home = Home::with_table(&[lines(&first), lines(&[commit_info(), add("b")])]);
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    assert_eq!(found(&verify(&home, &[]), 0)["checkpoint_count"], 1);
    fs::remove_file(log.join(commit_name(0))).unwrap();
    found(&verify(&home, &[]), 0);
    let target = home.path("m");
    found(&home.run("diff", &["--target", target.to_str().unwrap()]), 0);
}

/// A commit's own time is what its `.crc` has, also where the catalog's had to be later.
#[test]
fn in_commit_timestamps_that_go_back() {
    let configuration = json!({ "delta.enableInCommitTimestamps": "true" });
    let info = |timestamp_ms: i64| json!({ "commitInfo": { "inCommitTimestamp": timestamp_ms, "operation": "WRITE", "timestamp": timestamp_ms } });
    let first = [
        info(1_700_000_000_000),
        crate::support::protocol_with(&["inCommitTimestamp"]),
        metadata_with(json!({ "configuration": configuration })),
        add("a"),
    ];
    let home = Home::with_table(&[lines(&first), lines(&[info(1_600_000_000_000), add("b")])]);
    home.mirror("m").ok();
    assert_eq!(found(&verify(&home, &[]), 0)["checksum_count"], 1);
    let path = home.path("m/_delta_log").join(format!("{:020}.crc", 1));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("1600000000000", "1700000000001")).unwrap();
    assert_eq!(unequal(&found(&verify(&home, &[]), 2)), [1]);
}

/// A `.crc` must say what the state is.
#[test]
fn checksums() {
    let crc = |fields: Value| {
        let mut crc = json!({
            "tableSizeBytes": 50, "numFiles": 5, "numMetadata": 1, "numProtocol": 1,
            "metadata": crate::support::metadata()["metaData"], "protocol": protocol()["protocol"],
            "fileSizeHistogram": { "sortedBinBoundaries": [0, 8192], "fileCounts": [5, 0], "totalBytes": [50, 0] },
            "setTransactions": [], "domainMetadata": [],
        });
        for (name, value) in fields.as_object().unwrap() {
            crc[name] = value.clone();
        }
        crc.to_string()
    };
    let (home, log) = mirrored();
    let path = log.join(format!("{:020}.crc", 2));
    fs::write(&path, crc(json!({}))).unwrap();
    // The other one is the mirror's own, of the last version.
    assert_eq!(found(&verify(&home, &[]), 0)["checksum_count"], 2);
    let file = |size: i64| add_with("first", json!({ "size": size, "dataChange": false }))["add"].clone();
    for (fields, problem) in [
        (json!({ "numFiles": 4 }), "`numFiles` is 4, in the catalog it is 5"),
        (json!({ "tableSizeBytes": 51 }), "`tableSizeBytes` is 51"),
        (json!({ "numMetadata": 2 }), "`numMetadata`"),
        (json!({ "numFiles": "five" }), "`numFiles` is not what the protocol has there"),
        (json!({ "numDeletionVectorsOpt": 1 }), "`numDeletionVectorsOpt`"),
        (json!({ "protocol": { "minReaderVersion": 2, "minWriterVersion": 2 } }), "1 protocol differs"),
        (json!({ "metadata": metadata_with(json!({ "id": "x" }))["metaData"] }), "1 metadata differs"),
        (json!({ "setTransactions": [{ "appId": "a", "version": 1 }] }), "1 transactions differ"),
        (json!({ "domainMetadata": [{ "domain": "d", "configuration": "", "removed": false }] }), "1 domains differ"),
        (json!({ "allFiles": [file(10)] }), "4 files in the catalog only"),
        (json!({ "allFiles": [file(11)] }), "1 files differ"),
        (
            json!({ "fileSizeHistogram": { "sortedBinBoundaries": [0], "fileCounts": [4], "totalBytes": [50] } }),
            "4 files of 50",
        ),
    ] {
        fs::write(&path, crc(fields)).unwrap();
        let document = found(&verify(&home, &[]), 2);
        assert_eq!(unequal(&document), [2]);
        let message = document["versions"][2]["problems"][0]["message"].as_str().unwrap();
        assert!(message.contains(problem), "{message}");
    }
    for text in ["", "[]", "{\"numFiles\":"] {
        fs::write(&path, text).unwrap();
        assert_eq!(unequal(&found(&verify(&home, &[]), 2)), [2]);
    }
}

/// Files that come, go and come back, with vectors; the same in one run and in many.
#[test]
fn files_that_come_back() {
    let vector = |id: &str| json!({ "deletionVector": { "storageType": "u", "pathOrInlineDv": id, "offset": 1, "sizeInBytes": 4, "cardinality": 1 } });
    let mut gone = remove("first");
    gone["remove"]["deletionVector"] = vector("ab^-aqEH.-t@S}K{vb[*")["deletionVector"].clone();
    let home = Home::with_table(&[
        lines(&[
            commit_info(),
            crate::support::protocol_with(&["deletionVectors"]),
            metadata_with(json!({ "configuration": { "delta.checkpointInterval": "2" } })),
            add("first"),
            add("b"),
        ]),
        lines(&[commit_info(), remove("first"), add_with("first", vector("ab^-aqEH.-t@S}K{vb[*"))]),
        lines(&[commit_info(), gone, add("first")]),
        lines(&[commit_info(), add_with("b", json!({ "stats": "{\"numRecords\":1}" }))]),
        lines(&[commit_info(), remove("b")]),
    ]);
    home.mirror("m").ok();
    assert_eq!(found(&verify(&home, &[]), 0)["checkpoint_count"], 1);
    for version in 0..5 {
        found(&verify(&home, &["--version", &version.to_string()]), 0);
    }
}

/// A compacted log must say what its commits say together.
#[test]
fn compacted_logs() {
    let (home, log) = mirrored();
    let commits: Vec<String> =
        (3..=5).map(|version| fs::read_to_string(log.join(commit_name(version))).unwrap()).collect();
    let path = log.join(format!("{:020}.{:020}.compacted.json", 3, 5));
    let compacted = commits.concat();
    fs::write(&path, &compacted).unwrap();
    assert_eq!(found(&verify(&home, &[]), 0)["compacted_count"], 1);
    for wrong in [commits[..2].concat(), compacted.replace("v4/f1", "v4/x"), compacted.clone() + "{", String::new()] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(unequal(&found(&verify(&home, &[]), 2)), [5]);
    }
    // Where it stands for commits that are gone, versions are read from it.
    fs::write(&path, &compacted).unwrap();
    (3..=5).for_each(|version| fs::remove_file(log.join(commit_name(version))).unwrap());
    assert_eq!(unequal(&found(&verify(&home, &["--version", "..5"]), 2)), [3, 4]);
    found(&verify(&home, &["--version", "5.."]), 0);
}

#[test]
fn a_line_a_version() {
    let (home, _) = mirrored();
    let target = home.path("m");
    let ran = run(home.command_in("ndjson", "verify", &["--target", target.to_str().unwrap()])).ok();
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 14);
    assert_eq!((&lines[3]["kind"], &lines[3]["version"]), (&json!("version"), &json!(3)));
    assert_eq!((&lines[13]["kind"], &lines[13]["status"]), (&json!("summary"), &json!("equal")));
    let home = Home::with_table(&[first_commit()]);
    run(home.command_in("table", "verify", &[])).ok();
}
