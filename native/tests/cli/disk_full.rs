//! A disk without space. `ulimit -f` makes every write beyond a size fail, which needs no rights and no small disk.

use std::process::Command;

#[cfg(target_os = "linux")]
use crate::daemon::{Daemon, append, targets, wait_for_version, wait_until};
use crate::support::{Home, Ran, add, first_commit, lines, log_content, many_commits, run, run_with};

/// The command with files limited to so many KiB (the shell counts in halves).
pub(crate) fn limited(command: &Command, kib: usize) -> Command {
    let mut shell = Command::new("sh");
    // Without the trap the first write too many kills the process.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2);
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
    shell
}

#[track_caller]
fn says_that_the_disk_is_to_blame(ran: &Ran) {
    let error = ran.fails("unavailable", "");
    assert!(error["hint"].is_string(), "{error}");
}

#[test]
fn an_import_is_finished_when_there_is_space_again() {
    let commits = many_commits(10, 300);
    let clean = Home::with_table(&commits);
    let home = Home::new();
    home.write_log("t", &commits);
    let import = home.command("import", &["--log-dir", home.path("t").to_str().unwrap()]);
    let whole = std::fs::metadata(clean.database()).unwrap().len() as usize / 1024;
    for part in [8, 4, 2] {
        says_that_the_disk_is_to_blame(&run(limited(&import, whole / part)));
        let seen = home.run("tables", &[]);
        assert!(seen.code == Some(1) || seen.out.trim() == "[]", "half a table is shown: {}", seen.out);
    }
    run(import).ok();
    let without_times = |home: &Home| {
        home.query("SELECT version, added_files, file_count, size_bytes FROM dl_table_versions ORDER BY version")
    };
    assert_eq!(without_times(&home), without_times(&clean));
    assert_eq!(home.file_paths(), clean.file_paths());
}

#[test]
fn a_commit_has_no_effect() {
    let home = Home::with_table(&[first_commit()]);
    let before = home.content();
    let adds = lines(&(0..3000).map(|file| add(&format!("{file:0200}"))).collect::<Vec<_>>());
    let id = "5f7c1a4e-2f8b-4c06-9d1e-000000000001";
    let actions = home.path("actions");
    std::fs::write(&actions, adds).unwrap();
    let commit = home.command("commit", &["--table", "t", "--actions", actions.to_str().unwrap(), "--commit-id", id]);
    says_that_the_disk_is_to_blame(&run(limited(&commit, 400)));
    assert_eq!(home.content(), before);
    assert_eq!(run(commit).json()["version"], 1);
}

#[test]
fn a_mirror_leaves_nothing_half_written() {
    let home = Home::with_table(&[first_commit(), many_commits(1, 2000).remove(1), lines(&[add("last")])]);
    home.mirror("whole").ok();
    let whole = log_content(&home.path("whole/_delta_log"));
    let target = home.path("m");
    let mirror = home.command("mirror", &["--table", "t", "--target", target.to_str().unwrap()]);
    says_that_the_disk_is_to_blame(&run(limited(&mirror, 64)));
    let log = target.join("_delta_log");
    assert!(log_content(&log) == whole[..1], "the commit before the large one, and nothing of that");
    let temporary = std::fs::read_dir(&log).unwrap().count() - 1;
    assert_eq!(temporary, 0, "temporary files are left");
    run(mirror).ok();
    assert!(log_content(&log) == whole);
}

/// The other target goes on meanwhile, and so does this one when there is space again.
#[cfg(target_os = "linux")]
#[test]
fn a_daemon_waits_for_space() {
    let home = Home::with_table(&[first_commit()]);
    let (full, good, full_while) = (home.path("full"), home.path("good"), home.path("full while this is there"));
    std::fs::write(&full_while, "").unwrap();
    let mut command = home.command("mirror", &["--watch", "--table", "t", "--target"]);
    command.arg(&full).arg("--target").arg(&good);
    command.env("LD_PRELOAD", crate::support::library(&home, "full_disk"));
    command.env("FULL_FOLDER", &full).env("FULL_WHILE", &full_while);
    let daemon = Daemon::of(command);
    append(&home, "t", "part-1");
    wait_for_version(&good.join("_delta_log"), 1);
    let failing = || targets(&home).into_iter().find(|target| target["failures"].as_i64() > Some(1));
    wait_until("two failures", || failing().is_some());
    let error = failing().unwrap()["last_error"].clone();
    assert_eq!(error["kind"], "unavailable", "{error}");
    assert!(error["message"].as_str().unwrap().contains("No space left on device"), "{error}");
    assert_eq!(std::fs::read_dir(full.join("_delta_log")).unwrap().count(), 0, "temporary files are left");
    std::fs::remove_file(&full_while).unwrap();
    wait_for_version(&full.join("_delta_log"), 1);
    wait_until("no failures", || targets(&home).iter().all(|target| target["failures"] == 0));
    assert_eq!((daemon.told_times("\"WARN\""), daemon.told_times("recovered after")), (1, 1), "{}", daemon.told());
    daemon.end().ok();
    for target in [&full, &good] {
        home.run("verify", &["--target", target.to_str().unwrap()]).ok();
    }
}

#[test]
fn what_is_printed_is_not_lost_silently() {
    let home = Home::with_table(&[first_commit()]);
    for command in ["tables", "snapshot", "history", "files", "schema"] {
        let mut dl = home.command(command, &[]);
        dl.stdout(std::fs::File::create("/dev/full").unwrap()).stderr(std::process::Stdio::piped());
        let ran = crate::support::finish(dl.spawn().unwrap());
        ran.fails("unavailable", "standard output");
    }
}

/// Several batches: what the first ones took in stays.
#[test]
fn an_incremental_import_goes_on_when_there_is_space_again() {
    let commits = many_commits(60, 300);
    let home = Home::with_table(&commits[..1]);
    home.write_log("t", &commits);
    let import = home.command("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]);
    let mut went_on = false;
    for kib in [1000, 2000, 4000, 8000] {
        let ran = run(limited(&import, kib));
        if ran.code == Some(0) {
            break;
        }
        says_that_the_disk_is_to_blame(&ran);
        assert!(!ran.err.contains("nothing was changed"), "{}", ran.err);
        went_on |= home.tables()[0]["version"] != 0;
    }
    assert!(went_on, "no batch was taken in before the disk was full");
    run(import).ok();
    assert_eq!(home.tables()[0]["version"], 60);
}

/// Where standard input is copied to there is less space than it has bytes.
#[test]
fn standard_input_of_any_size() {
    let home = Home::with_table(&[first_commit()]);
    let much = vec![b'x'; 16 << 20];
    // No more than the limits of a transaction allow is copied.
    let transaction = home.command("transaction", &["--file", "-", "--max-bytes", "1000"]);
    run_with(limited(&transaction, 4096), &much).fails("invalid", "has more bytes than are allowed");
    let commit = home.command("commit", &["--table", "t", "--actions", "-"]);
    let mut full = limited(&commit, 4096);
    full.env("TMPDIR", home.path("t"));
    let nowhere = home.path("nowhere");
    let mut no_folder = home.command("commit", &["--table", "t", "--actions", "-"]);
    no_folder.env("TMPDIR", &nowhere);
    for (command, folder) in [(full, home.path("t")), (no_folder, nowhere)] {
        let error = run_with(command, &much).fails("unavailable", folder.to_str().unwrap());
        assert!(error["hint"].as_str().unwrap().contains("TMPDIR"), "{error}");
    }
}
