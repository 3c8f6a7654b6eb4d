//! `cargo xtask sim`: the simulator, in the release profile for long runs.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::tools::Result;
use crate::workspace::Workspace;

const PACKAGE: &str = "deltalakedb-simulation";

/// Seeds that are run on every change.
const CHECKED_SEEDS: &str = "200";

/// Runs the simulator with these arguments.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    workspace.build_release("the simulator", PACKAGE)?;
    let cargo =
        workspace.cargo("running the simulator").args(["run", "--quiet", "--release", "--package", PACKAGE, "--"]);
    let cargo = arguments.iter().fold(cargo, |cargo, argument| cargo.arg(argument));
    cargo.run().map(|()| ExitCode::SUCCESS)
}

/// Runs the first seeds, in the profile of the tests: their build is there, and it checks for overflows.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    workspace
        .cargo("running the simulator")
        .args(["run", "--quiet", "--package", PACKAGE, "--", "--seed", "0", "--seeds", CHECKED_SEEDS])
        .hint("the seed that fails is above, with the command line of the smallest run that was found")
        .run()
}
