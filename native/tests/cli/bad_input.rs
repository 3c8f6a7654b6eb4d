//! Logs that are damaged: each is refused with what is wrong and where, and leaves nothing in the catalog.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Home, add, add_with, commit_info, commit_name, dl, first_commit, lines, metadata, metadata_with, protocol,
    protocol_with, run, tables_folder,
};

struct Case {
    name: &'static str,
    /// What follows the first commit's lines in version 0.
    tail: Vec<u8>,
    message: &'static str,
}

fn after_first_commit() -> Vec<Case> {
    let case = |name, tail: &[u8], message| Case { name, tail: tail.to_vec(), message };
    vec![
        case("a truncated line", b"{\"add\":{\"path\":\"b\",\"parti", "line 5 of 00000000000000000000.json"),
        case("a value is missing", b"{\"add\":}\n", "expected value"),
        case("not UTF-8", b"{\"add\":{\"path\":\"\xff\xfe\"}}\n", "not UTF-8 after 16 bytes"),
        case("half of a surrogate pair", b"{\"add\":{\"path\":\"\\ud800\"}}\n", "hex escape"),
        case("a line of NUL bytes, as after a power failure", &[0; 4096], "line 5"),
        case("two objects on a line", b"{}{}\n", "trailing characters"),
        case("text after the object", b"{} and so on\n", "trailing characters"),
        case("an array", b"[1]\n", "expected a JSON object with one action"),
        case("a number", b"5\n", "expected a JSON object with one action"),
        case("100,000 brackets", "[".repeat(100_000).as_bytes(), "expected a JSON object with one action"),
        case("an action that is an array", b"{\"add\":[]}\n", "expected a JSON object for `add`"),
        case("a required field is missing", b"{\"add\":{\"path\":\"b\"}}\n", "`add` has no `partitionValues`"),
        case("an empty path", &lines(&[add("")]), "empty path"),
        case("a negative size", &lines(&[add_with("b", json!({ "size": -1 }))]), "the size of `b` is -1"),
        case("a size beyond 64 bits", &with_size("9223372036854775808"), "expected i64"),
        case("a size with a fraction", &with_size("1.5"), "expected i64"),
        case("a size as text", &with_size("\"1\""), "expected i64"),
        case("a transaction beyond 64 bits", &transaction("9223372036854775808"), "expected i64"),
        case("an unreadable protocol", &lines(&[with_reader_version(99)]), "reader version 99"),
        case("a protocol with files outside the log", &lines(&[with_manifests()]), "`adaptiveMetadata`: files of it"),
        case("a protocol below the first", &lines(&[with_reader_version(-5)]), "reader version -5"),
    ]
}

fn with_size(size: &str) -> Vec<u8> {
    String::from_utf8(lines(&[add("b")])).unwrap().replace("\"size\":10", &format!("\"size\":{size}")).into_bytes()
}

fn transaction(version: &str) -> Vec<u8> {
    format!("{{\"txn\":{{\"appId\":\"a\",\"version\":{version}}}}}\n").into_bytes()
}

fn with_reader_version(version: i64) -> Value {
    json!({ "protocol": { "minReaderVersion": version, "minWriterVersion": 2 } })
}

fn with_manifests() -> Value {
    let features = ["adaptiveMetadata"];
    json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": features, "writerFeatures": features } })
}

#[test]
fn damaged_commits_are_refused_and_leave_nothing() {
    for Case { name, tail, message } in after_first_commit() {
        println!("{name}");
        let home = Home::new();
        home.write_log("t", &[[first_commit(), tail].concat()]);
        let refused = home.import("t");
        let is_unsupported = ["an unreadable protocol", "a protocol with files outside the log"].contains(&name);
        let kind = if is_unsupported { "unsupported" } else { "corrupt" };
        let error = refused.fails(kind, message);
        assert_eq!(error["path"], commit_name(0), "the error names the file");
        home.nothing_is_left();
    }
}

#[test]
fn a_first_version_without_state_is_refused() {
    let schema_is_cut = metadata_with(json!({ "schemaString": "{\"type\":" }));
    for (name, commit, message) in [
        ("an empty file", vec![], "is empty"),
        ("a line end", b"\n".to_vec(), "no `metaData`"),
        ("no metadata", lines(&[protocol(), add("a")]), "no `metaData`"),
        ("metadata is null", [lines(&[protocol()]), b"{\"metaData\":null}\n".to_vec()].concat(), "no `metaData`"),
        ("no protocol", lines(&[metadata(), add("a")]), "no `protocol`"),
        ("half a schema", lines(&[protocol(), schema_is_cut]), "`schemaString`"),
    ] {
        println!("{name}");
        let home = Home::new();
        home.write_log("t", &[commit]);
        home.import("t").fails("corrupt", message);
        home.nothing_is_left();
    }
}

/// A later version spoils the whole import: there is no table that ends somewhere in the middle.
#[test]
fn a_log_that_ends_inside_a_version_leaves_nothing() {
    let home = Home::new();
    let whole = lines(&[commit_info(), add("b"), add("c")]);
    let half = whole[..whole.len() / 2].to_vec();
    home.write_log("t", &[first_commit(), whole.clone(), half]);
    let error = home.import("t").fails("corrupt", "00000000000000000002.json");
    assert_eq!(error["path"], commit_name(2));
    home.nothing_is_left();

    // The writer came back and finished its file.
    home.write_log("t", &[first_commit(), whole.clone(), lines(&[add("d")])]);
    assert_eq!(home.import("t").json()["version"], 2);
}

/// An incremental import keeps the versions that it had.
#[test]
fn a_damaged_new_commit_leaves_the_table_as_it_was() {
    for (name, commit) in [
        ("truncated", b"{\"add\":".to_vec()),
        ("unreadable protocol", lines(&[with_reader_version(99)])),
        ("half a schema", lines(&[metadata_with(json!({ "schemaString": "{" }))])),
        ("a negative size", lines(&[add_with("b", json!({ "size": -1 }))])),
        ("an empty file", Vec::new()),
    ] {
        println!("{name}");
        let home = Home::with_table(&[first_commit()]);
        let before = home.content();
        home.write_log("t", &[first_commit(), commit]);
        let refused = home.run("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]);
        refused.error(1);
        assert_eq!(home.content(), before);
    }
}

/// Its writer may have made it just now; once others follow it is what it is.
#[test]
fn an_empty_commit_is_taken_in_when_others_follow() {
    let home = Home::with_table(&[first_commit()]);
    let import = || home.run("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]);
    home.write_log("t", &[first_commit(), Vec::new()]);
    let error = import().fails("corrupt", "00000000000000000001.json, is empty");
    assert!(error["hint"].as_str().unwrap().contains("when its writer is done"), "{error}");
    home.write_log("t", &[first_commit(), Vec::new(), lines(&[add("b")])]);
    assert_eq!(import().json()["version"], 2);
}

/// What looks odd and is allowed.
#[test]
fn odd_commits_are_read() {
    let crlf = String::from_utf8(first_commit()).unwrap().replace('\n', "\r\n").into_bytes();
    let with_mark = [b"\xef\xbb\xbf".to_vec(), first_commit()].concat();
    let no_last_line_end = first_commit().strip_suffix(b"\n").unwrap().to_vec();
    let nulls = [first_commit(), b"{}\n{\"add\":null}\n\n{\"commitInfo\":5}\n".to_vec()].concat();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = [first_commit(), format!("{{\"unknown\":{deep}}}\n").into_bytes()].concat();
    for (name, commit) in [
        ("CRLF", crlf),
        ("byte order mark", with_mark),
        ("no last line end", no_last_line_end),
        ("nulls", nulls),
        ("an unknown action of 100,000 brackets", deep),
    ] {
        println!("{name}");
        let home = Home::with_table(&[commit]);
        assert_eq!(home.file_paths(), ["first"]);
    }
}

#[test]
fn there_is_no_log() {
    for name in ["nothing there", "an empty folder", "a file", "a file instead of the log", "a loop of links"] {
        println!("{name}");
        let home = Home::new();
        let table = home.path("t");
        let log = table.join("_delta_log");
        let (argument, kind) = match name {
            "nothing there" => (&table, "not_found"),
            "an empty folder" => {
                std::fs::create_dir(&table).unwrap();
                (&table, "not_found")
            }
            "a file" => {
                std::fs::write(&table, "x").unwrap();
                (&table, "invalid")
            }
            "a file instead of the log" => {
                std::fs::create_dir(&table).unwrap();
                std::fs::write(&log, "x").unwrap();
                (&log, "invalid")
            }
            _ => {
                std::fs::create_dir(&table).unwrap();
                std::os::unix::fs::symlink(&log, &log).unwrap();
                (&log, "invalid")
            }
        };
        let refused = home.run("import", &["--log-dir", argument.to_str().unwrap()]);
        refused.fails(kind, "");
        assert!(!home.database().exists(), "an import of nothing makes no catalog");
    }
}

/// A time that leaves no room for the next one once made the table unreadable.
#[test]
fn a_time_that_is_none_is_refused() {
    let at = |time: i64| json!({ "commitInfo": { "operation": "WRITE", "inCommitTimestamp": time } });
    let metadata = metadata_with(json!({ "configuration": { "delta.enableInCommitTimestamps": "true" } }));
    for time in [i64::MAX, i64::MIN] {
        let home = Home::new();
        let first = lines(&[at(time), protocol_with(&["inCommitTimestamp"]), metadata.clone(), add("a")]);
        home.write_log("t", &[first, lines(&[at(5), add("b")])]);
        home.import("t").fails("corrupt", "timestamp");
        home.nothing_is_left();
    }
}

/// A version that no other can follow once made the whole catalog unreadable, with the first commit after it.
#[test]
fn a_version_that_none_can_follow_is_refused() {
    let checkpoint =
        tables_folder().join("checkpoint-alone-delta-rs/_delta_log/00000000000000000000.checkpoint.parquet");
    for version in [i64::MAX, i64::MAX - 1] {
        let home = Home::new();
        let log = home.write_log("t", &[]);
        std::fs::copy(&checkpoint, log.join(format!("{version:020}.checkpoint.parquet"))).unwrap();
        home.import("t").error(1);
        home.nothing_is_left();
    }
}

/// A commit file that cannot be read must not be taken for one that is not there: the table would be older than it is.
#[test]
fn a_commit_that_is_no_file_is_not_passed_over() {
    for name in ["a link to nowhere", "a folder"] {
        println!("{name}");
        let home = Home::new();
        let log = home.write_log("t", &[first_commit()]);
        let second = log.join(commit_name(1));
        match name {
            "a folder" => std::fs::create_dir(&second).unwrap(),
            _ => std::os::unix::fs::symlink(home.path("gone"), &second).unwrap(),
        }
        home.import("t").error(1);
        home.nothing_is_left();
    }
}

/// The last version is gone from the catalog's view only if the log says so; a vanished log says nothing.
#[test]
fn an_incremental_import_of_an_empty_log_is_refused() {
    let home = Home::with_table(&many());
    let log = home.path("t/_delta_log");
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    let refused = home.run("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]);
    refused.fails("not_found", "no Delta log");
    assert_eq!(home.tables()[0]["version"], 2);
}

fn many() -> Vec<Vec<u8>> {
    vec![first_commit(), lines(&[add("b")]), lines(&[add("c")])]
}

#[test]
fn an_incremental_import_of_another_history_is_refused() {
    let other_id = metadata_with(json!({ "id": "another-table" }));
    let other_first = lines(&[commit_info(), protocol(), other_id.clone(), add("z")]);
    for (name, kept, new) in [
        ("the newest version differs", vec![0, 1], vec![(2, lines(&[add("x")]))]),
        ("an older version differs, the newest is equal", vec![1, 2], vec![(0, other_first.clone())]),
        ("cleaned up past the catalog's version", vec![], vec![(4, lines(&[add("x")]))]),
        ("no version in common, another table", vec![], vec![(3, lines(&[other_id.clone(), add("x")]))]),
        ("goes on with another table", vec![0, 1, 2], vec![(3, lines(&[other_id.clone(), add("x")]))]),
    ] {
        println!("{name}");
        let home = Home::with_table(&many());
        let before = home.content();
        let log = home.path("t/_delta_log");
        for version in (0..3).filter(|version| !kept.contains(version)) {
            std::fs::remove_file(log.join(commit_name(version))).unwrap();
        }
        for (version, commit) in new {
            std::fs::write(log.join(commit_name(version)), commit).unwrap();
        }
        let refused = home.run("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]);
        refused.error(1);
        assert_eq!(home.content(), before, "nothing was taken in");
    }
}

/// What would hang, or end in a request that cannot be made.
#[test]
fn odd_places_and_settings() {
    let home = Home::with_table(&[first_commit()]);
    for (target, fragment) in [("file:///", "root of all folders"), ("s3:/bucket/t", "one slash")] {
        home.run("mirror", &["--target", target]).fails("invalid", fragment);
    }
    for (name, value, fragment) in [
        ("AWS_ACCESS_KEY_ID", "key\n", "has a line break"),
        ("AWS_REGION", "here\r\n", "has a line break"),
        ("AWS_ENDPOINT_URL", "not a url", "is no address"),
    ] {
        let mut command = home.command("mirror", &["--target", "s3://bucket/t"]);
        command.env("AWS_SECRET_ACCESS_KEY", "secret").env(name, value);
        let error = run(command).fails("invalid", fragment);
        assert!(!error.to_string().contains("key\\n"), "{error}");
    }
    let pipe = home.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = dl();
    command.args(["tables", "--format", "json", "--database"]).arg(&pipe);
    run(command).fails("invalid", "a pipe or a device");
}

/// Memory is not for what no writer writes.
#[test]
fn a_line_without_end() {
    let home = Home::new();
    let log = home.write_log("t", &[first_commit()]);
    let file = std::fs::File::create(log.join(commit_name(1))).unwrap();
    file.set_len(3 << 30).unwrap();
    let error = home.import("t").fails("corrupt", "is longer than 134217728 bytes");
    assert!(error["path"].as_str().unwrap().ends_with(&commit_name(1)), "{error}");
}

/// They belong to checkpoints: others pass over them in a commit, and so does the mirror.
#[test]
fn actions_of_checkpoints_in_a_commit() {
    let home = Home::with_table(&[first_commit()]);
    home.run("mirror", &[]).ok();
    let stray = json!({ "sidecar": { "path": "x.parquet", "sizeInBytes": 1, "modificationTime": 1 } });
    std::fs::write(home.path("t/_delta_log").join(commit_name(1)), lines(&[commit_info(), stray, add("theirs")]))
        .unwrap();
    let log = home.path("t/_delta_log");
    home.run("import", &["--log-dir", log.to_str().unwrap(), "--incremental"]).ok();
    home.run("mirror", &[]).ok();
    home.run("diff", &[]).ok();
}
