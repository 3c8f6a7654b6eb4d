//! The S3 server that the tests of stores run against: MinIO, built from its source by Go.

use std::fs;
use std::path::PathBuf;

use super::{State, apt};
use crate::tools::{Failure, Result, Tool, at, find_program};
use crate::workspace::Workspace;

/// It has no tags that Go takes; this was the newest commit in 2026. Others were tried: servers that are crates or npm
/// packages let several of 16 racing writers put the same absent object.
const MODULE: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";
const ELSEWHERE: &str = "install Go 1.24 or later (https://go.dev/dl) and put it on PATH";
const PACKAGES: &[&str] = &["golang-go"];

pub(super) fn state(workspace: &Workspace) -> State {
    let folder = folder(workspace);
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|built| built == MODULE) {
        return State::Present(folder.display().to_string());
    }
    State::Missing { what: format!("{} does not hold {MODULE}", folder.display()), command: "cargo xtask setup".into() }
}

pub(super) fn install(workspace: &Workspace) -> Result<()> {
    let go = go()?;
    let folder = folder(workspace);
    fs::create_dir_all(&folder).map_err(at("making", &folder))?;
    eprintln!("setup: building MinIO; this takes some minutes, once");
    Tool::new(go, "building MinIO")
        .args(["install", MODULE])
        .env("GOBIN", &folder)
        .env("CGO_ENABLED", "0")
        .hint(format!("see Go's messages above; it needs a Go module proxy. Or {ELSEWHERE}"))
        .run()?;
    let stamp = folder.join(STAMP);
    fs::write(&stamp, MODULE).map_err(at("writing", &stamp))
}

/// Beside the program: what it was built from. Written last, so that a broken installation has none.
const STAMP: &str = "built-from";

/// The tests look for the program `minio` there.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.cache.join("minio")
}

fn go() -> Result<PathBuf> {
    // Where Go's own archives go, which need not be on PATH.
    let found = || find_program("go").or_else(|| find_program("/usr/local/go/bin/go"));
    if let Some(go) = found() {
        return Ok(go);
    }
    apt::install(PACKAGES, ELSEWHERE)?;
    found().ok_or_else(|| Failure::new("looking for Go", "there is no `go` on PATH").hint(ELSEWHERE))
}
