//! Folders that a mirror must not write to, or must not call whole.

use std::fs;

use serde_json::json;

use crate::support::{
    Home, add, commit_info, commit_name, first_commit, lines, log_content, many_commits, metadata_with, protocol,
    tables_folder,
};

/// A table of versions 0 to 12.
fn home() -> Home {
    Home::with_table(&many_commits(12, 2))
}

fn log_of(home: &Home, target: &str) -> std::path::PathBuf {
    let log = home.path(target).join("_delta_log");
    fs::create_dir_all(&log).unwrap();
    log
}

#[test]
fn another_tables_log_is_not_touched() {
    let home = home();
    let other_first = lines(&[commit_info(), protocol(), metadata_with(json!({ "id": "other" })), add("z")]);
    let own = fs::read(home.path("t/_delta_log").join(commit_name(1))).unwrap();
    let checkpoint =
        tables_folder().join("checkpoint-alone-delta-rs/_delta_log/00000000000000000000.checkpoint.parquet");
    let checkpoint = fs::read(checkpoint).unwrap();
    let checkpoint_name = format!("{:020}.checkpoint.parquet", 0);
    for (name, files) in [
        ("longer", (0..20).map(|version| (commit_name(version), other_first.clone())).collect()),
        ("shorter", vec![(commit_name(0), other_first.clone())]),
        ("equal in its newest commit only", vec![(commit_name(0), other_first.clone()), (commit_name(1), own.clone())]),
        ("a checkpoint alone", vec![(checkpoint_name.clone(), checkpoint.clone())]),
        ("a foreign commit on top", {
            let mut files = log_content(&home.path("t/_delta_log"));
            files.push((commit_name(13), lines(&[commit_info(), add("foreign")])));
            files
        }),
        ("a foreign commit as the newest", {
            let mut files = log_content(&home.path("t/_delta_log"));
            files.last_mut().unwrap().1 = lines(&[commit_info(), add("foreign")]);
            files
        }),
    ] {
        println!("{name}");
        let log = log_of(&home, name);
        for (file, content) in files {
            fs::write(log.join(file), content).unwrap();
        }
        let before = log_content(&log);
        home.mirror(name).fails("conflict", "");
        assert!(log_content(&log) == before, "the other log is untouched");
    }
}

/// A mirror that says that all is well leaves a log that readers can read. Commits that a checkpoint covers may be gone,
/// as after a clean-up.
#[test]
fn a_log_with_holes_is_filled_or_refused() {
    for (name, versions, lacking, cut) in [
        ("one commit is gone", 8, vec![3], None),
        ("the first commit is gone", 8, vec![0], None),
        ("several are gone, the last one too", 8, vec![0, 3, 7, 8], None),
        ("one before the checkpoint is gone, and one after it", 12, vec![3, 11], None),
        ("the newest commit is half-written", 8, vec![], Some(commit_name(8))),
        ("the checkpoint is half-written", 12, vec![], Some(format!("{:020}.checkpoint.parquet", 10))),
    ] {
        println!("{name}");
        let home = Home::with_table(&many_commits(versions, 2));
        home.mirror("m").ok();
        let log = home.path("m/_delta_log");
        for (file, content) in log_content(&log).into_iter().filter(|(file, _)| cut.as_ref() == Some(file)) {
            fs::write(log.join(file), &content[..content.len() / 2]).unwrap();
        }
        lacking.iter().for_each(|version| fs::remove_file(log.join(commit_name(*version))).unwrap());
        let damaged = log_content(&log);

        let ran = home.mirror("m");
        if ran.code != Some(0) {
            ran.error(1);
            assert!(log_content(&log) == damaged, "what is refused is not touched");
            continue;
        }
        let reader = Home::new();
        reader.run("import", &["--log-dir", log.to_str().unwrap(), "--mode", "latest"]).ok();
        assert_eq!(reader.file_paths(), home.file_paths());
    }
}

#[test]
fn half_a_checkpoint_alone_is_no_log() {
    let home = home();
    let log = log_of(&home, "half");
    fs::write(log.join(format!("{:020}.checkpoint.parquet", 10)), b"PAR1 and not more").unwrap();
    home.mirror("half").error(1);
    assert_eq!(log_content(&log).len(), 1, "nothing is written on top of it");
}

#[test]
fn a_target_that_is_no_folder() {
    let home = home();
    fs::write(home.path("file"), "x").unwrap();
    home.mirror("file").fails("invalid", "file");
    assert_eq!(fs::read(home.path("file")).unwrap(), b"x");
}

/// Two mirrors at once write each file once, and each counts what it wrote.
#[test]
fn two_mirrors_share_the_work() {
    let home = home();
    let written: Vec<i64> = std::thread::scope(|scope| {
        let mirrors: Vec<_> = (0..3).map(|_| scope.spawn(|| home.mirror("shared").json())).collect();
        mirrors.into_iter().map(|mirror| mirror.join().unwrap()[0]["commits_written"].as_i64().unwrap()).collect()
    });
    home.mirror("alone").ok();
    assert!(log_content(&home.path("shared/_delta_log")) == log_content(&home.path("alone/_delta_log")));
    assert_eq!(written.iter().sum::<i64>(), 13, "{written:?}");
}

/// What is mirrored and imported again is the same table, in both modes, also where a log begins at a checkpoint.
#[test]
fn a_mirror_of_a_mirror_is_the_same_table() {
    for name in ["classic-checkpoint", "checkpoint-alone", "v2-checkpoint-json", "deletion-vectors", "streaming"] {
        for mode in ["latest", "full-history"] {
            println!("{name}, {mode}");
            let (one, two) = (Home::new(), Home::new());
            let table = tables_folder().join(name);
            one.run("import", &["--log-dir", table.to_str().unwrap(), "--name", "t", "--mode", mode]).ok();
            one.mirror("m").ok();
            two.run("import", &["--log-dir", one.path("m").to_str().unwrap(), "--name", "t"]).ok();
            assert_eq!(one.file_paths(), two.file_paths());
            let state = |home: &Home| {
                let mut state = home.run("snapshot", &[]).json();
                state.as_object_mut().unwrap().remove("table_id");
                state
            };
            assert_eq!(state(&one), state(&two));
        }
    }
}

/// A first commit that another writer made on an empty folder meanwhile is not overwritten.
#[test]
fn an_import_of_the_mirror_in_place_goes_on() {
    let home = Home::with_table(&[first_commit()]);
    home.commit(&lines(&[add("b")]), &[]).ok();
    home.run("mirror", &[]).ok();
    let again = home.run("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]).json();
    assert_eq!((&again["version"], &again["versions_imported"]), (&json!(1), &json!(0)));
}
