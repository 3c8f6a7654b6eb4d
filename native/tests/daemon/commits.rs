//! Commits beside what is done to daemons, and what must come of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::bucket::{Log, run_on_s3};
use crate::daemon::{append, targets, wait_until};
use crate::support::{Home, commit_name};

/// Ends the commits even where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Commits to the table `t`, with a pause after each, as long as `work` goes on; the version that it is at then, if it was at
/// version 0.
pub(crate) fn commit_beside(home: &Home, pause: Duration, work: impl FnOnce()) -> usize {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let commits = scope.spawn(|| {
            let mut version = 0;
            while !is_over.load(Ordering::Relaxed) {
                version += 1;
                append(home, "t", &format!("part-{version}"));
                std::thread::sleep(pause);
            }
            version
        });
        let over = Over(&is_over);
        work();
        drop(over);
        commits.join().unwrap()
    })
}

/// In the end these targets have all versions, and no target fails.
pub(crate) fn wait_until_published(home: &Home, urls: &[&str], version: usize) {
    for url in urls {
        let log = Log::of(url);
        wait_until("the last version", || log.has(&commit_name(version)));
    }
    wait_until("targets without faults", || {
        let is_well = |known: &serde_json::Value| {
            known["failures"] == 0 && known["lag_versions"] == 0 && known["last_error"].is_null()
        };
        targets(home).iter().all(is_well)
    });
}

/// All that was published is as the catalog has it.
pub(crate) fn is_proven(home: &Home, url: &str) {
    run_on_s3(home, "verify", &["--target", url]).ok();
    run_on_s3(home, "diff", &["--target", url]).ok();
}
