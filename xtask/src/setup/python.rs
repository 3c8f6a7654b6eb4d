//! The virtual environments that the comparison with delta-rs and DuckDB, and the benchmarks, run in.

use std::fs;
use std::path::{Path, PathBuf};

use super::{State, apt};
use crate::tools::{Failure, Result, Tool, at, find_program};
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["python3", "python3-venv"];
const ELSEWHERE: &str = "install Python 3.9 or later with its `venv` module as `python3`";

/// A virtual environment.
pub(crate) struct Environment {
    /// In the cache.
    folder: &'static str,
    /// What is installed in it.
    requirements: &'static str,
}

/// Of the comparison.
pub(crate) const COMPARE: Environment =
    Environment { folder: "compare-python", requirements: "tests/compare/requirements.txt" };

/// Of the benchmarks.
pub(crate) const BENCH: Environment = Environment { folder: "bench-python", requirements: "bench/requirements.txt" };

impl Environment {
    /// The interpreter of the environment.
    pub(crate) fn interpreter(&self, workspace: &Workspace) -> PathBuf {
        let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
        self.folder(workspace).join(program)
    }

    /// Whether the environment holds what the requirements ask for now.
    pub(crate) fn is_complete(&self, workspace: &Workspace) -> Result<bool> {
        let wanted = self.requirements(workspace);
        let wanted = fs::read(&wanted).map_err(at("reading", &wanted))?;
        let installed = fs::read(self.stamp(workspace));
        Ok(self.interpreter(workspace).exists() && installed.is_ok_and(|installed| installed == wanted))
    }

    pub(super) fn state(&self, workspace: &Workspace) -> Result<State> {
        let folder = self.folder(workspace);
        Ok(if self.is_complete(workspace)? {
            State::Present(folder.display().to_string())
        } else {
            State::Missing {
                what: format!("{} does not hold {}", folder.display(), self.requirements),
                command: "cargo xtask setup".into(),
            }
        })
    }

    /// Makes the environment anew, so that it holds nothing of an older list.
    pub(crate) fn install(&self, workspace: &Workspace) -> Result<()> {
        let python = python_with_venv()?;
        let folder = self.folder(workspace);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(at("removing", &folder))?;
        }
        let parent = folder.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).map_err(at("creating", parent))?;
        Tool::new(python, "making a Python environment").args(["-m", "venv"]).arg(&folder).run()?;
        let requirements = self.requirements(workspace);
        Tool::new(self.interpreter(workspace), "installing delta-rs and DuckDB")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements)
            .hint("see pip's messages above; it needs a Python package index")
            .run()?;
        let stamp = self.stamp(workspace);
        fs::copy(&requirements, &stamp).map(|_| ()).map_err(at("writing", &stamp))
    }

    pub(super) fn folder(&self, workspace: &Workspace) -> PathBuf {
        workspace.cache.join(self.folder)
    }

    fn requirements(&self, workspace: &Workspace) -> PathBuf {
        workspace.root.join(self.requirements)
    }

    /// What was installed; written last, so that a broken installation has none.
    fn stamp(&self, workspace: &Workspace) -> PathBuf {
        self.folder(workspace).join("requirements.txt")
    }
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
