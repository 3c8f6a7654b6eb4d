//! Many processes on one catalog: how fast they commit, and whether all holds when they are killed.
//!
//! `cargo xtask load appends | latency | mixed | mirror`.

mod appends;
mod catalog;
mod interval;
mod latency;
mod mirror;
mod mixed;
mod payload;
mod percentiles;
mod processes;
mod report;
mod same_rows;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use report::Columns;

// As in `dl`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever goes wrong: this is a tool, which tells its user and ends.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "deltalakedb-load", bin_name = "cargo xtask load", about, disable_help_subcommand = true)]
struct Cli {
    /// How results are printed.
    #[arg(long, global = true, default_value = "table")]
    format: report::Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Many processes append to one table, beside a bare INSERT of the same bytes and beside DuckLake.
    #[command(after_long_help = explained(appends::ROWS, &appends::COLUMNS))]
    Appends(appends::Options),
    /// How long one commit takes in one process, beside a bare transaction.
    #[command(after_long_help = explained(latency::ROWS, &latency::COLUMNS))]
    Latency(latency::Options),
    /// Everything at once, from processes of which one is killed every second; then the checkers.
    #[command(after_long_help = explained(mixed::ROWS, &mixed::COLUMNS))]
    Mixed(mixed::Options),
    /// How soon commits are in the logs, and whether all is right there when processes are killed.
    #[command(after_long_help = explained(mirror::ROWS, &mirror::COLUMNS))]
    Mirror(mirror::Options),
    /// A process of one of the others.
    #[command(hide = true)]
    Worker(processes::Options),
}

/// What a table that is printed means.
fn explained(rows: &str, columns: &Columns) -> String {
    format!("{rows}\n\nThe columns:\n  {}", columns.legend.replace('\n', "\n  "))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Appends(options) => appends::run(&options, cli.format),
        Command::Latency(options) => latency::run(&options, cli.format),
        Command::Mixed(options) => mixed::run(&options, cli.format),
        Command::Mirror(options) => mirror::run(&options, cli.format),
        Command::Worker(options) => processes::work(&options).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("load: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_is_explained() {
        for columns in [&appends::COLUMNS, &latency::COLUMNS, &mixed::COLUMNS, &mirror::COLUMNS] {
            let begins: Vec<&str> = columns.legend.lines().filter_map(|line| line.split("  ").next()).collect();
            let begins = begins.join(" ");
            for name in columns.header.iter().flat_map(|column| column.split(' ')) {
                assert!(begins.split(' ').any(|word| word == name) || name.is_empty(), "{name} is not explained");
            }
        }
    }
}
