//! Ending while the store is slow.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bucket::{Log, add_targets, new_target, on_s3, run_on_s3, watch};
use crate::daemon::{Daemon, append, commit, targets, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::server::server;
use crate::support::{Home, add_with, commit_name, first_commit};

/// A daemon whose store does so from now on to puts, with one of them under way; how long it takes to end.
fn ends_within(fault: Fault, timeout: &str) -> (Home, String, Duration) {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    add_targets(&home, "t", &[&target]);
    let mut command = watch(&home, proxy.address, &[]);
    command.args(["--store-option", timeout]);
    let daemon = Daemon::of(command);
    let log = Log::of(&target);
    wait_until("the first version", || log.has(&commit_name(0)));
    proxy.fail_for_ever("PUT", fault);
    for version in 1..=5 {
        append(&home, "t", &format!("part-{version}"));
    }
    wait_until("a put", || proxy.requests().iter().any(|line| line.starts_with("PUT")));
    let asked = Instant::now();
    let ran = daemon.end().ok();
    let took = asked.elapsed();
    assert!(ran.err.contains("\"ended\""), "{}", ran.err);
    assert!(targets(&home)[0]["daemon"].is_null(), "it has given its targets up");
    (home, target, took)
}

#[test]
fn the_put_that_is_under_way_is_the_last_one() {
    let (home, target, took) = ends_within(Fault::Late(Duration::from_millis(700)), "timeout=10s");
    println!("it took {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let log = Log::of(&target);
    assert!(log.has(&commit_name(1)) && !log.has(&commit_name(3)), "{:?}", log.seen());
    assert_eq!(targets(&home)[0]["version"], 1, "{}", targets(&home)[0]);
    // The next one goes on where it ended.
    run_on_s3(&home, "mirror", &["--target", &target]).ok();
    run_on_s3(&home, "verify", &["--target", &target]).ok();
}

#[test]
fn a_put_that_does_not_move_is_given_up() {
    let ends = |fault| {
        let (home, target, took) = ends_within(fault, "timeout=60s");
        println!("{fault:?}: it took {took:?}");
        assert!(took < Duration::from_secs(3), "{fault:?}: {took:?}");
        assert_eq!(targets(&home)[0]["failures"], 0, "it is no fault of the target");
        // What is there of it, if anything, is what the next one writes.
        run_on_s3(&home, "mirror", &["--target", &target]).ok();
        run_on_s3(&home, "verify", &["--target", &target]).ok();
    };
    std::thread::scope(|scope| {
        for fault in [Fault::Hang, Fault::Status(503), Fault::Lose, Fault::SwallowAnswer] {
            scope.spawn(move || ends(fault));
        }
    });
}

/// One that goes in parts, each of which takes its time.
#[test]
fn a_large_object_that_moves_is_waited_for() {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    add_targets(&home, "t", &[&target]);
    let mut command = watch(&home, proxy.address, &[]);
    command.args(["--store-option", "timeout=10s"]);
    let daemon = Daemon::of(command);
    let log = Log::of(&target);
    wait_until("the first version", || log.has(&commit_name(0)));
    proxy.fail_for_ever("", Fault::Late(Duration::from_millis(700)));
    let tags = json!({ "tags": { "note": "x".repeat(1 << 20) } });
    let adds: Vec<Value> = (0..10).map(|number| add_with(&format!("part-{number}"), tags.clone())).collect();
    commit(&home, "t", &adds);
    wait_until("an upload", || proxy.requests().iter().any(|line| line.contains("?uploads")));
    let asked = Instant::now();
    daemon.end().ok();
    let took = asked.elapsed();
    println!("it took {took:?}");
    assert!(took > Duration::from_millis(1_500), "the upload takes longer than nothing is waited for: {took:?}");
    assert!(log.has(&commit_name(1)), "{:?}", log.seen());
    assert_eq!(targets(&home)[0]["version"], 1, "{}", targets(&home)[0]);
    run_on_s3(&home, "verify", &["--target", &target]).ok();
}

/// The note of its upload tells the next one on the machine that nobody goes on with it.
#[test]
fn what_a_killed_mirror_left_goes_with_the_next() {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    let tags = json!({ "tags": { "note": "x".repeat(1 << 20) } });
    let adds: Vec<Value> = (0..10).map(|number| add_with(&format!("part-{number}"), tags.clone())).collect();
    commit(&home, "t", &adds);
    proxy.fail("POST", &[Fault::Pass, Fault::Hang]);
    let mut mirror = on_s3(home.command("mirror", &["--target", &target]), proxy.address).spawn().unwrap();
    wait_until("the end of an upload", || proxy.requests().iter().filter(|line| line.starts_with("POST")).count() == 2);
    mirror.kill().unwrap();
    mirror.wait().unwrap();
    let log = Log::of(&target);
    assert_eq!(log.temporary().len(), 1);
    run_on_s3(&home, "mirror", &["--target", &target]).ok();
    assert!(log.temporary().is_empty(), "{:?}", log.temporary());
    run_on_s3(&home, "verify", &["--target", &target]).ok();
}

/// It is none of the targets' business, and others take over by themselves.
#[test]
fn a_catalog_that_others_write_to_is_not_waited_for() {
    let home = Home::with_table(&[first_commit()]);
    let daemon = Daemon::start(&home, &[]);
    wait_until("the first version", || home.path("t/_delta_log").join(commit_name(0)).exists());
    let writer = rusqlite::Connection::open(home.database()).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    let asked = Instant::now();
    daemon.end().ok();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}
