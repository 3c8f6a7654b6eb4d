//! Daemons that cannot serve a target, beside others that can, or cannot either.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bucket::{add_targets, new_target, watch};
use crate::commits::{is_proven, wait_until_published};
use crate::daemon::{Daemon, LONG, append, get, targets, wait_until, wait_within};
use crate::proxy::{Fault, Proxy};
use crate::server::{free_address, server};
use crate::support::{Home, first_commit};

const WRONG: &str = "aws_secret_access_key=hunter2-and-more";
/// A target is given up after 15 s, and found by others in 10 s.
const CHANGE_OF_HANDS: Duration = Duration::from_secs(40);

#[test]
fn a_daemon_without_rights_leaves_its_targets_to_one_that_has_them() {
    let home = Home::with_table(&[first_commit()]);
    let buckets = [new_target(), new_target(), new_target()];
    let urls: Vec<&str> = buckets.iter().map(String::as_str).collect();
    add_targets(&home, "t", &urls);
    let address = free_address().to_string();
    let bad = Daemon::of(watch(&home, server().address, &["--store-option", WRONG, "--listen", &address]));
    let fails = |known: &Value| known["last_error"]["kind"] == "denied" && bad.has(known);
    wait_until("failures", || targets(&home).iter().all(fails));
    // It is the only one: however long they fail, they are its.
    std::thread::sleep(Duration::from_secs(17));
    assert!(targets(&home).iter().all(fails), "{:?}", targets(&home));
    let good = Daemon::of(watch(&home, server().address, &[]));
    let is_served = |known: &Value| good.has(known) && known["version"] == 0 && known["failures"] == 0;
    let begun = Instant::now();
    wait_within(CHANGE_OF_HANDS, "the other daemon", || targets(&home).iter().all(is_served));
    println!("served {:?} after the other daemon came", begun.elapsed());
    // What the daemon without rights tells of itself is true, too: nothing fails there any more.
    wait_until("readiness", || get(&address, "/readyz").ends_with("\r\n\r\nok\n"));
    let is_there = |line: &&str| line.starts_with("dl_mirror_failing{") && line.ends_with(" 0");
    assert_eq!(get(&address, "/metrics").lines().filter(is_there).count(), 3);
    // It holds none, and leaves all to the other one.
    let until = Instant::now() + Duration::from_secs(25);
    for version in 1.. {
        append(&home, "t", &format!("part-{version}"));
        wait_until_published(&home, &urls, version);
        assert!(targets(&home).iter().all(|known| good.has(known)), "{:?}", targets(&home));
        if Instant::now() > until {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for target in urls {
        let given_up = |line: &&str| line.contains("gave the target up") && line.contains(target);
        assert!(bad.told().lines().filter(given_up).count() <= 1, "{}", bad.told());
        is_proven(&home, target);
    }
    assert!(bad.told_times("gave the target up") > 0, "{}", bad.told());
    bad.end().ok();
    good.end().ok();
}

#[test]
fn a_target_that_nobody_can_serve_changes_hands_seldom_and_is_served_when_it_can_be() {
    let home = Home::with_table(&[first_commit()]);
    let (target, proxy) = (new_target(), Proxy::start(server().address));
    add_targets(&home, "t", &[&target]);
    proxy.fail_for_ever("", Fault::Status(503));
    let daemons = [0, 1].map(|_| Daemon::of(watch(&home, proxy.address, &[])));
    let known = || targets(&home)[0].clone();
    wait_until("a failure", || known()["failures"] != 0);
    let (mut failures, mut hands, begun) = (0, Vec::<Value>::new(), Instant::now());
    while begun.elapsed() < Duration::from_secs(70) {
        let known = known();
        let told = || daemons.each_ref().map(Daemon::told).join("\n");
        assert!(known["failures"].as_i64() >= Some(failures), "after {failures} failures: {known}\n{}", told());
        failures = known["failures"].as_i64().unwrap();
        if hands.last() != Some(&known["daemon"]) {
            hands.push(known["daemon"].clone());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let given_up: usize = daemons.iter().map(|daemon| daemon.told_times("gave the target up")).sum();
    println!("{failures} failures, {given_up} times given up, by {hands:?}");
    // Without pauses that grow it would be some thirty times; on a busy machine it is more often than the four of a quiet one.
    assert!((1..=8).contains(&given_up), "{given_up} times");
    assert!(hands.iter().filter(|daemon| daemon.is_string()).count() >= 2, "each tries: {hands:?}");
    proxy.fail("", &[]);
    append(&home, "t", "part-1");
    wait_within(2 * LONG, "no failure", || known()["failures"] == 0 && known()["version"] == 1);
    for daemon in daemons {
        daemon.end().ok();
    }
    is_proven(&home, &target);
}
