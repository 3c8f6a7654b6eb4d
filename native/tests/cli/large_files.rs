//! Actions that are read page by page.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Home, add, finish, first_commit, lines};

/// A little more than a page holds.
const MORE_THAN_A_PAGE: usize = 33 << 20;

/// What holds no action is read over, however long it is.
#[test]
fn nothing_is_left_out_after_blanks() {
    let gap = |unit: &str| [unit.repeat(MORE_THAN_A_PAGE / unit.len()).as_bytes(), b"\n"].concat();
    let (blanks, without_actions) = (gap(" "), gap(&format!("{{}}{}\n", " ".repeat(64 << 10))));
    for (what, file, paths) in [
        (
            "blanks in the middle",
            [&lines(&[add("a")]), &blanks[..], &blanks, &lines(&[add("b")])].concat(),
            ["a", "b", "first"],
        ),
        ("lines without actions", [&without_actions[..], &lines(&[add("a"), add("c")])].concat(), ["a", "c", "first"]),
    ] {
        let home = Home::with_table(&[first_commit()]);
        assert_eq!(home.commit(&file, &[]).json()["version"], 1, "{what}");
        assert_eq!(home.file_paths(), paths, "{what}");
    }
}

/// How far a process has read a file that it holds open.
#[cfg(target_os = "linux")]
fn read_position(process: u32, file: &std::path::Path) -> Option<u64> {
    let folder = format!("/proc/{process}/fd");
    let descriptor = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .find(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == file))?;
    let name = descriptor.file_name().into_string().ok()?;
    let info = std::fs::read_to_string(format!("/proc/{process}/fdinfo/{name}")).ok()?;
    info.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()
}

/// A large file is read twice: for what is no action on files, and for those.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_changes_meanwhile_is_refused() {
    let files: Vec<Value> = (0..20_000).map(|number| add(&format!("f{number}"))).collect();
    for (what, more) in [
        ("an application", lines(&[json!({ "txn": { "appId": "a", "version": 1 } })])),
        ("a file", lines(&[add("late")])),
        ("what is none", b"{\"add\"".to_vec()),
    ] {
        println!("{what}");
        let home = Home::with_table(&[first_commit()]);
        let actions = home.path("actions").canonicalize().unwrap_or_else(|_| home.path("actions"));
        std::fs::write(&actions, lines(&files)).unwrap();
        let size = std::fs::metadata(&actions).unwrap().len();
        // Nothing can be written before the file was read for the first time.
        let other = rusqlite::Connection::open(home.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut commit = home.command("commit", &["--table", "t", "--actions", actions.to_str().unwrap()]);
        let child = commit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while read_position(child.id(), &actions) != Some(size) {
            assert!(start.elapsed() < Duration::from_secs(60), "the file is not read");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(300));
        std::fs::File::options().append(true).open(&actions).unwrap().write_all(&more).unwrap();
        other.execute_batch("ROLLBACK").unwrap();
        let error = finish(child).fails("invalid", "");
        if what != "what is none" {
            assert!(error["message"].as_str().unwrap().contains("changed while it was read"), "{error}");
        }
        assert_eq!(home.file_paths(), ["first"]);
        assert_eq!(home.query("SELECT count(*) FROM dl_large_commit_files"), ["Integer(0)"], "{what}");
    }
}
