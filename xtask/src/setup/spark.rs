//! Spark with Delta, for the comparison: Java by the system's packages, PySpark beside delta-rs and DuckDB, Delta's jars by
//! Spark's own client of Maven repositories.
//!
//! It is large and comes from where not every machine may look, so it may be missing: `cargo xtask test` then says so and why.

use std::env;
use std::fs;
use std::path::PathBuf;

use super::{State, apt, python};
use crate::tools::{Result, Tool, at, find_program};
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["default-jre-headless"];
const ELSEWHERE: &str = "install Java 17 or later and put it on PATH";

/// The folder with Delta's jars.
pub(crate) fn jars(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("jars")
}

pub(super) fn state(workspace: &Workspace) -> Result<State> {
    let (folder, command) = (folder(workspace), "cargo xtask setup".into());
    if !has_java() {
        return Ok(State::Missing { what: "there is no `java` on PATH, nor JAVA_HOME".into(), command });
    }
    let installed = fs::read_to_string(stamp(workspace));
    Ok(if python::COMPARE.is_complete(workspace)? && installed.is_ok_and(|text| Some(text) == wanted(workspace).ok()) {
        State::Present(folder.display().to_string())
    } else {
        let what = format!("{} does not hold tests/compare/spark/packages.txt", folder.display());
        State::Missing { what, command }
    })
}

pub(super) fn install(workspace: &Workspace) -> Result<()> {
    if !has_java() {
        apt::install(PACKAGES, ELSEWHERE)?;
    }
    if !python::COMPARE.is_complete(workspace)? {
        python::COMPARE.install(workspace)?;
    }
    let interpreter = python::COMPARE.interpreter(workspace);
    Tool::new(&interpreter, "installing PySpark")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(workspace.root.join("tests/compare/spark/requirements.txt"))
        .hint("see pip's messages above; it needs Python 3.10 or later and a Python package index")
        .run()?;
    let folder = folder(workspace);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(at("removing", &folder))?;
    }
    Tool::new(interpreter, "fetching Delta for Spark")
        .dir(&workspace.root.join("tests"))
        .args(["-m", "compare.spark.fetch"])
        .arg(&folder)
        .hint("see Spark's messages above; it needs a Maven repository, and Java 17 or later")
        .run()?;
    let stamp = stamp(workspace);
    fs::write(&stamp, wanted(workspace)?).map_err(at("writing", &stamp))
}

fn has_java() -> bool {
    env::var_os("JAVA_HOME").is_some() || find_program("java").is_some()
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("spark")
}

/// In the Python environment, so that one made anew has none: PySpark would be missing.
fn stamp(workspace: &Workspace) -> PathBuf {
    python::COMPARE.folder(workspace).join("spark.txt")
}

/// What is to be installed, and where the jars lie.
fn wanted(workspace: &Workspace) -> Result<String> {
    let mut text = jars(workspace).display().to_string() + "\n";
    for name in ["requirements.txt", "packages.txt"] {
        let path = workspace.root.join("tests/compare/spark").join(name);
        text += &fs::read_to_string(&path).map_err(at("reading", &path))?;
    }
    Ok(text)
}
