//! `cargo xtask load`: many processes on one catalog, measured in the release profile.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::setup::python;
use crate::tools::{Result, Tool};
use crate::workspace::Workspace;

const PACKAGE: &str = "deltalakedb-load";
/// Some of its processes are this command.
const DL: &str = "deltalakedb-native";

/// What is run on every change: correctness alone, as the speed of a machine that does other work says nothing.
const CHECKS: [&[&str]; 3] = [
    &["appends", "--processes", "8", "--seconds", "3", "--rounds", "1", "--commits-only"],
    &["mixed", "--processes", "8", "--seconds", "6", "--kill-every", "500ms"],
    &["mirror", "--tables", "6", "--seconds", "10", "--daemons", "2", "--kill-every", "250ms"],
];

/// Runs the load test with these arguments.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    workspace.build_release("the load test", PACKAGE)?;
    workspace.build_release("dl", DL)?;
    let cargo = cargo(workspace).args(["--release", "--package", PACKAGE, "--"]);
    let cargo = arguments.iter().fold(cargo, |cargo, argument| cargo.arg(argument));
    cargo.run().map(|()| ExitCode::SUCCESS)
}

/// Runs the checks, in the profile of the tests: their build is there, and it checks for overflows.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    workspace.cargo("building dl").args(["build", "--quiet", "--package", DL]).run()?;
    CHECKS.iter().try_for_each(|arguments| {
        cargo(workspace)
            .args(["--package", PACKAGE, "--"])
            .args(*arguments)
            .hint("what is wrong is above; run it again with the same seed and `--keep FOLDER` to see the journals")
            .run()
    })
}

fn cargo(workspace: &Workspace) -> Tool {
    let cargo = workspace.cargo("running the load test").args(["run", "--quiet"]);
    cargo.env("DELTALAKEDB_PYTHON", python::COMPARE.interpreter(workspace))
}
