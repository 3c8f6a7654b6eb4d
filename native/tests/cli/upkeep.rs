//! What a mirror does besides commits and checkpoints: checksums, compacted logs, and the clean-up of what has expired.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{
    Home, add, add_with, commit_info, commit_name, copy_folder, lines, log_content, metadata_with, protocol,
    protocol_with, remove, tables_folder,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A table of 26 versions, one a day, of which the last is of 40 days ago. Versions 1 and on remove the file of the one before.
fn old_table(configuration: Value, protocol: Value) -> Home {
    let home = Home::new();
    let first = [commit_info(), protocol, metadata_with(json!({ "configuration": configuration })), add("v0")];
    let mut commits = vec![lines(&first)];
    for version in 1..26 {
        let name = |version: i32| format!("v{version}");
        commits.push(lines(&[
            commit_info(),
            remove(&name(version - 1)),
            add(&name(version)),
            add(&format!("kept{version}")),
        ]));
    }
    let log = home.write_log("t", &commits);
    (0..26).for_each(|version| age(&log.join(commit_name(version)), 65 - version as u32));
    home.import("t").ok();
    home
}

/// Lets a file be of so many days ago.
fn age(file: &Path, days: u32) {
    let time = SystemTime::now() - DAY * days;
    fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

fn names(log: &Path) -> Vec<String> {
    log_content(log).into_iter().map(|(name, _)| name).collect()
}

fn checkpoint_name(version: usize) -> String {
    format!("{version:020}.checkpoint.parquet")
}

fn checksum(version: usize) -> String {
    format!("{version:020}.crc")
}

/// All that is in a log after these commits were kept.
fn kept(commits: std::ops::RangeInclusive<usize>, others: &[String]) -> BTreeSet<String> {
    commits.map(commit_name).chain(others.iter().cloned()).chain(["_last_checkpoint".to_owned()]).collect()
}

fn commit_one(home: &Home, path: &str) {
    home.commit(&lines(&[add(path)]), &[]).ok();
}

#[test]
fn a_checksum_tells_the_state_of_the_newest_version() {
    let home = Home::with_table(&[lines(&[commit_info(), protocol(), metadata_with(json!({})), add("a")])]);
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let read = |version| -> Value { serde_json::from_slice(&fs::read(log.join(checksum(version))).unwrap()).unwrap() };
    assert_eq!((&read(0)["numFiles"], &read(0)["tableSizeBytes"]), (&json!(1), &json!(10)));
    let first = fs::read(log.join(checksum(0))).unwrap();

    home.commit(&lines(&[remove("a"), add("b"), add("c")]), &[]).ok();
    commit_one(&home, "d");
    home.mirror("m").ok();
    let there = [commit_name(0), checksum(0), commit_name(1), commit_name(2), checksum(2)];
    assert_eq!(names(&log).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(there));
    let newest = read(2);
    assert_eq!((&newest["numFiles"], &newest["tableSizeBytes"]), (&json!(3), &json!(30)));
    assert_eq!(newest["fileSizeHistogram"]["fileCounts"][0], 3);
    assert_eq!(newest["metadata"]["id"], metadata_with(json!({}))["metaData"]["id"]);
    assert!(newest["numDeletionVectorsOpt"].is_null(), "the table has no such feature");
    assert_eq!(fs::read(log.join(checksum(0))).unwrap(), first, "a published file stays");

    // One that was mirrored at once counts all files, and says the same.
    home.mirror("at once").ok();
    assert_eq!(
        fs::read(home.path("at once/_delta_log").join(checksum(2))).unwrap(),
        fs::read(log.join(checksum(2))).unwrap()
    );
}

/// Counted on from the checksum before, not from all files: what that one says wrongly, but not impossibly, comes again.
#[test]
fn a_checksum_costs_what_has_changed() {
    let sized = |path: &str, size: i64| add_with(path, json!({ "size": size }));
    let first = [commit_info(), protocol(), metadata_with(json!({})), sized("a", 10), sized("b", 10_000)];
    let home = Home::with_table(&[lines(&first)]);
    home.mirror("m").ok();
    let path = home.path("m/_delta_log").join(checksum(0));
    let mut edited: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let bytes = &mut edited["fileSizeHistogram"]["totalBytes"];
    assert_eq!((&bytes[0], &bytes[1]), (&json!(10), &json!(10_000)));
    (bytes[0], bytes[1]) = (json!(1000), json!(9010));
    fs::write(&path, edited.to_string()).unwrap();
    home.commit(&lines(&[sized("c", 5), remove("a")]), &[]).ok();
    commit_one(&home, "d");
    home.mirror("m").ok();
    let newest = fs::read(home.path("m/_delta_log").join(checksum(2))).unwrap();
    let bytes = serde_json::from_slice::<Value>(&newest).unwrap()["fileSizeHistogram"]["totalBytes"].take();
    assert_eq!((&bytes[0], &bytes[1]), (&json!(1000 - 10 + 5 + 10), &json!(9010)));
}

/// What lies under the name of the checksum before is not believed, and not touched.
#[test]
fn a_checksum_that_is_none_is_counted_anew() {
    for content in ["", "not JSON", "{}", r#"{"numFiles":1e999}"#] {
        let home = Home::with_table(&[lines(&[commit_info(), protocol(), metadata_with(json!({})), add("a")])]);
        let log = home.path("m/_delta_log");
        fs::create_dir_all(&log).unwrap();
        fs::copy(home.path("t/_delta_log").join(commit_name(0)), log.join(commit_name(0))).unwrap();
        fs::write(log.join(checksum(0)), content).unwrap();
        commit_one(&home, "b");
        home.mirror("m").ok();
        assert_eq!(fs::read_to_string(log.join(checksum(0))).unwrap(), content);
        let found: Value = serde_json::from_slice(&fs::read(log.join(checksum(1))).unwrap()).unwrap();
        assert_eq!(found["numFiles"], 2);
    }
}

/// What cannot be, though its sums are right, is not counted on.
#[test]
fn a_damaged_histogram_is_counted_anew() {
    let home = Home::with_table(&[lines(&[commit_info(), protocol(), metadata_with(json!({})), add("a"), add("b")])]);
    home.mirror("m").ok();
    let path = home.path("m/_delta_log").join(checksum(0));
    let mut edited: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (numbers, from, to) in [("fileCounts", 1, 1), ("totalBytes", 10, 10)] {
        let numbers = &mut edited["fileSizeHistogram"][numbers];
        (numbers[0], numbers[90]) = (json!(from), json!(to));
    }
    fs::write(&path, edited.to_string()).unwrap();
    commit_one(&home, "c");
    home.mirror("m").ok();
    let newest = fs::read(home.path("m/_delta_log").join(checksum(1))).unwrap();
    let newest: Value = serde_json::from_slice(&newest).unwrap();
    let histogram = &newest["fileSizeHistogram"];
    assert_eq!((&histogram["fileCounts"][0], &histogram["fileCounts"][90]), (&json!(3), &json!(0)));
    assert_eq!((&histogram["totalBytes"][0], &histogram["totalBytes"][90]), (&json!(30), &json!(0)));
}

#[test]
fn expired_files_go_and_do_not_come_back() {
    let home = old_table(json!({}), protocol());
    let ran = home.mirror("m").json();
    let log = home.path("m/_delta_log");
    let expected = kept(20..=25, &[checkpoint_name(20), checksum(25)]);
    assert_eq!(names(&log).into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(ran[0]["commits_written"], 26);
    assert_eq!(ran[0]["files_deleted"], 20);
    assert_eq!(home.run("history", &["--limit", "100"]).json().as_array().unwrap().len(), 26, "the catalog keeps all");

    // Again, and with more commits: nothing that went comes back, and it is known as the table's own.
    let before = log_content(&log);
    let again = home.mirror("m").json();
    assert_eq!((&again[0]["commits_written"], &again[0]["files_deleted"]), (&json!(0), &json!(0)));
    assert!(log_content(&log) == before);
    (26..=31).for_each(|version| commit_one(&home, &format!("new{version}")));
    let more = home.mirror("m").json();
    assert_eq!(more[0]["commits_written"], 6);
    // The versions since are young: the newest checkpoint that they may need is the old one.
    let expected = kept(20..=31, &[checkpoint_name(20), checkpoint_name(30), checksum(25), checksum(31)]);
    assert_eq!(names(&log).into_iter().collect::<BTreeSet<_>>(), expected);

    // Others read it, and take it in.
    let reader = Home::new();
    reader.run("import", &["--log-dir", log.to_str().unwrap(), "--name", "t"]).ok();
    assert_eq!(reader.file_paths(), home.file_paths());
    assert_eq!(reader.run("history", &["--limit", "100"]).json().as_array().unwrap().len(), 12);
    fs::write(log.join(commit_name(32)), lines(&[commit_info(), add("foreign")])).unwrap();
    reader.run("import", &["--log-dir", log.to_str().unwrap(), "--incremental"]).ok();
    assert!(reader.file_paths().contains(&"foreign".to_owned()));
    home.mirror("m").fails("conflict", "goes on to version 32");
    let in_place = reader.run("mirror", &["--target", home.path("m").to_str().unwrap()]).json();
    assert_eq!((&in_place[0]["commits_written"], &in_place[0]["files_deleted"]), (&json!(0), &json!(0)));
}

/// Another table's log that was cleaned up is not taken for this one's, nor this one's for another's.
#[test]
fn a_cleaned_up_log_is_still_one_tables() {
    let home = old_table(json!({}), protocol());
    home.mirror("m").ok();
    let other =
        Home::with_table(&[lines(&[commit_info(), protocol(), metadata_with(json!({ "id": "other" })), add("z")])]);
    let before = log_content(&home.path("m/_delta_log"));
    other.run("mirror", &["--target", home.path("m").to_str().unwrap()]).fails("conflict", "another one");
    assert!(log_content(&home.path("m/_delta_log")) == before);
}

#[test]
fn what_may_not_go_stays() {
    let one_of = |property: &str, value: &str| json!({ property: value });
    let protection = "delta.requireCheckpointProtectionBeforeVersion";
    for (name, configuration, protocol) in [
        ("switched off", one_of("delta.enableExpiredLogCleanup", "false"), protocol()),
        ("neither on nor off", one_of("delta.enableExpiredLogCleanup", "perhaps"), protocol()),
        ("kept for longer", one_of("delta.logRetentionDuration", "interval 60 days"), protocol()),
        ("kept for who knows how long", one_of("delta.logRetentionDuration", "interval 1 month"), protocol()),
        ("protected beyond", one_of(protection, "21"), protocol_with(&["checkpointProtection"])),
        ("protected oddly", one_of(protection, "x"), protocol_with(&["checkpointProtection"])),
        ("an unknown feature", json!({}), protocol_with(&["featureOfAnotherDay"])),
    ] {
        let home = old_table(configuration, protocol);
        let ran = home.mirror("m").json();
        assert_eq!(ran[0]["files_deleted"], 0, "{name}");
        let expected = kept(0..=25, &[checkpoint_name(20), checksum(25)]);
        assert_eq!(names(&home.path("m/_delta_log")).into_iter().collect::<BTreeSet<_>>(), expected, "{name}");
    }
    for (name, configuration, protocol) in [
        ("kept for less", one_of("delta.logRetentionDuration", "interval 1 day"), protocol()),
        ("on", one_of("delta.enableExpiredLogCleanup", "TRUE"), protocol()),
        ("not protected any more", one_of(protection, "20"), protocol_with(&["checkpointProtection"])),
        ("without the feature", one_of(protection, "21"), protocol()),
    ] {
        let home = old_table(configuration, protocol);
        assert_eq!(home.mirror("m").json()[0]["files_deleted"], 20, "{name}");
    }
}

/// In place, where another engine left V2 checkpoints: their sidecars go after them, others stay.
#[test]
fn sidecars_of_no_checkpoint_go() {
    let (home, log) = table_with_sidecars(12);
    let sidecars = log.join("_sidecars");
    fs::write(sidecars.join("young.parquet"), "being written").unwrap();
    fs::write(sidecars.join("notes.txt"), "not a sidecar").unwrap();
    age(&sidecars.join("notes.txt"), 50);
    let before = names(&sidecars).len();
    assert!(before > 3);
    let ran = home.run("mirror", &[]).json();
    let checkpoint = v2_checkpoint(&log, 10);
    assert_eq!(names(&log).into_iter().collect::<BTreeSet<_>>(), kept(10..=12, &[checkpoint.clone(), checksum(12)]));
    let named = fs::read_to_string(log.join(checkpoint)).unwrap();
    let (own, others): (Vec<_>, Vec<_>) = names(&sidecars).into_iter().partition(|name| named.contains(name));
    assert_eq!((own.len(), others), (1, vec!["notes.txt".to_owned(), "young.parquet".to_owned()]));
    // 10 commits, 2 checkpoints and their sidecars.
    assert_eq!(ran[0]["files_deleted"], 10 + 2 + before - 2);
}

/// The file of the V2 checkpoint of a version.
fn v2_checkpoint(log: &Path, version: usize) -> String {
    let begin = format!("{version:020}.checkpoint.");
    names(log).into_iter().find(|name| name.starts_with(&begin) && name.ends_with(".json")).unwrap()
}

/// A table of 13 versions with V2 checkpoints of the versions 2 and 4, and the last version that has expired.
fn table_with_sidecars(expired: usize) -> (Home, PathBuf) {
    let home = Home::new();
    copy_folder(&tables_folder().join("v2-checkpoint-json"), &home.path("t"));
    let log = home.path("t/_delta_log");
    for version in 6..=12 {
        fs::write(log.join(commit_name(version)), lines(&[commit_info(), add(&format!("new{version}"))])).unwrap();
    }
    (0..=12).for_each(|version| {
        age(&log.join(commit_name(version)), if version <= expired { 60 } else { 20 } - version as u32);
    });
    names(&log.join("_sidecars")).iter().for_each(|name| age(&log.join("_sidecars").join(name), 50));
    home.import("t").ok();
    (home, log)
}

/// What would stay cannot be read: nothing goes.
#[test]
fn a_checkpoint_that_is_not_whole_covers_nothing() {
    let (home, log) = table_with_sidecars(5);
    // The newest one is whole, and an older one would stay with it.
    home.mirror("m").ok();
    let newest = home.path("m/_delta_log");
    fs::copy(newest.join(v2_checkpoint(&newest, 10)), log.join(v2_checkpoint(&newest, 10))).unwrap();
    copy_folder(&newest.join("_sidecars"), &log.join("_sidecars"));
    fs::remove_file(log.join("_last_checkpoint")).unwrap();
    let checkpoint = names(&log).into_iter().find(|name| name.starts_with("00000000000000000004.checkpoint")).unwrap();
    let checkpoint = fs::read_to_string(log.join(checkpoint)).unwrap();
    let sidecars = log.join("_sidecars");
    let sidecar = names(&sidecars).into_iter().find(|name| checkpoint.contains(name.as_str())).unwrap();
    fs::rename(sidecars.join(&sidecar), home.path("aside")).unwrap();
    let before = names(&log);
    home.mirror("t").fails("corrupt", &sidecar);
    let after: BTreeSet<_> = names(&log).into_iter().collect();
    assert!(before.iter().all(|name| after.contains(name)), "{before:?} {after:?}");
    assert!(after.contains(&commit_name(0)) && after.contains("_last_checkpoint"));
}

/// Compacted logs are written where the table asks for them, and lead where their commits lead.
#[test]
fn compacted_logs_are_written_on_request() {
    let compacted = |from: usize, to: usize| format!("{from:020}.{to:020}.compacted.json");
    let home = old_table(
        json!({ "deltalakedb.logCompactionInterval": "3", "delta.enableExpiredLogCleanup": "false" }),
        protocol(),
    );
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let expected = kept(0..=25, &[checkpoint_name(20), checksum(25), compacted(22, 24)]);
    assert_eq!(names(&log).into_iter().collect::<BTreeSet<_>>(), expected);
    let text = fs::read_to_string(log.join(compacted(22, 24))).unwrap();
    let actions: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths = |name: &str| actions.iter().filter_map(|action| action[name]["path"].as_str()).collect::<BTreeSet<_>>();
    assert_eq!(paths("add"), BTreeSet::from(["kept22", "kept23", "kept24", "v24"]));
    assert_eq!(paths("remove"), BTreeSet::from(["v21", "v22", "v23"]));
    assert_eq!(actions.len(), 7, "{text}");
    // Where the commits are gone it stands for them.
    (22..=24).for_each(|version| fs::remove_file(log.join(commit_name(version))).unwrap());
    let reader = Home::new();
    reader.run("import", &["--log-dir", log.to_str().unwrap(), "--name", "t", "--mode", "latest"]).ok();
    assert_eq!(reader.file_paths(), home.file_paths());
    // Without the property there is none.
    let plain = old_table(json!({}), protocol());
    plain.mirror("m").ok();
    assert!(names(&plain.path("m/_delta_log")).iter().all(|name| !name.contains("compacted")));
}
