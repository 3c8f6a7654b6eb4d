//! Paths of a log that lies elsewhere than its table: they lead to the files where these are.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::action::{Action, DeletionVector, z85};
use crate::catalog::quoted;
use crate::{Error, Result};

/// Characters of a UUID in Z85.
const UUID_LENGTH: usize = 20;

/// Writes the relative paths of a file action as URLs in the table's folder `location`, itself an URL without a slash at its
/// end. Paths in actions are percent-encoded already (protocol section "Add File and Remove File"), so they stay as they
/// are behind it; a deletion vector that is named by its UUID (`u`) becomes one with a path (`p`).
///
/// ```
/// use deltalakedb_core::action::parse_line;
/// use deltalakedb_core::mirror::absolute_paths;
/// let mut action = parse_line(r#"{"remove":{"path":"day=1%2F2/a%20b.parquet","dataChange":true}}"#)?.remove(0);
/// absolute_paths(&mut action, "s3://bucket/events")?;
/// assert!(action.to_json().contains("s3://bucket/events/day=1%2F2/a%20b.parquet"));
/// # Ok::<(), deltalakedb_core::Error>(())
/// ```
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) when a deletion vector has no UUID.
pub fn absolute_paths(action: &mut Action, location: &str) -> Result<()> {
    match action {
        Action::Add(add) => {
            to_absolute(&mut add.path, location);
            add.deletion_vector.as_mut().map_or(Ok(()), |vector| vector_to_absolute(vector, location))
        }
        Action::Remove(remove) => {
            to_absolute(&mut remove.path, location);
            remove.deletion_vector.as_mut().map_or(Ok(()), |vector| vector_to_absolute(vector, location))
        }
        Action::Cdc(cdc) => {
            to_absolute(&mut cdc.path, location);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn to_absolute(path: &mut String, location: &str) {
    if !is_absolute(path) {
        *path = format!("{location}/{path}");
    }
}

/// Whether a path begins with a slash, or with a scheme and a slash. A first part such as `a:b` is a file's name.
fn is_absolute(path: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    path.starts_with('/')
        || path.split_once(':').is_some_and(|(scheme, rest)| rest.starts_with('/') && is_scheme(scheme))
}

fn vector_to_absolute(vector: &mut DeletionVector, location: &str) -> Result<()> {
    if vector.storage_type != "u" {
        return Ok(());
    }
    let text = &vector.path_or_inline_dv;
    let (folder, uuid) = vector_file(text).ok_or_else(|| {
        Error::corrupt(format!("the deletion vector's file {} does not end in a UUID", quoted(text)))
            .hint("a vector in a file of the table has one, of 20 characters in Z85")
    })?;
    vector.path_or_inline_dv = format!("{location}/{folder}deletion_vector_{uuid}.bin");
    vector.storage_type = "p".to_owned();
    Ok(())
}

/// The folder, with a slash, and the UUID of the file that a vector is in (protocol section "Derived Fields").
fn vector_file(text: &str) -> Option<(Cow<'_, str>, Uuid)> {
    let (prefix, uuid) = text.split_at_checked(text.len().checked_sub(UUID_LENGTH)?)?;
    let uuid = Uuid::from_slice(&z85::decode(uuid)?).ok()?;
    let folder = match prefix {
        "" => Cow::Borrowed(""),
        prefix => Cow::Owned(format!("{}/", utf8_percent_encode(prefix, NON_ALPHANUMERIC))),
    };
    Some((folder, uuid))
}

#[cfg(test)]
mod tests {
    use super::absolute_paths;
    use crate::ErrorKind;
    use crate::action::{Action, parse_line};

    const LOCATION: &str = "file:///data/a%20table";

    fn made(action: &str) -> crate::Result<String> {
        let mut action = parse_line(action)?.remove(0);
        absolute_paths(&mut action, LOCATION)?;
        Ok(match action {
            Action::Add(add) => match add.deletion_vector {
                Some(vector) => format!("{} {}", vector.storage_type, vector.path_or_inline_dv),
                None => add.path,
            },
            Action::Cdc(cdc) => cdc.path,
            other => other.to_json(),
        })
    }

    fn add(path: &str) -> String {
        format!(
            r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":1,"modificationTime":1,"dataChange":true}}}}"#
        )
    }

    fn vector(storage_type: &str, text: &str) -> String {
        let vector = format!(
            r#""deletionVector":{{"storageType":"{storage_type}","pathOrInlineDv":"{text}","offset":1,"sizeInBytes":4,"cardinality":1}},"#
        );
        add("a").replace(r#""size""#, &(vector + r#""size""#))
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            ("a.parquet", "file:///data/a%20table/a.parquet"),
            ("d=%2520x/b%20c", "file:///data/a%20table/d=%2520x/b%20c"),
            ("a:b", "file:///data/a%20table/a:b"),
            ("t=1:/a", "file:///data/a%20table/t=1:/a"),
            ("s3://bucket/x", "s3://bucket/x"),
            ("file:/x", "file:/x"),
            ("/x/y", "/x/y"),
        ] {
            assert_eq!(made(&add(path)).unwrap(), expected);
        }
        let cdc = r#"{"cdc":{"path":"_change_data/a","partitionValues":{},"size":1,"dataChange":false}}"#;
        assert_eq!(made(cdc).unwrap(), "file:///data/a%20table/_change_data/a");
    }

    /// The example of the protocol.
    #[test]
    fn vectors() {
        let file = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
        assert_eq!(made(&vector("u", "ab^-aqEH.-t@S}K{vb[*k^")).unwrap(), format!("p {LOCATION}/ab/{file}"));
        assert_eq!(made(&vector("u", "^-aqEH.-t@S}K{vb[*k^")).unwrap(), format!("p {LOCATION}/{file}"));
        assert_eq!(made(&vector("p", "s3://b/x.bin")).unwrap(), "p s3://b/x.bin");
        assert_eq!(made(&vector("i", "wi5b=")).unwrap(), "i wi5b=");
        for text in ["", "short", "é^-aqEH.-t@S}K{vb[*k", "^-aqEH.-t@S}K{vb[*k~"] {
            assert_eq!(made(&vector("u", text)).unwrap_err().kind(), ErrorKind::Corrupt, "{text}");
        }
    }
}
