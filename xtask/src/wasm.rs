//! `cargo xtask wasm`: the core builds for wasm32-unknown-unknown and stays pure.
//!
//! Pure means: no runtime, no network, no file system, no clock, no randomness. Three checks hold it
//! to that: what it depends on, what its own source names, and that it compiles for a target
//! that has none of these.

mod forbidden;
mod source;
mod tokens;
mod tree;

use crate::setup::{self, WasmToolchain};
use crate::tools::{Failure, Result, Tool};
use crate::workspace::Workspace;

const CORE: &str = "deltalakedb-core";
const TARGET: &str = "wasm32-unknown-unknown";

/// The features that the core is checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Features {
    Default,
    None,
}

impl Features {
    const ALL: [Features; 2] = [Features::Default, Features::None];

    fn args(self) -> &'static [&'static str] {
        match self {
            Features::Default => &[],
            Features::None => &["--no-default-features"],
        }
    }
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    source::check(&workspace.root.join("core/src"))?;
    for features in Features::ALL {
        check_tree(workspace, features)?;
    }
    let toolchain = setup::wasm_toolchain(workspace)?.ok_or_else(|| {
        Failure::new("building the core for wasm32", "no toolchain has the target").hint("run `cargo xtask setup`")
    })?;
    for features in Features::ALL {
        build(workspace, toolchain, features)?;
    }
    Ok(())
}

fn check_tree(workspace: &Workspace, features: Features) -> Result<()> {
    let listed = workspace
        .cargo("listing what the core depends on")
        .args(["tree", "--package", CORE, "--target", TARGET])
        // A macro's own dependencies run while compiling; they are no part of the core.
        .args(["--edges", "normal,no-proc-macro", "--no-dedupe"])
        .args(["--prefix", "depth", "--format", tree::FORMAT])
        .args(features.args())
        .output()?;
    let packages = tree::parse(&listed)?;
    let offences = forbidden::offences(&packages, features);
    if offences.is_empty() {
        return Ok(());
    }
    let doing = "checking that the core stays pure";
    Err(Failure::new(doing, format!("its dependencies have\n{}", offences.join("\n")))
        .hint("use the crate without that feature, use another crate, or move the code to native/"))
}

fn build(workspace: &Workspace, toolchain: WasmToolchain, features: Features) -> Result<()> {
    let doing = "building the core for wasm32";
    let cargo = match toolchain {
        WasmToolchain::Project => workspace.cargo(doing),
        // In a folder of its own, as the products of two compilers push each other out.
        WasmToolchain::Debian => Tool::new("cargo", doing)
            .dir(&workspace.root)
            .env("CARGO_TARGET_DIR", workspace.target.join("debian"))
            .arg("+debian"),
    };
    cargo
        .args(["build", "--package", CORE, "--lib", "--target", TARGET])
        // Nothing runs it, and optimised dependencies take six times as long to build.
        .args(["--config", "profile.dev.package.'*'.opt-level=0"])
        .args(features.args())
        .hint("the compiler's messages are above; `core/` may use nothing that wasm32 lacks")
        .run()
}
