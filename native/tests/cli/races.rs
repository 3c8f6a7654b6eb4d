//! Several processes at one catalog.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Home, Ran, Random, add, commit_info, finish, first_commit, lines, log_content, many_commits, metadata, protocol,
};

/// One commit of many files: an import that has no version to show for a long time.
fn large_commit(files: usize) -> Vec<u8> {
    let adds = (0..files).map(|file| add(&format!("part-{file:032}.parquet")));
    lines(&[commit_info(), protocol(), metadata()].into_iter().chain(adds).collect::<Vec<_>>())
}

/// Every import that succeeds owns the table that it names, and there is one table.
#[track_caller]
fn winners_own_the_table(home: &Home, imports: &[Ran]) {
    let tables = home.tables();
    assert_eq!(tables.len(), 1);
    let won: Vec<&Ran> = imports.iter().filter(|import| import.code == Some(0)).collect();
    assert_eq!(won.len(), 1, "{:?}", imports.iter().map(|import| &import.err).collect::<Vec<_>>());
    let answer: Value = serde_json::from_str(&won[0].out).unwrap();
    assert_eq!(answer["table_id"], tables[0]["table_id"], "an acknowledged table was replaced");
    for lost in imports.iter().filter(|import| import.code != Some(0)) {
        lost.fails("conflict", "");
    }
}

#[test]
fn imports_of_one_table() {
    for count in [2, 4] {
        let home = Home::new();
        home.write_log("t", &many_commits(6, 200));
        let imports: Vec<Ran> = thread::scope(|scope| {
            let imports: Vec<_> = (0..count).map(|_| scope.spawn(|| home.import("t"))).collect();
            imports.into_iter().map(|import| import.join().unwrap()).collect()
        });
        winners_own_the_table(&home, &imports);
        assert_eq!(home.run("snapshot", &[]).json()["file_count"], 1201);
    }
}

#[test]
fn imports_of_several_tables_into_a_new_catalog() {
    let home = Home::new();
    let names = ["a", "b", "c", "d"];
    names.iter().for_each(|name| drop(home.write_log(name, &many_commits(4, 100))));
    thread::scope(|scope| {
        let imports: Vec<_> = names.iter().map(|name| scope.spawn(|| home.import(name))).collect();
        imports.into_iter().for_each(|import| drop(import.join().unwrap().ok()));
    });
    assert_eq!(home.tables().len(), names.len());
}

/// Who opens a database that another process is just making waits for it, and is not told that it is locked.
#[test]
fn a_new_catalog_is_made_by_many() {
    for _ in 0..40 {
        let home = Home::new();
        thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| home.run("migrate", &[]))).collect();
            makers.into_iter().for_each(|maker| drop(maker.join().unwrap().ok()));
        });
        assert!(home.tables().is_empty());
    }
}

/// A second import must neither take a living one for dead nor, having waited for the database, delete what the first
/// has just finished.
#[test]
fn an_import_inside_a_large_version_is_alive() {
    let home = Home::new();
    home.write_log("t", &[large_commit(150_000)]);
    let imports: Vec<Ran> = thread::scope(|scope| {
        let first = scope.spawn(|| home.import("t"));
        thread::sleep(Duration::from_millis(400));
        let second = scope.spawn(|| home.import("t"));
        vec![first.join().unwrap(), second.join().unwrap()]
    });
    winners_own_the_table(&home, &imports);
    assert_eq!(imports[0].code, Some(0), "the first import was alive: {}", imports[0].err);
}

/// An import that stands still counts as dead. When it wakes it must not add to the table of its successor.
#[cfg(unix)]
#[test]
fn an_import_that_was_replaced_gives_up() {
    let home = Home::new();
    home.write_log("t", &many_commits(20, 400));
    let mut command = home.command("import", &["--log-dir", home.path("t").to_str().unwrap()]);
    let first = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let signal = |name: &str| {
        let status = std::process::Command::new("kill").args([name, &first.id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    // Stopped while its row is there and it holds no lock.
    let begun = || home.database().exists() && home.run("tables", &[]).code == Some(0);
    while !begun() {
        thread::sleep(Duration::from_millis(1));
    }
    loop {
        signal("-STOP");
        let connection = rusqlite::Connection::open(home.database()).unwrap();
        let is_free = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let under_way = count("SELECT count(*) FROM dl_tables WHERE import_id IS NOT NULL") == 1;
        let finished = count("SELECT count(*) FROM dl_tables WHERE import_id IS NULL") == 1;
        assert!(!finished, "the import was too fast to be stopped");
        if is_free && under_way {
            break;
        }
        drop(connection);
        signal("-CONT");
        thread::sleep(Duration::from_millis(1));
    }
    let second = home.import("t");
    signal("-CONT");
    let first = finish(first);
    winners_own_the_table(&home, &[first, second]);
    assert_eq!(home.run("snapshot", &[]).json()["file_count"], 8001);
    let rows = home.query("SELECT count(*) FROM dl_add_files");
    assert_eq!(rows, ["Integer(8001)"], "no row of the first import is left");
}

/// Appends never lose a race; a reader beside them never goes back and sees whole versions.
#[test]
fn sixteen_processes_append() {
    const WRITERS: usize = 16;
    const COMMITS: usize = 3;
    let home = Home::with_table(&[first_commit()]);
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut versions: Vec<i64> = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let snapshot = home.run("snapshot", &[]).json();
                let version = snapshot["version"].as_i64().unwrap();
                assert!(version >= last, "the reader went back from {last} to {version}");
                assert_eq!(snapshot["file_count"], 1 + version, "one file a version");
                let files = home.run("files", &["--version", &version.to_string()]).json();
                assert_eq!(files.as_array().unwrap().len() as i64, 1 + version);
                last = version;
            }
        });
        let home = &home;
        let commit = |writer: usize, number: usize| {
            home.commit(&lines(&[add(&format!("w{writer}-{number}"))]), &[]).json()["version"].as_i64().unwrap()
        };
        let write = move |writer| (0..COMMITS).map(|number| commit(writer, number)).collect::<Vec<_>>();
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        let versions = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
        versions
    });
    versions.sort_unstable();
    assert_eq!(versions, (1..=(WRITERS * COMMITS) as i64).collect::<Vec<_>>(), "each version once, without a gap");
    assert_eq!(home.file_paths().len(), 1 + WRITERS * COMMITS);
}

#[test]
fn commits_and_a_drop() {
    let home = Home::with_table(&[first_commit()]);
    thread::scope(|scope| {
        let home = &home;
        let commits: Vec<_> =
            (0..8).map(|writer| scope.spawn(move || home.commit(&lines(&[add(&format!("w{writer}"))]), &[]))).collect();
        home.run("drop", &["--table", "t", "--yes"]).ok();
        for commit in commits {
            let commit = commit.join().unwrap();
            if commit.code != Some(0) {
                commit.fails("not_found", "");
            }
        }
    });
    home.nothing_is_left();
}

/// A list of files that ends early because the table is gone must not look like a whole one.
#[test]
fn files_of_a_table_that_is_dropped() {
    let home = Home::with_table(&[large_commit(20_000)]);
    let mut command = home.command_in("ndjson", "files", &[]);
    let mut reading = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has begun, and waits for us to read on.
    let mut out = BufReader::new(reading.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    home.run("drop", &["--table", "t"]).ok();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let ran = finish(reading);
    assert!(rest.lines().count() + 1 < 20_000, "the drop came too late");
    ran.fails("not_found", "dropped");
}

/// A commit file is never rewritten: one that ends early because the table is gone would stay so.
#[test]
fn a_mirror_of_a_table_that_is_dropped() {
    const FILES: usize = 10_000;
    let original = Home::with_table(&[large_commit(FILES)]);
    let start = Instant::now();
    original.mirror("m").ok();
    let whole = start.elapsed();
    let mut random = Random(5);
    for round in 0..8 {
        let home = Home::new();
        std::fs::copy(original.database(), home.database()).unwrap();
        let wait = random.part_of(whole);
        let mirrored = thread::scope(|scope| {
            let mirror = scope.spawn(|| home.mirror("m"));
            thread::sleep(wait);
            home.run("drop", &["--table", "t"]).ok();
            mirror.join().unwrap()
        });
        println!("round {round}: dropped after {wait:?} of {whole:?}, the mirror ended with {:?}", mirrored.code);
        let log = home.path("m/_delta_log");
        for (name, content) in if log.exists() { log_content(&log) } else { Vec::new() } {
            // Beside the files a commit info, a protocol and metadata; a checksum is one line.
            let whole = if name.ends_with(".crc") { 1 } else { FILES + 3 };
            let lines = content.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines, whole, "{name} is cut short");
        }
    }
}

#[test]
fn a_drop_that_would_lose_commits_is_refused() {
    let home = Home::with_table(&[first_commit()]);
    home.commit(&lines(&[add("ours")]), &[]).ok();
    let before = home.content();
    let error = home.run("drop", &["--table", "t"]).fails("conflict", "no log is known to have");
    assert!(error["hint"].as_str().unwrap().contains("dl mirror"), "{error}");
    assert_eq!(home.content(), before);
    home.run("mirror", &[]).ok();
    home.run("drop", &["--table", "t"]).ok();
    home.nothing_is_left();
    // What others wrote is in their log; what a log lacks goes with `--yes`.
    home.import("t").ok();
    home.run("drop", &["--table", "t"]).ok();
    home.import("t").ok();
    home.commit(&lines(&[add("ours-2")]), &[]).ok();
    home.run("drop", &["--table", "t", "--yes"]).ok();
    home.nothing_is_left();
}
