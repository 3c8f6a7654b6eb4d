//! Checkpoints in the forms that a table's properties ask for.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    Home, add_with, commit_info, commit_name, lines, log_content, metadata_with, protocol_with, remove,
};

/// The commit at which the checkpoint is due.
const LAST: usize = 4;

/// A table of versions 0 to 4 with 9 files, a tombstone, a transaction and a field of another day, and these
/// properties; a checkpoint is due at version 4.
fn home(properties: Value) -> Home {
    let mut configuration = json!({
        "delta.checkpointInterval": "4", "delta.deletedFileRetentionDuration": "interval 100 weeks 10000 days",
    });
    for (name, value) in properties.as_object().unwrap() {
        configuration[name] = value.clone();
    }
    let protocol = json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["v2Checkpoint"], "writerFeatures": ["v2Checkpoint"],
    } });
    let protocol = if configuration.get("delta.checkpointPolicy").is_some() { protocol } else { protocol_with(&[]) };
    let file = |n: usize| {
        add_with(&format!("f{n}"), json!({ "stats": format!(r#"{{"numRecords":{n},"minValues":{{"id":{n}}}}}"#) }))
    };
    let txn = json!({ "txn": { "appId": "app", "version": 1 } });
    let mut commits =
        vec![lines(&[commit_info(), protocol, metadata_with(json!({ "configuration": configuration })), file(0), txn])];
    commits.extend((1..LAST).map(|n| lines(&[commit_info(), file(n * 10), file(n * 10 + 1), file(n * 10 + 2)])));
    commits.push(lines(&[commit_info(), remove("f0"), add_with("odd", json!({ "future": [1.10] })), remove("f10")]));
    Home::with_table(&commits)
}

/// Mirrors, and takes away the commits that the checkpoint stands for; the answer is the log's folder.
fn mirrored(home: &Home) -> PathBuf {
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    (0..LAST).for_each(|version| fs::remove_file(log.join(commit_name(version))).unwrap());
    log
}

fn names(log: &std::path::Path) -> Vec<String> {
    log_content(log).into_iter().map(|(name, _)| name).collect()
}

fn last_checkpoint(log: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(log.join("_last_checkpoint")).unwrap()).unwrap()
}

/// What is read from the log is what the catalog holds.
fn assert_same_state(home: &Home, log: &std::path::Path) {
    let reader = Home::new();
    reader.run("import", &["--log-dir", log.to_str().unwrap(), "--mode", "latest"]).ok();
    let files = |home: &Home| {
        let mut files = home.run("files", &[]).json().as_array().unwrap().clone();
        files.iter_mut().for_each(|add| add["dataChange"] = json!(false));
        files.sort_by_key(|add| add["path"].as_str().unwrap().to_owned());
        files
    };
    assert_eq!(files(&reader), files(home));
    let of_snapshot = |home: &Home, part: &str| home.run("snapshot", &[]).json()[part].clone();
    for part in ["metadata", "protocol", "transactions", "domain_metadata"] {
        assert_eq!(of_snapshot(&reader, part), of_snapshot(home, part));
    }
}

#[test]
fn parts() {
    let home = home(json!({ "deltalakedb.checkpointPartSize": "4" }));
    let log = mirrored(&home);
    let parts: Vec<String> =
        (1..=3).map(|part| format!("{LAST:020}.checkpoint.{part:010}.0000000003.parquet")).collect();
    let others = vec![format!("{LAST:020}.crc"), commit_name(LAST), "_last_checkpoint".to_owned()];
    assert_eq!(names(&log), [parts.clone(), others].concat());
    assert_same_state(&home, &log);
    let last = last_checkpoint(&log);
    let bytes: u64 = parts.iter().map(|part| fs::metadata(log.join(part)).unwrap().len()).sum();
    // 9 adds, 2 removes, a protocol, metadata and a transaction.
    assert_eq!(
        [&last["version"], &last["size"], &last["parts"], &last["sizeInBytes"], &last["numOfAddFiles"]],
        [&json!(LAST), &json!(14), &json!(3), &json!(bytes), &json!(9)]
    );

    // A run that was killed before it had written all parts is finished, and what is there stays.
    let whole = home.path("whole/_delta_log");
    home.mirror("whole").ok();
    let before = log_content(&whole);
    fs::remove_file(whole.join(&parts[1])).unwrap();
    fs::remove_file(whole.join("_last_checkpoint")).unwrap();
    fs::write(whole.join(&parts[2]), &before.iter().find(|(name, _)| *name == parts[2]).unwrap().1).unwrap();
    home.mirror("whole").ok();
    assert_eq!(last_checkpoint(&whole), last);
    let without_name = |files: Vec<(String, Vec<u8>)>| -> Vec<_> {
        files.into_iter().filter(|(name, _)| name != "_last_checkpoint").collect()
    };
    assert!(without_name(log_content(&whole)) == without_name(before));
}

#[test]
fn sidecars() {
    let properties = json!({ "delta.checkpointPolicy": "v2", "deltalakedb.checkpointPartSize": "5" });
    let home = home(properties);
    let log = mirrored(&home);
    let sidecars = names(&log.join("_sidecars"));
    assert_eq!(sidecars.len(), 3, "5, 5 and 1: {sidecars:?}");
    assert_same_state(&home, &log);
    let last = last_checkpoint(&log);
    // With the three sidecars and the checkpoint's metadata.
    assert_eq!([&last["size"], &last["numOfAddFiles"], &last["parts"]], [&json!(18), &json!(9), &Value::Null]);
    let v2 = &last["v2Checkpoint"];
    assert!(log.join(v2["path"].as_str().unwrap()).exists());
    assert_eq!(v2["sidecarFiles"].as_array().unwrap().len(), 3);
    assert_eq!(v2["nonFileActions"].as_array().unwrap().len(), 4);
    assert_eq!(last["checksum"].as_str().unwrap().len(), 32);

    // One that is there is described, and not written again.
    let before = names(&log);
    fs::remove_file(log.join("_last_checkpoint")).unwrap();
    home.mirror("m").ok();
    assert_eq!((names(&log), names(&log.join("_sidecars"))), (before, sidecars));
    assert_eq!(last_checkpoint(&log), last);
}

#[test]
fn structs_alone() {
    let home = home(json!({
        "delta.checkpoint.writeStatsAsJson": "false", "delta.checkpoint.writeStatsAsStruct": "true",
    }));
    assert_same_state(&home, &mirrored(&home));
}

#[test]
fn the_policy_classic_is_one_file() {
    let home = home(json!({ "delta.checkpointPolicy": "classic", "deltalakedb.checkpointPartSize": "1" }));
    let log = mirrored(&home);
    let file = format!("{LAST:020}.checkpoint.parquet");
    assert_eq!(names(&log), [file, format!("{LAST:020}.crc"), commit_name(LAST), "_last_checkpoint".to_owned()]);
    assert_same_state(&home, &log);
}

/// Engines that do not find the checkpoint that is named cannot read the table.
#[test]
fn the_checkpoint_that_is_named_is_there() {
    let home = home(json!({}));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let name = log.join("_last_checkpoint");
    let own = fs::read_to_string(&name).unwrap();
    for (there, stays) in [
        (r#"{"version":4,"size":1}"#, true),
        (r#"{"version":4,"size":1,"parts":2}"#, false),
        (r#"{"version":5,"size":1}"#, false),
        (r#"{"version":9007199254740993,"size":-1,"checksum":"?"}"#, false),
        (r#"{"version":3,"size":1}"#, false),
        (r#"{"version":"#, false),
        ("", false),
    ] {
        fs::write(&name, there).unwrap();
        home.mirror("m").ok();
        let found = fs::read_to_string(&name).unwrap();
        assert_eq!(found, if stays { there } else { &own });
    }
}

#[test]
fn a_newer_checkpoint_of_another_writer_stays_named() {
    let home = home(json!({}));
    home.commit(&lines(&[add_with("new", json!({}))]), &[]).ok();
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let (name, checkpoint) =
        (log.join("_last_checkpoint"), |version| log.join(format!("{version:020}.checkpoint.parquet")));
    let own = fs::read_to_string(&name).unwrap();
    fs::copy(checkpoint(LAST), checkpoint(LAST + 1)).unwrap();
    let theirs = r#"{"version":5,"size":1}"#;
    fs::write(&name, theirs).unwrap();
    home.mirror("m").ok();
    assert_eq!(fs::read_to_string(&name).unwrap(), theirs);
    // Not named any more, it is named anew; gone, the one before is.
    fs::write(&name, r#"{"version":100}"#).unwrap();
    home.mirror("m").ok();
    let last = last_checkpoint(&log);
    assert_eq!((&last["version"], &last["numOfAddFiles"], &last["size"]), (&json!(5), &json!(10), &json!(14)));
    fs::remove_file(checkpoint(LAST + 1)).unwrap();
    home.mirror("m").ok();
    assert_eq!(fs::read_to_string(&name).unwrap(), own);
}

#[test]
fn without_a_checkpoint_none_is_named() {
    let home = Home::with_table(&[lines(&[commit_info(), protocol_with(&[]), metadata_with(json!({}))])]);
    let log = home.path("m/_delta_log");
    fs::create_dir_all(&log).unwrap();
    fs::write(log.join("_last_checkpoint"), r#"{"version":100}"#).unwrap();
    home.mirror("m").ok();
    assert_eq!(names(&log), [format!("{:020}.crc", 0), commit_name(0)]);
}

/// The commits on top of it could not be read.
#[test]
fn a_checkpoint_without_a_sidecar_is_not_whole() {
    let home = home(json!({ "delta.checkpointPolicy": "v2", "deltalakedb.checkpointPartSize": "5" }));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let sidecar = log.join("_sidecars").join(&names(&log.join("_sidecars"))[1]);
    let whole = fs::read(&sidecar).unwrap();
    home.commit(&lines(&[add_with("new", json!({}))]), &[]).ok();
    let before = names(&log);
    let named = sidecar.file_name().unwrap().to_str().unwrap();
    fs::write(&sidecar, &whole[1..]).unwrap();
    home.mirror("m").fails("corrupt", named);
    fs::remove_file(&sidecar).unwrap();
    let error = home.mirror("m").fails("corrupt", named);
    assert!(error["path"].as_str().unwrap().contains(".checkpoint."), "{error}");
    assert_eq!(names(&log), before, "nothing was written");
    fs::write(&sidecar, &whole).unwrap();
    home.mirror("m").ok();
    assert!(log.join(commit_name(LAST + 1)).exists());
}

/// A value that is none of its column's type would be null in the struct, and engines would pass its file over.
#[test]
fn odd_partition_values_are_in_no_struct() {
    let schema = r#"{"type":"struct","fields":[
        {"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"p","type":"integer","nullable":true,"metadata":{}}]}"#;
    for (value, extra, is_parsed) in
        [("6", json!({}), true), (" 6", json!({}), false), (" 6", json!({ "future": 1 }), false)]
    {
        let metadata = metadata_with(json!({
            "schemaString": schema, "partitionColumns": ["p"],
            "configuration": { "delta.checkpointInterval": "1", "delta.checkpoint.writeStatsAsStruct": "true" },
        }));
        let file = |path: &str, value: &str| {
            let mut file = extra.clone();
            file["partitionValues"] = json!({ "p": value });
            add_with(path, file)
        };
        let first = lines(&[commit_info(), protocol_with(&[]), metadata, file("a", "5")]);
        let home = Home::with_table(&[first, lines(&[commit_info(), file("b", value)])]);
        home.mirror("m").ok();
        let log = home.path("m/_delta_log");
        let schema = last_checkpoint(&log)["checkpointSchema"].to_string();
        assert_eq!(schema.contains("partitionValues_parsed"), is_parsed, "{value}: {schema}");
        assert!(schema.contains("stats_parsed"), "{schema}");
        fs::remove_file(log.join(commit_name(0))).unwrap();
        assert_same_state(&home, &log);
    }
}
