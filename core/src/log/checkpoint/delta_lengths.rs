//! How long the texts of a page are that tells only in what each differs from the one before (Parquet's encodings
//! DELTA_BYTE_ARRAY and DELTA_LENGTH_BYTE_ARRAY): a few bytes may stand for gigabytes.

/// A number of the column that is read; each takes four bytes.
const BYTES_OF_A_LENGTH: u64 = 4;

/// Numbers of the encoding DELTA_BINARY_PACKED.
struct Lengths {
    sum: u64,
    /// Bytes that they take in the page.
    bytes: usize,
}

/// The bytes that the values of a page take in memory, lengths included; none where they cannot be read. More than
/// `limit` is not counted to its end.
pub(super) fn unfolded_bytes(values: &[u8], has_prefixes: bool, limit: u64) -> Option<u64> {
    if values.is_empty() {
        return Some(0);
    }
    let count = count(values)?.saturating_mul(BYTES_OF_A_LENGTH);
    if count > limit || !has_prefixes {
        return Some(count);
    }
    let prefixes = lengths(values)?;
    let rest = values.get(prefixes.bytes..)?;
    let suffixes = count.saturating_add(self::count(rest)?.saturating_mul(BYTES_OF_A_LENGTH));
    // The suffixes themselves are bytes of the page.
    Some(suffixes.saturating_add(prefixes.sum).saturating_add(rest.len() as u64))
}

/// How many numbers there are.
fn count(data: &[u8]) -> Option<u64> {
    let mut rest = data;
    varint(&mut rest)?;
    varint(&mut rest)?;
    varint(&mut rest)
}

fn lengths(data: &[u8]) -> Option<Lengths> {
    let mut rest = data;
    let block = varint(&mut rest)?;
    let parts = usize::try_from(varint(&mut rest)?).ok().filter(|&parts| parts > 0)?;
    let mut left = varint(&mut rest)?;
    let mut last = zigzag(&mut rest)?;
    let values_of_a_part = block / parts as u64;
    let mut sum = 0_u64;
    let mut add = |last: i64| sum = sum.saturating_add(u64::try_from(last).unwrap_or(0));
    if left > 0 {
        add(last);
        left -= 1;
    }
    while left > 0 {
        let least = zigzag(&mut rest)?;
        let widths = rest.split_off(..parts)?;
        for &width in widths {
            if left == 0 {
                break;
            }
            let bits = u64::from(width).checked_mul(values_of_a_part).filter(|_| width <= 64)?;
            let packed = rest.split_off(..usize::try_from(bits.div_ceil(8)).ok()?)?;
            for index in 0..values_of_a_part.min(left) {
                last = last.wrapping_add(least).wrapping_add(bits_at(packed, index * u64::from(width), width));
                add(last);
            }
            left = left.saturating_sub(values_of_a_part);
        }
        if values_of_a_part == 0 {
            return None;
        }
    }
    Some(Lengths { sum, bytes: data.len() - rest.len() })
}

/// The number of `width` bits that begins at a bit, the lowest bit first.
fn bits_at(packed: &[u8], from: u64, width: u8) -> i64 {
    let bit = |index: u64| {
        let byte = packed.get((index / 8) as usize).copied().unwrap_or_default();
        u64::from(byte >> (index % 8) & 1)
    };
    (0..u64::from(width)).fold(0, |number, index| number | bit(from + index) << index).cast_signed()
}

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *data.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(data: &mut &[u8]) -> Option<i64> {
    varint(data).map(|value| (value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::unfolded_bytes;

    /// Three numbers in blocks of 128 in 4 parts: 7, 7 and 8, as 0 and 1 more than the one before, in one bit each.
    const LENGTHS: [u8; 13] = [0x80, 1, 4, 3, 14, 0, 1, 0, 0, 0, 0b10, 0, 0];

    #[test]
    fn lengths_of_texts() {
        let lengths = [&LENGTHS[..], &[0]].concat();
        assert_eq!(unfolded_bytes(&lengths, false, 100), Some(12));
        assert_eq!(unfolded_bytes(&[], true, 100), Some(0));
        // Prefixes, then suffixes and their bytes.
        let both = [&lengths[..], &lengths[..], b"1234567"].concat();
        let rest = lengths.len() as u64 + 7;
        assert_eq!(unfolded_bytes(&both, true, 100), Some(12 + 12 + (7 + 7 + 8) + rest));
        // A thousand million equal prefixes of 7 in ten bytes are not counted one by one.
        let many = [0x80, 1, 4, 0x80, 0x94, 0xeb, 0xdc, 3, 14];
        assert_eq!(unfolded_bytes(&many, true, 100), Some(4_000_000_000));
        for end in 1..both.len() - 7 - 4 {
            assert!(unfolded_bytes(&both[..end], true, 100).is_none_or(|bytes| bytes < 60), "{end}");
        }
    }
}
