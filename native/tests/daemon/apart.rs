//! One target's trouble is not another one's.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bucket::{Log, add_targets, new_target, watch};
use crate::daemon::{Daemon, append, get, wait_for_version, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::server::{free_address, server};
use crate::support::{Home, commit_info, commit_name, lines, metadata_with, protocol};

/// More tables than targets are published to at once, each in a folder and in a store that does not answer.
#[test]
fn a_store_that_hangs_holds_up_no_folder() {
    let home = Home::new();
    let proxy = Proxy::start(server().address);
    proxy.fail_for_ever("", Fault::Hang);
    let tables: Vec<(String, String)> = (0..12).map(|number| (format!("t{number}"), new_target())).collect();
    for (name, target) in &tables {
        home.write_log(name, &[lines(&[commit_info(), protocol(), metadata_with(json!({ "id": name }))])]);
        home.import(name).ok();
        add_targets(&home, name, &[target, home.path(&format!("{name}-folder")).to_str().unwrap()]);
    }
    let mut command = watch(&home, proxy.address, &[]);
    let address = free_address().to_string();
    command.args(["--store-option", "timeout=60s", "--listen", &address]);
    let daemon = Daemon::of(command);
    let begun = Instant::now();
    for version in 1..=3 {
        tables.iter().for_each(|(name, _)| append(&home, name, &format!("part-{version}")));
        for (name, _) in &tables {
            wait_for_version(&home.path(&format!("{name}-folder/_delta_log")), version);
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    println!("36 commits in {:?}", begun.elapsed());
    let answers = ["/healthz", "/readyz"].map(|path| get(&address, path));
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    assert!(get(&address, "/metrics").lines().filter(|line| line.starts_with("dl_mirror_lag_versions{")).count() == 24);
    daemon.end().ok();
    // Another one, to which the store answers, has it all there soon.
    let daemon = Daemon::of(watch(&home, server().address, &[]));
    for (_, target) in &tables {
        let log = Log::of(target);
        wait_until("all versions", || log.has(&commit_name(3)));
    }
    daemon.end().ok();
}
