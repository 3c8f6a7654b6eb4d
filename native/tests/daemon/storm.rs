//! A store that throttles, cuts connections, answers late and loses answers, and daemons that are killed.

use std::time::{Duration, Instant};

use crate::bucket::{Log, Witness, add_targets, new_target, watch};
use crate::commits::{commit_beside, is_proven, wait_until_published};
use crate::daemon::{Daemon, LONG, append, targets, wait_until, wait_within};
use crate::proxy::{Fault, Proxy};
use crate::server::server;
use crate::support::{Home, commit_name, first_commit};

const FAULTS: [Fault; 12] = [
    Fault::Pass,
    Fault::Pass,
    Fault::Pass,
    Fault::Pass,
    Fault::Status(503),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Lose,
    Fault::CutRequest,
    Fault::CutAnswer,
    Fault::SwallowAnswer,
    Fault::Late(Duration::from_millis(2_300)),
];

#[test]
fn daemons_are_killed_in_a_storm() {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    add_targets(&home, "t", &[&target]);
    let witness = Witness::of(&target);
    let start = || Daemon::of(watch(&home, proxy.address, &[]));
    let mut daemons = vec![start(), start()];
    proxy.storm(&FAULTS);
    let versions = commit_beside(&home, Duration::from_millis(50), || {
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(2_000 + fastrand::u64(..1_000)));
            // The one that has been there longer, which probably holds the target.
            daemons.remove(0).kill();
            daemons.push(start());
        }
    });
    proxy.storm(&[Fault::Pass]);
    wait_until_published(&home, &[&target], versions);
    for daemon in daemons {
        daemon.end().ok();
    }
    is_proven(&home, &target);
    assert!(witness.end() > versions);
}

/// What is told is told once, whatever comes between failure and success.
#[test]
fn a_store_that_is_down_for_a_while() {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    add_targets(&home, "t", &[&target]);
    let witness = Witness::of(&target);
    let daemon = Daemon::of(watch(&home, proxy.address, &[]));
    let log = Log::of(&target);
    wait_until("the first version and what goes with it", || log.has(&format!("{:020}.crc", 0)));
    proxy.fail_for_ever("", Fault::Status(503));
    append(&home, "t", "part-1");
    let failures = || targets(&home)[0]["failures"].as_i64().unwrap();
    let begun = Instant::now();
    // Each comes after several tries.
    wait_within(3 * LONG, "two failures", || failures() >= 2);
    println!("two failures after {:?}", begun.elapsed());
    let known = &targets(&home)[0];
    assert_eq!(known["last_error"]["kind"], "unavailable", "{known}");
    assert_eq!(known["lag_versions"], 1);
    assert!(known["lag_ms"].as_i64() > Some(0));
    assert_eq!(daemon.told_times("\"WARN\""), 1, "{}", daemon.told());
    proxy.fail("", &[]);
    let begun = Instant::now();
    wait_until("the second version", || log.has(&commit_name(1)));
    println!("there again after {:?}", begun.elapsed());
    wait_until("no failure", || failures() == 0);
    let ran = daemon.end().ok();
    let told = |part: &str| ran.err.lines().filter(|line| line.contains(part)).count();
    assert_eq!((told("\"WARN\""), told("recovered after")), (1, 1), "{}", ran.err);
    is_proven(&home, &target);
    witness.end();
}
