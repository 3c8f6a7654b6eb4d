//! Many processes on one catalog: how fast they commit, and whether all holds when they are killed.
//!
//! `cargo xtask load appends | latency | mixed`.

mod appends;
mod catalog;
mod latency;
mod mixed;
mod payload;
mod percentiles;
mod processes;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Appends(appends::Options),
    /// How long one commit takes in one process, beside a bare transaction.
    Latency(latency::Options),
    /// Everything at once, from processes of which one is killed every second; then the checkers.
    Mixed(mixed::Options),
    /// A process of one of the others.
    #[command(hide = true)]
    Worker(processes::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Appends(options) => appends::run(&options, cli.format),
        Command::Latency(options) => latency::run(&options, cli.format),
        Command::Mixed(options) => mixed::run(&options, cli.format),
        Command::Worker(options) => processes::work(&options).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("load: {error}");
        ExitCode::FAILURE
    })
}
