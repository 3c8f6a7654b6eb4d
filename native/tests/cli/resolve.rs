//! `dl diff --resolve`: one side wins, the other one is kept, whatever is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Home, Ran, Random, add, commit_info, commit_name, lines, log_content, many_commits, run};

/// A table of versions 0 to 12 that both had; then the catalog has 13 and 14, another writer 13 to 21 with a checkpoint.
fn diverged() -> (Home, PathBuf) {
    let home = Home::with_table(&many_commits(12, 2));
    home.run("mirror", &[]).ok();
    let log = home.path("t/_delta_log");
    // The other writer is a catalog of its own.
    let other = Home::new();
    other.run("import", &["--log-dir", log.to_str().unwrap(), "--name", "t"]).ok();
    for version in 13..=21 {
        other.commit(&lines(&[add(&format!("theirs-{version}"))]), &["--operation", "THEIRS"]).ok();
    }
    other.run("mirror", &[]).ok();
    assert!(log.join(format!("{:020}.checkpoint.parquet", 20)).exists());
    home.commit(&lines(&[add("ours-13")]), &["--operation", "OURS"]).ok();
    home.commit(&lines(&[add("ours-14")]), &[]).ok();
    (home, log)
}

fn resolve(home: &Home, args: &[&str]) -> Ran {
    home.run("diff", &[&["--table", "t"], args].concat())
}

fn document(ran: Ran) -> Value {
    ran.json()[0].clone()
}

/// The log in a folder that was kept.
fn kept(home: &Home, side: &str) -> PathBuf {
    home.path("t/_diverged").join(format!("{side}-{:020}", 13)).join("_delta_log")
}

/// Everything under a folder, by its name.
fn all_files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_is_done_without_yes() {
    let (home, log) = diverged();
    let (before, content) = (log_content(&log), home.content());
    for args in [&[][..], &["--resolve", "catalog"], &["--resolve", "log"]] {
        assert_eq!(resolve(&home, args).code, Some(2));
    }
    assert!(log_content(&log) == before && home.content() == content && !home.path("t/_diverged").exists());
    let ran = run(home.command_in("table", "diff", &["--resolve", "log"]));
    assert!(ran.err.contains("with --yes"), "{}", ran.err);
}

#[test]
fn the_catalog_wins() {
    let (home, log) = diverged();
    let (before, content) = (log_content(&log), home.content());
    let document = document(resolve(&home, &["--resolve", "catalog", "--yes"]));
    assert_eq!(document["resolved"]["version"], 14);
    assert!(document["resolved"]["kept_at"].as_str().unwrap().ends_with("_delta_log"));
    assert_eq!(home.content(), content, "the catalog is as it was");
    resolve(&home, &[]).ok();
    home.run("verify", &[]).ok();
    // All of the other side is there, byte for byte, and nothing of it in the log.
    let kept = log_content(&kept(&home, "log"));
    let of_log =
        before.iter().filter(|(name, _)| name.as_str() >= commit_name(13).as_str() || name == "_last_checkpoint");
    assert!(of_log.eq(kept.iter()), "{:?}", kept.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert!(
        log_content(&log)
            .iter()
            .filter(|(name, _)| name.as_str() < commit_name(13).as_str())
            .eq(before.iter().filter(|(name, _)| name.as_str() < commit_name(13).as_str()))
    );
    // Done is done.
    resolve(&home, &["--resolve", "catalog", "--yes"]).ok();
    resolve(&home, &["--resolve", "log", "--yes"]).ok();
    assert_eq!(home.content(), content);
}

#[test]
fn the_log_wins() {
    let (home, log) = diverged();
    let (before, table) = (log_content(&log), home.tables()[0].clone());
    home.run("mirror", &["--target", home.path("elsewhere").to_str().unwrap()]).ok();
    let targets = home.query("SELECT target, version FROM dl_mirror_status");
    resolve(&home, &["--resolve", "log", "--yes"]).fails("invalid", "several targets");
    let own = home.path("t").to_str().unwrap().to_owned();
    let document = document(resolve(&home, &["--resolve", "log", "--yes", "--target", &own]));
    assert_eq!(document["resolved"]["version"], 21);
    assert!(log_content(&log) == before, "the log is as it was");
    let now = home.tables()[0].clone();
    for field in ["table_id", "name", "location", "earliest_version"] {
        assert_eq!(now[field], table[field]);
    }
    assert_eq!(now["version"], 21);
    assert_eq!(home.query("SELECT target, version FROM dl_mirror_status"), targets);
    resolve(&home, &["--target", &own]).ok();
    home.run("verify", &["--target", &own]).ok();
    // The other target is what the catalog was.
    assert_eq!(home.run("verify", &[]).code, Some(2));
    // What the catalog had can be read back.
    let reader = Home::new();
    reader.run("import", &["--log-dir", kept(&home, "catalog").to_str().unwrap(), "--name", "t"]).ok();
    assert!(reader.file_paths().contains(&"ours-14".to_owned()));
    let history = reader.run("history", &["--limit", "2"]).json();
    assert_eq!((&history[0]["version"], &history[1]["operation"]), (&json!(14), &json!("OURS")));
    resolve(&home, &["--resolve", "log", "--yes", "--target", &own]).ok();
    home.commit(&lines(&[add("next")]), &[]).ok();
}

/// A log that is merely ahead: the one side takes its commits in, the other one moves them away.
#[test]
fn a_log_that_is_ahead() {
    for (winner, version) in [("log", 13), ("catalog", 12)] {
        let home = Home::with_table(&many_commits(12, 2));
        home.run("mirror", &[]).ok();
        let log = home.path("t/_delta_log");
        fs::write(log.join(commit_name(13)), lines(&[commit_info(), add("x")])).unwrap();
        let document = document(resolve(&home, &["--resolve", winner, "--yes"]));
        assert_eq!(document["resolved"]["version"], version);
        assert_eq!(home.tables()[0]["version"], version);
        assert_eq!(log.join(commit_name(13)).exists(), winner == "log");
        assert_eq!(kept(&home, "log").join(commit_name(13)).exists(), winner == "catalog");
        home.run("verify", &[]).ok();
    }
}

/// The same version diverges twice: the second loser does not overwrite the first one.
#[test]
fn losers_of_one_version_are_kept_apart() {
    let home = Home::with_table(&many_commits(12, 2));
    home.run("mirror", &[]).ok();
    let log = home.path("t/_delta_log");
    for (name, suffix) in [("x", ""), ("y", "-2"), ("y", "-2"), ("z", "-3")] {
        fs::write(log.join(commit_name(13)), lines(&[commit_info(), add(name)])).unwrap();
        let document = document(resolve(&home, &["--resolve", "catalog", "--yes"]));
        let kept_at = document["resolved"]["kept_at"].as_str().unwrap();
        assert!(kept_at.ends_with(&format!("/_diverged/log-{:020}{suffix}/_delta_log", 13)), "{kept_at}");
    }
    let folders: Vec<_> = ["", "-2", "-3"]
        .iter()
        .map(|suffix| home.path("t/_diverged").join(format!("log-{:020}{suffix}", 13)))
        .collect();
    let paths =
        folders.iter().map(|folder| fs::read_to_string(folder.join("_delta_log").join(commit_name(13))).unwrap());
    assert!(paths.zip(["x", "y", "z"]).all(|(text, name)| text.contains(&format!("\"{name}\""))));
    for name in ["p", "q"] {
        home.commit(&lines(&[add(&format!("ours-{name}"))]), &[]).ok();
        let version = usize::try_from(home.tables()[0]["version"].as_i64().unwrap()).unwrap();
        fs::write(log.join(commit_name(version)), lines(&[commit_info(), add(name)])).unwrap();
        resolve(&home, &["--resolve", "log", "--yes"]).ok();
        home.run("verify", &[]).ok();
    }
}

/// The corrupt commit of another writer can be moved away as any other.
#[test]
fn a_damaged_commit_of_another_writer() {
    let home = Home::with_table(&many_commits(12, 2));
    home.run("mirror", &[]).ok();
    let log = home.path("t/_delta_log");
    home.commit(&lines(&[add("ours")]), &[]).ok();
    fs::write(log.join(commit_name(13)), b"\xff{\"add\"").unwrap();
    let (content, before) = (home.content(), log_content(&log));
    resolve(&home, &["--resolve", "log", "--yes"]).error(1);
    assert!(home.content() == content && log_content(&log) == before, "what cannot be read does not win");
    resolve(&home, &["--resolve", "catalog", "--yes"]).ok();
    home.run("verify", &[]).ok();
}

/// kill -9 at any moment: both sides are somewhere, whole, and a second run completes it.
#[test]
fn killed_and_run_again() {
    for (winner, version) in [("catalog", 14), ("log", 21)] {
        let (home, _) = diverged();
        let start = Instant::now();
        resolve(&home, &["--resolve", winner, "--yes"]).ok();
        let whole = start.elapsed();
        let mut random = Random(7);
        for round in 0..5 {
            let (home, log) = diverged();
            let theirs = log_content(&log);
            let ours = home.file_paths();
            let mut command = home.command("diff", &["--table", "t", "--resolve", winner, "--yes"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(random.part_of(whole));
            child.kill().unwrap();
            child.wait().unwrap();
            println!("{winner}, round {round}");
            // Each file of the log is still there, under its name or aside.
            let all = all_files(&home.path("t"));
            for (name, content) in theirs.iter().filter(|(name, _)| name != "_last_checkpoint") {
                let is_there = |(path, found): &(PathBuf, Vec<u8>)| path.ends_with(name) && found == content;
                assert!(all.iter().any(is_there), "{name} is lost");
            }
            assert_eq!(home.tables().len(), 1, "readers see one table at any moment");
            resolve(&home, &["--resolve", winner, "--yes"]).ok();
            resolve(&home, &[]).ok();
            home.run("verify", &[]).ok();
            assert_eq!(home.tables()[0]["version"], version);
            if winner == "catalog" {
                assert_eq!(home.file_paths(), ours);
            } else {
                let reader = Home::new();
                reader.run("import", &["--log-dir", kept(&home, "catalog").to_str().unwrap(), "--name", "t"]).ok();
                assert_eq!(reader.file_paths(), ours);
                assert_eq!(home.query("SELECT count(*) FROM dl_tables"), ["Integer(1)"]);
            }
        }
    }
}

#[test]
fn what_a_killed_run_left_half_written_goes() {
    let (home, _) = diverged();
    let kept = kept(&home, "log");
    let half_written = [kept.join(".dl-killed.tmp"), kept.join("_sidecars/.dl-killed.tmp")];
    fs::create_dir_all(kept.join("_sidecars")).unwrap();
    half_written.iter().for_each(|path| fs::write(path, "half").unwrap());
    resolve(&home, &["--resolve", "catalog", "--yes"]).ok();
    assert!(half_written.iter().all(|path| !path.exists()));
    assert!(kept.join(commit_name(13)).exists());
}

/// A checkpoint that tells another state is no commit of others: neither side can win, and nobody is told so.
#[test]
fn what_is_left_after_it_is_told() {
    let home = Home::with_table(&many_commits(12, 2));
    home.run("mirror", &[]).ok();
    (13..=22).for_each(|version| drop(home.commit(&lines(&[add(&format!("v{version}"))]), &[]).ok()));
    home.run("mirror", &[]).ok();
    let checkpoint = |version| home.path("t/_delta_log").join(format!("{version:020}.checkpoint.parquet"));
    fs::copy(checkpoint(10), checkpoint(20)).unwrap();
    for winner in ["catalog", "log"] {
        let ran = resolve(&home, &["--resolve", winner, "--yes"]);
        assert_eq!(ran.code, Some(2), "{winner}: {}", ran.err);
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(document[0]["resolved"]["status"], "drift", "{document}");
    }
    let told = run(home.command_in("table", "diff", &["--resolve", "catalog", "--yes"]));
    assert!(told.err.contains("a checkpoint of the log says something else"), "{}", told.err);
    fs::remove_file(checkpoint(20)).unwrap();
    assert_eq!(document(resolve(&home, &["--resolve", "catalog", "--yes"]))["resolved"]["status"], "equal");
    assert!(checkpoint(20).exists());
}
