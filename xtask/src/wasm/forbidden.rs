//! What may not get into the core's dependency tree, and why.

use super::Features;
use super::tree::Package;

const RUNTIME: &str = "an async runtime: the host brings one";
const NETWORK: &str = "network access: the host reads and writes";
const FILES: &str = "file access: the host reads and writes";
const THREADS: &str = "threads: wasm32 has none";
const CLOCK: &str = "a clock: time comes in as an argument";
const RANDOM: &str = "randomness: ids come in as arguments";
const JAVASCRIPT: &str = "JavaScript's clock and randomness: the core must run in any host";
const SYSTEM: &str = "the operating system: wasm32-unknown-unknown has none";

/// Crates that may not be there, with any features.
///
/// `const-random` is not among them, though arrow has it by way of `ahash`: the crate is a macro,
/// which draws a number while compiling, and the code that it leaves behind draws none.
const CRATES: &[(&str, &str)] = &[
    ("tokio", RUNTIME),
    ("tokio-util", RUNTIME),
    ("mio", RUNTIME),
    ("async-std", RUNTIME),
    ("async-io", RUNTIME),
    ("smol", RUNTIME),
    ("socket2", NETWORK),
    ("hyper", NETWORK),
    ("h2", NETWORK),
    ("reqwest", NETWORK),
    ("ureq", NETWORK),
    ("rustls", NETWORK),
    ("native-tls", NETWORK),
    ("openssl", NETWORK),
    ("object_store", NETWORK),
    ("tempfile", FILES),
    ("walkdir", FILES),
    ("memmap2", FILES),
    ("rayon", THREADS),
    ("crossbeam-channel", THREADS),
    ("parking_lot", THREADS),
    ("num_cpus", THREADS),
    ("web-time", CLOCK),
    ("instant", CLOCK),
    ("quanta", CLOCK),
    ("iana-time-zone", CLOCK),
    ("getrandom", RANDOM),
    ("rand", RANDOM),
    ("rand_core", RANDOM),
    ("rand_chacha", RANDOM),
    ("fastrand", RANDOM),
    ("nanorand", RANDOM),
    ("oorandom", RANDOM),
    ("wasm-bindgen", JAVASCRIPT),
    ("js-sys", JAVASCRIPT),
    ("web-sys", JAVASCRIPT),
    ("libc", SYSTEM),
    ("rustix", SYSTEM),
    ("windows-sys", SYSTEM),
    ("cc", SYSTEM),
];

/// A feature that may not be on.
struct Feature {
    package: &'static str,
    feature: &'static str,
    why: &'static str,
    /// Whether another crate asks for it in the core with default features, where it must be suffered.
    comes_with_defaults: bool,
}

const FEATURES: &[Feature] = &[
    // The arrow crates and parquet always ask for chrono's clock and do not read it. Without them
    // it must be off, so the core does not ask for it; and its source may not call `Utc::now`.
    feature("chrono", "clock", CLOCK).comes_with_defaults(),
    feature("chrono", "now", CLOCK).comes_with_defaults(),
    feature("chrono", "wasmbind", JAVASCRIPT),
    feature("ahash", "runtime-rng", RANDOM),
    feature("uuid", "v1", CLOCK),
    feature("uuid", "v4", RANDOM),
    feature("uuid", "v6", CLOCK),
    feature("uuid", "v7", CLOCK),
    feature("uuid", "js", JAVASCRIPT),
];

const fn feature(package: &'static str, feature: &'static str, why: &'static str) -> Feature {
    Feature { package, feature, why, comes_with_defaults: false }
}

impl Feature {
    const fn comes_with_defaults(mut self) -> Self {
        self.comes_with_defaults = true;
        self
    }

    fn is_on(&self, package: &Package<'_>) -> bool {
        package.name == self.package && package.features.contains(&self.feature)
    }
}

/// A line for every forbidden thing in the tree, with the path that leads to it first.
pub(super) fn offences(packages: &[Package<'_>], features: Features) -> Vec<String> {
    let crates = CRATES.iter().filter_map(|(name, why)| {
        let package = packages.iter().find(|package| package.name == *name)?;
        Some(format!("  {} ({why})", package.path))
    });
    let is_suffered = |rule: &Feature| rule.comes_with_defaults && features == Features::Default;
    let on = FEATURES.iter().filter(|rule| !is_suffered(rule)).filter_map(|rule| {
        let package = packages.iter().find(|package| rule.is_on(package))?;
        Some(format!("  {}, feature `{}` ({})", package.path, rule.feature, rule.why))
    });
    crates.chain(on).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;
    use crate::tools::Result;

    const GOOD: &str = "\
0|deltalakedb-core v0.1.0|default,parquet
1|arrow-array v59.3.2|
2|ahash v0.8.12|compile-time-rng,const-random
3|const-random v0.1.18|
2|chrono v0.4.45|alloc,clock,now,std
1|uuid v1.29.1|std
";

    #[test]
    fn arrow_is_suffered() -> Result<()> {
        assert_eq!(offences(&parse(GOOD)?, Features::Default), [""; 0]);
        Ok(())
    }

    #[test]
    fn a_clock_of_our_own_is_not() -> Result<()> {
        let tree = "0|deltalakedb-core v0.1.0|\n1|chrono v0.4.45|clock,std\n";
        assert_eq!(
            offences(&parse(tree)?, Features::None),
            ["  deltalakedb-core -> chrono v0.4.45, feature `clock` (a clock: time comes in as an argument)"]
        );
        Ok(())
    }

    #[test]
    fn every_bad_package_is_named_with_its_path() -> Result<()> {
        let bad = format!(
            "{GOOD}1|uuid v1.29.1|std,v4\n2|getrandom v0.4.3|std\n1|object_store v0.13.2|fs\n2|tokio v1.54.0|fs,net\n"
        );
        assert_eq!(
            offences(&parse(&bad)?, Features::Default),
            [
                "  deltalakedb-core -> object_store v0.13.2 -> tokio v1.54.0 (an async runtime: the host brings one)",
                "  deltalakedb-core -> object_store v0.13.2 (network access: the host reads and writes)",
                "  deltalakedb-core -> uuid v1.29.1 -> getrandom v0.4.3 (randomness: ids come in as arguments)",
                "  deltalakedb-core -> uuid v1.29.1, feature `v4` (randomness: ids come in as arguments)",
            ]
        );
        Ok(())
    }
}
