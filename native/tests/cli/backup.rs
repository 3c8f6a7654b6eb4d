//! Backups of the catalog: what is restored is what was saved, and nothing half or wrong is.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::disk_full::limited;
use crate::support::{Home, Ran, Random, add, commit_info, first_commit, lines, many_commits, run, run_with};

fn backup(home: &Home, args: &[&str]) -> Ran {
    let mut command = home.command("backup", &["--to", home.path("backups").to_str().unwrap()]);
    command.args(args);
    run(command)
}

/// Restores into a home of its own.
fn restore(home: &Home, args: &[&str]) -> (Home, Ran) {
    let other = Home::new();
    let mut command = other.command("restore", &["--from", home.path("backups").to_str().unwrap()]);
    command.args(args);
    let ran = run(command);
    (other, ran)
}

fn appended(name: &str) -> Vec<u8> {
    lines(&[commit_info(), add(name)])
}

fn pieces(home: &Home) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(home.path("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn each_backup_is_the_catalog_of_its_time() {
    let home = Home::with_table(&many_commits(10, 200));
    let mut contents = vec![home.content()];
    let full = backup(&home, &[]).json();
    assert_eq!((&full["backup"], &full["kind"], &full["based_on"]), (&json!(1), &json!("full"), &Value::Null));
    for number in 2..=5 {
        home.commit(&appended(&format!("after-{number}")), &[]).ok();
        contents.push(home.content());
        let made = backup(&home, &["--incremental"]).json();
        assert_eq!((&made["backup"], &made["kind"]), (&json!(number), &json!("incremental")));
        assert_eq!(made["based_on"], number - 1);
        let (saved, size) = (made["saved_bytes"].as_i64().unwrap(), made["size_bytes"].as_i64().unwrap());
        assert!(saved > 0 && saved < size / 4, "{made}");
    }
    // Nothing changed, and nothing is saved.
    assert_eq!(backup(&home, &["--incremental"]).json()["saved_bytes"], 0);
    // Much goes, and the file shrinks.
    home.run("drop", &["--table", "t", "--yes"]).ok();
    run(home.command("import", &["--log-dir", home.write_log("u", &[first_commit()]).to_str().unwrap()])).ok();
    rusqlite::Connection::open(home.database()).unwrap().execute_batch("VACUUM").unwrap();
    contents.extend([contents[4].clone(), home.content()]);
    let shrunk = backup(&home, &["--incremental"]).json();
    assert!(shrunk["size_bytes"].as_i64() < full["size_bytes"].as_i64());
    for (index, content) in contents.iter().enumerate() {
        let number = (index + 1).to_string();
        let (restored, ran) = restore(&home, &["--backup", &number]);
        let hash = ran.json()["hash"].clone();
        assert!(hash.as_str().is_some_and(|hash| hash.len() == 32));
        assert_eq!(&restored.content(), content, "backup {number}");
        // It is a catalog like any other.
        let table = restored.tables()[0]["name"].as_str().unwrap().to_owned();
        let args = ["--table", table.as_str(), "--actions", "-"];
        run_with(restored.command("commit", &args), &appended("more")).ok();
    }
    let (restored, ran) = restore(&home, &[]);
    assert_eq!(ran.json()["backup"], 7);
    assert_eq!(restored.content(), home.content());
}

/// Without an earlier one an incremental backup has everything.
#[test]
fn the_first_backup_is_full() {
    let home = Home::with_table(&[first_commit()]);
    assert_eq!(backup(&home, &["--incremental"]).json()["kind"], "full");
    assert_eq!(backup(&home, &["--incremental"]).json()["kind"], "incremental");
    assert_eq!(backup(&home, &[]).json()["kind"], "full");
    let text = run(home.command_in("table", "backup", &["--to", home.path("backups").to_str().unwrap()])).ok().out;
    assert!(text.contains("full"), "{text}");
}

/// Beside writers a backup is one moment: all versions up to some one, and at least what was acknowledged before.
#[test]
fn beside_writers() {
    let home = Home::with_table(&many_commits(10, 300));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let acknowledged = std::sync::atomic::AtomicI64::new(10);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                let version = home.commit(&appended(&format!("beside-{number}")), &[]).json()["version"].as_i64();
                acknowledged.store(version.unwrap(), std::sync::atomic::Ordering::SeqCst);
                number += 1;
            }
        });
        for round in 0..6 {
            let at_least = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
            let args: &[&str] = if round == 0 { &[] } else { &["--incremental"] };
            let made = backup(&home, args);
            if made.code != Some(0) {
                is_over.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            made.ok();
            let (restored, ran) = restore(&home, &[]);
            let snapshot = match ran.code {
                Some(0) => restored.run("snapshot", &[]).json(),
                _ => json!({ "failed": ran.err }),
            };
            if round == 5 || snapshot["version"].as_i64().is_none_or(|version| version < at_least) {
                is_over.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            let version = snapshot["version"].as_i64().unwrap_or_else(|| panic!("{snapshot}"));
            assert!(version >= at_least, "{version} < {at_least}");
            assert_eq!(snapshot["file_count"], 1 + 10 * 300 + (version - 10));
        }
    });
}

/// Killed at any moment, the earlier backups are whole, and the next run goes on.
#[test]
fn killed() {
    let home = Home::with_table(&many_commits(10, 300));
    backup(&home, &[]).ok();
    let start = Instant::now();
    backup(&home, &["--incremental"]).ok();
    let took = start.elapsed();
    let mut random = Random(5);
    for round in 0..8 {
        home.commit(&appended(&format!("round-{round}")), &[]).ok();
        let args = ["--to", home.path("backups").to_str().unwrap(), "--incremental"].map(str::to_owned);
        let mut command = home.command("backup", &args.each_ref().map(String::as_str));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(random.part_of(took));
        child.kill().unwrap();
        child.wait().unwrap();
        restore(&home, &[]).1.ok();
        backup(&home, &["--incremental"]).ok();
        let (restored, ran) = restore(&home, &[]);
        ran.ok();
        assert_eq!(restored.content(), home.content());
        let kinds = |suffix: &str| pieces(&home).iter().filter(|path| path.to_str().unwrap().ends_with(suffix)).count();
        assert_eq!((kinds(".pages"), kinds(".hashes"), kinds(".tmp")), (kinds(".json"), kinds(".json"), 0));
    }
    // A restore that is killed leaves no catalog, or a whole one.
    for _ in 0..6 {
        let other = Home::new();
        let mut command = other.command("restore", &["--from", home.path("backups").to_str().unwrap()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(random.part_of(took));
        child.kill().unwrap();
        child.wait().unwrap();
        if other.database().exists() {
            assert_eq!(other.content(), home.content());
        } else {
            run(other.command("restore", &["--from", home.path("backups").to_str().unwrap()])).ok();
        }
        let names: Vec<_> = fs::read_dir(other.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name.to_str().unwrap().ends_with(".tmp")), "{names:?}");
    }
}

/// Every piece that is missing, cut off or changed is told by its name, and no catalog is made.
#[test]
fn damaged_pieces() {
    let home = Home::with_table(&many_commits(3, 50));
    backup(&home, &[]).ok();
    home.commit(&appended("later"), &[]).ok();
    backup(&home, &["--incremental"]).ok();
    let last = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("00000002");
    for path in pieces(&home) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("00000001") && name.ends_with(".hashes") {
            continue; // a restore of the second one does not need it
        }
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for damaged in [Some(flipped), Some(whole[..whole.len() / 2].to_vec()), Some(Vec::new()), None] {
            match &damaged {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let is_last_gone = damaged.is_none() && name == "00000002.json";
            let (other, ran) = restore(&home, &["--backup", "2"]);
            let error = ran.fails(if is_last_gone { "not_found" } else { "corrupt" }, "");
            let message = error["message"].as_str().unwrap();
            assert!(is_last_gone || message.contains(&name), "{message}");
            assert!(!other.database().exists());
            assert_eq!(fs::read_dir(other.path(".")).unwrap().count(), 0, "nothing is left");
            if last(&path) {
                restore(&home, &["--backup", "1"]).1.ok();
                if !is_last_gone {
                    backup(&home, &["--incremental"]).fails("corrupt", "");
                }
            }
        }
        fs::write(&path, whole).unwrap();
    }
    restore(&home, &[]).1.ok();
    // Another full backup in the place of the first one.
    let other = Home::with_table(&many_commits(2, 5));
    backup(&other, &[]).ok();
    for path in pieces(&other) {
        fs::copy(&path, home.path("backups").join(path.file_name().unwrap())).unwrap();
    }
    restore(&home, &[]).1.fails("corrupt", "rests on another backup 1");
}

/// A disk without space: no backup is made and no catalog, and what was there stays whole.
#[test]
fn a_full_disk() {
    let home = Home::with_table(&many_commits(5, 300));
    backup(&home, &[]).ok();
    home.commit(&appended("later"), &[]).ok();
    let before = pieces(&home);
    let made = home.command("backup", &["--to", home.path("backups").to_str().unwrap()]);
    let size = fs::metadata(home.database()).unwrap().len() as usize / 1024;
    for kib in [size / 16, size / 4, size * 3 / 4] {
        run(limited(&made, kib)).fails("unavailable", "");
        let (restored, _) = restore(&home, &[]);
        assert_eq!(restored.run("snapshot", &[]).json()["version"], 5);
        let other = Home::new();
        let command = other.command("restore", &["--from", home.path("backups").to_str().unwrap()]);
        run(limited(&command, kib)).fails("unavailable", "");
        assert_eq!(fs::read_dir(other.path(".")).unwrap().count(), 0, "nothing is left");
    }
    assert_eq!(pieces(&home), before);
    run(made).ok();
}

#[test]
fn a_damaged_catalog_is_not_saved() {
    let home = Home::with_table(&many_commits(5, 300));
    let mut bytes = fs::read(home.database()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 64].fill(0xff);
    fs::write(home.database(), bytes).unwrap();
    backup(&home, &[]).fails("corrupt", "");
    assert!(pieces(&home).is_empty());
}

#[test]
fn nothing_is_written_over() {
    let home = Home::with_table(&[first_commit()]);
    backup(&home, &[]).ok();
    let before = home.content();
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let other = Home::new();
        fs::write(other.path(&format!("catalog.db{suffix}")), "x").unwrap();
        let from = home.path("backups");
        other.run("restore", &["--from", from.to_str().unwrap()]).fails("conflict", "already");
        assert_eq!(fs::read(other.path(&format!("catalog.db{suffix}"))).unwrap(), b"x");
    }
    home.run("restore", &["--from", home.path("backups").to_str().unwrap()]).fails("conflict", "already");
    assert_eq!(home.content(), before);
    restore(&home, &["--backup", "7"]).1.fails("not_found", "no backup 7");
    let empty = Home::new();
    fs::create_dir(empty.path("backups")).unwrap();
    restore(&empty, &[]).1.fails("not_found", "no backup");
    restore(&Home::new(), &[]).1.fails("not_found", "");
    assert_eq!(Home::new().run("backup", &["--to", "/dev/null/x"]).code, Some(1));
}

#[test]
fn a_backup_that_was_killed_leaves_no_copy_for_good() {
    let home = Home::with_table(&[first_commit()]);
    let temporary = home.path("temporary");
    fs::create_dir(&temporary).unwrap();
    fs::write(temporary.join(".dl-killed.tmp"), "a copy").unwrap();
    fs::write(temporary.join("another.tmp"), "somebody's").unwrap();
    let mut command = home.command("backup", &["--to", home.path("backups").to_str().unwrap()]);
    command.env("TMPDIR", &temporary);
    run(command).ok();
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["another.tmp"]);
}

/// A restore would make another catalog than was meant.
#[test]
fn a_folder_is_for_one_catalog() {
    let (home, other) = (Home::with_table(&many_commits(3, 1)), Home::with_table(&many_commits(1, 1)));
    let folder = home.path("b").to_str().unwrap().to_owned();
    home.run("backup", &["--to", &folder]).ok();
    for args in [&["--to", &folder][..], &["--to", &folder, "--incremental"]] {
        other.run("backup", args).fails("conflict", "backups of another catalog");
    }
    home.run("backup", &["--to", &folder, "--incremental"]).ok();
    // What was restored goes on there.
    let restored = Home::new();
    restored.run("restore", &["--from", &folder]).ok();
    restored.run("backup", &["--to", &folder, "--incremental"]).ok();
}
