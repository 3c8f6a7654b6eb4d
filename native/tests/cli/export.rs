//! Copies of a log at one version: read back they are that version, and nothing that is there is written over.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    Home, Ran, Random, add, add_with, commit_name, copy_folder, first_commit, lines, log_content, many_commits,
    metadata, protocol_with, remove, run, tables_folder,
};

const MARKER: &str = "_dl_export.json";

fn export(home: &Home, to: &str, args: &[&str]) -> Ran {
    let mut command = home.command("export", &["--to", home.path(to).to_str().unwrap()]);
    command.args(args);
    run(command)
}

fn checkpoint_name(version: usize) -> String {
    format!("{version:020}.checkpoint.parquet")
}

fn names(log: &Path) -> Vec<String> {
    log_content(log).into_iter().map(|(name, _)| name).collect()
}

/// What a version is, apart from where and when it was looked at.
fn state(home: &Home, table: &str, version: i64) -> Value {
    let at = ["--table", table, "--version", &version.to_string()];
    let snapshot = home.run("snapshot", &at).json();
    let mut files = home.run("files", &at).json();
    let files = files.as_array_mut().unwrap();
    files.iter_mut().for_each(|file| file["dataChange"] = json!(false));
    files.sort_by_key(|file| file["path"].to_string() + &file["deletionVector"].to_string());
    let fields = ["protocol", "metadata", "transactions", "domain_metadata", "file_count", "size_bytes", "row_count"];
    let mut state = json!({ "files": files });
    fields.iter().for_each(|field| state[field] = snapshot[field].clone());
    state
}

fn import_copy(home: &Home, copy: &str) -> Value {
    home.run("import", &["--log-dir", home.path(copy).to_str().unwrap(), "--name", copy]).json()
}

#[test]
fn a_copy_is_the_version() {
    let home = Home::with_table(&many_commits(12, 3));
    for version in [0, 7, 12] {
        let to = format!("copy-{version}");
        let exported = export(&home, &to, &["--table", "t", "--version", &version.to_string()]).json();
        assert_eq!(exported[0]["version"], version);
        assert_eq!((&exported[0]["has_commit"], &exported[0]["name"]), (&json!(true), &json!("t")));
        let log = home.path(&to).join("_delta_log");
        let version = version as usize;
        let expected = [format!("{version:020}.crc"), commit_name(version), checkpoint_name(version)];
        let mut there = names(&log);
        assert_eq!(there.pop().unwrap(), "_last_checkpoint");
        there.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(there, expected);
        assert_eq!(export_counts(&exported), (1 + 3 * version as i64, 10 * (1 + 3 * version as i64)));
        let imported = import_copy(&home, &to);
        assert_eq!((&imported["version"], &imported["earliest_version"]), (&json!(version), &json!(version)));
        assert_eq!(state(&home, &to, version as i64), state(&home, "t", version as i64));
        // The commit file tells what the version did.
        let mut history = home.run("history", &["--table", &to]).json();
        let mut own = home.run("history", &["--table", "t", "--version", &version.to_string(), "--limit", "1"]).json();
        for history in [&mut history, &mut own] {
            history[0].as_object_mut().unwrap().remove("commit_id");
        }
        assert_eq!(history, own);
        let verified = home.run(
            "verify",
            &["--table", "t", "--target", home.path(&to).to_str().unwrap(), "--version", &version.to_string()],
        );
        assert_eq!(verified.json()[0]["status"], "equal");
    }
}

fn export_counts(exported: &Value) -> (i64, i64) {
    (exported[0]["file_count"].as_i64().unwrap(), exported[0]["size_bytes"].as_i64().unwrap())
}

/// Every table of other writers, at its last version, in its own form of checkpoint.
#[test]
fn all_tables() {
    let home = Home::new();
    for folder in fs::read_dir(tables_folder()).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        if folder.path().join("_delta_log").is_dir() {
            home.run("import", &["--log-dir", folder.path().to_str().unwrap(), "--name", &name]).ok();
        }
    }
    let before = home.tables();
    assert!(before.len() > 10);
    let exported = export(&home, "all", &["--all"]).json();
    assert_eq!(exported.as_array().unwrap().len(), before.len());
    for table in &before {
        let (name, version) = (table["name"].as_str().unwrap(), &table["version"]);
        let copy = home.path("all").join(name);
        // What the table's properties keep out of checkpoints, such as statistics, is no difference.
        let diff = home.run("diff", &["--table", name, "--target", copy.to_str().unwrap()]).json();
        assert_eq!((&diff[0]["status"], &diff[0]["version"]), (&json!("equal"), version), "{name}");
        let other = Home::new();
        let imported = other.run("import", &["--log-dir", copy.to_str().unwrap(), "--name", name]).json();
        let snapshot = home.run("snapshot", &["--table", name]).json();
        assert_eq!((&imported["version"], &imported["file_count"]), (version, &snapshot["file_count"]), "{name}");
    }
    // Again: nothing is written over, and each table says so.
    let again = export(&home, "all", &["--all"]);
    assert_eq!(again.code, Some(1));
    assert_eq!(again.err.matches("a log is there already").count(), exported.as_array().unwrap().len());
}

#[test]
fn a_log_that_is_there_is_left_alone() {
    let home = Home::with_table(&many_commits(3, 1));
    export(&home, "copy", &[]).ok();
    for (to, file) in
        [("copy", None), ("t", None), ("odd", Some("notes.txt")), ("later", Some("00000000000000000009.json"))]
    {
        let log = home.path(to).join("_delta_log");
        fs::create_dir_all(&log).unwrap();
        if let Some(file) = file {
            fs::write(log.join(file), "x").unwrap();
        }
        let before = log_content(&log);
        export(&home, to, &[]).fails("conflict", "a log is there already");
        export(&home, &format!("{to}/_delta_log"), &[]).fails("conflict", "a log is there already");
        assert!(log_content(&log) == before);
    }
    // The data may be there before the log.
    fs::create_dir_all(home.path("data")).unwrap();
    fs::write(home.path("data/part.parquet"), "x").unwrap();
    export(&home, "data", &[]).ok();
}

/// At any moment a second run finishes the copy, to the same files.
#[test]
fn killed() {
    let home = Home::with_table(&many_commits(5, 800));
    let start = Instant::now();
    export(&home, "whole", &["--table", "t"]).ok();
    let took = start.elapsed();
    let whole = names(&home.path("whole/_delta_log"));
    let mut random = Random(7);
    let mut unfinished = 0;
    for round in 0..12 {
        let to = format!("killed-{round}");
        let mut command = home.command("export", &["--table", "t", "--to", home.path(&to).to_str().unwrap()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(random.part_of(took));
        child.kill().unwrap();
        child.wait().unwrap();
        let log = home.path(&to).join("_delta_log");
        let is_done = log.is_dir() && !log.join(MARKER).exists() && log.join("_last_checkpoint").exists();
        if is_done {
            export(&home, &to, &["--table", "t"]).fails("conflict", "a log is there already");
        } else {
            unfinished += usize::from(log.join(MARKER).exists());
            export(&home, &to, &["--table", "t"]).ok();
        }
        assert_eq!(names(&log), whole, "round {round}");
        import_copy(&home, &to);
        assert_eq!(state(&home, &to, 5), state(&home, "t", 5));
    }
    println!("{unfinished} were in the middle");
}

/// Each moment between two files, and another export in the same place.
#[test]
fn a_part_of_an_export() {
    let home = Home::with_table(&many_commits(5, 2));
    export(&home, "whole", &[]).ok();
    let whole = log_content(&home.path("whole/_delta_log"));
    let table_id = home.tables()[0]["table_id"].as_str().unwrap().to_owned();
    let marker = json!({ "table_id": table_id, "version": 5, "absolute_paths": false }).to_string();
    let order = [checkpoint_name(5), "_last_checkpoint".into(), commit_name(5), format!("{:020}.crc", 5)];
    for written in 0..=order.len() {
        let to = format!("part-{written}");
        let log = home.path(&to).join("_delta_log");
        fs::create_dir_all(&log).unwrap();
        fs::write(log.join(MARKER), &marker).unwrap();
        for name in &order[..written] {
            fs::copy(home.path("whole/_delta_log").join(name), log.join(name)).unwrap();
        }
        let before = log_content(&log);
        export(&home, &to, &["--version", "4"]).fails("conflict", "another export: of table");
        export(&home, &to, &["--absolute-paths"]).fails("conflict", "version 5, without absolute paths");
        assert!(log_content(&log) == before);
        export(&home, &to, &[]).ok();
        assert!(log_content(&log) == whole);
    }
    for text in ["", "{", "[]", "\0\0", "{\"table_id\":1}"] {
        let log = home.path("odd/_delta_log");
        fs::create_dir_all(&log).unwrap();
        fs::write(log.join(MARKER), text).unwrap();
        export(&home, "odd", &[]).fails("corrupt", MARKER);
    }
}

/// With absolute paths the copy reads the data where it lies, deletion vectors included.
#[test]
fn absolute_paths() {
    let home = Home::new();
    let vector = |storage: &str, text: &str| json!({ "deletionVector": { "storageType": storage, "pathOrInlineDv": text, "offset": 1, "sizeInBytes": 4, "cardinality": 1 } });
    let commits = [
        lines(&[
            protocol_with(&["deletionVectors"]),
            metadata(),
            add("d=%2520x/a%20b.parquet"),
            add("gone"),
            add("s3://bucket/elsewhere.parquet"),
        ]),
        lines(&[
            remove("gone"),
            add_with("u", vector("u", "ab^-aqEH.-t@S}K{vb[*k^")),
            add_with("p", vector("p", "s3://bucket/dv.bin")),
            json!({ "cdc": { "path": "_change_data/c", "partitionValues": {}, "size": 1, "dataChange": false } }),
        ]),
    ];
    home.write_log("a table", &commits);
    home.run("import", &["--log-dir", home.path("a table").to_str().unwrap(), "--name", "t"]).ok();
    let location = home.tables()[0]["location"].as_str().unwrap().to_owned();
    assert!(location.ends_with("/a%20table"));
    export(&home, "copy", &["--absolute-paths"]).ok();
    import_copy(&home, "copy");
    let state = state(&home, "copy", 1);
    let files = state["files"].as_array().unwrap();
    let mut paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    paths.sort();
    let in_table = |path: &str| format!("{location}/{path}");
    let mut expected =
        [in_table("d=%2520x/a%20b.parquet"), in_table("u"), in_table("p"), "s3://bucket/elsewhere.parquet".into()];
    expected.sort();
    assert_eq!(paths, expected);
    let mut vectors: Vec<String> = files
        .iter()
        .filter_map(|file| file.get("deletionVector"))
        .map(|vector| {
            format!("{} {}", vector["storageType"].as_str().unwrap(), vector["pathOrInlineDv"].as_str().unwrap())
        })
        .collect();
    vectors.sort();
    let in_file = in_table("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    let mut expected = [format!("p {in_file}"), "p s3://bucket/dv.bin".to_owned()];
    expected.sort();
    assert_eq!(vectors, expected);
    let commit = fs::read_to_string(home.path("copy/_delta_log").join(commit_name(1))).unwrap();
    for path in ["gone", "u", "p", "_change_data/c"] {
        assert!(commit.contains(&format!("\"path\":\"{location}/{path}\"")), "{commit}");
    }
}

/// A version that is known from a checkpoint has no commit to write.
#[test]
fn a_version_without_a_commit() {
    let home = Home::new();
    copy_folder(&tables_folder().join("checkpoint-alone-delta-rs"), &home.path("source"));
    home.run("import", &["--log-dir", home.path("source").to_str().unwrap(), "--name", "t"]).ok();
    let exported = export(&home, "copy", &[]).json();
    assert_eq!(exported[0]["has_commit"], false);
    import_copy(&home, "copy");
    let version = exported[0]["version"].as_i64().unwrap();
    assert_eq!(state(&home, "copy", version), state(&home, "t", version));
}

#[test]
fn what_cannot_be_exported() {
    let home = Home::with_table(&[first_commit()]);
    export(&home, "x", &["--version", "7"]).fails("not_found", "no version 7");
    export(&home, "x", &["--version", "-1"]).fails("not_found", "");
    export(&home, "x", &["--table", "u"]).fails("not_found", "");
    assert!(!home.path("x").exists(), "nothing is made for what is not there");
    fs::write(home.path("file"), "x").unwrap();
    assert_eq!(export(&home, "file", &[]).code, Some(1));
    assert_eq!(export(&home, "x", &["--all", "--version", "0"]).code, Some(2));
    for to in ["ftp://host/x", "", "s3://"] {
        assert_eq!(home.run("export", &["--to", to]).code, Some(1), "{to}");
    }
    // A name that leads out of the folder.
    for name in ["..", "../up", "a/b"] {
        let home = Home::new();
        let log = home.write_log("t", &[first_commit()]);
        if home.run("import", &["--log-dir", log.to_str().unwrap(), "--name", name]).code != Some(0) {
            continue;
        }
        assert_eq!(export(&home, "in/all", &["--all"]).code, Some(1));
        assert!(!home.path("in").exists() && !home.path("up").exists());
        export(&home, "alone", &["--table", name]).ok();
    }
}
