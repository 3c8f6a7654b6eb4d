//! Paths that name files well, but that no commit brings in: other spellings of a path, and files of other folders.
//! Tables have such paths nevertheless, by import, and keep them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::Error;
use crate::action::DeletionVector;
use crate::catalog::quoted;

use super::path::{Place, place};

/// Of file systems and object stores. What is read from elsewhere is not a table's.
const SCHEMES: &[&str] = &[
    "abfs", "abfss", "adl", "alluxio", "az", "azure", "cos", "cosn", "dbfs", "file", "gs", "hdfs", "lakefs", "maprfs",
    "memory", "o3fs", "obs", "oci", "ofs", "oss", "r2", "s3", "s3a", "s3n", "swift", "tos", "viewfs", "wasb", "wasbs",
    "webhdfs",
];

/// Makes a table whose files are those of another one (Delta-Spark's name).
const CLONE: &str = "CLONE";

/// Why a path that is well formed may not come into a table at `location` by a commit of this operation; `None` when it
/// may.
pub(in crate::commit) fn unusual_path(path: &str, location: &str, operation: &str) -> Option<Error> {
    let unusual =
        |what: &str, hint: String| Some(Error::invalid(format!("the path {} {what}", quoted(path))).hint(hint));
    if place(path).ok()? == Place::InTable {
        let plain = plain_spelling(path);
        return match plain == path {
            true => None,
            false => unusual("is an odd spelling of another one", format!("write {}", quoted(&plain))),
        };
    }
    if let Some(inside) = below(path, location) {
        return unusual("is in the table's own folder", format!("write it relative to that: {}", quoted(&inside)));
    }
    if !has_known_scheme(path) {
        return unusual("is in no file system and no object store", "a scheme is known such as file, s3, gs".into());
    }
    if operation == CLONE {
        return None;
    }
    unusual(
        "leads out of the table",
        "copy the file into the table's folder; only a commit with the operation CLONE brings in files of other tables"
            .into(),
    )
}

/// Likewise for the file of a deletion vector: it has another id by every spelling, so its own folder is as good as any.
pub(in crate::commit) fn unusual_vector(vector: &DeletionVector, location: &str, operation: &str) -> Option<Error> {
    let path = &vector.path_or_inline_dv;
    if vector.storage_type != "p" || operation == CLONE || below(path, location).is_some() {
        return None;
    }
    Some(Error::invalid(format!("the deletion vector at {} leads out of the table", quoted(path))).hint(
        "write it into the table's folder (`storageType` u); only a commit with the operation CLONE brings in vectors of \
         other tables",
    ))
}

/// Whether an absolute path is in a file system or an object store.
pub(super) fn has_known_scheme(path: &str) -> bool {
    let scheme = path.split(':').next().unwrap_or_default();
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

/// The path of a file in the table's folder as engines write it: no `.` and no empty segments, no letters, digits, `-`,
/// `.`, `_`, `=` or `/` escaped, the digits of escapes in upper case. `./` stays where a `:` is in the first segment, which would
/// be taken for a scheme otherwise.
pub(super) fn plain_spelling(path: &str) -> Cow<'_, str> {
    if !["%", "//", "./"].iter().any(|odd| path.contains(odd)) {
        return path.into();
    }
    let path = plain_escapes(path);
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty() && *segment != ".").collect();
    let plain = segments.join("/");
    if segments.first().is_some_and(|first| first.contains(':')) { format!("./{plain}").into() } else { plain.into() }
}

fn plain_escapes(path: &str) -> String {
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Checked before: two digits follow.
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        match u8::from_str_radix(digits, 16).map(char::from) {
            Ok(c) if c.is_ascii_alphanumeric() || ['-', '.', '_', '=', '/'].contains(&c) => plain.push(c),
            _ => plain.extend(['%'].into_iter().chain(digits.to_ascii_uppercase().chars())),
        }
        plain.push_str(rest);
    }
    plain
}

/// The part of an absolute path below a folder.
fn below(path: &str, folder: &str) -> Option<String> {
    let (path_parts, folder_parts) = (parts(path), parts(folder));
    let rest = path_parts.strip_prefix(folder_parts.as_slice())?;
    // As it was written, but for the folder.
    let written: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty() && *segment != ".").collect();
    (!rest.is_empty()).then(|| plain_spelling(&written[written.len() - rest.len()..].join("/")).into_owned())
}

/// Scheme, host and segments, decoded. `file:/a`, `file:///a` and `file://localhost/a` are one, and so are S3's schemes.
fn parts(uri: &str) -> Vec<String> {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    let scheme = scheme.to_ascii_lowercase();
    let rest = if scheme == "file" { rest.strip_prefix("//localhost/").unwrap_or(rest) } else { rest };
    let scheme = if ["s3a", "s3n"].contains(&scheme.as_str()) { "s3".to_owned() } else { scheme };
    let segments = rest.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
    let decoded = segments.map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned());
    [scheme].into_iter().chain(decoded).collect()
}

#[cfg(test)]
mod tests {
    use super::unusual_path;

    const FOLDER: &str = "file:///data/a%20table";

    fn wrong(path: &str, folder: &str, operation: &str) -> Option<(String, String)> {
        let error = unusual_path(path, folder, operation)?;
        Some((error.to_string(), error.hint_text().unwrap_or_default().to_owned()))
    }

    #[test]
    fn paths_as_engines_write_them() {
        for path in [
            "part-0.parquet",
            "day=2024-01-01%2000%253A00%253A00/part-0.parquet",
            "p=na%C3%AFve%20日本語😀/a+b&c,d;e=f@g$h!(i)*'j~k.parquet",
            "p=%25C3/%7E.c000.snappy.parquet",
            "p=a..b/...parquet",
            "./a:b/part-0.parquet",
            "p=http:/x",
        ] {
            assert_eq!(wrong(path, FOLDER, "WRITE"), None, "{path}");
        }
        assert_eq!(wrong("s3://bucket/other/a", FOLDER, "CLONE"), None);
        assert_eq!(wrong("file:/data/a%20table2/a", FOLDER, "CLONE"), None);
    }

    #[test]
    fn other_spellings() {
        for (path, plain) in [
            ("./a", "a"),
            ("././d/a", "d/a"),
            ("d//a", "d/a"),
            ("d/./a", "d/a"),
            ("%61", "a"),
            ("d/%2E/a", "d/a"),
            ("p=%c3%a9/%5F", "p=%C3%A9/_"),
            ("p%3D1%2Fa", "p=1/a"),
            (".//a:b", "./a:b"),
        ] {
            let (what, hint) = wrong(path, FOLDER, "CLONE").expect(path);
            assert!(what.contains("odd spelling"), "{path}: {what}");
            assert_eq!(hint, format!("write `{plain}`"), "{path}");
        }
    }

    #[test]
    fn paths_in_the_folder() {
        let s3 = "s3://bucket/t";
        for (path, folder, inside) in [
            ("file:/data/a%20table/d/x%20y", FOLDER, "d/x%20y"),
            ("file:///data/a%20table/d/a", FOLDER, "d/a"),
            ("FILE://localhost/data//a%20table/%61", FOLDER, "a"),
            ("s3a://bucket/t/a", s3, "a"),
        ] {
            let (what, hint) = wrong(path, folder, "CLONE").expect(path);
            assert!(what.contains("own folder") && hint.ends_with(&format!(": `{inside}`")), "{path}: {what} {hint}");
        }
    }

    #[test]
    fn paths_of_other_folders() {
        for path in ["file:///etc/passwd", "s3://other/x", "file:///data/a%20table2/x"] {
            let (what, hint) = wrong(path, FOLDER, "WRITE").expect(path);
            assert!(what.contains("leads out") && hint.contains("CLONE"), "{path}: {what}");
        }
        for path in ["http://evil/x", "javascript:/x", "ab://"] {
            assert!(wrong(path, FOLDER, "CLONE").expect(path).0.contains("no file system"), "{path}");
        }
    }
}
