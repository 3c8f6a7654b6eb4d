//! `cargo xtask sim`: runs of the simulator, many at once on several threads.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use deltalakedb_simulation::{Config, Mutation, Part, Report, run, shrink};

/// Runs the simulator.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim")]
struct Cli {
    /// The first seed; a random one when none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// How often a task is polled before the faults end.
    #[arg(long, default_value_t = 2_000)]
    steps: u64,
    /// How many seeds to run, one after the other from the first.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Goes on after a seed that fails, to show them all.
    #[arg(long)]
    keep_going: bool,
    /// Leaves a part out, such as `faults.lost_answers`.
    #[arg(long, value_name = "PART")]
    without: Vec<Part>,
    /// Takes a guard away, such as `removed_file_not_live`, to see the checkers fail.
    #[arg(long, value_name = "GUARD")]
    mutate: Option<Mutation>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let first = cli.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let start = Instant::now();
    let (next, done, commits) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let has_failed = AtomicBool::new(false);
    let work = || {
        while !is_over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cli.seeds {
                return;
            }
            let mut config = Config::new(first.wrapping_add(number), cli.steps);
            config.without = cli.without.iter().copied().collect();
            config.mutation = cli.mutate;
            let report = run(config);
            commits.fetch_add(report.work.version_count as u64, Ordering::Relaxed);
            let done = 1 + done.fetch_add(1, Ordering::Relaxed);
            if !report.violations.is_empty() {
                has_failed.store(true, Ordering::Relaxed);
                if !cli.keep_going && is_over.swap(true, Ordering::Relaxed) {
                    return;
                }
                tell_failure(report);
            }
            if done % 100 == 0 {
                eprintln!("{done} of {} seeds, {:.0} s", cli.seeds, start.elapsed().as_secs_f64());
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(cli.seeds as usize);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (done, commits) = (done.into_inner(), commits.into_inner());
    println!("{done} seeds from {first} on, {commits} versions committed, {:.1} s", start.elapsed().as_secs_f64());
    if has_failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn tell_failure(report: Report) {
    eprintln!("FAILED: {report}");
    eprintln!("shrinking ...");
    let smallest = shrink(report);
    eprintln!("the smallest run found that fails:\n{smallest}");
}
