//! Parts of the Rust toolchain: rustfmt, clippy, the wasm32 target.

use std::path::{Path, PathBuf};

use super::{State, apt, debian_wasm};
use crate::tools::{Failure, Result, Tool, find_program};
use crate::workspace::Workspace;

pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The toolchain that has the wasm32 target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WasmToolchain {
    /// The project's own.
    Project,
    /// Debian's compiler, linked into rustup under the name `debian`.
    Debian,
}

/// The toolchain that builds for wasm32, if there is one.
pub(crate) fn wasm_toolchain(workspace: &Workspace) -> Result<Option<WasmToolchain>> {
    if sysroot(workspace)?.join("lib/rustlib").join(WASM).join("lib").is_dir() {
        return Ok(Some(WasmToolchain::Project));
    }
    Ok(debian_wasm::is_complete().then_some(WasmToolchain::Debian))
}

pub(super) fn components_state(workspace: &Workspace) -> Result<State> {
    let bin = sysroot(workspace)?.join("bin");
    let missing: Vec<_> = ["cargo-fmt", "cargo-clippy"].into_iter().filter(|name| !bin.join(name).is_file()).collect();
    Ok(if missing.is_empty() {
        State::Present(bin.display().to_string())
    } else {
        State::Missing {
            what: format!("the Rust toolchain has no {}", missing.join(", ")),
            command: "rustup component add rustfmt clippy".into(),
        }
    })
}

pub(super) fn install_components(workspace: &Workspace) -> Result<()> {
    rustup(workspace, "adding rustfmt and clippy")?
        .args(["component", "add", "rustfmt", "clippy"])
        .hint("install rustfmt and clippy for this toolchain, then run `cargo xtask setup` again")
        .run()
}

pub(super) fn wasm_state(workspace: &Workspace) -> Result<State> {
    Ok(match wasm_toolchain(workspace)? {
        Some(WasmToolchain::Project) => State::Present("in the project's toolchain".into()),
        Some(WasmToolchain::Debian) => State::Present("in Debian's, linked as `debian`".into()),
        None => State::Missing {
            what: format!("no toolchain can build for {WASM}"),
            command: format!("rustup target add {WASM}"),
        },
    })
}

/// Adds the target by rustup; where rustup cannot reach its server, builds it from Debian's source.
pub(super) fn install_wasm(workspace: &Workspace) -> Result<()> {
    let added = rustup(workspace, "adding the wasm32 target").and_then(|rustup| {
        rustup
            .args(["target", "add", WASM])
            .hint(
                "connect to the network that serves Rust's downloads; on Debian or Ubuntu, running \
                 `cargo xtask setup` once as root needs package registries alone",
            )
            .run()
    });
    match added {
        Ok(()) => Ok(()),
        Err(failure) if apt::is_usable() => {
            eprintln!("setup: {failure}\nsetup: building the target from Debian's source instead");
            debian_wasm::install(workspace)
        }
        Err(failure) => Err(failure),
    }
}

fn rustup(workspace: &Workspace, doing: &str) -> Result<Tool> {
    if find_program("rustup").is_none() {
        return Err(Failure::new(doing, "there is no rustup on PATH")
            .hint("install Rust by rustup (https://rustup.rs), or add the part to this toolchain"));
    }
    Ok(Tool::new("rustup", doing).dir(&workspace.root))
}

/// Where the project's toolchain lies.
fn sysroot(workspace: &Workspace) -> Result<PathBuf> {
    let sysroot = Tool::new("rustc", "asking rustc where its toolchain is")
        .args(["--print", "sysroot"])
        .dir(&workspace.root)
        .quiet()
        .output()?;
    Ok(Path::new(sysroot.trim()).to_path_buf())
}
