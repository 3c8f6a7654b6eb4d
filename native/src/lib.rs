//! The command `dl`, and the hosts' side of the core's ports: SQLite, local folders and object stores.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))] // a test fails by them

mod backup;
mod cli;
mod commands;
pub mod database;
mod diff;
mod expand;
pub mod files;
pub mod host;
mod import;
mod log_reader;
pub mod mirror;
mod output;
mod process;
mod progress;
pub mod store;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use deltalakedb_core::{Error, ErrorKind};

use cli::{Cli, Format};
use commands::Found;
use output::Output;

/// Threads for the database and files of this machine: each keeps some memory.
const BLOCKING_THREADS: usize = 24;

const EXIT_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 2;
/// What `dl diff` and `dl verify` found; their usage errors have another code than those of other commands.
const EXIT_DRIFT: u8 = 2;
const EXIT_LAGGING: u8 = 3;
const EXIT_CONFLICT: u8 = 4;
/// As in sysexits.h.
const EXIT_USAGE_OF_COMPARISONS: u8 = 64;

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    keep_reader_panics_quiet();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output::new(cli.format);
    let mut builder = if cli.command.is_daemon() {
        use_small_pages();
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = match builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dl: starting: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let result = runtime.block_on(async {
        survive_file_size_limits();
        commands::run(cli, &output).await
    });
    // What still waits for a disk that does not answer must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(found) => ExitCode::from(match found {
            Found::Done => 0,
            Found::Failed => EXIT_FAILED,
            Found::Drift => EXIT_DRIFT,
            Found::Lagging => EXIT_LAGGING,
        }),
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

/// The heaps of a daemon's many threads hold little each: in huge pages they would take several times their memory.
fn use_small_pages() {
    // Where that cannot be chosen it only takes more.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// A file that may not grow is told as an error of what writes it, and does not end the process (`ulimit -f`, setrlimit(2)).
fn survive_file_size_limits() {
    #[cfg(target_os = "linux")]
    {
        const SIGXFSZ: i32 = 25;
        // Where it cannot be caught, it ends the process as ever.
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ));
    }
}

/// Prints help, the version or what is wrong with the arguments.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && wants_json(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())) {
        let text = error.render().to_string();
        let message = text.split("\n\nUsage:").next().unwrap_or_default();
        let message = message.split("\n\nFor more").next().unwrap_or_default().trim().trim_start_matches("error: ");
        let hint = "`dl --help` and `dl <command> --help` show the usage";
        Output::new(Format::Json).error(&Error::invalid(message).hint(hint));
    } else {
        // Where nobody can read it, the exit code still tells.
        let _ = error.print();
    }
    let code = u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE);
    ExitCode::from(if code == EXIT_USAGE && is_comparison() { EXIT_USAGE_OF_COMPARISONS } else { code })
}

/// Whether the arguments, wrong as they are, are those of a command whose exit codes tell what it found.
fn is_comparison() -> bool {
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(std::env::args_os());
    matches.is_ok_and(|matches| matches!(matches.subcommand_name(), Some("diff" | "verify")))
}

/// Whether arguments that could not be parsed ask for JSON.
fn wants_json(args: impl Iterator<Item = String>) -> bool {
    let args: Vec<String> = args.collect();
    let given = |value: &str| value == "json" || value == "ndjson";
    args.windows(2).any(|pair| pair[0] == "--format" && given(&pair[1]))
        || args.iter().any(|arg| arg.strip_prefix("--format=").is_some_and(given))
}

/// The crates that take part in reading Parquet.
const READERS: [&str; 9] =
    ["/parquet-", "/arrow-", "/bytes-", "/snap-", "/lz4_flex-", "/flate2-", "/zlib-rs-", "/brotli", "/zstd"];

/// What the Parquet reader panics about in a damaged file is told as an error of that file, and only so.
fn keep_reader_panics_quiet() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_reader = |file: &str| READERS.iter().any(|part| file.contains(part));
        if !panic.location().is_some_and(|location| is_reader(location.file())) {
            report(panic);
        }
    }));
}
