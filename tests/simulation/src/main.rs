//! `cargo xtask sim`: runs of the simulator, many at once on several threads.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use deltalakedb_simulation::{Config, Mutation, Part, Report, run_watched, shrink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs the simulator.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim")]
struct Cli {
    /// The first seed; a random one when none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// How often a task is polled before the faults end.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// How many seeds to run, one after the other from the first.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Goes on after a seed that fails, to show them all.
    #[arg(long)]
    keep_going: bool,
    /// Leaves a part out, such as `faults.lost_answers`.
    #[arg(long, value_name = "PART")]
    without: Vec<Part>,
    /// Takes a guard away, such as `removed_file_not_live`, to see the checkers fail; that may take 1,000 seeds.
    #[arg(long, value_name = "GUARD")]
    mutate: Option<Mutation>,
}

/// What came of the seeds, from all threads.
#[derive(Default)]
struct Sum {
    seeds: AtomicU64,
    failed: AtomicU64,
    versions: AtomicU64,
    faults: AtomicU64,
}

impl Sum {
    fn add(&self, report: &Report) {
        let add = |sum: &AtomicU64, number| sum.fetch_add(number, Ordering::Relaxed);
        add(&self.seeds, 1);
        add(&self.failed, u64::from(!report.violations.is_empty()));
        add(&self.versions, report.work.version_count as u64);
        add(&self.faults, report.work.fault_count);
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let first = cli.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(cli.seeds as usize);
    let runs = |count| match count {
        1 => format!("seed {first}, {} steps", cli.steps),
        count => format!("{count} seeds from {first} on, {} steps each", cli.steps),
    };
    eprintln!("sim: {}: a storm of faults over writers, readers and mirrors, then the checkers", runs(cli.seeds));
    let (sum, next, is_over) = (Sum::default(), AtomicU64::new(0), AtomicBool::new(false));
    let bar = steps_bar(cli.seeds.saturating_mul(cli.steps));
    let work = || {
        while !is_over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cli.seeds {
                return;
            }
            let mut config = Config::new(first.wrapping_add(number), cli.steps);
            config.without = cli.without.iter().copied().collect();
            config.mutation = cli.mutate;
            let report = run_watched(config, || bar.inc(1));
            sum.add(&report);
            if !report.violations.is_empty() {
                bar.suspend(|| eprintln!("FAILED: {report}"));
                if cli.keep_going || !is_over.swap(true, Ordering::Relaxed) {
                    tell_smallest(report, &bar);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    bar.finish_and_clear();
    let [done, failed, versions, faults] = [sum.seeds, sum.failed, sum.versions, sum.faults].map(AtomicU64::into_inner);
    let verdict = match (failed, cli.mutate) {
        (0, None) => "no failure".to_owned(),
        (0, Some(mutation)) => format!("no failure seen with --mutate {}; try more --seeds", mutation.name()),
        (failed, _) => format!("{failed} FAILED"),
    };
    println!(
        "{verdict}: {}; {versions} versions were committed and {faults} faults happened, in {:.1} s",
        runs(done),
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A bar over the steps of all seeds: on a terminal only.
fn steps_bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} steps {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn tell_smallest(report: Report, bar: &ProgressBar) {
    bar.suspend(|| eprintln!("shrinking ..."));
    let smallest = shrink(report);
    bar.suspend(|| eprintln!("the smallest run found that fails:\n{smallest}"));
}
