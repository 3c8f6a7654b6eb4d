//! The simulator itself: it is deterministic, it passes, it fails when a guard is taken away, and it shrinks what fails.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by them

use std::collections::BTreeSet;

use deltalakedb_simulation::{Config, Mutation, Part, Report, run, shrink};

const STEPS: u64 = 1_500;

#[test]
fn a_seed_gives_the_same_run_twice() {
    let mut hashes = BTreeSet::new();
    for seed in 0..8 {
        let [first, second] = [(), ()].map(|()| run(Config::new(seed, STEPS)));
        assert_eq!((first.event_count, first.trace_hash), (second.event_count, second.trace_hash), "seed {seed}");
        assert!(hashes.insert(first.trace_hash), "two seeds give one run");
    }
}

#[test]
fn seeds_pass() {
    let mut versions = 0;
    for seed in 0..30 {
        let report = run(Config::new(seed, STEPS));
        assert!(report.violations.is_empty(), "{}", shrink(report));
        versions += report.commit_count;
    }
    assert!(versions > 500, "{versions} versions are too few to find anything");
}

/// The first seed that fails without a guard.
fn failing_run(mutation: &str, seeds: u64) -> Report {
    let mutation: Mutation = mutation.parse().unwrap();
    let config = |seed| Config { mutation: Some(mutation), ..Config::new(seed, STEPS) };
    let failed = (0..seeds).map(|seed| run(config(seed))).find(|report| !report.violations.is_empty());
    failed.unwrap_or_else(|| panic!("nothing was noticed in {seeds} seeds without {}", mutation.name()))
}

macro_rules! mutations {
    ($($mutation:ident: $says:literal;)*) => {
        $(
            #[test]
            fn $mutation() {
                let report = failing_run(stringify!($mutation), 200);
                let says = report.violations.iter().any(|violation| violation.contains($says));
                assert!(says, "none of the violations says `{}`: {report}", $says);
            }
        )*
    };
}

/// Without each of these guards a checker fails, and says what is wrong.
mod without {
    use super::failing_run;

    mutations! {
        removed_file_not_live: "";
        concurrent_delete_read: "";
        concurrent_append: "and not the rows";
        metadata_changed: "the metadata that it read";
        protocol_changed: "the protocol";
        concurrent_transaction: "";
        path_added_again: "breaks a rule";
        unique_commit_ids: "";
        split_transactions: "";
        overwriting_store: "was written again";
    }
}

#[test]
fn a_failing_run_shrinks_to_one_that_fails() {
    let failed = failing_run("unique_commit_ids", 20);
    let smallest = shrink(failed.clone());
    assert!(!smallest.violations.is_empty());
    assert!(smallest.config.steps < failed.config.steps && !smallest.config.without.is_empty(), "{smallest}");
    assert!(smallest.config.has(Part::LostAnswers) || smallest.config.has(Part::Repeats), "{smallest}");
    let again = run(smallest.config.clone());
    assert_eq!(again.violations, smallest.violations);
    let line = smallest.to_string();
    assert!(line.starts_with("cargo xtask sim --seed "), "{line}");
}
