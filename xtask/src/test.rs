//! `cargo xtask test`: every check, test and comparison, with a summary.

use std::env;
use std::path::{self, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::load;
use crate::setup::{self, Part, python};
use crate::sim;
use crate::tools::{Failure, Result, Tool};
use crate::wasm;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leaves out the release build and the comparison with delta-rs and DuckDB.
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
}

enum Outcome {
    Passed,
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
];

const FORMAT: Step = step("format", check_format);
const CLIPPY: Step = step("clippy", run_clippy);
const TESTS: Step = step("tests", run_tests);
const SIMULATION: Step = step("simulation", sim::check);
const LOAD: Step = step("load", load::check);
const WASM: Step = step("wasm32", wasm::run);

const fn step(title: &'static str, run: fn(&Workspace) -> Result<()>) -> Step {
    Step { title, run, needs: None }
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
        let outcome = match (step.run)(workspace) {
            Ok(()) => Outcome::Passed,
            Err(failure) => {
                has_failed = true;
                eprintln!("\nxtask: {failure}");
                Outcome::Failed
            }
        };
        results.push((step.title, outcome, start.elapsed()));
    }
    print!("\n{}", summary(&results));
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A line a step, and the count as the last line.
fn summary(results: &[(&str, Outcome, Duration)]) -> String {
    let (mut passed_count, mut failed_count) = (0, 0);
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
            Outcome::NotRun => format!("{title:<17}not run"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    format!("{text}{passed_count} passed, {failed_count} failed\n")
}

fn set_up(workspace: &Workspace) -> Result<()> {
    setup::install(workspace, Part::ALL)
}

fn set_up_quick(workspace: &Workspace) -> Result<()> {
    setup::install(workspace, Part::QUICK)
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
    Tool::new(python::interpreter(workspace), "testing the comparison itself")
        .dir(&workspace.root.join("tests"))
        .args(["-m", "unittest", "compare.test_compare"])
        .hint("the comparison must pass right answers and find each wrong one; see tests/compare")
        .run()
}

/// Compares what `dl` says of every table with what the log, delta-rs and DuckDB say.
fn compare(workspace: &Workspace) -> Result<()> {
    let doing = "comparing with delta-rs and DuckDB";
    let mut compare = Tool::new(python::interpreter(workspace), doing)
        .dir(&workspace.root.join("tests"))
        .args(["-m", "compare", "--dl"])
        .arg(workspace.dl("release"))
        .arg("--tables")
        .arg(workspace.root.join("tests/tables"))
        .hint("the differences are above; tests/compare/normal.py says which differences are none");
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
        ];
        let expected = "\
setup            passed      0.3 s
tests            FAILED     75.0 s
comparison       not run
1 passed, 1 failed
";
        assert_eq!(summary(&results), expected);
    }
}
