//! A machine whose clock is far off.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Home, add, commit_name, first_commit, library, lines, log_content, many_commits, run_with};

const FIFTY_YEARS_S: i64 = 50 * 31_557_600;

fn at_seconds(home: &Home, mut command: Command, seconds: i64) -> Command {
    command.env("LD_PRELOAD", library(home, "odd_clock")).env("ODD_CLOCK_SECONDS", seconds.to_string());
    command
}

/// Ids have the time in them.
#[cfg(target_os = "linux")]
#[test]
fn a_clock_before_1970() {
    let home = Home::with_table(&[first_commit()]);
    for seconds in [-1, -FIFTY_YEARS_S] {
        let commit = at_seconds(&home, home.command("commit", &["--table", "t", "--actions", "-"]), seconds);
        let committed = run_with(commit, &lines(&[add(&format!("c{seconds}"))])).json();
        let transaction = at_seconds(&home, home.command("transaction", &["--file", "-"]), seconds);
        let parts = json!({ "tables": [{ "table": "t", "actions": [add(&format!("t{seconds}"))] }] });
        let done = run_with(transaction, parts.to_string().as_bytes()).json();
        let ids = [&committed["commit_id"], &done["transaction_id"]].map(|id: &Value| id.as_str().unwrap().to_owned());
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("00000000-0000-7")), "{ids:?}");
    }
    assert_eq!(home.file_paths().len(), 5);
}

/// The last time that readers know is in the year 275760.
#[cfg(target_os = "linux")]
#[test]
fn a_clock_beyond_all_times() {
    let home = Home::with_table(&[first_commit()]);
    let commit = |seconds| {
        let commit = at_seconds(&home, home.command("commit", &["--table", "t", "--actions", "-"]), seconds);
        run_with(commit, &lines(&[add(&format!("c{seconds}"))]))
    };
    let error = commit(8_640_000_000_001).fails("unavailable", "which is no time");
    assert!(error["hint"].as_str().unwrap().contains("clock"), "{error}");
    assert_eq!(home.file_paths(), ["first"]);
    assert_eq!(commit(8_640_000_000_000).json()["timestamp_ms"], 8_640_000_000_000_000_i64);
}

/// What is deleted is gone, so that the catalog's times count and not the clock of who mirrors.
#[cfg(target_os = "linux")]
#[test]
fn a_mirror_whose_clock_is_ahead_deletes_nothing_young() {
    let home = Home::with_table(&many_commits(25, 1));
    let mirror = home.command("mirror", &["--target", home.path("m").to_str().unwrap()]);
    let mirrored = run_with(at_seconds(&home, mirror, now_s() + 40 * DAY_S), b"").json();
    assert_eq!(mirrored[0]["files_deleted"], 0, "{mirrored}");
    let names: Vec<_> = log_content(&home.path("m/_delta_log")).into_iter().map(|(name, _)| name).collect();
    assert!((0..=25).all(|version| names.contains(&commit_name(version))), "{names:?}");
    // Tombstones neither: the removed file may still be read.
    let removed = json!({ "remove": { "path": "v1/f0", "deletionTimestamp": now_s() * 1000, "dataChange": true } });
    home.commit(&lines(&[removed]), &[]).ok();
    (27..=30).for_each(|version| drop(home.commit(&lines(&[add(&format!("later-{version}"))]), &[]).ok()));
    let mirror = home.command("mirror", &["--target", home.path("m").to_str().unwrap()]);
    run_with(at_seconds(&home, mirror, now_s() + 40 * DAY_S), b"").ok();
    home.run("verify", &["--target", home.path("m").to_str().unwrap()]).ok();
    let reader = Home::new();
    reader.run("import", &["--log-dir", home.path("m/_delta_log").to_str().unwrap(), "--mode", "latest"]).ok();
    assert_eq!(
        reader.query("SELECT count(*) FROM dl_remove_files"),
        home.query("SELECT count(*) FROM dl_remove_files")
    );
}

/// A version that is of tomorrow, by this clock, is one that the log lacks all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_version_of_tomorrow_is_no_small_lag() {
    let home = Home::with_table(&[first_commit()]);
    home.run("mirror", &[]).ok();
    let commit = home.command("commit", &["--table", "t", "--actions", "-"]);
    run_with(at_seconds(&home, commit, now_s() + DAY_S), &lines(&[add("tomorrow")])).ok();
    let compared = home.run("diff", &["--lag-threshold-seconds", "60"]);
    assert_eq!(compared.code, Some(3), "{}", compared.out);
    assert!(home.run("targets", &[]).json()[0]["lag_ms"].as_i64().unwrap() > 60_000);
    home.run("mirror", &[]).ok();
    home.run("diff", &["--lag-threshold-seconds", "60"]).ok();
}

const DAY_S: i64 = 86_400;

fn now_s() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64
}
