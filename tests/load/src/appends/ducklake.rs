//! The same number of processes on DuckLake, by Python.

use std::path::Path;
use std::process::Command;

use super::group::Group;
use super::worker::What;
use crate::Result;
use crate::processes::Worker;

const PROGRAM: &str = include_str!("ducklake.py");

/// Measures one round.
///
/// # Errors
/// When Python, DuckDB or its extensions are not there.
pub(crate) fn measure(python: Option<&Path>, processes: usize, seconds: f64) -> Result<Group> {
    let python =
        python.filter(|python| python.exists()).ok_or("no Python with DuckDB; `cargo xtask setup` makes one")?;
    let modules = "import duckdb, duckdb_extension_ducklake, duckdb_extension_sqlite_scanner";
    let has_modules = Command::new(python).args(["-c", modules]).output()?.status.success();
    if !has_modules {
        return Err("the Python has no DuckLake; `cargo xtask setup` installs it".into());
    }
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("data"))?;
    let start = |mode: &str| -> Result<Worker> {
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM, mode]).arg(folder.path());
        Worker::spawn(&mut command)
    };
    let mut creator = start("create")?;
    creator.hear::<String>()?;
    creator.wait()?;
    let mut group = Group::new(What::DuckLake.name());
    let mut workers = Vec::new();
    for _ in 0..processes {
        let mut worker = start("append")?;
        match worker.hear::<String>() {
            Ok(_) => workers.push(worker),
            Err(error) => group.failures.push(format!("a process broke down: {error}")),
        }
    }
    group.round(&mut workers, What::DuckLake, seconds)?;
    Ok(group)
}
