//! What the core's own source may not name: the standard library has a clock and files on every
//! target, where they compile for wasm32 and fail when they run.

use std::fs;
use std::path::{Path, PathBuf};

use super::tokens::{Token, tokens};
use crate::tools::{Failure, Result, at};

/// Words and paths that may not occur, and why. Code under `#[cfg(test)]` is free.
const NAMES: &[(&[&str], &str)] = &[
    (&["SystemTime"], "a clock"),
    (&["time", "::", "Instant"], "a clock"),
    (&["Instant", "::", "now"], "a clock"),
    (&["Utc", "::", "now"], "a clock"),
    (&["Local", "::", "now"], "a clock"),
    (&["Uuid", "::", "now_v7"], "a clock"),
    (&["Uuid", "::", "new_v4"], "randomness"),
    (&["RandomState"], "randomness"),
    (&["rand", "::"], "randomness"),
    (&["std", "::", "fs"], "file access"),
    (&["std", "::", "net"], "network access"),
    (&["std", "::", "thread"], "threads"),
    (&["std", "::", "process"], "other processes"),
    (&["std", "::", "env"], "the environment"),
];

/// Refuses a folder of source that names one of them.
pub(super) fn check(dir: &Path) -> Result<()> {
    let mut offences = Vec::new();
    for file in rust_files(dir)? {
        let source = fs::read_to_string(&file).map_err(at("reading", &file))?;
        for (line, found) in offences_in(&source) {
            offences.push(format!("  {}:{line}: {found}", file.display()));
        }
    }
    if offences.is_empty() {
        return Ok(());
    }
    Err(Failure::new("checking that the core stays pure", format!("its source names\n{}", offences.join("\n")))
        .hint("take the value as an argument, or do that work in native/"))
}

/// The line and description of each forbidden name.
fn offences_in(source: &str) -> Vec<(usize, String)> {
    let tokens = with_groups_spelt_out(&tokens(source));
    let begins_with = |rest: &[Token<'_>], name: &[&str]| {
        rest.len() >= name.len() && rest.iter().zip(name).all(|(token, word)| token.text == *word)
    };
    let mut offences = Vec::new();
    for start in 0..tokens.len() {
        for (name, what) in NAMES.iter().filter(|(name, _)| begins_with(&tokens[start..], name)) {
            offences.push((tokens[start].line, format!("`{}` ({what})", name.concat())));
        }
    }
    offences
}

/// Adds `std::fs` and `std::net` for `std::{fs, net::TcpStream}`.
fn with_groups_spelt_out<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut spelt_out = tokens.to_vec();
    for start in 0..tokens.len() {
        let is_group = ["std", "::", "{"];
        let is_group = tokens.len() - start > is_group.len()
            && tokens[start..].iter().zip(is_group).all(|(token, word)| token.text == word);
        if !is_group {
            continue;
        }
        let mut depth = 0;
        for (token, member) in tokens[start + 2..].iter().zip(&tokens[start + 3..]) {
            match token.text {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && matches!(token.text, "{" | ",") {
                let line = member.line;
                let prefix = ["std", "::"].map(|text| Token { text, line });
                spelt_out.extend(prefix.into_iter().chain([*member]));
            }
        }
    }
    spelt_out
}

/// The Rust files under a folder, without those that hold tests alone.
fn rust_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(at("listing", dir))? {
        let path = entry.map_err(at("listing", dir))?.path();
        let stem = path.file_stem().unwrap_or_default();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::offences_in;

    fn found(source: &str) -> Vec<String> {
        offences_in(source).into_iter().map(|(line, found)| format!("{line}: {found}")).collect()
    }

    #[test]
    fn forbidden_names_are_found_in_every_spelling() {
        assert_eq!(found("\nstd::time::SystemTime::now()"), ["2: `SystemTime` (a clock)"]);
        assert_eq!(found("let t = chrono::Utc::now();"), ["1: `Utc::now` (a clock)"]);
        assert_eq!(found("use std :: fs;"), ["1: `std::fs` (file access)"]);
        assert_eq!(
            found("use std::{\n    fmt,\n    net::{TcpStream, fs},\n    thread,\n};"),
            ["3: `std::net` (network access)", "4: `std::thread` (threads)"]
        );
    }

    #[test]
    fn pure_source_passes() {
        let source = "
            //! Reads no std::fs, asks no SystemTime.
            use std::{collections::BTreeMap, fmt};
            const NAME: &str = \"rand::random\";
            fn f(now_ms: i64, operand: u8) -> std::time::Duration { g() }
            #[cfg(test)]
            mod tests { use std::fs; }
        ";
        assert!(found(source).is_empty(), "{:?}", found(source));
    }
}
