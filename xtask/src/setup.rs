//! `cargo xtask setup`: what the build and the tests need of a machine.
//!
//! Each part first looks whether it is there, which costs milliseconds, and installs only what is
//! missing. Where it may not install, it names the command to run.

mod apt;
mod azurite;
mod c_compiler;
mod debian_wasm;
pub(crate) mod python;
mod rust;
mod s3_server;
pub(crate) mod spark;

use std::process::ExitCode;

use crate::tools::{Failure, Result};
use crate::workspace::Workspace;

pub(crate) use rust::{WasmToolchain, wasm_toolchain};

/// One thing that setup sees to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// SQLite is built from its C source.
    CCompiler,
    /// rustfmt and clippy.
    RustComponents,
    /// The standard library for wasm32-unknown-unknown.
    WasmTarget,
    /// MinIO, for the tests of object stores.
    S3Server,
    /// Azurite, for the same.
    Azurite,
    /// delta-rs and DuckDB for the comparison, in a virtual environment.
    PythonEnvironment,
    /// Spark with Delta for the comparison, where the machine can get it.
    Spark,
}

/// Whether a part is there: where, or what is missing and the command that installs it.
enum State {
    Present(String),
    Missing { what: String, command: String },
}

impl Part {
    /// What the quick tests need.
    pub(crate) const QUICK: &[Part] =
        &[Part::CCompiler, Part::RustComponents, Part::WasmTarget, Part::S3Server, Part::Azurite];
    pub(crate) const ALL: &[Part] = &[
        Part::CCompiler,
        Part::RustComponents,
        Part::WasmTarget,
        Part::S3Server,
        Part::Azurite,
        Part::PythonEnvironment,
    ];

    /// What the tests do without, and say so, where it cannot be had.
    const OPTIONAL: &[Part] = &[Part::Spark];

    fn title(self) -> &'static str {
        match self {
            Part::CCompiler => "C compiler",
            Part::RustComponents => "rustfmt, clippy",
            Part::WasmTarget => "wasm32 target",
            Part::S3Server => "S3 server",
            Part::Azurite => "Azurite",
            Part::PythonEnvironment => "delta-rs, DuckDB",
            Part::Spark => "Spark with Delta",
        }
    }

    fn state(self, workspace: &Workspace) -> Result<State> {
        match self {
            Part::CCompiler => Ok(c_compiler::state()),
            Part::RustComponents => rust::components_state(workspace),
            Part::WasmTarget => rust::wasm_state(workspace),
            Part::S3Server => Ok(s3_server::state(workspace)),
            Part::Azurite => azurite::state(workspace),
            Part::PythonEnvironment => python::COMPARE.state(workspace),
            Part::Spark => spark::state(workspace),
        }
    }

    fn install(self, workspace: &Workspace) -> Result<()> {
        match self {
            Part::CCompiler => c_compiler::install(),
            Part::RustComponents => rust::install_components(workspace),
            Part::WasmTarget => rust::install_wasm(workspace),
            Part::S3Server => s3_server::install(workspace),
            Part::Azurite => azurite::install(workspace),
            Part::PythonEnvironment => python::COMPARE.install(workspace),
            Part::Spark => spark::install(workspace),
        }
    }
}

/// Installs the parts that are missing.
pub(crate) fn install(workspace: &Workspace, parts: &[Part]) -> Result<()> {
    for &part in parts {
        if let State::Missing { what, .. } = part.state(workspace)? {
            eprintln!("setup: {what}; installing");
            part.install(workspace)?;
        }
        match part.state(workspace)? {
            State::Present(place) => eprintln!("setup: {:<18}{place}", part.title()),
            State::Missing { what, command } => {
                let doing = format!("installing {}", part.title());
                let wrong = format!("the commands succeeded, yet {what}");
                return Err(Failure::new(doing, wrong).hint(format!("run: {command}")));
            }
        }
    }
    Ok(())
}

/// Installs everything; of the parts that may be missing it says why they are.
pub(crate) fn install_all(workspace: &Workspace) -> Result<()> {
    install(workspace, Part::ALL)?;
    for &part in Part::OPTIONAL {
        if let Err(failure) = install(workspace, &[part]) {
            eprintln!("setup: {:<18}left out, which the tests bear: {failure}", part.title());
        }
    }
    Ok(())
}

/// Says what is there and what is missing; installs nothing.
pub(crate) fn check(workspace: &Workspace) -> Result<ExitCode> {
    let mut missing_count = 0;
    for part in Part::ALL.iter().chain(Part::OPTIONAL) {
        match part.state(workspace)? {
            State::Present(place) => println!("{:<18}{place}", part.title()),
            State::Missing { what, command } => {
                let is_needed = !Part::OPTIONAL.contains(part);
                missing_count += usize::from(is_needed);
                let missing = if is_needed { "missing" } else { "missing, which the tests bear" };
                println!("{:<18}{missing}: {what}\n{:<18}run: {command}", part.title(), "");
            }
        }
    }
    if missing_count == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{missing_count} missing; `cargo xtask setup` installs what it may");
    Ok(ExitCode::FAILURE)
}
