//! The simulator itself: it is deterministic, it passes, it fails when a guard is taken away, and it shrinks what fails.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by them

use std::collections::BTreeSet;
use std::process::Command;

use deltalakedb_simulation::{Config, Mutation, Part, Report, run, shrink};

const KINDS: [&str; 22] = [
    "append",
    "delete",
    "remove by name",
    "overwrite",
    "compact",
    "statistics",
    "backfill",
    "deletion vector",
    "property",
    "column",
    "upgrade",
    "stream",
    "follow",
    "domain",
    "transaction",
    "derive",
    "derive from files",
    "in-commit timestamps",
    "large append",
    "large overwrite",
    "large delete",
    "large compact",
];

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
    let (mut acknowledged, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let (mut snapshots, mut published, mut deleted, mut copies) = (0, 0, 0, 0);
    for seed in 0..40 {
        let report = run(Config::new(seed, STEPS));
        assert!(report.violations.is_empty(), "{}", shrink(report));
        acknowledged.extend(report.work.acknowledged.into_keys());
        refused.extend(report.work.refused.into_keys());
        snapshots += report.work.snapshot_count;
        published += report.work.published_count;
        deleted += report.work.deleted_count;
        copies += report.work.copy_count;
    }
    // What never happens is not tested.
    for kind in KINDS {
        assert!(acknowledged.contains(kind), "no {kind} was ever acknowledged");
    }
    assert!(
        refused.contains("invalid") && refused.contains("large invalid") && refused.contains("delete"),
        "{refused:?} were refused"
    );
    let all = (snapshots, published, deleted, copies);
    assert!(snapshots > 500 && published > 500 && deleted > 100 && copies > 5, "{all:?}");
}

/// The first seed that fails without a guard, with a violation that says so.
fn failing_run(mutation: &str, says: &str, seeds: u64) -> Report {
    failing_run_without(BTreeSet::new(), mutation, says, seeds)
}

fn failing_run_without(without: BTreeSet<Part>, mutation: &str, says: &str, seeds: u64) -> Report {
    let mutation: Mutation = mutation.parse().unwrap();
    let config = |seed| Config { mutation: Some(mutation), without: without.clone(), ..Config::new(seed, STEPS) };
    let mut runs = (0..seeds).map(|seed| run(config(seed)));
    let failed = runs.find(|report| report.violations.iter().any(|violation| violation.contains(says)));
    failed.unwrap_or_else(|| panic!("`{says}` was said of none of {seeds} seeds without {}", mutation.name()))
}

macro_rules! mutations {
    ($($mutation:ident: $says:literal;)*) => {
        $(
            #[test]
            fn $mutation() {
                failing_run(stringify!($mutation), $says, 1_000);
            }
        )*
    };
}

/// Without each of these guards a checker fails, and says what is wrong.
mod without {
    use super::failing_run;

    mutations! {
        removed_file_not_live: "which was not there";
        read_file_removed: "which was removed";
        any_file_removed: "which are gone";
        added_file_removed: "and the rows are others";
        concurrent_append: "and not the rows";
        rules_changed: "the metadata that it read";
        application_moved: "which it read, at version";
        application_done: "was written before";
        domain_changed: "the domain sim.domain-";
        path_added_again: "with two deletion vectors";
        path_known: "and the rows are others";
        large_commit_over: "that belong to nothing";
        large_commit_incomplete: "has other actions than were sent";
        unusual_path: "breaks a rule";
        segments_moved: "whose files others have, too";
        more_rows: "breaks a rule";
        schema_not_restored: "breaks a rule";
        added_and_removed: "breaks a rule";
        row_id_high_water_mark: "high-water mark";
        unique_commit_ids: "is version";
        split_transactions: "and not in";
        overwriting_store: "was written again";
    }
}

/// What takes several others on the same file between a commit's reading and its writing: found where nothing else happens.
mod without_while_files_are_added_again {
    use super::*;

    fn failing_run_of_few(mutation: &str, says: &str) {
        let parts = [Part::Appends, Part::Deletes, Part::Statistics, Part::Backfills, Part::RowTracking];
        let without = Part::ALL.iter().copied().filter(|part| !parts.contains(part)).collect();
        failing_run_without(without, mutation, says, 1_000);
    }

    #[test]
    fn removed_by_path() {
        failing_run_of_few("removed_by_path", "which are gone");
    }

    #[test]
    fn added_again() {
        failing_run_of_few("added_again", "and changes it");
    }
}

#[test]
fn a_failing_run_shrinks_to_one_that_fails() {
    let failed = failing_run("unique_commit_ids", "is version", 20);
    let smallest = shrink(failed.clone());
    assert!(!smallest.violations.is_empty());
    assert!(smallest.config.steps < failed.config.steps && !smallest.config.without.is_empty(), "{smallest}");
    let again = run(smallest.config.clone());
    assert_eq!(again.violations, smallest.violations);
    let line = smallest.to_string();
    assert!(line.starts_with("cargo xtask sim --seed "), "{line}");
}

/// What the command prints where nobody watches, and its exit code.
fn command(arguments: &str) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deltalakedb-simulation"));
    let output = command.args(arguments.split(' ')).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn the_command_tells_what_it_does_and_what_came_of_it() {
    let (out, err, code) = command("--seed 3 --seeds 2 --steps 300");
    assert!(err.starts_with("sim: 2 seeds from 3 on, 300 steps each: ") && err.lines().count() == 1, "{err:?}");
    assert!(out.starts_with("no failure: 2 seeds from 3 on, 300 steps each; "), "{out}");
    let words: Vec<_> = out.split(' ').collect();
    for what in ["versions", "faults"] {
        let at = words.iter().position(|word| *word == what).unwrap();
        assert!(words[at - 1].parse::<u64>().unwrap() > 0, "{out}");
    }
    assert_eq!(code, Some(0));

    let failing = failing_run("unique_commit_ids", "is version", 20).config;
    let (out, err, code) = command(failing.command_line().strip_prefix("cargo xtask sim ").unwrap());
    assert!(out.starts_with(&format!("1 FAILED: seed {}, {} steps; ", failing.seed, failing.steps)), "{out}");
    assert!(err.contains(&format!("FAILED: {}\n", failing.command_line())), "{err}");
    assert!(err.contains("the smallest run found that fails:\ncargo xtask sim --seed "), "{err}");
    assert_eq!(code, Some(1));
}
