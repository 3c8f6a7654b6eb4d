//! `dl diff`: what it calls equal, what it finds, and its exit codes.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    Home, Ran, add, add_with, commit_info, commit_name, first_commit, lines, log_content, many_commits, metadata,
    metadata_with, protocol, remove, run, tables_folder,
};

/// A table of versions 0 to 12, mirrored to `m`.
fn mirrored() -> (Home, PathBuf) {
    let home = Home::with_table(&many_commits(12, 2));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    (home, log)
}

fn diff(home: &Home, target: &str, args: &[&str]) -> Ran {
    let target = home.path(target);
    home.run("diff", &[&["--table", "t", "--target", target.to_str().unwrap()], args].concat())
}

/// The document of the only table, and that the exit code is this.
#[track_caller]
fn found(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
    let documents: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(documents.as_array().unwrap().len(), 1);
    documents[0].clone()
}

/// Rewrites lines of a commit of a log that this software wrote.
fn edit(log: &std::path::Path, version: usize, from: &str, to: &str) {
    let path = log.join(commit_name(version));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn what_was_mirrored_is_equal() {
    let (home, _) = mirrored();
    let document = found(&diff(&home, "m", &[]), 0);
    assert_eq!((&document["status"], &document["version"]), (&json!("equal"), &json!(12)));
    assert_eq!((&document["lag_versions"], &document["differences"]), (&json!(0), &json!([])));
    for version in ["0", "7", "10", "12"] {
        assert_eq!(found(&diff(&home, "m", &["--version", version]), 0)["version"].to_string(), version);
    }
    diff(&home, "m", &["--version", "13"]).fails("not_found", "version 13");
    diff(&home, "m", &["--version", "-1"]).fails("not_found", "version -1");
}

/// What other writers' logs say, the catalog says, too: their checkpoints leave out what they may.
#[test]
fn every_bundled_table_is_equal_to_its_own_log() {
    // Their own checkpoint is damaged, or they cannot be imported.
    let damaged = ["broken", "corrupt-checkpoint-with-commits"];
    // Their `_last_checkpoint` names a checkpoint, or parts of one, that are not there.
    let misnamed = ["last-checkpoint-ahead", "last-checkpoint-wrong-parts", "multi-part-incomplete"];
    let mut compared = 0;
    for entry in fs::read_dir(tables_folder()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !folder.join("_delta_log").is_dir() || damaged.contains(&name.as_str()) {
            continue;
        }
        let home = Home::new();
        home.run("import", &["--log-dir", folder.to_str().unwrap(), "--name", "t"]).ok();
        println!("{name}");
        let is_misnamed = misnamed.contains(&name.as_str());
        let document = found(&home.run("diff", &[]), if is_misnamed { 2 } else { 0 });
        assert_eq!(document["misnamed_checkpoint"].is_null(), !is_misnamed);
        assert_eq!((&document["differences"], &document["gap_at"]), (&json!([]), &Value::Null));
        compared += 1;
    }
    assert!(compared > 60, "{compared}");
}

/// Each change of the log's file is told, field by field.
#[test]
fn fields_that_differ() {
    let stats = r#"{"numRecords":3,"minValues":{"id":1},"maxValues":{"id":5.5},"nullCount":{"id":0}}"#;
    let file = json!({
        "partitionValues": { "p": "1", "q": "" },
        "stats": stats,
        "tags": { "a": "1", "b": "2" },
        "deletionVector":
            { "storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 40, "cardinality": 6 },
        "baseRowId": 7,
        "odd": 1.50,
    });
    let first = lines(&[commit_info(), protocol(), metadata(), add_with("f", file)]);
    for (from, to, field, code) in [
        ("\"size\":10", "\"size\":11", "size", 2),
        ("\"modificationTime\":1700000000000", "\"modificationTime\":1700000000001", "modificationTime", 2),
        ("\"p\":\"1\"", "\"p\":\"2\"", "partitionValues.p", 2),
        ("\"q\":\"\"", "\"q\":null", "", 0),
        ("numRecords\\\":3", "numRecords\\\":4", "stats.numRecords", 2),
        ("numRecords\\\":3", "numRecords\\\":3.0", "", 0),
        ("\\\"id\\\":5.5", "\\\"id\\\":5.50", "", 0),
        ("\\\"id\\\":5.5", "\\\"id\\\":5.500000000000000000001", "stats.maxValues.id", 2),
        ("\"a\":\"1\",\"b\":\"2\"", "\"b\":\"2\",\"a\":\"1\"", "", 0),
        ("\"a\":\"1\"", "\"a\":\"9\"", "tags.a", 2),
        ("\"cardinality\":6", "\"cardinality\":5", "deletionVector.cardinality", 2),
        ("\"baseRowId\":7", "\"baseRowId\":8", "baseRowId", 2),
        ("\"odd\":1.5", "\"odd\":1.51", "odd", 2),
        ("\"odd\":1.5", "\"odder\":1.5", "odd", 2),
    ] {
        println!("{from} -> {to}");
        let home = Home::with_table(std::slice::from_ref(&first));
        home.mirror("m").ok();
        edit(&home.path("m/_delta_log"), 0, from, to);
        let ran = diff(&home, "m", &[]);
        let documents: Value = serde_json::from_str(&ran.out).unwrap();
        let differences = documents[0]["differences"].as_array().unwrap().clone();
        let fields: Vec<_> = differences.iter().flat_map(|one| one["fields"].as_array().unwrap().clone()).collect();
        if code == 0 {
            assert_eq!(fields, [] as [Value; 0], "{differences:?}");
        } else {
            assert_eq!(documents[0]["counts"]["files_different"], 1, "{differences:?}");
            assert_eq!(fields[0]["field"], field);
            assert_eq!(fields.len(), if to.contains("odder") { 2 } else { 1 });
            // To the last digit.
            let digits = "5.500000000000000000001";
            assert_eq!(ran.out.contains(digits), to.contains(digits), "{}", ran.out);
        }
        // The commit itself is another one in any case, by its text.
        assert_eq!(ran.code, Some(2));
        assert_eq!(documents[0]["diverged_at"], 0);
    }
}

/// In `m`, a checkpoint at version 10 covers what is edited before it.
#[test]
fn drift_in_files_alone_has_a_tolerance() {
    let home = Home::with_table(&many_commits(12, 2));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    // The catalog loses a file, as by other software; the log and its commits stay.
    let sql = "UPDATE dl_add_files SET removed_version = 3 WHERE path = 'v2/f0'";
    rusqlite::Connection::open(home.database()).unwrap().execute(sql, []).unwrap();
    let document = found(&diff(&home, "m", &[]), 2);
    assert_eq!(document["counts"]["files_in_log_only"], 1);
    assert_eq!(
        document["differences"],
        json!([{ "item": "file", "path": "v2/f0", "deletion_vector": null, "found": "log_only", "fields": [] }])
    );
    assert_eq!((&document["diverged_at"], &document["foreign_commit_count"]), (&Value::Null, &json!(0)));
    found(&diff(&home, "m", &["--max-drift-files", "1"]), 0);
    found(&diff(&home, "m", &["--version", "2"]), 0);
    found(&diff(&home, "m", &["--version", "3"]), 2);
    assert!(log.is_dir());
}

#[test]
fn rules_that_differ() {
    let txn = |version: i64| json!({ "txn": { "appId": "a", "version": version, "lastUpdated": 5 } });
    let domain = |text: &str| json!({ "domainMetadata": { "domain": "d", "configuration": text, "removed": false } });
    let others = json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["domainMetadata", "appendOnly"] } });
    let first = lines(&[commit_info(), others, metadata(), add("first"), txn(1), domain("x")]);
    for (from, to, item) in [
        ("\"minReaderVersion\":1", "\"minReaderVersion\":2", "protocol"),
        ("\"configuration\":{}", "\"configuration\":{\"delta.appendOnly\":\"true\"}", "metadata"),
        ("\"version\":1", "\"version\":2", "transaction"),
        ("\"x\"", "\"y\"", "domain"),
        ("\"appId\":\"a\"", "\"appId\":\"b\"", "transaction"),
        // A set of features has no order.
        ("[\"domainMetadata\",\"appendOnly\"]", "[\"appendOnly\",\"domainMetadata\"]", ""),
    ] {
        println!("{to}");
        let home = Home::with_table(std::slice::from_ref(&first));
        home.mirror("m").ok();
        edit(&home.path("m/_delta_log"), 0, from, to);
        let document = found(&diff(&home, "m", &[]), 2);
        let differences = document["differences"].as_array().unwrap();
        assert_eq!(differences.is_empty(), item.is_empty());
        assert!(differences.iter().all(|one| one["item"] == item), "{differences:?}");
    }
}

/// A transaction that has expired may be missing on one side; another one may not.
#[test]
fn expired_transactions_are_no_drift() {
    for (retention, code) in [("interval 1 days", 0), ("interval 100000 days", 2)] {
        let configured = metadata_with(
            json!({ "configuration": { "delta.setTransactionRetentionDuration": retention, "delta.checkpointInterval": "2" } }),
        );
        let txn = json!({ "txn": { "appId": "old", "version": 1, "lastUpdated": 1_600_000_000_000_i64 } });
        let home = Home::with_table(&[
            lines(&[commit_info(), protocol(), configured, txn]),
            lines(&[commit_info(), add("b")]),
            lines(&[commit_info(), add("c")]),
        ]);
        home.mirror("m").ok();
        assert!(home.path("m/_delta_log/00000000000000000002.checkpoint.parquet").exists());
        found(&diff(&home, "m", &[]), 0);
        // A checkpoint without the transaction, that of a catalog which never had it.
        let other = Home::with_table(&[
            lines(&[
                commit_info(),
                protocol(),
                metadata_with(
                    json!({ "configuration": { "delta.setTransactionRetentionDuration": retention, "delta.checkpointInterval": "2" } }),
                ),
            ]),
            lines(&[commit_info(), add("b")]),
            lines(&[commit_info(), add("c")]),
        ]);
        other.mirror("m").ok();
        let checkpoint = "m/_delta_log/00000000000000000002.checkpoint.parquet";
        fs::copy(other.path(checkpoint), home.path(checkpoint)).unwrap();
        found(&diff(&home, "m", &[]), code);
    }
}

#[test]
fn lag_has_a_code_of_its_own() {
    let (home, _) = mirrored();
    home.commit(&lines(&[add("new")]), &[]).ok();
    home.commit(&lines(&[add("newer")]), &[]).ok();
    let document = found(&diff(&home, "m", &[]), 0);
    assert_eq!((&document["lag_versions"], &document["status"]), (&json!(2), &json!("equal")));
    assert!(document["lag_ms"].as_i64().unwrap() < 60_000, "{document}");
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(found(&diff(&home, "m", &["--lag-threshold-seconds", "0"]), 3)["status"], "lagging");
    found(&diff(&home, "m", &["--lag-threshold-seconds", "3600"]), 0);
    // Drift is worse.
    let sql = "UPDATE dl_add_files SET size = size + 1 WHERE path = 'v2/f0'";
    rusqlite::Connection::open(home.database()).unwrap().execute(sql, []).unwrap();
    let document = found(&diff(&home, "m", &["--lag-threshold-seconds", "0"]), 2);
    assert_eq!(document["differences"][0]["fields"], json!([{ "field": "size", "catalog": 11, "log": 10 }]));
    home.mirror("m").ok();
    assert_eq!(found(&diff(&home, "m", &[]), 2)["lag_versions"], 0);
}

#[test]
fn foreign_commits_on_top_are_shown_and_taken_in() {
    let (home, log) = mirrored();
    let info =
        json!({ "commitInfo": { "operation": "MERGE", "engineInfo": "Other/1", "timestamp": 1_700_000_000_000_i64 } });
    fs::write(log.join(commit_name(13)), lines(&[info, add("x"), add("y"), remove("first")])).unwrap();
    fs::write(log.join(commit_name(14)), b"{\"add\":").unwrap();
    let before = log_content(&log);
    let document = found(&diff(&home, "m", &[]), 2);
    assert_eq!(
        (&document["diverged_at"], &document["log_version"], &document["version"]),
        (&Value::Null, &json!(14), &json!(12))
    );
    let commits = &document["foreign_commits"];
    assert_eq!(commits[0]["version"], 13);
    assert_eq!(commits[0]["log"]["operation"], "MERGE");
    assert_eq!(commits[0]["log"]["engine_info"], "Other/1");
    assert_eq!((&commits[0]["log"]["added_files"], &commits[0]["log"]["removed_files"]), (&json!(2), &json!(1)));
    assert_eq!(commits[0]["catalog"], Value::Null);
    assert_eq!(commits[1]["log"]["error"]["kind"], "corrupt");
    assert!(document["hint"].as_str().unwrap().contains("import --incremental"));
    // Up to a version that both have all is well.
    found(&diff(&home, "m", &["--version", "12"]), 0);
    assert!(log_content(&log) == before);
    fs::remove_file(log.join(commit_name(14))).unwrap();
    let location = home.tables()[0]["location"].as_str().unwrap().to_owned();
    home.run("import", &["--incremental", "--log-dir", log.to_str().unwrap(), "--table-location", &location]).ok();
    found(&diff(&home, "m", &[]), 0);
}

#[test]
fn diverged_histories_show_both_sides() {
    let (home, log) = mirrored();
    home.commit(&lines(&[add("ours")]), &["--operation", "OURS"]).ok();
    home.commit(&lines(&[add("ours-too")]), &[]).ok();
    let info = json!({ "commitInfo": { "operation": "THEIRS" } });
    fs::write(log.join(commit_name(13)), lines(&[info, add("theirs")])).unwrap();
    let before = log_content(&log);
    let document = found(&diff(&home, "m", &[]), 2);
    assert_eq!(
        (&document["diverged_at"], &document["version"], &document["lag_versions"]),
        (&json!(13), &json!(13), &json!(2))
    );
    let commits = document["foreign_commits"].as_array().unwrap();
    assert_eq!(commits[0]["log"]["operation"], "THEIRS");
    assert_eq!(commits[0]["catalog"]["operation"], "OURS");
    assert_eq!((&commits[1]["version"], &commits[1]["log"]), (&json!(14), &Value::Null));
    assert!(document["hint"].as_str().unwrap().contains("--resolve"));
    let counts = &document["counts"];
    assert_eq!((&counts["files_in_catalog_only"], &counts["files_in_log_only"]), (&json!(1), &json!(1)));
    assert!(log_content(&log) == before);
}

/// Engines may not find their way then, whatever else is there.
#[test]
fn a_checkpoint_that_is_named_and_not_there() {
    let (home, log) = mirrored();
    fs::write(log.join("_last_checkpoint"), r#"{"version":100,"size":1}"#).unwrap();
    let document = found(&diff(&home, "m", &[]), 2);
    assert_eq!((&document["status"], &document["misnamed_checkpoint"]), (&json!("drift"), &json!(100)));
    assert!(document["hint"].as_str().unwrap().contains("`dl mirror`"), "{document}");
    let metrics: Value = serde_json::from_str(&diff(&home, "m", &["--metrics-format", "json"]).out).unwrap();
    assert_eq!(metrics[0]["dl_diff_unreadable"], 1);
    let target = home.path("m");
    let table = run(home.command_in("table", "diff", &["--target", target.to_str().unwrap()]));
    assert!(table.out.contains("names a checkpoint that is not there, of version"), "{}", table.out);
    home.mirror("m").ok();
    assert_eq!(found(&diff(&home, "m", &[]), 0)["misnamed_checkpoint"], Value::Null);
}

/// It has the actions of the commit, but engines want the commit.
#[test]
fn a_compacted_log_is_no_commit() {
    let configured = metadata_with(json!({ "configuration": {
        "deltalakedb.logCompactionInterval": "2", "delta.checkpointInterval": "6",
    } }));
    let mut commits = many_commits(8, 1);
    commits[0] = lines(&[commit_info(), protocol(), configured, add("first")]);
    let home = Home::with_table(&commits);
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    assert!(log.join(format!("{:020}.{:020}.compacted.json", 7, 8)).exists());
    let before = log_content(&log);
    for missing in [&[7][..], &[7, 8]] {
        missing.iter().for_each(|&version| fs::remove_file(log.join(commit_name(version))).unwrap());
        let document = found(&diff(&home, "m", &[]), 2);
        assert_eq!((&document["gap_at"], &document["lag_versions"]), (&json!(7), &json!(2)));
        assert!(document["hint"].as_str().unwrap().contains("`dl mirror`"), "{document}");
        // What can be read is taken in.
        let reader = Home::new();
        reader.run("import", &["--log-dir", log.to_str().unwrap(), "--mode", "latest"]).ok();
        assert_eq!(reader.file_paths(), home.file_paths());
        home.mirror("m").ok();
        assert!(log_content(&log) == before);
        found(&diff(&home, "m", &[]), 0);
    }
}

#[test]
fn metrics() {
    let (home, log) = mirrored();
    fs::write(log.join(commit_name(13)), lines(&[add("x")])).unwrap();
    let ran = diff(&home, "m", &["--metrics-format", "prometheus"]);
    assert_eq!(ran.code, Some(2));
    let labels = format!("{{table=\"t\",target=\"{}\"}}", home.path("m").display());
    for line in [
        "# TYPE dl_diff_lag_seconds gauge".to_owned(),
        format!("dl_diff_compared{labels} 1"),
        format!("dl_diff_equal{labels} 0"),
        format!("dl_diff_drift{labels} 1"),
        format!("dl_diff_lag_versions{labels} 0"),
        format!("dl_diff_lag_seconds{labels} 0.000"),
        format!("dl_diff_foreign_commits{labels} 1"),
        format!("dl_diff_log_version{labels} 13"),
    ] {
        assert!(ran.out.lines().any(|found| found == line), "{line} is not in\n{}", ran.out);
    }
    let numbers: Value = serde_json::from_str(&diff(&home, "m", &["--metrics-format", "json"]).out).unwrap();
    assert_eq!((&numbers[0]["table"], &numbers[0]["dl_diff_catalog_version"]), (&json!("t"), &json!(12)));
    // Every one of them is told in the help.
    let mut help = crate::support::dl();
    help.args(["diff", "--help"]);
    let help = run(help).ok().out;
    for name in numbers[0].as_object().unwrap().keys().filter(|name| name.starts_with("dl_")) {
        assert!(help.contains(name), "{name}");
    }
    // A target that cannot be compared is told, too.
    let ran = diff(&home, "nowhere", &["--metrics-format", "prometheus"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("dl_diff_compared{"), "{}", ran.out);
}

#[test]
fn each_difference_is_a_line_of_ndjson() {
    let home = Home::with_table(&many_commits(2, 40));
    home.mirror("m").ok();
    let sql = "UPDATE dl_add_files SET size = 0 WHERE path LIKE 'v%'";
    rusqlite::Connection::open(home.database()).unwrap().execute(sql, []).unwrap();
    let target = home.path("m");
    let args = ["--target", target.to_str().unwrap()];
    let ran = run(home.command_in("ndjson", "diff", &args));
    assert_eq!(ran.code, Some(2));
    let kinds: Vec<String> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "difference").count(), 80);
    assert_eq!(kinds.iter().filter(|kind| *kind == "foreign_commit").count(), 2);
    assert_eq!(kinds.last().unwrap(), "summary");
    assert_eq!(found(&diff(&home, "m", &[]), 2)["differences"].as_array().unwrap().len(), 20);
    let ran = run(home.command_in("table", "diff", &args));
    assert!(ran.err.contains("only the first 20"), "{}", ran.err);
}

/// Several tables: the worst of them is the exit code.
#[test]
fn all_tables() {
    let home = Home::with_table(&[first_commit()]);
    home.write_log("u", &[lines(&[commit_info(), protocol(), metadata_with(json!({ "id": "u" })), add("u")])]);
    home.import("u").ok();
    let documents: Value = home.run("diff", &["--all"]).json();
    assert_eq!(documents.as_array().unwrap().len(), 2);
    fs::write(home.path("u/_delta_log").join(commit_name(1)), lines(&[add("x")])).unwrap();
    assert_eq!(home.run("diff", &["--all"]).code, Some(2));
    assert_eq!(home.run("verify", &["--all"]).code, Some(2));
    fs::remove_dir_all(home.path("t")).unwrap();
    let ran = home.run("diff", &["--all"]);
    assert_eq!(ran.error(1)["kind"], "not_found");
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap().as_array().unwrap().len(), 1);
    assert_eq!(home.run("verify", &["--all"]).code, Some(1));
}

#[test]
fn codes_of_usage_are_their_own() {
    let home = Home::with_table(&[first_commit()]);
    for (command, args) in [
        ("diff", &["--frobnicate"][..]),
        ("diff", &["--version", "x"]),
        ("diff", &["--max-drift-files", "-1"]),
        ("diff", &["--yes"]),
        ("diff", &["--resolve", "nobody"]),
        ("diff", &["--all", "--target", "x"]),
        ("diff", &["--all", "--resolve", "log"]),
        ("verify", &["--last", "0"]),
        ("verify", &["--version", "5..2"]),
        ("verify", &["--version", ".."]),
        ("verify", &["--version", "-1..2"]),
        ("verify", &["--last", "1", "--version", "0"]),
    ] {
        home.run(command, args).error(64);
    }
    // Also where --format comes before the command, and the catalog is not named.
    let mut bare = crate::support::dl();
    bare.args(["--format", "json", "verify", "--all"]);
    run(bare).error(64);
    assert_eq!(home.run("history", &["--limit", "diff"]).code, Some(2));
}

#[test]
fn targets_that_cannot_be_compared() {
    let (home, log) = mirrored();
    diff(&home, "nowhere", &[]).fails("not_found", "nowhere");
    assert!(!home.path("nowhere").exists(), "nothing is made");
    fs::create_dir_all(home.path("empty/_delta_log")).unwrap();
    diff(&home, "empty", &[]).fails("not_found", "there is no log");
    fs::write(home.path("file"), "x").unwrap();
    diff(&home, "file", &[]).fails("invalid", "file");
    // Another table's log.
    let other = lines(&[commit_info(), protocol(), metadata_with(json!({ "id": "other" })), add("z")]);
    home.write_log("other", &[other.clone(), other]);
    diff(&home, "other", &[]).fails("conflict", "another table's");
    diff(&home, "other", &["--resolve", "catalog", "--yes"]).fails("conflict", "another table's");
    diff(&home, "other", &["--resolve", "log", "--yes"]).fails("conflict", "another table's");
    // A log that begins after the catalog ends.
    home.mirror("later").ok();
    let later = home.path("later/_delta_log");
    for version in 0..=12 {
        fs::remove_file(later.join(commit_name(version))).unwrap();
    }
    fs::remove_file(later.join("_last_checkpoint")).unwrap();
    fs::rename(
        later.join(format!("{:020}.checkpoint.parquet", 10)),
        later.join(format!("{:020}.checkpoint.parquet", 30)),
    )
    .unwrap();
    let ran = diff(&home, "later", &[]);
    ran.fails("not_found", "the catalog has 0 to 12, the log has 30 to 30");
    // A hole after which the log goes on.
    fs::remove_file(log.join(commit_name(11))).unwrap();
    let document = found(&diff(&home, "m", &[]), 2);
    assert_eq!((&document["gap_at"], &document["version"]), (&json!(11), &json!(10)));
    home.mirror("m").ok();
    found(&diff(&home, "m", &[]), 0);
    // Cleaned up below the checkpoint: what is left is equal.
    for version in 0..10 {
        fs::remove_file(log.join(commit_name(version))).unwrap();
    }
    found(&diff(&home, "m", &[]), 0);
    diff(&home, "m", &["--version", "9"]).fails("not_found", "from version 10 to 12");
    // Damaged: that is drift, and says where.
    fs::write(log.join(format!("{:020}.checkpoint.parquet", 10)), "PAR1").unwrap();
    let document = found(&diff(&home, "m", &[]), 2);
    assert_eq!(document["unreadable"]["kind"], "corrupt");
    assert_eq!(document["unreadable"]["path"], format!("{:020}.checkpoint.parquet", 10));
    // A version far away.
    fs::write(log.join(format!("{:020}.json", i64::MAX >> 1)), lines(&[add("far")])).unwrap();
    assert_eq!(found(&diff(&home, "m", &[]), 2)["foreign_commit_count"], 1);
}

/// Engines read the newest version that they find, whatever leads there.
#[test]
fn a_checkpoint_of_a_version_to_come_is_drift() {
    let home = Home::with_table(&many_commits(12, 1));
    home.run("mirror", &[]).ok();
    home.run("diff", &[]).ok();
    let checkpoint = |version| home.path("t/_delta_log").join(format!("{version:020}.checkpoint.parquet"));
    fs::copy(checkpoint(10), checkpoint(99)).unwrap();
    let ran = home.run("diff", &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told[0]["status"], &told[0]["log_version"]), (&json!("drift"), &json!(99)));
    assert!(told[0]["hint"].as_str().unwrap().contains("engines read that version"), "{told}");
}
