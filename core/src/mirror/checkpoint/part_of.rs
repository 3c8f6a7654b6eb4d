//! Which part of a multi-part checkpoint an action belongs to.
//!
//! The protocol (section "Multi-part checkpoint") asks for Spark's hash partitioning, so that parts which different
//! writers made of one version fit together.

use crate::action::{Action, DeletionVector};

/// Spark's seed; what is null leaves a hash as it is.
const SEED: u32 = 42;

/// The index of an action's part. Logical files go by their path, where tables have deletion vectors also by the id of
/// theirs; all other actions go together.
pub(super) fn part_of(action: &Action, parts: usize, has_deletion_vectors: bool) -> usize {
    let (path, vector) = match action {
        Action::Add(add) => (Some(&add.path), add.deletion_vector.as_ref()),
        Action::Remove(remove) => (Some(&remove.path), remove.deletion_vector.as_ref()),
        _ => (None, None),
    };
    let hash = path.map_or(SEED, |path| hash_text(path, SEED));
    let hash = match vector.map(DeletionVector::unique_id) {
        Some(id) if has_deletion_vectors => hash_text(&id, hash),
        _ => hash,
    };
    i64::from(hash as i32).rem_euclid(parts.max(1) as i64) as usize
}

/// Murmur3 of 32 bits as Spark has it: the bytes after the last whole word are words of their own, with their signs.
fn hash_text(text: &str, seed: u32) -> u32 {
    let bytes = text.as_bytes();
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    let words = words.map(|word| word.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte)));
    let rest = rest.iter().map(|&byte| byte as i8 as i32 as u32);
    let mut hash = words.chain(rest).fold(seed, |hash, word| {
        let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SELECT hash('...')` in Spark.
    #[test]
    fn hashes_are_spark_s() {
        for (text, expected) in [("", 142_593_372), ("Spark", 228_093_765), ("abc", 1_322_437_556)] {
            assert_eq!(hash_text(text, SEED) as i32, expected, "{text}");
        }
    }

    #[test]
    fn a_vector_counts_only_where_the_table_may_have_some() {
        let line = r#"{"remove":{"path":"a","dataChange":true,"deletionVector":{"storageType":"u","pathOrInlineDv":"ab","sizeInBytes":4,"cardinality":1}}}"#;
        let remove = crate::action::parse_line(line).unwrap().remove(0);
        let with = part_of(&remove, 1000, true);
        let without = part_of(&remove, 1000, false);
        assert_eq!(without, (hash_text("a", SEED) as i32).rem_euclid(1000) as usize);
        assert_eq!(with, (hash_text("uab", hash_text("a", SEED)) as i32).rem_euclid(1000) as usize);
        assert_ne!(with, without);
    }

    #[test]
    fn actions_that_are_of_no_file_go_together() {
        let txn = crate::action::parse_line(r#"{"txn":{"appId":"a","version":1}}"#).unwrap().remove(0);
        assert_eq!(part_of(&txn, 5, false), 2);
    }
}
