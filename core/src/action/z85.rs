//! Z85, in which the protocol writes bytes of deletion vectors (section "Deletion Vector Descriptor Schema").

/// The characters, by value.
const DIGITS: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// The bytes that a text stands for: four a group of five characters; `None` when it is no Z85.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4);
    for group in text.as_bytes().chunks(5) {
        let digits = group.iter().map(|byte| DIGITS.iter().position(|digit| digit == byte));
        let value = digits.into_iter().try_fold(0_u64, |sum, digit| Some(sum * 85 + digit? as u64))?;
        let value = u32::try_from(value).ok().filter(|_| group.len() == 5)?;
        bytes.extend(value.to_be_bytes());
    }
    Some(bytes)
}
