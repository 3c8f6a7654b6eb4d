//! The server that stands for Azure in the tests of stores: Azurite, an npm package of Microsoft's.

use std::fs;
use std::path::{Path, PathBuf};

use super::{State, apt};
use crate::tools::{Failure, Result, Tool, at, find_program};
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["nodejs", "npm"];
const ELSEWHERE: &str = "install Node.js 20 or later with npm (https://nodejs.org) and put both on PATH";

/// In the project, and copied to where it is installed: what to install, to the last package.
const LISTS: [&str; 2] = ["package.json", "package-lock.json"];
const PROGRAM: &str = "node_modules/azurite/dist/src/blob/main.js";
/// What was installed; written last, so that a broken installation has none.
const STAMP: &str = "installed.json";

pub(super) fn state(workspace: &Workspace) -> Result<State> {
    let folder = folder(workspace);
    let wanted = list(workspace, "package-lock.json");
    let wanted = fs::read(&wanted).map_err(at("reading", &wanted))?;
    let is_there = fs::read(folder.join(STAMP)).is_ok_and(|installed| installed == wanted);
    Ok(if is_there && find_program("node").is_some() {
        State::Present(folder.display().to_string())
    } else {
        State::Missing {
            what: format!("{} does not hold tests/azurite/package-lock.json, or there is no Node.js", folder.display()),
            command: "cargo xtask setup".into(),
        }
    })
}

pub(super) fn install(workspace: &Workspace) -> Result<()> {
    for program in ["node", "npm"] {
        if find_program(program).is_none() {
            apt::install(PACKAGES, ELSEWHERE)?;
        }
        if find_program(program).is_none() {
            let wrong = format!("there is no `{program}` on PATH");
            return Err(Failure::new("looking for Node.js", wrong).hint(ELSEWHERE));
        }
    }
    let folder = folder(workspace);
    fs::create_dir_all(&folder).map_err(at("making", &folder))?;
    for name in LISTS {
        copy(&list(workspace, name), &folder.join(name))?;
    }
    Tool::new("npm", "installing Azurite")
        .dir(&folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .hint(format!("see npm's messages above; it needs an npm registry. Or {ELSEWHERE}"))
        .run()?;
    Tool::new("node", "starting Azurite")
        .arg(folder.join(PROGRAM))
        .arg("--version")
        .quiet()
        .hint(ELSEWHERE)
        .output()?;
    copy(&list(workspace, "package-lock.json"), &folder.join(STAMP))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(at("writing", to))
}

/// The tests look for the program there.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("azurite")
}

fn list(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("tests/azurite").join(name)
}
