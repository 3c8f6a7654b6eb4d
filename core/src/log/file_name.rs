//! What the name of an object in `_delta_log` says (protocol section "File Types").

/// A file of a log that takes part in reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFileKind {
    /// `<v>.json`
    Commit,
    /// `<x>.<y>.compacted.json`: the commits up to and including this version.
    CompactedTo(i64),
    /// `<v>.checkpoint.parquet`, of the V1 or V2 spec.
    ClassicCheckpoint,
    /// `<v>.checkpoint.<part>.<parts>.parquet`
    CheckpointPart {
        /// From 1.
        part: u64,
        /// At least 1.
        parts: u64,
    },
    /// `<v>.checkpoint.<uuid>.json`
    UuidCheckpointJson,
    /// `<v>.checkpoint.<uuid>.parquet`
    UuidCheckpointParquet,
}

/// The highest version that a log may have: far beyond any table's, and with room to count on.
pub const MAX_VERSION: i64 = i64::MAX >> 1;

/// The version and kind of a file by its name, `None` for every other file, also for versions over [`MAX_VERSION`].
///
/// ```
/// use deltalakedb_core::log::{LogFileKind, parse_file_name};
/// assert_eq!(parse_file_name("00000000000000000010.json"), Some((10, LogFileKind::Commit)));
/// assert_eq!(parse_file_name("00000000000000000010.crc"), None);
/// ```
pub fn parse_file_name(name: &str) -> Option<(i64, LogFileKind)> {
    let (version, rest) = name.split_once('.')?;
    let version = parse_version(version)?;
    let kind = match rest {
        "json" => LogFileKind::Commit,
        "checkpoint.parquet" => LogFileKind::ClassicCheckpoint,
        _ => match rest.split('.').collect::<Vec<_>>().as_slice() {
            [end, "compacted", "json"] => LogFileKind::CompactedTo(parse_version(end).filter(|&end| end > version)?),
            ["checkpoint", uuid, "json"] if is_uuid(uuid) => LogFileKind::UuidCheckpointJson,
            ["checkpoint", uuid, "parquet"] if is_uuid(uuid) => LogFileKind::UuidCheckpointParquet,
            ["checkpoint", part, parts, "parquet"] => {
                let (part, parts) = (parse_number(part, 10)?, parse_number(parts, 10)?);
                if part == 0 || part > parts {
                    return None;
                }
                LogFileKind::CheckpointPart { part, parts }
            }
            _ => return None,
        },
    };
    Some((version, kind))
}

/// The version of a `<v>.crc`.
pub(super) fn parse_checksum_name(name: &str) -> Option<i64> {
    parse_version(name.strip_suffix(".crc")?)
}

fn parse_version(text: &str) -> Option<i64> {
    parse_number(text, 20)?.try_into().ok().filter(|&version: &i64| version <= MAX_VERSION)
}

fn parse_number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// The name of a commit file.
pub fn commit_file_name(version: i64) -> String {
    format!("{version:020}.json")
}

/// The name of a classic checkpoint.
pub fn checkpoint_file_name(version: i64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_each_kind() {
        use LogFileKind::*;
        let uuid = "80a083e8-7026-4e79-81be-64bd76c43a11";
        for (name, expected) in [
            ("00000000000000000000.json".into(), Some((0, Commit))),
            ("00000000000000000004.00000000000000000006.compacted.json".into(), Some((4, CompactedTo(6)))),
            ("00000000000000000006.00000000000000000004.compacted.json".into(), None),
            ("00000000000000000010.checkpoint.parquet".into(), Some((10, ClassicCheckpoint))),
            (
                "00000000000000000010.checkpoint.0000000002.0000000003.parquet".into(),
                Some((10, CheckpointPart { part: 2, parts: 3 })),
            ),
            ("00000000000000000010.checkpoint.0000000004.0000000003.parquet".into(), None),
            (format!("00000000000000000010.checkpoint.{uuid}.json"), Some((10, UuidCheckpointJson))),
            (format!("00000000000000000010.checkpoint.{uuid}.parquet"), Some((10, UuidCheckpointParquet))),
            ("00000000000000000010.checkpoint.1.json".into(), None),
            ("99999999999999999999.json".into(), None), // beyond i64
            ("09223372036854775807.json".into(), None), // nothing could follow
            ("00009007199254740993.json".into(), Some((9_007_199_254_740_993, Commit))),
            ("0.json".into(), None),
            ("00000000000000000001.json.tmp".into(), None),
            ("_last_checkpoint".into(), None),
        ] {
            assert_eq!(parse_file_name(&name), expected, "{name}");
        }
    }
}
