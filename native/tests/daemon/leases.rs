//! Daemons that are stopped for longer than others wait for them, and go on where they were.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bucket::{Log, Witness, add_targets, new_target, watch};
use crate::commits::{commit_beside, is_proven, wait_until_published};
use crate::daemon::{Daemon, targets, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::server::server;
use crate::support::{Home, commit_name, first_commit};

/// Two that both hold the same targets, in the middle of what they do.
#[test]
fn two_that_believe_they_hold_the_same_do_no_harm() {
    let home = Home::with_table(&[first_commit()]);
    let (bucket, proxy) = (new_target(), Proxy::start(server().address));
    let folder = home.path("folder").to_str().unwrap().to_owned();
    add_targets(&home, "t", &[&bucket, &folder]);
    std::fs::create_dir_all(home.path("folder/_delta_log")).unwrap();
    let witnesses = [Witness::of(&bucket), Witness::of(&folder)];
    // So that there is mostly a put under way.
    proxy.storm(&[Fault::Pass, Fault::Late(Duration::from_millis(100))]);
    let mut daemons = [0, 1].map(|_| Daemon::of(watch(&home, proxy.address, &[])));
    let versions = commit_beside(&home, Duration::from_millis(30), || {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(1_000));
            daemons[0].signal("STOP");
            let taken = daemons[1].told_times("took over");
            wait_until("another one takes over", || daemons[1].told_times("took over") > taken);
            std::thread::sleep(Duration::from_millis(300));
            let buried = daemons[0].told_times("took this daemon for dead");
            daemons[0].signal("CONT");
            wait_until("it finds out", || daemons[0].told_times("took this daemon for dead") > buried);
            daemons.swap(0, 1);
        }
    });
    wait_until_published(&home, &[&bucket, &folder], versions);
    for daemon in daemons {
        let ran = daemon.end().ok();
        assert!(!ran.err.contains("\"conflict\""), "{}", ran.err);
    }
    [&bucket, &folder].into_iter().for_each(|target| is_proven(&home, target));
    for witness in witnesses {
        assert!(witness.end() > versions);
    }
}

/// What fails for one is not told of a target that another one has brought up to date since.
#[test]
fn failures_of_one_that_was_buried_are_not_the_targets() {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    add_targets(&home, "t", &[&target]);
    proxy.fail_for_ever("", Fault::Status(503));
    let failing = Daemon::of(watch(&home, proxy.address, &[]));
    let known = || targets(&home)[0].clone();
    wait_until("a failure", || known()["failures"].as_i64() > Some(0));
    // In the middle of the next try.
    let before = proxy.requests().len();
    wait_until("another request", || proxy.requests().len() > before);
    failing.signal("STOP");
    let good = Daemon::of(watch(&home, server().address, &[]));
    wait_until("the other one's success", || known()["version"] == 0 && known()["failures"] == 0);
    failing.signal("CONT");
    wait_until("it finds out", || failing.told_times("took this daemon for dead") > 0);
    for _ in 0..60 {
        assert_eq!((&known()["failures"], &known()["last_error"]), (&0.into(), &Value::Null));
        std::thread::sleep(Duration::from_millis(150));
    }
    good.end().ok();
    failing.end().ok();
}

/// Of another machine, so that nobody knows but by its silence.
#[test]
fn the_lease_of_a_dead_process() {
    let home = Home::with_table(&[first_commit()]);
    let target = new_target();
    add_targets(&home, "t", &[&target]);
    home.query("INSERT INTO dl_mirror_daemons (name, process, beats) VALUES ('elsewhere:1', 'elsewhere', 7)");
    home.query("UPDATE dl_mirror_status SET daemon_id = (SELECT max(daemon_id) FROM dl_mirror_daemons)");
    assert_eq!(targets(&home)[0]["daemon"], "elsewhere:1");
    let begun = Instant::now();
    let daemon = Daemon::of(watch(&home, server().address, &[]));
    let log = Log::of(&target);
    wait_until("the first version", || log.has(&commit_name(0)));
    let took = begun.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(8)).contains(&took), "{took:?}");
    assert_eq!(daemon.told_times("took over from 1 daemons"), 1, "{}", daemon.told());
    daemon.end().ok();
}
