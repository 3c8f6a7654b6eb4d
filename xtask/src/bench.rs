//! `cargo xtask bench`: deltalakedb and its peers on the same work, into BENCHMARKS.md.

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use crate::setup::python::BENCH;
use crate::tools::{Result, Tool, at};
use crate::workspace::Workspace;

const PEER: &str = "deltalakedb-bench";
const DL: &str = "deltalakedb-native";

/// Measures with these arguments of `bench/peers.py`, and writes what comes of a run without any, or of `--quick`.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    if !BENCH.is_complete(workspace)? {
        BENCH.install(workspace)?;
    }
    workspace.build_release("the benchmark", PEER)?;
    workspace.build_release("dl", DL)?;
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let is_whole = arguments.is_empty() || (is_quick && arguments.len() == 1);
    let work = workspace.cache.join("bench");
    fs::create_dir_all(&work).map_err(at("creating", &work))?;
    let results = workspace.root.join("bench/results");
    fs::create_dir_all(&results).map_err(at("creating", &results))?;
    let lines = match is_whole {
        true => results.join(if is_quick { "quick.jsonl" } else { "full.jsonl" }),
        false => work.join("some.jsonl"),
    };
    if lines.exists() {
        fs::remove_file(&lines).map_err(at("removing", &lines))?;
    }
    let release = workspace.target.join("release");
    let measure = Tool::new(BENCH.interpreter(workspace), "measuring")
        .arg(workspace.root.join("bench/peers.py"))
        .arg("--dl")
        .arg(workspace.dl("release"))
        .arg("--peer")
        .arg(release.join(format!("{PEER}{}", std::env::consts::EXE_SUFFIX)))
        .arg("--work")
        .arg(&work)
        .arg("--out")
        .arg(&lines);
    arguments.iter().fold(measure, |measure, argument| measure.arg(argument)).run()?;
    let report = Tool::new(BENCH.interpreter(workspace), "writing the report")
        .dir(&workspace.root)
        .arg(workspace.root.join("bench/report.py"))
        .arg(&lines);
    if !is_whole {
        return report.run().map(|()| ExitCode::SUCCESS);
    }
    let (file, command) = match is_quick {
        true => ("bench/results/quick.md", "cargo xtask bench --quick"),
        false => ("BENCHMARKS.md", "cargo xtask bench"),
    };
    let text = report.args(["--command", command, "--plots", "bench/results"]).output()?;
    let path = workspace.root.join(file);
    fs::write(&path, text).map_err(at("writing", &path))?;
    println!("the report is in {file}, the figures in {}", lines.display());
    Ok(ExitCode::SUCCESS)
}
