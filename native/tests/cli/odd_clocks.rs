//! A machine whose clock is far off.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Home, add, first_commit, library, lines, run_with};

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
