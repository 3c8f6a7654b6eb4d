//! The command `dl`, and the hosts' side of the core's ports: SQLite, local folders and object stores.
#![warn(missing_docs)]

mod cli;
mod commands;
pub mod database;
mod expand;
mod import;
mod mirror;
mod output;
mod progress;
mod store;

use std::process::ExitCode;

use clap::Parser;
use deltalakedb_core::ErrorKind;

use cli::Cli;
use output::Output;

const EXIT_FAILED: u8 = 1;
const EXIT_CONFLICT: u8 = 4;

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    keep_reader_panics_quiet();
    let cli = Cli::parse(); // ends the process with 2 when the usage is wrong
    let output = Output::new(cli.format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dl: starting: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    match runtime.block_on(commands::run(cli, &output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output.is_pipe_closed() => {
            drop(error);
            ExitCode::SUCCESS
        }
        Err(error) => {
            output.error(&error);
            let conflict = error.kind() == ErrorKind::Conflict && error.to_json().get("conflict_kind").is_some();
            ExitCode::from(if conflict { EXIT_CONFLICT } else { EXIT_FAILED })
        }
    }
}

/// What the Parquet reader panics about in a damaged file is told as an error of that file, and only so.
fn keep_reader_panics_quiet() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_reader = |file: &str| ["/parquet-", "/arrow-"].iter().any(|part| file.contains(part));
        if !panic.location().is_some_and(|location| is_reader(location.file())) {
            report(panic);
        }
    }));
}
