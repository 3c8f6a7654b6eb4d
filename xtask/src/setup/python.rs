//! The virtual environment that the comparison with delta-rs and DuckDB runs in.

use std::fs;
use std::path::{Path, PathBuf};

use super::{State, apt};
use crate::tools::{Failure, Result, Tool, at, find_program};
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["python3", "python3-venv"];
const ELSEWHERE: &str = "install Python 3.9 or later with its `venv` module as `python3`";

/// The interpreter of the environment.
pub(crate) fn interpreter(workspace: &Workspace) -> PathBuf {
    let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    environment(workspace).join(program)
}

/// Whether the environment holds what the requirements ask for now.
pub(crate) fn is_complete(workspace: &Workspace) -> Result<bool> {
    let wanted = requirements(workspace);
    let wanted = fs::read(&wanted).map_err(at("reading", &wanted))?;
    let installed = fs::read(stamp(workspace));
    Ok(interpreter(workspace).exists() && installed.is_ok_and(|installed| installed == wanted))
}

pub(super) fn state(workspace: &Workspace) -> Result<State> {
    let environment = environment(workspace);
    Ok(if is_complete(workspace)? {
        State::Present(environment.display().to_string())
    } else {
        State::Missing {
            what: format!("{} does not hold tests/compare/requirements.txt", environment.display()),
            command: "cargo xtask setup".into(),
        }
    })
}

/// Makes the environment anew, so that it holds nothing of an older list.
pub(super) fn install(workspace: &Workspace) -> Result<()> {
    let python = python_with_venv()?;
    let environment = environment(workspace);
    if environment.exists() {
        fs::remove_dir_all(&environment).map_err(at("removing", &environment))?;
    }
    let parent = environment.parent().unwrap_or(&environment);
    fs::create_dir_all(parent).map_err(at("creating", parent))?;
    Tool::new(python, "making a Python environment").args(["-m", "venv"]).arg(&environment).run()?;
    let requirements = requirements(workspace);
    Tool::new(interpreter(workspace), "installing delta-rs and DuckDB")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&requirements)
        .hint("see pip's messages above; it needs a Python package index")
        .run()?;
    let stamp = stamp(workspace);
    fs::copy(&requirements, &stamp).map(|_| ()).map_err(at("writing", &stamp))
}

pub(super) fn environment(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("compare-python")
}

fn requirements(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/compare/requirements.txt")
}

/// What was installed; written last, so that a broken installation has none.
fn stamp(workspace: &Workspace) -> PathBuf {
    environment(workspace).join("requirements.txt")
}

/// `python3`, if it can make environments; as root on Debian it is installed.
fn python_with_venv() -> Result<PathBuf> {
    let found = || {
        let on_path = find_program("python3");
        // Another Python may stand before the system's, without its modules.
        let candidates = on_path.into_iter().chain([PathBuf::from("/usr/bin/python3")]);
        candidates.into_iter().find(|python| can_make_environments(python))
    };
    if let Some(python) = found() {
        return Ok(python);
    }
    apt::install(PACKAGES, ELSEWHERE)?;
    found().ok_or_else(|| {
        Failure::new("looking for Python", "python3 still cannot import `venv` and `ensurepip`").hint(ELSEWHERE)
    })
}

fn can_make_environments(python: &Path) -> bool {
    let code = "import sys, venv, ensurepip; assert sys.version_info >= (3, 9)";
    Tool::new(python, "asking Python for its modules").args(["-c", code]).quiet().output().is_ok()
}
