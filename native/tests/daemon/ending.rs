//! Ending while the store is slow.

use std::time::{Duration, Instant};

use crate::bucket::{Log, add_targets, new_target, run_on_s3, watch};
use crate::daemon::{Daemon, append, targets, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::server::server;
use crate::support::{Home, commit_name, first_commit};

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
    let (home, target, took) = ends_within(Fault::Late(Duration::from_millis(1_500)), "timeout=10s");
    println!("it took {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let log = Log::of(&target);
    assert!(log.has(&commit_name(1)) && !log.has(&commit_name(3)), "{:?}", log.seen());
    assert_eq!(targets(&home)[0]["version"], 1, "{}", targets(&home)[0]);
    // The next one goes on where it ended.
    run_on_s3(&home, "mirror", &["--target", &target]).ok();
    run_on_s3(&home, "verify", &["--target", &target]).ok();
}

#[test]
fn a_store_that_does_not_answer_is_not_waited_for_for_long() {
    let ends = |fault| {
        let (_, _, took) = ends_within(fault, "timeout=60s");
        println!("{fault:?}: it took {took:?}");
        assert!(took < Duration::from_secs(25), "{fault:?}: {took:?}");
    };
    std::thread::scope(|scope| {
        for fault in [Fault::Hang, Fault::Status(503), Fault::Lose] {
            scope.spawn(move || ends(fault));
        }
    });
}
