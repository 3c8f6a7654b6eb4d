//! One file, several spellings: what a URI must escape and what it may.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use twox_hash::XxHash3_64;

use crate::action::Action;
use crate::catalog::quoted;
use crate::{Error, Result};

use super::path::{Place, place};
use super::unusual_path::plain_spelling;

/// A file has one spelling in a commit: under two it would be read twice, or a tombstone would take a live file away.
pub(super) fn check_spellings(actions: &[Action]) -> Result<()> {
    if actions.len() < 2 {
        return Ok(());
    }
    let mut spellings = Spellings::default();
    actions.chunks(1).try_for_each(|action| {
        spellings.check(action)?;
        spellings.insert(action);
        Ok(())
    })
}

/// The spellings of the files that a commit names: sixteen bytes a file.
#[derive(Clone, Debug, Default)]
pub(in crate::commit) struct Spellings(HashMap<u64, u64>);

impl Spellings {
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when one of the files has another spelling already.
    pub(in crate::commit) fn check(&self, actions: &[Action]) -> Result<()> {
        for path in actions.iter().filter_map(named_path) {
            let (plain, hash) = hashes(path);
            if self.0.get(&plain).is_some_and(|known| *known != hash) {
                return Err(Error::invalid(format!(
                    "the path {} is one file with another spelling of it",
                    quoted(path)
                ))
                .path(path)
                .hint("spell a file as in its first `add`; `dl files` shows it"));
            }
        }
        Ok(())
    }

    /// Takes in more actions.
    pub(in crate::commit) fn insert(&mut self, actions: &[Action]) {
        self.0.extend(actions.iter().filter_map(named_path).map(hashes));
    }
}

fn named_path(action: &Action) -> Option<&str> {
    match action {
        Action::Add(add) => Some(&add.path),
        Action::Remove(remove) => Some(&remove.path),
        _ => None,
    }
}

/// Of the path as it would be spelled plainly, and as it is.
fn hashes(path: &str) -> (u64, u64) {
    (XxHash3_64::oneshot(spelled_plainly(path).as_bytes()), XxHash3_64::oneshot(path.as_bytes()))
}

/// The file that a path names, however it is spelled.
fn spelled_plainly(path: &str) -> String {
    // A character a byte: not all are UTF-8.
    let mut decoded: String = percent_decode_str(path).map(char::from).collect();
    if let Some(rest) = ["s3a:", "s3n:"].iter().find_map(|scheme| decoded.strip_prefix(scheme)) {
        decoded = format!("s3:{rest}");
    }
    let mut plain = decoded.as_str();
    while let Some(rest) = plain.strip_prefix("./") {
        plain = rest.trim_start_matches('/');
    }
    let mut plain = plain.replace("/./", "/");
    while plain.contains("//") {
        plain = plain.replace("//", "/");
    }
    plain
}

/// What engines escape of the bytes that are free.
const ENGINES: [fn(u8) -> bool; 4] = [
    // Java's URI: Spark, Trino.
    |_| false,
    // Rust's Url, JavaScript's encodeURI.
    |byte| !byte.is_ascii(),
    // Rust's object_store: delta-rs.
    |byte| !byte.is_ascii() || b"*~".contains(&byte),
    // Python's quote.
    |byte| byte != b'~',
];

/// Whether some engines escape a byte in a URI, and others write it as it is. None escapes a `=`.
fn is_free(byte: u8) -> bool {
    !byte.is_ascii() || b"!$&'()*+,:;@~".contains(&byte)
}

/// The other spellings that engines have for the file of a path: none for most paths. An import may have brought in one
/// that no engine has, which is not among them.
pub(in crate::commit) fn other_spellings(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (scheme, rest) = match place(path) {
        Ok(Place::InTable) => ("", plain_spelling(path)),
        Ok(Place::Absolute) => path.split_once(':').map_or(("", path.into()), |(scheme, rest)| (scheme, rest.into())),
        Err(_) => return found,
    };
    let written = rest.strip_prefix("./").unwrap_or(&rest);
    if percent_decode_str(written).any(is_free) {
        found.extend(ENGINES.iter().filter_map(|is_escaped| spelled(scheme, written, is_escaped)));
        found.sort();
        found.dedup();
    } else if scheme.is_empty() && rest != path {
        found.push(rest.into_owned());
    }
    found.retain(|spelling| spelling != path);
    found
}

/// A path, after its scheme, with its free bytes escaped, or not.
fn spelled(scheme: &str, written: &str, is_escaped: impl Fn(u8) -> bool) -> Option<String> {
    let mut spelling = Vec::with_capacity(written.len());
    let mut left = written.as_bytes();
    while let Some((&first, mut rest)) = left.split_first() {
        let escaped = rest.get(..2).filter(|_| first == b'%').and_then(hex);
        if escaped.is_some() {
            rest = &rest[2..];
        }
        let byte = escaped.unwrap_or(first);
        let is_escaped = if is_free(byte) { is_escaped(byte) } else { escaped.is_some() };
        match is_escaped {
            true => spelling.extend(format!("%{byte:02X}").bytes()),
            false => spelling.push(byte),
        }
        left = rest;
    }
    let spelling = String::from_utf8(spelling).ok()?;
    Some(match scheme {
        // It would be taken for a scheme.
        "" if spelling.split('/').next().is_some_and(|first| first.contains(':')) => format!("./{spelling}"),
        "" => spelling,
        _ => format!("{scheme}:{spelling}"),
    })
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{other_spellings, spelled_plainly};

    #[test]
    fn most_paths_have_one_spelling() {
        for path in ["part-0.c000.snappy.parquet", "p=1/q=a%20b/part-0.parquet", "p=a%252Fb/_0", "file:/data/t/a%20b"] {
            assert_eq!(other_spellings(path), [""; 0], "{path}");
        }
    }

    #[test]
    fn spellings_of_engines() {
        for (path, others) in [
            ("p=é/a", &["p=%C3%A9/a"][..]),
            ("p=%C3%A9/a", &["p=é/a"]),
            ("p=a+b/a", &["p=a%2Bb/a"]),
            ("a~b", &["a%7Eb"]),
            ("a%7Eb", &["a~b"]),
            ("p=é/a,b~", &["p=%C3%A9/a%2Cb~", "p=%C3%A9/a,b%7E", "p=%C3%A9/a,b~"]),
            ("./a:b", &["a%3Ab"]),
            ("a%3Ab", &["./a:b"]),
            ("p=%c3%a9/a", &["p=%C3%A9/a", "p=é/a"]),
            ("./odd", &["odd"]),
            ("p%3D1/a", &["p=1/a"]),
            ("s3://b/é", &["s3://b/%C3%A9"]),
        ] {
            assert_eq!(other_spellings(path), others, "{path}");
        }
    }

    #[test]
    fn spellings() {
        for path in ["a b/c", "a%20b/c", "./a%20b/c", "a%20b/./%63", "././/a b/c", "a b///c"] {
            assert_eq!(spelled_plainly(path), "a b/c", "{path}");
        }
        assert_eq!(spelled_plainly("file:///a"), spelled_plainly("file:/a"));
        assert_eq!(spelled_plainly("s3a://b/a"), spelled_plainly("s3://b/a"));
        assert_eq!(spelled_plainly("p=é/a%ff"), spelled_plainly("p=%C3%A9/a%FF"));
        assert_ne!(spelled_plainly("a%FF"), spelled_plainly("a%FE"));
    }
}
