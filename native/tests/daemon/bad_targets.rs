//! Logs that are damaged or another one's: the daemon tells, lets them alone, and goes on with the others.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::bucket::{Log, add_targets, new_target, run_on_s3, watch};
use crate::daemon::{Daemon, append, get, targets, wait_for_version, wait_until};
use crate::server::{free_address, server};
use crate::support::{Home, add, commit_info, commit_name, first_commit, lines, many_commits, metadata_with, protocol};

/// What somebody put into a log of versions 0 to 12, and what is told of it.
struct Case {
    name: &'static str,
    file: String,
    content: Vec<u8>,
    /// Kind and a part of the message, before version 13 is committed and after it.
    told: [(&'static str, &'static str); 2],
}

const FINE: (&str, &str) = ("", "");

fn cases(newest: &[u8]) -> Vec<Case> {
    let case = |name, file: &str, content: &[u8], told| Case {
        name,
        file: file.to_owned(),
        content: content.to_owned(),
        told,
    };
    let (newest_name, next_name) = (&commit_name(12), &commit_name(13));
    let checkpoint = &format!("{:020}.checkpoint.parquet", 10);
    let foreign = lines(&[commit_info(), add("foreign")]);
    let other = lines(&[commit_info(), protocol(), metadata_with(json!({ "id": "other-id" })), add("z")]);
    let (damaged, other_one) = (("corrupt", "00000000000000000012.json: "), ("conflict", "is another one: at version"));
    let (not_whole, ahead) = (("corrupt", "10.checkpoint.parquet in "), ("conflict", "goes on to version 13"));
    let other_table = ("conflict", "the log is that of the table other-id, the catalog's is 0e3f8a50");
    vec![
        case("fine", "x.txt", b"x", [FINE, FINE]),
        case("another table's", &commit_name(0), &other, [other_table, other_table]),
        case("garbage", newest_name, b"garbage\n", [damaged, damaged]),
        case("nothing", newest_name, b"", [other_one, other_one]),
        case("half", newest_name, &newest[..newest.len() / 2], [damaged, damaged]),
        case("garbage for a checkpoint", checkpoint, b"garbage", [not_whole, not_whole]),
        case("nothing for a checkpoint", checkpoint, b"", [not_whole, not_whole]),
        case("garbage for a checksum", &format!("{:020}.crc", 12), b"garbage", [FINE, FINE]),
        case("garbage for the last checkpoint", "_last_checkpoint", b"garbage", [FINE, FINE]),
        case("garbage to come", next_name, b"garbage", [ahead, ("corrupt", "00000000000000000013.json: ")]),
        case("nothing to come", next_name, b"", [ahead, other_one]),
        case("a foreign commit", next_name, &foreign, [ahead, other_one]),
    ]
}

fn content(log: &Log) -> BTreeMap<String, Vec<u8>> {
    log.seen().into_keys().map(|name| (name.clone(), log.content(&name))).collect()
}

/// What is known of a target.
fn known(home: &Home, target: &str) -> Value {
    let is_it = |known: &Value| known["target"].as_str().is_some_and(|url| url.ends_with(target));
    targets(home).into_iter().find(is_it).unwrap()
}

fn is_told(known: &Value, (kind, part): (&str, &str)) -> bool {
    let (error, failures) = (&known["last_error"], known["failures"].as_i64().unwrap());
    match kind {
        "" => failures == 0 && error.is_null(),
        _ => failures > 0 && error["kind"] == kind && error["message"].as_str().is_some_and(|text| text.contains(part)),
    }
}

#[test]
fn damaged_logs_and_those_of_others() {
    let home = Home::with_table(&many_commits(12, 2));
    let newest = std::fs::read(home.path("t/_delta_log").join(commit_name(12))).unwrap();
    let mut damaged = Vec::new();
    for case in cases(&newest) {
        for target in [new_target(), home.path(case.name).to_str().unwrap().to_owned()] {
            run_on_s3(&home, "mirror", &["--target", &target]).ok();
            let log = Log::of(&target);
            let before = content(&log);
            log.put(&case.file, &case.content);
            damaged.push((target.replace(' ', "%20"), case.name, case.file.clone(), case.told, log, before));
        }
    }
    // Where a commit is to be there is a folder.
    let folder = home.path("a folder").to_str().unwrap().to_owned();
    run_on_s3(&home, "mirror", &["--target", &folder]).ok();
    std::fs::create_dir(home.path("a folder/_delta_log").join(commit_name(13))).unwrap();

    let address = free_address().to_string();
    let daemon = Daemon::of(watch(&home, server().address, &["--check-seconds", "1", "--listen", &address]));
    let wait_for = |time: usize| {
        for (target, name, _, told, ..) in &damaged {
            let is_so = || is_told(&known(&home, target), told[time]);
            wait_until(&format!("{name} in {target}: {:?} of {}", told[time], known(&home, target)), is_so);
        }
        wait_until("the folder", || is_told(&known(&home, "a%20folder"), ("corrupt", "it is no file")));
    };
    let failing = damaged.iter().filter(|(.., told, _, _)| told[1] != FINE).count() + 1;
    let is_told_everywhere = || {
        wait_until("readiness", || get(&address, "/readyz").contains(&format!("ok, but {failing} targets fail")));
        let metrics = get(&address, "/metrics");
        let failing_there =
            metrics.lines().filter(|line| line.starts_with("dl_mirror_failing{") && !line.ends_with(" 0"));
        assert_eq!(failing_there.count(), failing, "{metrics}");
    };
    wait_for(0);
    is_told_everywhere();
    append(&home, "t", "part-13");
    for (target, ..) in damaged.iter().filter(|(.., told, _, _)| told[1] == FINE) {
        wait_until(target, || known(&home, target)["version"] == 13);
    }
    wait_for(1);
    is_told_everywhere();
    for (target, name, file, told, log, before) in &damaged {
        let now = content(log);
        if told[1] == FINE {
            let is_kept = |(name, bytes): (&String, &Vec<u8>)| name == file || now.get(name) == Some(bytes);
            assert!(before.iter().all(is_kept), "{name} in {target} was changed");
        } else {
            let kept =
                before.iter().filter(|(name, _)| *name != file).all(|(name, bytes)| now.get(name) == Some(bytes));
            assert!(kept && now.len() <= before.len() + 1, "{name} in {target} was changed");
        }
        // One that cannot be read may be replaced, and is.
        if file == "_last_checkpoint" {
            assert_eq!(now[file], before[file], "{target}");
        }
        // What was there before comes back; a commit has the targets tried again soon.
        match before.get(file) {
            Some(bytes) => log.put(file, bytes),
            None => log.delete(file),
        }
    }
    std::fs::remove_dir(home.path("a folder/_delta_log").join(commit_name(13))).unwrap();
    append(&home, "t", "part-14");
    wait_until("all is well again", || {
        targets(&home).iter().all(|target| target["version"] == 14 && target["failures"] == 0)
    });
    wait_until("readiness", || get(&address, "/readyz").ends_with("\r\n\r\nok\n"));
    daemon.end().ok();
    for target in damaged.iter().map(|(target, ..)| target.replace("%20", " ")) {
        run_on_s3(&home, "verify", &["--target", &target]).ok();
    }
}

/// It finds it when it puts its own.
#[test]
fn a_foreign_commit_while_it_runs() {
    let home = Home::with_table(&[first_commit()]);
    let target = new_target();
    add_targets(&home, "t", &[&target]);
    let daemon = Daemon::of(watch(&home, server().address, &[]));
    let log = Log::of(&target);
    wait_until("the first version", || log.has(&commit_name(0)));
    let foreign = lines(&[commit_info(), add("foreign")]);
    log.put(&commit_name(1), &foreign);
    append(&home, "t", "part-1");
    let told = ("conflict", "00000000000000000001.json appeared in s3://");
    wait_until("a conflict", || is_told(&known(&home, &target), told));
    assert_eq!(log.content(&commit_name(1)), foreign);
    assert_eq!(run_on_s3(&home, "diff", &["--target", &target]).code, Some(2));
    // The daemon goes on where an operator has decided.
    run_on_s3(&home, "diff", &["--target", &target, "--resolve", "catalog", "--yes"]).ok();
    append(&home, "t", "part-2");
    wait_until("version 2", || log.has(&commit_name(2)) && is_told(&known(&home, &target), FINE));
    daemon.end().ok();
    run_on_s3(&home, "verify", &["--target", &target]).ok();
}

#[test]
fn places_where_nothing_can_be_written() {
    let home = Home::with_table(&[first_commit()]);
    std::fs::write(home.path("file"), "x").unwrap();
    let (file, good) = (home.path("file"), home.path("good"));
    let bad = [
        ("s3://no-such-bucket/t", ("not_found", "S3 answers 404 Not Found (NoSuchBucket")),
        (file.to_str().unwrap(), ("invalid", "Not a directory")),
        ("/sys/dl", ("denied", "making /sys/dl/_delta_log: ")),
    ];
    bad.iter().for_each(|(target, _)| add_targets(&home, "t", &[target]));
    add_targets(&home, "t", &[good.to_str().unwrap()]);
    let daemon = Daemon::of(watch(&home, server().address, &[]));
    append(&home, "t", "part-1");
    wait_for_version(&good.join("_delta_log"), 1);
    for (target, told) in bad {
        wait_until(target, || is_told(&known(&home, target), told));
        run_on_s3(&home, "mirror", &["--target", target]).fails(told.0, told.1);
    }
    assert_eq!(daemon.told_times("\"WARN\""), bad.len(), "{}", daemon.told());
    let ran = daemon.end().ok();
    assert!(!ran.err.contains("ERROR"), "{}", ran.err);
}
