//! What `cargo tree` prints, read back.

use crate::tools::{Failure, Result};

/// What to ask `cargo tree` for, together with `--prefix depth`.
pub(super) const FORMAT: &str = "|{p}|{f}";

/// A package in the tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    pub(super) features: Vec<&'a str>,
    /// The packages from the root down to this one, joined by arrows.
    pub(super) path: String,
}

/// Reads lines such as `2|ahash v0.8.12|compile-time-rng,const-random`.
pub(super) fn parse(listed: &str) -> Result<Vec<Package<'_>>> {
    let mut packages = Vec::new();
    let mut ancestors: Vec<&str> = Vec::new();
    for line in listed.lines().filter(|line| !line.trim().is_empty()) {
        let (depth, named, features) = fields(line).ok_or_else(|| unreadable(line))?;
        if depth > ancestors.len() {
            return Err(unreadable(line));
        }
        ancestors.truncate(depth);
        let name = named.split(' ').next().unwrap_or(named);
        // A root is named by its name alone: its version and folder say nothing here.
        ancestors.push(if depth == 0 { name } else { named });
        packages.push(Package {
            name,
            features: features.split(',').filter(|feature| !feature.is_empty()).collect(),
            path: ancestors.join(" -> "),
        });
    }
    Ok(packages)
}

fn fields(line: &str) -> Option<(usize, &str, &str)> {
    let mut fields = line.splitn(3, '|');
    let depth = fields.next()?.trim().parse().ok()?;
    Some((depth, fields.next()?, fields.next()?.trim()))
}

fn unreadable(line: &str) -> Failure {
    Failure::new("reading the dependency tree", format!("`cargo tree` printed an unexpected line: {line}"))
        .hint("this version of Cargo may print trees in another form; see xtask/src/wasm/tree.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_knows_its_path() -> Result<()> {
        let listed = "\
0|deltalakedb-core v0.1.0 (/somewhere/core)|default,parquet
1|arrow-array v59.3.2|
2|ahash v0.8.12|compile-time-rng,const-random
1|uuid v1.29.1|std
";
        let packages = parse(listed)?;
        let paths: Vec<_> = packages.iter().map(|package| package.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "deltalakedb-core",
                "deltalakedb-core -> arrow-array v59.3.2",
                "deltalakedb-core -> arrow-array v59.3.2 -> ahash v0.8.12",
                "deltalakedb-core -> uuid v1.29.1",
            ]
        );
        assert_eq!(packages[2].name, "ahash");
        assert_eq!(packages[2].features, ["compile-time-rng", "const-random"]);
        assert!(packages[1].features.is_empty());
        Ok(())
    }

    #[test]
    fn an_unknown_form_is_refused() {
        for listed in ["ahash v0.8.12", "1|ahash v0.8.12|", "0|a v1|\n2|b v1|"] {
            assert!(parse(listed).is_err(), "{listed}");
        }
    }
}
