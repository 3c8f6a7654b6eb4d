//! `dl mirror --watch`, as processes beside commits.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::daemon::{Daemon, append, get, targets, wait_for_version, wait_until};
use crate::support::{Home, commit_info, commit_name, dl, first_commit, lines, metadata, metadata_with, protocol, run};

#[test]
fn commits_are_published_as_they_come() {
    let home = Home::with_table(&[first_commit()]);
    let other = home.path("elsewhere/t");
    let daemon = Daemon::start(&home, &["--table", "t", "--target", other.to_str().unwrap()]);
    wait_for_version(&other.join("_delta_log"), 0);
    for version in 1..=11 {
        append(&home, "t", &format!("part-{version}"));
    }
    wait_for_version(&other.join("_delta_log"), 11);
    wait_until("a checkpoint", || targets(&home)[0]["checkpoint_version"] == 10);
    assert!(other.join("_delta_log/_last_checkpoint").exists());
    let asked = Instant::now();
    let ran = daemon.end().ok();
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?} to end", asked.elapsed());
    let told: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.iter().all(|line| line["level"] == "INFO"), "{}", ran.err);
    let known = &targets(&home)[0];
    assert_eq!((&known["version"], &known["lag_versions"], &known["daemon"]), (&11.into(), &0.into(), &Value::Null));
    assert_eq!(known["checkpoint_version"], 10);
    // The table's own folder is no target, as another one was named.
    assert!(!home.path("t/_delta_log").join(commit_name(1)).exists());
}

#[test]
fn a_table_has_several_targets_and_new_tables_come_along() {
    let home = Home::with_table(&[first_commit()]);
    let (one, other) = (home.path("one"), home.path("other"));
    for target in [&one, &other] {
        let mut added = dl();
        added.args(["targets", "add", "--format", "json", "--table", "t", "--database"]).arg(home.database());
        added.arg("--target").arg(target);
        run(added).ok();
    }
    let daemon = Daemon::start(&home, &[]);
    append(&home, "t", "part-1");
    wait_for_version(&one.join("_delta_log"), 1);
    wait_for_version(&other.join("_delta_log"), 1);
    home.write_log("later", &[lines(&[commit_info(), protocol(), metadata()])]);
    home.import("later").ok();
    append(&home, "later", "part-1");
    wait_for_version(&home.path("later/_delta_log"), 1);
    daemon.end().ok();
    assert_eq!(targets(&home).len(), 3);
}

#[test]
fn the_targets_of_a_dead_daemon_are_taken_over() {
    let home = Home::with_table(&[first_commit()]);
    let log = home.path("t/_delta_log");
    let first = Daemon::start(&home, &[]);
    append(&home, "t", "part-1");
    wait_for_version(&log, 1);
    let second = Daemon::start(&home, &[]);
    first.kill();
    append(&home, "t", "part-2");
    wait_for_version(&log, 2);
    assert!(second.has(&targets(&home)[0]));
    let ran = second.end().ok();
    assert!(ran.err.contains("took over from 1 daemons"), "{}", ran.err);
}

#[test]
fn daemons_share_the_targets() {
    let home = Home::new();
    for number in 0..6 {
        let name = format!("t{number}");
        let metadata = metadata_with(json!({ "id": name }));
        home.write_log(&name, &[lines(&[commit_info(), protocol(), metadata])]);
        home.import(&name).ok();
    }
    let daemons = [Daemon::start(&home, &[]), Daemon::start(&home, &[]), Daemon::start(&home, &[])];
    wait_until("two targets each", || {
        let held: Vec<Value> = targets(&home).iter().map(|target| target["daemon"].clone()).collect();
        let mut counts = std::collections::BTreeMap::new();
        held.iter().filter_map(Value::as_str).for_each(|name| *counts.entry(name.to_owned()).or_insert(0) += 1);
        counts.into_values().collect::<Vec<_>>() == [2, 2, 2]
    });
    (0..6).for_each(|number| append(&home, &format!("t{number}"), "part-1"));
    (0..6).for_each(|number| wait_for_version(&home.path(&format!("t{number}/_delta_log")), 1));
    for daemon in daemons {
        daemon.end().ok();
    }
}

#[test]
fn a_target_that_fails_is_tried_again_and_told_of_once() {
    let home = Home::with_table(&[first_commit()]);
    let blocked = home.path("blocked");
    std::fs::write(&blocked, "no folder").unwrap();
    let good = home.path("good");
    let target = |path: &Path| path.to_str().unwrap().to_owned();
    let daemon = Daemon::start(&home, &["--table", "t", "--target", &target(&blocked), "--target", &target(&good)]);
    append(&home, "t", "part-1");
    wait_for_version(&good.join("_delta_log"), 1);
    wait_until("two failures", || targets(&home).iter().any(|target| target["failures"].as_i64() > Some(1)));
    let failing = targets(&home).into_iter().find(|target| target["failures"] != 0).unwrap();
    assert!(failing["last_error"]["message"].as_str().unwrap().contains("blocked"), "{failing}");
    std::fs::remove_file(&blocked).unwrap();
    wait_for_version(&blocked.join("_delta_log"), 1);
    let ran = daemon.end().ok();
    let told = |part: &str| ran.err.lines().filter(|line| line.contains(part)).count();
    assert_eq!((told("\"WARN\""), told("recovered after")), (1, 1), "{}", ran.err);
    assert!(targets(&home).iter().all(|target| target["failures"] == 0 && target["last_error"].is_null()));
}

#[test]
fn the_log_of_another_table_is_left_alone() {
    let home = Home::with_table(&[first_commit()]);
    let other = lines(&[commit_info(), protocol(), metadata_with(json!({ "id": "another table" }))]);
    let log = home.write_log("foreign", std::slice::from_ref(&other));
    let daemon = Daemon::start(&home, &["--table", "t", "--target", home.path("foreign").to_str().unwrap()]);
    append(&home, "t", "part-1");
    wait_until("a failure", || targets(&home)[0]["failures"].as_i64() > Some(0));
    daemon.end().ok();
    assert_eq!(targets(&home)[0]["last_error"]["kind"], "conflict");
    assert_eq!(std::fs::read(log.join(commit_name(0))).unwrap(), other);
    assert!(!log.join(commit_name(1)).exists());
}

#[test]
fn it_tells_how_it_is() {
    let home = Home::with_table(&[first_commit()]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let daemon = Daemon::start(&home, &["--listen", &address]);
    wait_until("an answer", || TcpStream::connect(&address).is_ok());
    append(&home, "t", "part-1");
    wait_for_version(&home.path("t/_delta_log"), 1);
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = get(&address, "/metrics");
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains("table=\"t\""));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(value("dl_mirror_commits_total"), "1");
    assert_eq!((value("dl_mirror_version"), value("dl_mirror_lag_versions")), ("1".into(), "0".into()));
    assert_eq!(value("dl_mirror_lag_seconds"), "0.0");
    // Another one cannot have the address.
    let second = Daemon::start(&home, &["--listen", &address]).end_by_itself();
    second.fails("unavailable", &address);
    daemon.end().ok();
}

/// It is made anew, as by a daemon that begins.
#[test]
fn a_log_that_is_deleted_comes_back() {
    let home = Home::with_table(&[first_commit()]);
    let target = home.path("m");
    let log = target.join("_delta_log");
    let daemon = Daemon::start(&home, &["--table", "t", "--target", target.to_str().unwrap()]);
    append(&home, "t", "part-1");
    wait_for_version(&log, 1);
    std::fs::remove_dir_all(&target).unwrap();
    append(&home, "t", "part-2");
    wait_for_version(&log, 2);
    wait_until("no failures", || targets(&home)[0]["failures"] == 0);
    daemon.end().ok();
    home.run("verify", &["--target", target.to_str().unwrap()]).ok();
}

/// The daemon looks after the name of the last checkpoint whenever it looks at a log anew.
#[test]
fn a_checkpoint_that_is_gone_is_not_named_for_long() {
    let home = Home::with_table(&[first_commit()]);
    let log = home.path("t/_delta_log");
    let daemon = Daemon::start(&home, &["--check-seconds", "1"]);
    (1..=10).for_each(|version| append(&home, "t", &format!("part-{version}")));
    wait_until("a checkpoint", || targets(&home)[0]["checkpoint_version"] == 10);
    let name = log.join("_last_checkpoint");
    let own = std::fs::read(&name).unwrap();
    std::fs::write(&name, r#"{"version":100,"size":1}"#).unwrap();
    wait_until("the name of the one that is there", || std::fs::read(&name).unwrap() == own);
    daemon.end().ok();
}

#[test]
fn wrong_usage() {
    let home = Home::with_table(&[first_commit()]);
    home.run("mirror", &["--poll-ms", "5"]).error(2);
    home.run("mirror", &["--watch", "--poll-ms", "0"]).error(2);
    home.run("mirror", &["--watch", "--listen", "nowhere"]).error(2);
    home.run("mirror", &["--watch", "--table", "none"]).fails("not_found", "`none`");
    home.run("mirror", &["--watch", "--target", "ftp://x/y"]).fails("unsupported", "ftp");
    home.write_log("u", &[lines(&[commit_info(), protocol(), metadata()])]);
    home.import("u").ok();
    home.run("mirror", &["--watch", "--target", "x"]).fails("invalid", "several tables");
    home.run("mirror", &["--watch", "--table", "t", "--table", "u", "--target", "x"]).fails("invalid", "one folder");
}

#[test]
fn upkeep_that_fails_holds_up_no_commit_and_is_told_of_once() {
    let home = Home::with_table(&[first_commit()]);
    let log = home.path("t/_delta_log");
    // Where a file should go there is a folder.
    let in_the_way = log.join("_last_checkpoint/in the way");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let daemon = Daemon::start(&home, &[]);
    for version in 1..=12 {
        append(&home, "t", &format!("part-{version}"));
        wait_for_version(&log, version);
    }
    let failures = || targets(&home)[0]["failures"].as_i64().unwrap();
    wait_until("a failure", || failures() > 0);
    let known = &targets(&home)[0];
    assert!(known["last_error"]["message"].as_str().unwrap().contains("are published, but"), "{known}");
    std::fs::remove_dir_all(log.join("_last_checkpoint")).unwrap();
    wait_until("its end", || failures() == 0);
    assert!(log.join("_last_checkpoint").is_file());
    let ran = daemon.end().ok();
    let count = |text: &str| ran.err.lines().filter(|line| line.contains(text)).count();
    assert_eq!((count("are published, but"), count("recovered")), (1, 1), "{}", ran.err);
}

#[test]
fn a_log_that_was_emptied_comes_back_whole() {
    let home = Home::with_table(&[first_commit()]);
    let log = home.path("t/_delta_log");
    let daemon = Daemon::start(&home, &[]);
    append(&home, "t", "part-1");
    wait_for_version(&log, 1);
    wait_until("a checksum", || log.join(format!("{:020}.crc", 1)).exists());
    for entry in std::fs::read_dir(&log).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    append(&home, "t", "part-2");
    wait_for_version(&log, 2);
    assert!(log.join(commit_name(0)).exists() && log.join(commit_name(1)).exists());
    home.run("verify", &["--table", "t"]).ok();
    daemon.end().ok();
}

#[test]
#[cfg(unix)]
fn a_catalog_that_was_replaced_ends_it() {
    let home = Home::with_table(&[first_commit()]);
    let daemon = Daemon::start(&home, &[]);
    append(&home, "t", "part-1");
    wait_for_version(&home.path("t/_delta_log"), 1);
    let backups = home.path("backups");
    home.run("backup", &["--to", backups.to_str().unwrap()]).ok();
    for suffix in ["", "-wal", "-shm"] {
        let file = home.path(&format!("{}{suffix}", home.database().file_name().unwrap().to_str().unwrap()));
        std::fs::rename(&file, file.with_extension(format!("old{suffix}"))).unwrap();
    }
    home.run("restore", &["--from", backups.to_str().unwrap()]).ok();
    daemon.end_by_itself().fails("unavailable", "replaced");
    // And one that is started again goes on.
    let daemon = Daemon::start(&home, &[]);
    append(&home, "t", "part-2");
    wait_for_version(&home.path("t/_delta_log"), 2);
    daemon.end().ok();
}

#[test]
fn connections_that_say_nothing_hold_up_nothing() {
    let home = Home::with_table(&[first_commit()]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let daemon = Daemon::start(&home, &["--listen", &address]);
    wait_until("an answer", || TcpStream::connect(&address).is_ok());
    let silent: Vec<TcpStream> = (0..150)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nX-").unwrap();
            stream
        })
        .collect();
    append(&home, "t", "part-1");
    wait_for_version(&home.path("t/_delta_log"), 1);
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"), "it closes those that say nothing");
    drop(silent);
    daemon.end().ok();
}

#[test]
#[cfg(unix)]
fn a_pipe_in_the_log_is_passed_over() {
    let home = Home::with_table(&[first_commit()]);
    let log = home.path("t/_delta_log");
    for name in [".dl-pipe.tmp", "_last_checkpoint"] {
        assert!(std::process::Command::new("mkfifo").arg(log.join(name)).status().unwrap().success());
    }
    append(&home, "t", "part-1");
    home.run("mirror", &[]).ok();
    assert!(log.join(commit_name(1)).exists());
    home.run("diff", &["--table", "t"]).ok();
}
