//! `cargo xtask test`: every check, test and comparison, with a summary.

use std::env;
use std::path::{self, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::load;
use crate::setup::{self, Part, python, spark};
use crate::sim;
use crate::tools::{Failure, Result, Tool};
use crate::wasm;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leaves out the release build and the comparison with delta-rs, DuckDB and Spark.
    #[arg(long)]
    quick: bool,
    /// Goes on after a failure, to show them all.
    #[arg(long)]
    keep_going: bool,
}

struct Step {
    title: &'static str,
    run: fn(&Workspace) -> Result<()>,
    /// The step whose product this one uses.
    needs: Option<&'static str>,
    /// Gets what not every machine can have; where that fails, the step is left out, and the summary says so.
    obtain: Option<fn(&Workspace) -> Result<()>>,
}

enum Outcome {
    Passed,
    /// What it needs cannot be had on this machine, and why.
    LeftOut(String),
    Failed,
    NotRun,
}

const RELEASE_BUILD: &str = "release build";

const QUICK: &[Step] = &[step("setup", set_up_quick), FORMAT, CLIPPY, TESTS, SIMULATION, LOAD, WASM];

const ALL: &[Step] = &[
    step("setup", set_up),
    FORMAT,
    CLIPPY,
    TESTS,
    SIMULATION,
    LOAD,
    WASM,
    step("compare's tests", test_comparison),
    step(RELEASE_BUILD, build_release),
    Step { needs: Some(RELEASE_BUILD), ..step("comparison", compare) },
    Step { needs: Some(RELEASE_BUILD), obtain: Some(set_up_spark), ..step("Spark", compare_with_spark) },
];

const FORMAT: Step = step("format", check_format);
const CLIPPY: Step = step("clippy", run_clippy);
const TESTS: Step = step("tests", run_tests);
const SIMULATION: Step = step("simulation", sim::check);
const LOAD: Step = step("load", load::check);
const WASM: Step = step("wasm32", wasm::run);

const fn step(title: &'static str, run: fn(&Workspace) -> Result<()>) -> Step {
    Step { title, run, needs: None, obtain: None }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let steps = if options.quick { QUICK } else { ALL };
    let mut results: Vec<(&str, Outcome, Duration)> = Vec::new();
    let mut has_failed = false;
    for step in steps {
        let lacks =
            results.iter().any(|(title, outcome, _)| step.needs == Some(title) && !matches!(outcome, Outcome::Passed));
        if lacks || (has_failed && !options.keep_going) {
            results.push((step.title, Outcome::NotRun, Duration::ZERO));
            continue;
        }
        eprintln!("\n== {} ==", step.title);
        let start = Instant::now();
        let outcome = run_step(step, workspace);
        has_failed |= matches!(outcome, Outcome::Failed);
        results.push((step.title, outcome, start.elapsed()));
    }
    print!("\n{}", summary(&results));
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run_step(step: &Step, workspace: &Workspace) -> Outcome {
    if let Some(Err(why)) = step.obtain.map(|obtain| obtain(workspace)) {
        eprintln!("\nxtask: {} is left out: {why}", step.title);
        return Outcome::LeftOut(why.to_string());
    }
    match (step.run)(workspace) {
        Ok(()) => Outcome::Passed,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            Outcome::Failed
        }
    }
}

/// A line a step, and the count as the last line.
fn summary(results: &[(&str, Outcome, Duration)]) -> String {
    let (mut passed_count, mut failed_count, mut left_out_count) = (0, 0, 0);
    let mut text = String::new();
    for (title, outcome, elapsed) in results {
        let seconds = elapsed.as_secs_f64();
        let line = match outcome {
            Outcome::Passed => {
                passed_count += 1;
                format!("{title:<17}passed{seconds:>9.1} s")
            }
            Outcome::Failed => {
                failed_count += 1;
                format!("{title:<17}FAILED{seconds:>9.1} s")
            }
            Outcome::LeftOut(why) => {
                left_out_count += 1;
                format!("{title:<17}LEFT OUT: {}", why.lines().next().unwrap_or_default())
            }
            Outcome::NotRun => format!("{title:<17}not run"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    let left_out = if left_out_count > 0 { format!(", {left_out_count} skipped") } else { String::new() };
    format!("{text}{passed_count} passed, {failed_count} failed{left_out}\n")
}

fn set_up(workspace: &Workspace) -> Result<()> {
    setup::install(workspace, Part::ALL)
}

fn set_up_quick(workspace: &Workspace) -> Result<()> {
    setup::install(workspace, Part::QUICK)
}

fn set_up_spark(workspace: &Workspace) -> Result<()> {
    setup::install(workspace, &[Part::Spark])
}

fn check_format(workspace: &Workspace) -> Result<()> {
    let cargo = workspace.cargo("checking the format");
    cargo.args(["fmt", "--all", "--check"]).hint("run `cargo fmt --all`").run()
}

fn run_clippy(workspace: &Workspace) -> Result<()> {
    workspace
        .cargo("running clippy")
        .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        .hint("mend what the messages above name")
        .run()
}

fn run_tests(workspace: &Workspace) -> Result<()> {
    workspace
        .cargo("running the tests")
        .args(["test", "--workspace", "--no-fail-fast"])
        .hint("the failed tests are named above; run one with `cargo test --package <crate> <name>`")
        .run()
}

fn build_release(workspace: &Workspace) -> Result<()> {
    workspace.cargo("building dl").args(["build", "--release", "--bin", "dl"]).run()
}

/// A comparison that finds no difference says nothing, unless it is known to find those that are there.
fn test_comparison(workspace: &Workspace) -> Result<()> {
    Tool::new(python::COMPARE.interpreter(workspace), "testing the comparison itself")
        .dir(&workspace.root.join("tests"))
        .args(["-m", "unittest", "compare.test_compare"])
        .hint("the comparison must pass right answers and find each wrong one; see tests/compare")
        .run()
}

/// Compares what `dl` says of every table with what the log, delta-rs and DuckDB say.
fn compare(workspace: &Workspace) -> Result<()> {
    let doing = "comparing with delta-rs and DuckDB";
    over_all_tables(comparison(workspace, "compare", doing), workspace, doing)
}

/// Compares what Spark reads from the mirrors of all tables with what it reads from themselves.
fn compare_with_spark(workspace: &Workspace) -> Result<()> {
    let doing = "comparing with Spark";
    let compare = comparison(workspace, "compare.spark", doing).arg("--jars").arg(spark::jars(workspace));
    over_all_tables(compare, workspace, doing)
}

fn comparison(workspace: &Workspace, module: &str, doing: &str) -> Tool {
    Tool::new(python::COMPARE.interpreter(workspace), doing)
        .dir(&workspace.root.join("tests"))
        .args(["-m", module, "--dl"])
        .arg(workspace.dl("release"))
        .hint("the differences are above; tests/compare/normal.py says which differences are none")
}

fn over_all_tables(compare: Tool, workspace: &Workspace, doing: &str) -> Result<()> {
    let mut compare = compare.arg("--tables").arg(workspace.root.join("tests/tables"));
    for folder in more_tables() {
        if !folder.is_dir() {
            let name = folder.display();
            let wrong = format!("DELTALAKEDB_TABLES names {name}, which is no folder");
            return Err(Failure::new(doing, wrong).hint("mend the variable, or unset it"));
        }
        compare = compare.arg("--tables").arg(folder);
    }
    compare.run()
}

/// The folders of tables that the environment names, from the root of the file system on.
fn more_tables() -> Vec<PathBuf> {
    let named = env::var_os("DELTALAKEDB_TABLES").unwrap_or_default();
    let named = env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty());
    named.map(|folder| path::absolute(&folder).unwrap_or(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_steps_that_ran() {
        let results = [
            ("setup", Outcome::Passed, Duration::from_millis(312)),
            ("tests", Outcome::Failed, Duration::from_secs(75)),
            ("comparison", Outcome::NotRun, Duration::ZERO),
            ("Spark", Outcome::LeftOut("fetching Delta: no network\n  what to do: wait".into()), Duration::ZERO),
        ];
        let expected = "\
setup            passed      0.3 s
tests            FAILED     75.0 s
comparison       not run
Spark            LEFT OUT: fetching Delta: no network
1 passed, 1 failed, 1 skipped
";
        assert_eq!(summary(&results), expected);
    }
}
