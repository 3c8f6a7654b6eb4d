//! Where things are: the clone, Cargo's target directory, the cache.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};

use crate::tools::{Failure, Result, Tool};

pub(crate) struct Workspace {
    /// The clone.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, which may lie outside the clone.
    pub(crate) target: PathBuf,
    /// What setup makes once for a machine.
    pub(crate) cache: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets the variable at run time too, so that a moved clone is still found.
        let manifest_dir =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir.parent().unwrap_or(&manifest_dir).to_path_buf();
        let target = target_dir(&root)?;
        Ok(Workspace { root, target, cache: cache_dir()? })
    }

    /// The command `dl` as built with a profile: `debug` or `release`.
    pub(crate) fn dl(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join(format!("dl{EXE_SUFFIX}"))
    }

    /// Builds a package where its user sees it; a `cargo run --quiet` after that has nothing to be mute about.
    pub(crate) fn build_release(&self, what: &str, package: &str) -> Result<()> {
        eprintln!("xtask: building {what}, which takes some minutes unless it is built already");
        self.cargo(&format!("building {what}")).args(["build", "--release", "--package", package]).run()
    }

    /// `cargo` in the clone, with the same target directory in every call.
    pub(crate) fn cargo(&self, doing: &str) -> Tool {
        // What `cargo xtask` says of this package: build scripts that look at it would run again whenever a command comes
        // by this way and the last one came directly, and crates of a minute be built anew.
        let of_this_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        Tool::new("cargo", doing).dir(&self.root).env("CARGO_TARGET_DIR", &self.target).without_envs(of_this_package)
    }
}

/// Asks Cargo, as the target directory may come from the environment or from a configuration file.
fn target_dir(root: &Path) -> Result<PathBuf> {
    let doing = "asking Cargo for its target directory";
    let metadata = Tool::new("cargo", doing)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .dir(root)
        .quiet()
        .output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)
        .map_err(|error| Failure::new(doing, format!("its answer is not JSON: {error}")))?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| Failure::new(doing, "its answer has no `target_directory`"))
}

fn cache_dir() -> Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|base| base.join("deltalakedb"))
        .ok_or_else(|| {
            Failure::new("looking for a cache folder", "neither XDG_CACHE_HOME nor HOME is an absolute path")
                .hint("set HOME, or set XDG_CACHE_HOME to a folder that may be written to")
        })
}
