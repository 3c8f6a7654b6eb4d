//! System packages on Debian and Ubuntu, as root; elsewhere the command to run.

use crate::tools::{Failure, Result, Tool, find_program};

/// Installs packages. `elsewhere` is what to do on another system.
pub(super) fn install(packages: &[&str], elsewhere: &str) -> Result<()> {
    let doing = format!("installing {}", packages.join(", "));
    if find_program("apt-get").is_none() {
        let wrong = "this system has no apt-get, and setup knows no other package manager";
        return Err(Failure::new(doing, wrong).hint(elsewhere));
    }
    if !is_root() {
        let wrong = "system packages can be installed by root only";
        return Err(Failure::new(doing, wrong).hint(format!("run: {}", command(packages))));
    }
    let apt = |args: &[&str]| {
        Tool::new("apt-get", &doing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(args)
            .hint(format!("see apt-get's messages above; or {elsewhere}"))
    };
    // The package lists of a new machine are empty, and those of an old one name packages that are gone.
    apt(&["update", "--quiet"]).run()?;
    apt(&["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages).run()
}

/// The command that a person would run.
pub(super) fn command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Whether packages can be installed without a question.
pub(super) fn is_usable() -> bool {
    is_root() && find_program("apt-get").is_some()
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
