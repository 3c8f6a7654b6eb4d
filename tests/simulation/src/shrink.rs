//! The smallest run that still fails: fewest steps, then fewest parts.

use std::collections::BTreeSet;

use crate::config::{Config, Part};
use crate::{Report, run};

/// Runs that a shrink may take.
const MOST_RUNS: usize = 150;

/// A run that fails as `failed` does, with as few steps and parts as were found.
pub fn shrink(failed: Report) -> Report {
    let mut best = failed;
    let mut left = MOST_RUNS;
    loop {
        let size = (best.config.steps, best.config.without.len());
        fewer_steps(&mut best, &mut left);
        fewer_parts(&mut best, &mut left);
        if left == 0 || size == (best.config.steps, best.config.without.len()) {
            return best;
        }
    }
}

/// Keeps the report of `config` if it fails in the same way.
fn attempt(config: Config, best: &mut Report, left: &mut usize) -> bool {
    *left = left.saturating_sub(1);
    let report = run(config);
    let ways: BTreeSet<String> = best.violations.iter().map(|violation| way(violation)).collect();
    let fails = report.violations.iter().any(|violation| ways.contains(&way(violation)));
    if fails {
        *best = report;
    }
    fails
}

/// A violation without its numbers.
fn way(violation: &str) -> String {
    violation.chars().filter(|c| c.is_alphabetic()).collect()
}

/// By bisection; more steps need not fail again, so the answer is a small one and not always the smallest.
fn fewer_steps(best: &mut Report, left: &mut usize) {
    let (mut passes, mut fails) = (0, best.config.steps);
    while passes + 1 < fails && *left > 0 {
        let steps = passes.midpoint(fails);
        match attempt(Config { steps, ..best.config.clone() }, best, left) {
            true => fails = steps,
            false => passes = steps,
        }
    }
}

fn fewer_parts(best: &mut Report, left: &mut usize) {
    for &part in Part::ALL {
        if *left == 0 {
            return;
        }
        let mut config = best.config.clone();
        if config.without.insert(part) {
            attempt(config, best, left);
        }
    }
}
