//! The checksum of a JSON object (protocol section "JSON checksum").

use std::collections::BTreeMap;
use std::fmt::Write;

use md5::{Digest, Md5};
use serde_json::value::RawValue;

/// The MD5 of the object's canonical form, in hexadecimal digits.
///
/// The protocol sorts by paths, Delta-Spark by what they become together with their values, which differs from the
/// eleventh item of an array on. As it is Delta-Spark that looks at the checksum, its order is the one here.
///
/// # Errors
/// When `json` is none.
pub(super) fn json_checksum(json: &str) -> serde_json::Result<String> {
    let mut entries = entries(json)?;
    entries.sort_unstable();
    Ok(hexadecimal_md5(&entries.join(",")))
}

/// In Delta-Spark's order, and in the protocol's.
///
/// # Errors
/// As [`json_checksum`].
pub(super) fn checksums_of_json(json: &str) -> serde_json::Result<[String; 2]> {
    let mut entries = entries(json)?;
    // In the protocol's order the paths are compared alone; their values never hold a `=`.
    entries.sort_by(|one, other| {
        let path = |entry: &str| entry.split_once('=').map_or(entry.len(), |(path, _)| path.len());
        one[..path(one)].cmp(&other[..path(other)])
    });
    Ok([json_checksum(json)?, hexadecimal_md5(&entries.join(","))])
}

fn entries(json: &str) -> serde_json::Result<Vec<String>> {
    let mut entries = Vec::new();
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
    for (name, value) in fields.iter().filter(|(name, _)| *name != "checksum") {
        collect(&encoded(name), value, &mut entries)?;
    }
    Ok(entries)
}

fn hexadecimal_md5(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Appends `path=value` for each scalar in a value.
fn collect(path: &str, value: &RawValue, entries: &mut Vec<String>) -> serde_json::Result<()> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
            fields.iter().try_for_each(|(name, value)| collect(&format!("{path}+{}", encoded(name)), value, entries))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json)?;
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, value)| collect(&format!("{path}+{index}"), value, entries))
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(json)?;
            entries.push(format!("{path}={}", encoded(&text)));
            Ok(())
        }
        _ => {
            entries.push(format!("{path}={json}"));
            Ok(())
        }
    }
}

/// In quotes, with all but letters, digits and `-._~` as percent signs and digits.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 2);
    encoded.push('"');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded.push('"');
    encoded
}

#[cfg(test)]
mod tests {
    use super::json_checksum;

    /// The protocol's own example.
    #[test]
    fn the_checksum_is_the_protocol_s() {
        let json = r#"{"k0":"'v 0'", "checksum": "adsaskfljadfkjadfkj", "k1":{"k2": 2, "k3": ["v3", [1, 2], {"k4": "v4", "k5": ["v5", "v6", "v7"]}]}}"#;
        assert_eq!(json_checksum(json).unwrap(), "6a92d155a59bf2eecbd4b4ec7fd1f875");
        let long: Vec<_> = (0..12).collect();
        let sorted =
            r#""a"+0=0,"a"+10=10,"a"+11=11,"a"+1=1,"a"+2=2,"a"+3=3,"a"+4=4,"a"+5=5,"a"+6=6,"a"+7=7,"a"+8=8,"a"+9=9"#;
        let json = serde_json::json!({ "a": long }).to_string();
        assert_eq!(json_checksum(&json).unwrap(), super::hexadecimal_md5(sorted));
    }
}
