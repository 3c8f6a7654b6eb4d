//! kill -9 at any moment: what was acknowledged stays, and running the command again finishes the work.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Home, Random, add, commit_info, first_commit, lines, log_content, many_commits, run_with};

const ROUNDS: usize = 8;

/// Runs a command and kills it after `wait`; whether it had ended by itself.
fn kill_after(mut command: std::process::Command, wait: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(wait);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    ended
}

#[test]
fn an_import() {
    let commits = many_commits(12, 250);
    let clean = Home::new();
    let log = clean.write_log("t", &commits);
    let start = Instant::now();
    clean.run("import", &["--log-dir", log.to_str().unwrap(), "--name", "t"]).ok();
    let whole = start.elapsed();

    let mut random = Random(1);
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        let home = Home::new();
        let args = ["--log-dir", log.to_str().unwrap(), "--name", "t"];
        let wait = random.part_of(whole);
        println!("round {round}: killed after {wait:?} of {whole:?}");
        if kill_after(home.command("import", &args), wait) {
            continue;
        }
        interrupted += 1;
        let seen = home.run("tables", &[]);
        if seen.code == Some(0) && seen.out.trim() != "[]" {
            continue; // the last batch was in, only the answer was not out
        }
        home.run("import", &args).ok();
        assert_eq!(home.content(), clean.content());
    }
    assert!(interrupted > 0, "every import was faster than its killer");
}

#[test]
fn a_mirror() {
    // One checkpoint is due, after the commits.
    let home = Home::with_table(&many_commits(12, 250));
    let start = Instant::now();
    home.mirror("clean").ok();
    let whole = start.elapsed();
    let clean = log_content(&home.path("clean/_delta_log"));
    assert!(clean.iter().any(|(name, _)| name == "_last_checkpoint"));

    let mut random = Random(2);
    for round in 0..ROUNDS {
        let target = format!("killed-{round}");
        let wait = random.part_of(whole);
        println!("round {round}: killed after {wait:?} of {whole:?}");
        let args = ["--table", "t", "--target"];
        let mut command = home.command("mirror", &args);
        command.arg(home.path(&target));
        kill_after(command, wait);
        home.mirror(&target).ok();
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
        let again = log_content(&home.path(&target).join("_delta_log"));
        assert_eq!(names(&again), names(&clean));
        assert!(again == clean, "the same files, with other content");
    }
}

/// Killed between the last commit and the checkpoint, which no random moment is sure to meet.
#[test]
fn a_mirror_before_its_checkpoint() {
    let home = Home::with_table(&many_commits(12, 2));
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let whole = log_content(&log);
    fs::remove_file(log.join(format!("{:020}.checkpoint.parquet", 10))).unwrap();
    fs::remove_file(log.join("_last_checkpoint")).unwrap();
    let again = home.mirror("m").json();
    assert_eq!(again[0]["checkpoint_version"], 10);
    assert!(log_content(&log) == whole);
}

/// A commit that was killed happened or did not; sent again with its id, it has happened once.
#[test]
fn a_commit() {
    let home = Home::with_table(&[first_commit()]);
    let adds = |round: usize| {
        let adds = (0..300).map(|file| add(&format!("r{round}/f{file}")));
        lines(&std::iter::once(commit_info()).chain(adds).collect::<Vec<_>>())
    };
    let start = Instant::now();
    home.commit(&adds(0), &[]).ok();
    let whole = start.elapsed();

    let mut random = Random(3);
    for round in 1..=ROUNDS {
        let actions = home.path("actions");
        fs::write(&actions, adds(round)).unwrap();
        let id = format!("5f7c1a4e-2f8b-4c06-9d1e-{round:012}");
        let args = ["--table", "t", "--commit-id", &id, "--actions", actions.to_str().unwrap()];
        kill_after(home.command("commit", &args), random.part_of(whole * 3 / 2));
        let again = run_with(home.command("commit", &args), b"").json();
        assert_eq!((&again["version"], &again["commit_id"]), (&json!(round + 1), &json!(id)));
    }
    let snapshot = home.run("snapshot", &[]).json();
    assert_eq!(snapshot["version"], 1 + ROUNDS);
    assert_eq!(snapshot["file_count"], 1 + 300 * (1 + ROUNDS));
}
