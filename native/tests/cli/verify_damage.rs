//! `dl verify` on logs with damage that readers notice late or never.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    Home, add, add_with, commit_info, lines, many_commits, metadata, metadata_with, protocol, protocol_with, remove,
};

const UUID: &str = "80a083e8-7026-4e79-81be-64bd76c43a11";

/// A table of versions 0 to 12, mirrored to `m`, whose log is the second.
fn mirrored() -> (Home, PathBuf) {
    let home = Home::with_table(&many_commits(12, 2));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    (home, log)
}

/// The messages of what is wrong, each with its object.
#[track_caller]
pub(crate) fn problems(home: &Home) -> Vec<(String, String)> {
    let target = home.path("m");
    let ran = home.run("verify", &["--target", target.to_str().unwrap()]);
    let document = serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err))[0].clone();
    let versions = document["versions"].as_array().unwrap().iter().map(|at| &at["problems"]);
    let all = versions.chain([&document["problems"]]).flat_map(|problems| problems.as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found: Vec<_> = all.map(|problem| (text(&problem["object"]), text(&problem["message"]))).collect();
    assert_eq!(ran.code, Some(if found.is_empty() { 0 } else { 2 }), "{}", ran.err);
    found
}

/// One object has a problem, with these words in it.
#[track_caller]
pub(crate) fn check(home: &Home, object: &str, words: &str) {
    let found = problems(home);
    assert!(found.len() == 1 && found[0].0 == object && found[0].1.contains(words), "{words}: {found:?}");
}

#[test]
fn rows_of_a_checkpoint() {
    let (home, log) = mirrored();
    fs::remove_file(log.join("_last_checkpoint")).unwrap();
    let classic = log.join(format!("{:020}.checkpoint.parquet", 10));
    fs::create_dir(log.join("_sidecars")).unwrap();
    let sidecar_bytes = fs::metadata(&classic).unwrap().len();
    fs::rename(&classic, log.join("_sidecars/a.parquet")).unwrap();
    let name = format!("{:020}.checkpoint.{UUID}.json", 10);
    let of_version = |version: i64| json!({ "checkpointMetadata": { "version": version } });
    let sidecar =
        |bytes: u64| json!({ "sidecar": { "path": "a.parquet", "sizeInBytes": bytes, "modificationTime": 0 } });
    let right = [of_version(10), sidecar(sidecar_bytes), remove("gone")];
    let with = |more: &[Value]| lines(&[&right[..], more].concat());
    fs::write(log.join(&name), with(&[])).unwrap();
    assert_eq!(problems(&home), []);
    for (rows, words) in [
        (with(&[add_with("first", json!({ "dataChange": false }))]), "1 `add` of a file that has one"),
        (with(&[remove("first")]), "1 `remove` of a file that has an `add`"),
        (with(&[protocol()]), "1 `protocol` too many"),
        (with(&[metadata()]), "1 `metaData` too many"),
        (with(&[of_version(10)]), "1 `checkpointMetadata` too many"),
        (lines(&right[1..]), "no `checkpointMetadata`"),
        (lines(&[of_version(9), right[1].clone()]), "of another version"),
        (lines(&[of_version(10), sidecar(sidecar_bytes + 1)]), "bytes of _sidecars/a.parquet, which has"),
    ] {
        fs::write(log.join(&name), rows).unwrap();
        check(&home, &name, words);
        // Also where the first version that is looked at is the checkpoint's.
        let target = home.path("m");
        let args = ["--target", target.to_str().unwrap(), "--version", "10"];
        let ran = home.run("verify", &args);
        assert!(ran.code == Some(2) && ran.out.contains(words), "{words}: {}", ran.out);
    }
    fs::write(log.join(&name), with(&[sidecar(sidecar_bytes)])).unwrap();
    assert!(problems(&home).iter().any(|(_, message)| message.contains("1 `sidecar`")));
}

#[test]
fn what_last_checkpoint_tells() {
    let (home, log) = mirrored();
    let path = log.join("_last_checkpoint");
    let right = fs::read_to_string(&path).unwrap();
    assert!(right.contains("\"checksum\"") && right.contains("\"numOfAddFiles\":21"), "{right}");
    for (wrong, words) in [
        (right.replace("\"size\":23", "\"size\":24"), "`checksum`"),
        (right.replace("\"version\":10,", "\"version\":10,\"further\":1,"), "`checksum`"),
        (r#"{"version":10,"size":23,"parts":2}"#.to_owned(), "of 2 parts"),
        (r#"{"version":10,"size":23,"numOfAddFiles":22}"#.to_owned(), "`numOfAddFiles` is 22"),
        (r#"{"version":10,"size":22}"#.to_owned(), "`size` is 22"),
        (r#"{"version":10,"size":23,"sizeInBytes":99999999}"#.to_owned(), "it tells 99999999 bytes"),
        (
            format!(
                r#"{{"version":10,"size":23,"v2Checkpoint":{{"path":"{:020}.checkpoint.{UUID}.json","sizeInBytes":1,
                "modificationTime":0}}}}"#,
                10
            ),
            "which is not there",
        ),
    ] {
        fs::write(&path, wrong).unwrap();
        check(&home, "_last_checkpoint", words);
    }
    fs::write(&path, r#"{"version":10,"size":23}"#).unwrap();
    assert_eq!(problems(&home), []);
}

#[test]
fn a_checksum_after_the_end() {
    let (home, log) = mirrored();
    let name = format!("{:020}.crc", 13);
    fs::copy(log.join(format!("{:020}.crc", 12)), log.join(&name)).unwrap();
    check(&home, &name, "newer than the log, which ends at version 12");
}

#[test]
fn fields_of_a_checksum() {
    let (home, log) = mirrored();
    let name = format!("{:020}.crc", 12);
    let right: Value = serde_json::from_str(&fs::read_to_string(log.join(&name)).unwrap()).unwrap();
    let check_changed = |change: &dyn Fn(&mut Value), words: &str| {
        let mut changed = right.clone();
        change(&mut changed);
        fs::write(log.join(&name), changed.to_string()).unwrap();
        check(&home, &name, words);
    };
    for field in ["tableSizeBytes", "numFiles", "numMetadata", "numProtocol", "metadata", "protocol"] {
        check_changed(&|crc| drop(crc.as_object_mut().unwrap().remove(field)), &format!("it has no `{field}`"));
    }
    check_changed(&|crc| crc["inCommitTimestampOpt"] = json!(1), "the table has no in-commit timestamps");
    // All files in another bin, with the same sums.
    let move_files = |histogram: &mut Value| {
        for list in ["fileCounts", "totalBytes"] {
            let list = histogram[list].as_array_mut().unwrap();
            let last = list.len() - 1;
            list.swap(0, last);
        }
    };
    check_changed(
        &|crc| move_files(&mut crc["fileSizeHistogram"]),
        "in the bin that begins at 0, the catalog 25 of 250",
    );
    let by_its_other_name = |crc: &mut Value| {
        crc["histogramOpt"] = crc["fileSizeHistogram"].take();
        move_files(&mut crc["histogramOpt"]);
    };
    check_changed(&by_its_other_name, "`histogramOpt` has 0 files");
    let deleted = |counts: [i64; 10]| json!({ "deletedRecordCounts": counts });
    check_changed(
        &|crc| crc["deletedRecordCountsHistogramOpt"] = deleted([24, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        "`deletedRecordCountsHistogramOpt` is [24, 1",
    );
    // Not of the writers that came before the protocol tells of checksums.
    let mut older = right.clone();
    ["metadata", "protocol"].iter().for_each(|field| drop(older.as_object_mut().unwrap().remove(*field)));
    older["numTransactions"] = json!(0);
    fs::write(log.join(&name), older.to_string()).unwrap();
    assert_eq!(problems(&home), []);
    let mut right = right.clone();
    right["deletedRecordCountsHistogramOpt"] = deleted([25, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    right["histogramOpt"] = right["fileSizeHistogram"].clone();
    fs::write(log.join(&name), right.to_string()).unwrap();
    assert_eq!(problems(&home), []);
}

#[test]
fn a_checksum_without_the_commits_time() {
    let info = json!({ "commitInfo": { "inCommitTimestamp": 1_700_000_000_000_i64, "operation": "WRITE" } });
    let configuration = json!({ "configuration": { "delta.enableInCommitTimestamps": "true" } });
    let first = [info, protocol_with(&["inCommitTimestamp"]), metadata_with(configuration), add("a")];
    let home = Home::with_table(&[lines(&first)]);
    home.mirror("m").ok();
    assert_eq!(problems(&home), []);
    let name = format!("{:020}.crc", 0);
    let path = home.path("m/_delta_log").join(&name);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("inCommitTimestampOpt", "other")).unwrap();
    check(&home, &name, "it has no `inCommitTimestampOpt`");
}

/// A transaction's id is that of the commit; who tells none is believed.
#[test]
fn a_checksum_of_another_transaction() {
    let info = json!({ "commitInfo": { "operation": "WRITE", "txnId": "0e3f8a50" } });
    let home = Home::with_table(&[lines(&[info, protocol(), metadata(), add("a")])]);
    home.mirror("m").ok();
    assert_eq!(problems(&home), []);
    let name = format!("{:020}.crc", 0);
    let path = home.path("m/_delta_log").join(&name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("0e3f8a50"));
    fs::write(&path, text.replace("\"0e3f8a50\"", "\"1e3f8a50\"")).unwrap();
    check(&home, &name, "`txnId` is 1e3f8a50, in the `commitInfo` of its version it is 0e3f8a50");
    fs::write(&path, text.replace("\"txnId\"", "\"other\"")).unwrap();
    assert_eq!(problems(&home), []);
}

/// Several checksums: the bins of each are counted on from those before.
#[test]
fn checksums_of_many_versions() {
    let home = Home::with_table(&[lines(&[commit_info(), protocol(), metadata(), add("a")])]);
    home.mirror("m").ok();
    for (removed, added) in [("a", "b"), ("b", "c")] {
        home.commit(&lines(&[commit_info(), remove(removed), add_with(added, json!({ "size": 9000 }))]), &[]).ok();
        home.mirror("m").ok();
    }
    assert_eq!(problems(&home), []);
    let name = format!("{:020}.crc", 1);
    let path = home.path("m/_delta_log").join(&name);
    let mut crc: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    crc["fileSizeHistogram"]["fileCounts"].as_array_mut().unwrap().swap(1, 2);
    fs::write(&path, crc.to_string()).unwrap();
    check(&home, &name, "in the bin that begins at 8192");
}
