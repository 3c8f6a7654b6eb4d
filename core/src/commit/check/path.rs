//! The paths of files (protocol section "Add File and Remove File"): URIs by RFC 2396, relative to the table's folder
//! or absolute.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::catalog::quoted;
use crate::{Error, Result};

/// Names in object stores have 1,024 bytes at the most; percent-encoding twice makes five of one.
const MAX_LENGTH: usize = 8 * 1024;

/// What a URI must percent-encode, besides control characters and white space.
const NOT_IN_URIS: &[char] = &['"', '<', '>', '\\', '^', '`', '{', '|', '}', '[', ']', '#'];

const LOG_FOLDER: &str = "_delta_log";

/// Where a URI leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the table's folder.
    InTable,
    /// Elsewhere: it has a scheme.
    Absolute,
}

/// Checks the path of a file that a commit brings in: a URI that cannot lead out of the table's folder by `..`, nor
/// into its log.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), with what is wrong and how it would be right.
pub(super) fn check_path(path: &str) -> Result<Place> {
    check_length(path)?;
    let place = place(path)?;
    check_characters(path, place)?;
    check_escapes(path)?;
    let decoded = decode(path);
    if decoded.contains('\0') {
        return Err(Error::invalid(format!("the path {} has a NUL character", quoted(path)))
            .hint("take another name for the file"));
    }
    if decoded.ends_with('/') || decoded == "." || decoded.ends_with("/.") {
        return Err(
            Error::invalid(format!("the path {} names a folder, not a file", quoted(path))).hint("name the file in it")
        );
    }
    if place == Place::InTable && (decoded.starts_with(['/', '\\']) || has_scheme(&decoded)) {
        return Err(Error::invalid(format!("the path {} leads out of the table once it is decoded", quoted(path)))
            .hint("escape what is part of a name, not the parts of a URI"));
    }
    check_segments(path, &decoded)?;
    Ok(place)
}

/// Whether a path begins as in `s3://` or `file:/`.
fn has_scheme(path: &str) -> bool {
    path.split_once(":/").is_some_and(|(scheme, _)| is_scheme(scheme))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&c))
}

pub(super) fn check_length(path: &str) -> Result<()> {
    if path.is_empty() {
        return Err(
            Error::invalid("a file action has an empty path").hint("write the file's path below the table's folder")
        );
    }
    if path.len() > MAX_LENGTH {
        let start: String = path.chars().take(40).collect();
        return Err(Error::invalid(format!(
            "the path that begins with {} has {} bytes; {MAX_LENGTH} are the limit",
            quoted(&start),
            path.len()
        ))
        .hint("take a shorter name"));
    }
    Ok(())
}

fn decode(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// Whether a path is relative or absolute.
pub(super) fn place(path: &str) -> Result<Place> {
    if path.starts_with('/') {
        return Err(Error::invalid(format!(
            "the path {} begins with `/`, which leads out of the table to a file system that it does not name",
            quoted(path)
        ))
        .hint("write a path relative to the table's folder, or a whole URI: file:///..., s3://..."));
    }
    let first = path.split('/').next().unwrap_or_default();
    let Some((scheme, _)) = first.split_once(':') else {
        return Ok(Place::InTable);
    };
    if scheme.len() < 2 || !is_scheme(scheme) || !path[scheme.len() + 1..].starts_with('/') {
        return Err(Error::invalid(format!("the path {} is neither relative nor an absolute URI", quoted(path)))
            .hint("an absolute one begins as in s3://bucket/ or file:///; elsewhere write `:` as %3A"));
    }
    Ok(Place::Absolute)
}

fn check_characters(path: &str, place: Place) -> Result<()> {
    let is_wrong = |c: char| {
        c.is_control() || c.is_whitespace() || NOT_IN_URIS.contains(&c) || (c == '?' && place == Place::InTable)
    };
    let Some(wrong) = path.chars().find(|c| is_wrong(*c)) else {
        return Ok(());
    };
    let mut bytes = [0; 4];
    let escaped: String = wrong.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect();
    Err(Error::invalid(format!("the path {} is no URI: it has {wrong:?}", quoted(path)))
        .hint(format!("percent-encode it: {escaped}")))
}

fn check_escapes(path: &str) -> Result<()> {
    let mut parts = path.split('%');
    parts.next();
    let is_escape = |part: &str| part.len() > 1 && part.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    if parts.any(|part| !is_escape(part)) {
        return Err(Error::invalid(format!(
            "the path {} is no URI: a `%` is not followed by two digits",
            quoted(path)
        ))
        .hint("write a percent sign in a file's name as %25"));
    }
    if percent_decode_str(path).decode_utf8().is_err() {
        return Err(Error::invalid(format!("the percent escapes of the path {} are no UTF-8", quoted(path)))
            .hint("escape the bytes of the name in UTF-8: é is %C3%A9"));
    }
    Ok(())
}

fn check_segments(path: &str, decoded: &str) -> Result<()> {
    for segment in decoded.split(['/', '\\']) {
        // Some readers decode twice.
        if segment == ".." || decode(segment) == ".." {
            return Err(Error::invalid(format!("the path {} may lead out of the table: it has `..`", quoted(path)))
                .hint("write the path that it stands for"));
        }
        if segment.eq_ignore_ascii_case(LOG_FOLDER) {
            return Err(Error::invalid(format!(
                "the path {} is in {LOG_FOLDER}, which holds the log and no data",
                quoted(path)
            ))
            .hint("write the file beside that folder"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Place, check_path};

    #[test]
    fn paths_as_engines_write_them() {
        for path in [
            "part-0.parquet",
            "p=a%20b/part-0.parquet",
            "p=a%252Fb/d=2024-01-01%2000%253A00%253A00/part-0.parquet",
            "p=a%252F..%252Fb/part-0.parquet",
            "p=../part-0.parquet",
            "p=naïve%20日本語😀/a+b&c,d;e=f@g$h!(i)*'j~k.parquet",
            "a//b..c/...parquet",
            "./a:b/part-0.parquet",
            "p=x%3Ay/part-0.parquet",
            "_change_data/cdc-0.parquet",
            "%25file",
        ] {
            assert_eq!(check_path(path).map_err(|error| error.to_string()), Ok(Place::InTable), "{path}");
        }
        for path in ["s3://bucket/a%20b/c", "file:/data/t", "file:///data/t", "abfss://c@a.dfs.core.windows.net/t?s=1"]
        {
            assert_eq!(check_path(path).map_err(|error| error.to_string()), Ok(Place::Absolute), "{path}");
        }
    }

    #[test]
    fn hostile_paths() {
        let long = "a".repeat(9000);
        for (path, wrong) in [
            ("", "empty"),
            (long.as_str(), "limit"),
            ("../a", "`..`"),
            ("a/../../b", "`..`"),
            ("a/..", "`..`"),
            ("%2e%2e/a", "`..`"),
            ("%2E./a", "`..`"),
            (".%2e/a", "`..`"),
            ("a%2f..%2fb", "`..`"),
            ("..%5ca", "`..`"),
            ("%252e%252e/a", "`..`"),
            ("s3://bucket/t/../../x", "`..`"),
            ("..\\a", "no URI"),
            ("/etc/passwd", "begins with `/`"),
            ("//host/share", "begins with `/`"),
            ("%2Fetc/passwd", "once it is decoded"),
            ("%5c%5chost/share", "once it is decoded"),
            ("file%3A///etc/passwd", "once it is decoded"),
            ("s3%3a%2f%2fbucket/a", "once it is decoded"),
            ("C:/data", "neither"),
            ("c:a", "neither"),
            ("data:text", "neither"),
            ("1s3://b/a", "neither"),
            ("a:b/c", "neither"),
            ("a b", "no URI"),
            ("a\nb", "no URI"),
            ("a\0", "no URI"),
            ("a\u{a0}b", "no URI"),
            ("a?b", "no URI"),
            ("a#b", "no URI"),
            ("a%zz", "no URI"),
            ("a%2", "no URI"),
            ("a%é", "no URI"),
            ("a%ff", "UTF-8"),
            ("a%00b", "NUL"),
            ("a/", "folder"),
            (".", "folder"),
            ("a/%2e", "folder"),
            ("_delta_log/0.json", "_delta_log"),
            ("./_delta_log/0.json", "_delta_log"),
            ("%5Fdelta_log/0.json", "_delta_log"),
            ("s3://bucket/t/_delta_log/a", "_delta_log"),
        ] {
            let error = check_path(path).map_err(|error| error.to_string()).expect_err(path);
            assert!(error.contains(wrong), "{path}: {error}");
        }
    }
}
