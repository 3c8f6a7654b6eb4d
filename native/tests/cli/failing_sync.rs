//! A disk that takes writes and fails to keep them: what was written may be there after a crash, or not.

use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Home, add, dl, first_commit, library, lines, run_with};

const ID: &str = "5f7c1a4e-2f8b-4c06-9d1e-000000000002";

/// Lets some of the syncs of a SQLite log fail in a command.
fn fail_syncs(home: &Home, command: &mut Command, which: std::ops::Range<u32>) {
    command.env("LD_PRELOAD", library(home, "failing_sync"));
    command.env("FAILING_SYNC_FROM", which.start.to_string()).env("FAILING_SYNC_TO", which.end.to_string());
}

/// What a crash at this moment leaves.
fn crashed(home: &Home) -> Home {
    let after = Home::new();
    for name in ["catalog.db", "catalog.db-wal"] {
        std::fs::copy(home.path(name), after.path(name)).unwrap();
    }
    after
}

#[cfg(target_os = "linux")]
#[test]
fn a_commit_whose_sync_failed_is_not_refused_and_happens_once() {
    let home = Home::with_table(&[first_commit()]);
    // Another process holds the log open, else the last one that closes removes it.
    let other = Connection::open(home.database()).unwrap();
    other.query_row("SELECT count(*) FROM dl_tables", [], |_| Ok(())).unwrap();
    home.commit(&lines(&[add("before")]), &[]).ok();

    let mut commit = home.command("commit", &["--table", "t", "--actions", "-", "--commit-id", ID]);
    // What the command reads at first is synced.
    fail_syncs(&home, &mut commit, 1..1000);
    let error = run_with(commit, &lines(&[add("unsure")])).fails("unavailable", "answer");
    assert!(error["hint"].as_str().unwrap().contains(ID), "{error}");

    let count = |home: &Home| home.file_paths().into_iter().filter(|path| path == "unsure").count();
    let after = crashed(&home);
    assert_eq!(count(&after), 1, "the log has what was not kept for sure");
    for home in [&after, &home] {
        let again = home.commit(&lines(&[add("unsure")]), &["--commit-id", ID]).json();
        assert_eq!(again["version"], 2);
        assert_eq!(count(home), 1);
    }
}

/// Whoever let an id be made is told it, or could not ask what became of the commit.
#[cfg(target_os = "linux")]
#[test]
fn an_id_that_was_made_is_told() {
    let home = Home::with_table(&[first_commit()]);
    let other = Connection::open(home.database()).unwrap();
    other.query_row("SELECT count(*) FROM dl_tables", [], |_| Ok(())).unwrap();
    home.commit(&lines(&[add("before")]), &[]).ok();
    let large: Vec<Value> = (0..16_400).map(|file| add(&format!("f{file}"))).collect();
    for (actions, failing) in [(lines(&[add("unsure")]), 1..2), (lines(&large), 1..10)] {
        let (mut unknown, mut unwritten) = (0, 0);
        for first in failing {
            let mut commit = home.command("commit", &["--table", "t", "--actions", "-"]);
            fail_syncs(&home, &mut commit, first..1000);
            let ran = run_with(commit, &actions);
            if ran.code == Some(0) {
                continue;
            }
            let error = ran.fails("unavailable", "");
            let (id, message) = (error["commit_id"].as_str().unwrap(), error["message"].as_str().unwrap());
            if message == format!("the catalog's answer was lost: the commit {id} may have happened") {
                assert!(error["hint"].as_str().unwrap().contains(&format!("--commit-id {id}")), "{error}");
                assert_eq!(home.commit(&actions, &["--commit-id", id]).json()["commit_id"], id);
                unknown += 1;
            } else {
                assert!(message.contains("which nobody sees yet") || message.contains("has happened"), "{error}");
                unwritten += 1;
            }
        }
        assert!(unknown > 0 && (actions.len() < 1000 || unwritten > 0), "{unknown} {unwritten}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_crash_may_take_back_is_not_shown() {
    let home = Home::with_table(&[first_commit()]);
    let other = Connection::open(home.database()).unwrap();
    other.query_row("SELECT count(*) FROM dl_tables", [], |_| Ok(())).unwrap();
    home.commit(&lines(&[add("a")]), &[]).ok();
    let mut files = home.command("files", &[]);
    fail_syncs(&home, &mut files, 0..1000);
    run_with(files, b"").fails("unavailable", "synced");
    assert_eq!(home.file_paths().len(), 2);
}

/// What the log could not keep is moved into the file: the commit is as safe there.
#[cfg(target_os = "linux")]
#[test]
fn one_failed_sync_is_made_up_for() {
    let home = Home::with_table(&[first_commit()]);
    let other = Connection::open(home.database()).unwrap();
    other.query_row("SELECT count(*) FROM dl_tables", [], |_| Ok(())).unwrap();
    home.commit(&lines(&[add("a")]), &[]).ok();
    let mut commit = home.command("commit", &["--table", "t", "--actions", "-"]);
    fail_syncs(&home, &mut commit, 1..2);
    assert_eq!(run_with(commit, &lines(&[add("b")])).json()["version"], 2);
    assert_eq!(std::fs::metadata(home.path("catalog.db-wal")).unwrap().len(), 0);
    assert_eq!(home.file_paths(), ["a", "b", "first"]);
}

/// SQLite keeps the log beside the file, and not beside a link to it.
#[cfg(target_os = "linux")]
#[test]
fn the_log_of_a_linked_database_is_synced() {
    let home = Home::with_table(&[first_commit()]);
    let link = home.path("link.db");
    std::os::unix::fs::symlink(home.database(), &link).unwrap();
    let mut commit = dl();
    commit.args(["commit", "--format", "json", "--table", "t", "--actions", "-", "--database"]).arg(&link);
    fail_syncs(&home, &mut commit, 0..1000);
    run_with(commit, &lines(&[add("a")])).fails("unavailable", "synced");
}

/// What can be done after a lost answer is not the same for all that writes.
#[cfg(target_os = "linux")]
#[test]
fn each_command_says_what_to_do_when_its_answer_was_lost() {
    for (command, args, hint) in [
        ("drop", &["--table", "t"][..], "`dl tables` shows whether the table is still there"),
        ("sweep", &["--older-than", "0"], "sweep again: it deletes what is left"),
        (
            "import",
            &["--incremental", "--log-dir", "LOG"],
            "import again: it goes on after what is there, or begins anew",
        ),
    ] {
        let home = Home::with_table(&[first_commit()]);
        let log = home.write_log("t", &[first_commit(), lines(&[add("b")])]);
        let other = Connection::open(home.database()).unwrap();
        let large = "INSERT INTO dl_large_commits (table_id, begun_ms, written_ms, action_count, is_over)
            SELECT table_id, 0, 0, 0, 0 FROM dl_tables";
        other.execute(large, []).unwrap();
        let mut said = Vec::new();
        for first in 0..6 {
            let args: Vec<&str> =
                args.iter().map(|arg| if *arg == "LOG" { log.to_str().unwrap() } else { arg }).collect();
            let mut ran = home.command(command, &args);
            fail_syncs(&home, &mut ran, first..1000);
            let ran = run_with(ran, b"");
            if ran.code != Some(0) && ran.err.contains("answer was lost") {
                said.push(ran.error(1)["hint"].clone());
            }
        }
        assert!(!said.is_empty() && said.iter().all(|said| said == hint), "{command}: {said:?}");
    }
}
