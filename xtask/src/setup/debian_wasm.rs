//! The wasm32 target from Debian's packages, for a machine that reaches package registries only.
//!
//! Debian has the compiler and the source of the standard library, but not the library for wasm32.
//! Building an empty crate with `-Z build-std` makes it; it is then put where the compiler looks.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::apt;
use super::rust::WASM;
use crate::tools::{Failure, Result, Tool, at};
use crate::workspace::Workspace;

const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const RUSTLIB: &str = "/usr/lib/rustlib";
/// Beside the library: the version of the compiler that it was built by.
const STAMP: &str = "built-by";

/// Whether the target is there and was built by the compiler that is there now.
pub(super) fn is_complete() -> bool {
    let stamp = fs::read_to_string(target_dir().join(STAMP));
    stamp.is_ok_and(|built_by| rustc_version().is_ok_and(|version| version == built_by))
}

pub(super) fn install(workspace: &Workspace) -> Result<()> {
    apt::install(PACKAGES, "install a Rust toolchain that has the target wasm32-unknown-unknown")?;
    refuse_old_compiler()?;
    let crate_dir = write_empty_crate(&workspace.cache.join("wasm-std"))?;
    build_std(&crate_dir)?;
    publish(&crate_dir.join("target").join(WASM).join("release/deps"))?;
    Tool::new("rustup", "linking Debian's toolchain").args(["toolchain", "link", "debian", "/usr"]).run()?;
    // Everything but the stamp is 100 MB of intermediate files.
    fs::remove_dir_all(&crate_dir).map_err(at("removing", &crate_dir))
}

fn target_dir() -> PathBuf {
    Path::new(RUSTLIB).join(WASM)
}

fn rustc_version() -> Result<String> {
    Tool::new(RUSTC, "asking Debian's rustc for its version").arg("--version").quiet().output()
}

/// The workspace's `rust-version` is a floor; an older Debian compiler cannot build it.
fn refuse_old_compiler() -> Result<()> {
    let version = rustc_version()?;
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let found = minor(number);
    let wanted = minor(env!("CARGO_PKG_RUST_VERSION"));
    if found.is_some() && found >= wanted {
        return Ok(());
    }
    let wrong = format!("it has {number}, the project needs {}", env!("CARGO_PKG_RUST_VERSION"));
    Err(Failure::new("using Debian's Rust compiler for wasm32", wrong)
        .hint("let apt see the distribution's security updates, or run `rustup target add` where rustup can download"))
}

/// 96 of `1.96.0`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

fn write_empty_crate(dir: &Path) -> Result<PathBuf> {
    let src = dir.join("src");
    fs::create_dir_all(&src).map_err(at("creating", &src))?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    let files = [(dir.join("Cargo.toml"), manifest), (src.join("lib.rs"), "#![no_std]\n")];
    for (path, text) in files {
        fs::write(&path, text).map_err(at("writing", &path))?;
    }
    Ok(dir.to_path_buf())
}

fn build_std(crate_dir: &Path) -> Result<()> {
    Tool::new(CARGO, "building the standard library for wasm32")
        .dir(crate_dir)
        .env("CARGO_TARGET_DIR", crate_dir.join("target"))
        // Without the bitcode, link-time optimisation of a crate that uses the library fails.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        // `build-std` is unstable, and this is a stable compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", RUSTC)
        .args(["build", "--quiet", "--release", "-Z", "build-std=std,panic_abort", "--target", WASM])
        .run()
}

/// Copies the libraries into a folder beside the place, then renames it: whole or not at all.
fn publish(built: &Path) -> Result<()> {
    let target = target_dir();
    let staged = Path::new(RUSTLIB).join(format!("{WASM}.new"));
    for old in [&staged, &target] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(at("removing", old))?;
        }
    }
    let lib = staged.join("lib");
    fs::create_dir_all(&lib).map_err(at("creating", &lib))?;
    for entry in fs::read_dir(built).map_err(at("listing", built))? {
        let file = entry.map_err(at("listing", built))?.path();
        let Some(name) = file.file_name().and_then(OsStr::to_str) else {
            continue;
        };
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::copy(&file, lib.join(name)).map_err(at("copying", &file))?;
        }
    }
    let stamp = staged.join(STAMP);
    fs::write(&stamp, rustc_version()?).map_err(at("writing", &stamp))?;
    fs::rename(&staged, &target).map_err(at("renaming", &staged))
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(minor("1.96.0"), Some(96));
        assert_eq!(minor("1.95"), Some(95));
        assert!(minor("1.100.0") > minor("1.95"));
        assert_eq!(minor("nightly"), None);
    }
}
