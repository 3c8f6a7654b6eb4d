//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod demo;
mod load;
mod setup;
mod sim;
mod test;
mod tools;
mod wasm;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tools::Result;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Work on deltalakedb")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what the build and the tests need, or says which command does.
    Setup {
        /// Only say what is missing; exit 1 if anything is.
        #[arg(long)]
        check: bool,
    },
    /// Imports a bundled table, shows it, commits to it, alone, beside another writer and together with a second table,
    /// mirrors it and reads the mirror back.
    Demo,
    /// Runs every check, test and comparison.
    Test(test::Options),
    /// Measures deltalakedb and its peers on the same work and writes BENCHMARKS.md (45 minutes; `--quick` 5);
    /// `cargo xtask bench --help` tells how to measure a part.
    #[command(disable_help_flag = true)]
    Bench {
        /// Go to `bench/peers.py`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measures and checks many processes on one catalog; `cargo xtask load --help` tells its options.
    #[command(disable_help_flag = true)]
    Load {
        /// Go to the load test.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Runs the simulator; `cargo xtask sim --help` tells its options.
    #[command(disable_help_flag = true)]
    Sim {
        /// Go to the simulator.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Builds the core for wasm32-unknown-unknown and checks that it stays pure.
    Wasm,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Setup { check: true } => setup::check(&workspace),
        Command::Setup { check: false } => setup::install_all(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Demo => demo::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Bench { arguments } => bench::run(&workspace, &arguments),
        Command::Load { arguments } => load::run(&workspace, &arguments),
        Command::Sim { arguments } => sim::run(&workspace, &arguments),
        Command::Wasm => {
            setup::install(&workspace, &[setup::Part::WasmTarget])?;
            wasm::run(&workspace).map(|()| ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulator_gets_its_arguments_as_they_are() {
        let given = ["--seed", "7", "--without", "readers", "--help"];
        let parsed = Cli::try_parse_from(["xtask", "sim"].into_iter().chain(given));
        match parsed.map(|cli| cli.command) {
            Ok(Command::Sim { arguments }) => assert_eq!(arguments, given),
            Ok(_) => unreachable!("it is another command"),
            Err(error) => unreachable!("{error}"),
        }
    }
}
