//! Deletion vectors (protocol section "Deletion Vector Descriptor Schema").

use crate::action::{DeletionVector, z85};
use crate::catalog::quoted;
use crate::{Error, Result};

use super::path::{Place, check_path};
use super::unusual_path::has_known_scheme;

/// Characters of a UUID in Z85.
const UUID_LENGTH: usize = 20;

/// Checks the vector of an added file.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), with the field and its value.
pub(super) fn check_vector(vector: &DeletionVector) -> Result<()> {
    // The protocol's integers have 32 bits; `cardinality` is a long.
    let range = 0..=i64::from(i32::MAX);
    for (name, value) in [("offset", vector.offset.unwrap_or(0)), ("sizeInBytes", vector.size_in_bytes)] {
        if !range.contains(&value) {
            return Err(Error::invalid(format!("a deletion vector's `{name}` is {value}, which is out of range"))
                .hint(format!("it is 0 to {}", i32::MAX)));
        }
    }
    if vector.cardinality < 1 {
        return Err(Error::invalid(format!(
            "a deletion vector's `cardinality` is {}; it deletes at least one row",
            vector.cardinality
        ))
        .hint("leave `deletionVector` out of a file of which no row is deleted"));
    }
    let place = &vector.path_or_inline_dv;
    match vector.storage_type.as_str() {
        "i" => check_inline(place, vector),
        "u" => check_uuid(place),
        "p" => match check_path(place) {
            Ok(Place::Absolute) if has_known_scheme(place) => Ok(()),
            Ok(Place::Absolute) => Err(Error::invalid(format!(
                "the deletion vector at {} is in no file system and no object store",
                quoted(place)
            ))
            .hint("a scheme is known such as file, s3, gs")),
            Ok(Place::InTable) => {
                Err(Error::invalid(format!("the deletion vector at {} needs an absolute path", quoted(place)))
                    .hint("`storageType` p goes with a whole URI; u names a file of the table by its UUID"))
            }
            Err(error) => Err(error.context("reading where the deletion vector is")),
        },
        other => {
            Err(Error::invalid(format!("a deletion vector's `storageType` is {}; it may be u, i or p", quoted(other)))
                .hint("u is for a file in the table's folder, i for a vector in the action, p for an absolute path"))
        }
    }
}

fn check_inline(text: &str, vector: &DeletionVector) -> Result<()> {
    if vector.offset.is_some() {
        return Err(Error::invalid("an inline deletion vector has an `offset`; only one in a file has")
            .hint("leave `offset` out"));
    }
    let Some(size) = z85_size(text) else {
        return Err(Error::invalid(format!("the inline deletion vector {} is not Z85", quoted(text)))
            .hint("groups of five characters, each for four bytes"));
    };
    // The last group is filled up.
    if !(vector.size_in_bytes..vector.size_in_bytes + 4).contains(&size) || size == 0 {
        return Err(Error::invalid(format!(
            "the inline deletion vector {} holds {size} bytes; its `sizeInBytes` is {}",
            quoted(text),
            vector.size_in_bytes
        ))
        .hint("`sizeInBytes` is the vector's size before it was encoded"));
    }
    Ok(())
}

fn check_uuid(text: &str) -> Result<()> {
    let split = text.len().checked_sub(UUID_LENGTH).filter(|split| text.is_char_boundary(*split));
    let (prefix, uuid) = split.map_or(("", ""), |split| text.split_at(split));
    if z85_size(uuid) != Some(16) {
        return Err(Error::invalid(format!("the deletion vector's file {} does not end in a UUID", quoted(text)))
            .hint("the last 20 characters are the UUID in Z85; before them may be a prefix"));
    }
    if !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Error::invalid(format!(
            "the deletion vector's file has the prefix {}; letters and digits may be there",
            quoted(prefix)
        ))
        .hint("choose another one, or none"));
    }
    Ok(())
}

/// How many bytes a text in Z85 stands for; `None` when it is none.
fn z85_size(text: &str) -> Option<i64> {
    z85::decode(text).map(|bytes| bytes.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::check_vector;
    use crate::action::DeletionVector;

    fn vector(storage_type: &str, text: &str) -> DeletionVector {
        DeletionVector {
            storage_type: storage_type.to_owned(),
            path_or_inline_dv: text.to_owned(),
            offset: (storage_type != "i").then_some(1),
            size_in_bytes: 40,
            cardinality: 6,
            extra: Default::default(),
        }
    }

    const INLINE: &str = "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L";

    #[test]
    fn vectors_of_the_protocol() {
        check_vector(&vector("i", INLINE)).unwrap();
        check_vector(&vector("u", "ab^-aqEH.-t@S}K{vb[*k^")).unwrap();
        check_vector(&vector("p", "s3://mytable/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin")).unwrap();
        check_vector(&DeletionVector { size_in_bytes: 38, ..vector("i", INLINE) }).unwrap();
        check_vector(&DeletionVector { offset: None, ..vector("u", "ab^-aqEH.-t@S}K{vb[*k^") }).unwrap();
    }

    #[test]
    fn hostile_vectors() {
        let inline = || vector("i", INLINE);
        for (vector, wrong) in [
            (DeletionVector { offset: Some(-1), ..vector("p", "s3://a/b") }, "`offset` is -1"),
            (DeletionVector { size_in_bytes: 1 << 40, ..inline() }, "`sizeInBytes` is 1099511627776"),
            (DeletionVector { size_in_bytes: -1, ..inline() }, "`sizeInBytes` is -1"),
            (DeletionVector { cardinality: 0, ..inline() }, "at least one row"),
            (DeletionVector { offset: Some(0), ..inline() }, "has an `offset`"),
            (DeletionVector { size_in_bytes: 36, ..inline() }, "holds 40 bytes"),
            (DeletionVector { size_in_bytes: 0, ..vector("i", "") }, "holds 0 bytes"),
            (vector("q", INLINE), "u, i or p"),
            (vector("i", "wi5b"), "not Z85"),
            (vector("i", "wi5b~"), "not Z85"),
            (vector("i", "#####"), "not Z85"),
            (vector("u", "ab^-aqEH."), "UUID"),
            (vector("u", "../^-aqEH.-t@S}K{vb[*k^"), "prefix"),
            (vector("u", "é^-aqEH.-t@S}K{vb[*k^é"), "UUID"),
            (vector("p", "a/b.bin"), "absolute"),
            (vector("p", "s3://a/../b"), "`..`"),
            (vector("p", "http://a/b"), "no file system"),
        ] {
            let error = check_vector(&vector).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
