//! Exit codes: 0 done, 1 failed, 2 usage, 4 conflict; and what becomes of output that nobody takes.

use std::fs::File;
use std::process::Stdio;

use crate::support::{Home, add, dl, finish, first_commit, lines, many_commits, remove, run};

#[test]
fn codes() {
    let home = Home::with_table(&[first_commit(), lines(&[add("b")])]);
    let code = |command: &str, args: &[&str]| home.run(command, args).code;
    assert_eq!(code("snapshot", &[]), Some(0));
    assert_eq!(code("snapshot", &["--version", "7"]), Some(1));
    assert_eq!(code("snapshot", &["--version", "-1"]), Some(1));
    assert_eq!(code("snapshot", &["--timestamp", "yesterday"]), Some(2));
    assert_eq!(code("snapshot", &["--version", "one"]), Some(2));
    assert_eq!(code("snapshot", &["--version", "9223372036854775808"]), Some(2));
    assert_eq!(code("snapshot", &["--version", "1", "--timestamp", "0"]), Some(2));
    assert_eq!(code("files", &["--limit", "-1"]), Some(2));
    assert_eq!(code("files", &["--where", "id >"]), Some(1));
    assert_eq!(home.commit(&lines(&[add("c")]), &["--commit-id", "no-uuid"]).code, Some(2));
    assert_eq!(home.commit(&lines(&[remove("first")]), &["--read-version", "0"]).code, Some(4));
    let mut nothing = dl();
    nothing.arg("frobnicate");
    assert_eq!(run(nothing).code, Some(2));
    let mut help = dl();
    help.arg("--help");
    assert_eq!(run(help).code, Some(0));
}

#[test]
fn times_at_the_edges() {
    let home = Home::with_table(&[first_commit(), lines(&[add("b")])]);
    let history = home.run("history", &[]).json();
    let time = |index: usize| history[index]["timestamp_ms"].as_i64().unwrap();
    let (first, last) = (time(1), time(0));
    let version_at = |time: i64| home.run("snapshot", &["--timestamp", &time.to_string()]);
    let error = version_at(first - 1).fails("not_found", "versions 0 to 1");
    assert!(error["hint"].is_string());
    assert_eq!(version_at(first).json()["version"], 0);
    assert_eq!(version_at(last - 1).json()["version"], 0);
    assert_eq!(version_at(last).json()["version"], 1);
    assert_eq!(version_at(i64::MAX).json()["version"], 1);
    version_at(i64::MIN).fails("not_found", "versions 0 to 1");
    for time in ["", "x", "2024-13-45", "2024-01-01T25:00:00Z", "1e3", "9223372036854775808"] {
        let error = home.run("snapshot", &["--timestamp", time]).error(2);
        assert!(error["message"].as_str().unwrap().contains("is not a time"), "{time}: {error}");
    }
}

#[test]
fn a_limit_of_nothing() {
    let home = Home::with_table(&[first_commit()]);
    for args in [&["--limit", "0"][..], &["--limit", "0", "--where", "id = 5"]] {
        assert_eq!(home.run("files", args).json(), serde_json::json!([]));
        assert_eq!(run(home.command_in("ndjson", "files", args)).ok().out, "");
    }
    assert_eq!(home.run("history", &["--limit", "0"]).json(), serde_json::json!([]));
}

/// `dl ... | head -1`: the reader has what it wants, so nothing failed.
#[test]
fn a_reader_that_goes_away() {
    let home = Home::with_table(&many_commits(20, 200));
    for (command, format) in [("files", "ndjson"), ("files", "json"), ("files", "table"), ("history", "json")] {
        let mut dl = home.command_in(format, command, &[]);
        let mut child = dl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = finish(child);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command} {format}");
    }
}

/// An error that cannot be told keeps its exit code.
#[test]
fn messages_that_nobody_takes() {
    let home = Home::with_table(&[first_commit()]);
    for (args, code) in [(&["--version", "7"][..], 1), (&["--version", "one"], 2)] {
        let mut dl = home.command("snapshot", args);
        dl.stdout(Stdio::null()).stderr(File::create("/dev/full").unwrap());
        assert_eq!(dl.status().unwrap().code(), Some(code));
    }
}

/// A predicate of any kind is answered or refused, whatever its length and depth.
#[test]
fn predicates_of_all_kinds() {
    let home = Home::with_table(&[first_commit()]);
    let nested = |depth: usize| format!("{}id = 1{}", "(".repeat(depth), ")".repeat(depth));
    let long = vec!["id = 1"; 8000].join(" or ");
    for predicate in [
        "",
        " ",
        "(",
        ")",
        "()",
        "id",
        "id >",
        "> 5",
        "id = '5",
        "`",
        "id in ()",
        "id in (1,",
        "id between 1",
        "not",
        "nope = 1",
        "id = 1; drop table t",
        "id = 1 --",
        "id = 'x'",
        "id % 2 = 0",
        "f(id) = 1",
        "id.x = 1",
        "[id] = 1",
        "🦀 = 1",
        &nested(10_000),
        &long,
    ] {
        let error = home.run("files", &["--where", predicate]).fails("invalid", "--where");
        assert!(error["message"].as_str().unwrap().len() < 400, "{error}");
    }
    for predicate in
        ["1 = 1", "true", "id = 1e999", "id = -99999999999999999999", "ID = 5", "not not id = 5", &nested(60)]
    {
        home.run("files", &["--where", predicate]).ok();
    }
}
