use std::collections::{BTreeMap, BTreeSet};

use super::{LogFileKind, parse_checksum_name, parse_file_name};

/// A file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in `_delta_log`.
    pub name: String,
    /// The version in its name.
    pub version: i64,
    /// What it holds.
    pub kind: LogFileKind,
    /// Bytes.
    pub size: u64,
    /// Last modified, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// A complete checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The version whose state it holds.
    pub version: i64,
    /// One file, or the parts in order.
    pub files: Vec<LogFile>,
}

/// The files of a log that take part in reading it.
#[derive(Clone, Debug, Default)]
pub struct LogListing {
    pub(super) commits: BTreeMap<i64, LogFile>,
    /// By first version, each with its last version.
    pub(super) compacted: BTreeMap<i64, Vec<(i64, LogFile)>>,
    /// The best complete checkpoint of a version.
    pub(super) checkpoints: BTreeMap<i64, Checkpoint>,
    /// Others of the same versions.
    further_checkpoints: Vec<Checkpoint>,
    /// The versions that have a checksum, which no reader needs.
    checksums: BTreeSet<i64>,
}

impl LogListing {
    /// From names, sizes in bytes and times of modification in milliseconds since the epoch, of the objects
    /// directly in `_delta_log`, in any order; those that are no log files are passed over.
    pub fn new(objects: impl IntoIterator<Item = (String, u64, i64)>) -> Self {
        let mut listing = LogListing::default();
        let mut candidates: BTreeMap<i64, Vec<LogFile>> = BTreeMap::new();
        for (name, size, modified_ms) in objects {
            let Some((version, kind)) = parse_file_name(&name) else {
                listing.checksums.extend(parse_checksum_name(&name));
                continue;
            };
            let file = LogFile { name, version, kind, size, modified_ms };
            match file.kind {
                LogFileKind::Commit => {
                    listing.commits.insert(version, file);
                }
                LogFileKind::CompactedTo(end) => listing.compacted.entry(version).or_default().push((end, file)),
                _ => candidates.entry(version).or_default().push(file),
            }
        }
        for (version, files) in candidates {
            let mut complete = complete_checkpoints(files).into_iter().map(|files| Checkpoint { version, files });
            if let Some(best) = complete.next() {
                listing.checkpoints.insert(version, best);
            }
            listing.further_checkpoints.extend(complete);
        }
        listing
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.checkpoints.is_empty() && self.compacted.is_empty()
    }

    /// The newest version that the log knows of.
    pub fn latest_version(&self) -> Option<i64> {
        let compacted = self.compacted.values().flatten().map(|(end, _)| *end).max();
        let commit = self.commits.keys().next_back().copied();
        let checkpoint = self.checkpoints.keys().next_back().copied();
        commit.max(checkpoint).max(compacted)
    }

    /// The version of the newest complete checkpoint.
    pub fn checkpoint_version(&self) -> Option<i64> {
        self.checkpoints.keys().next_back().copied()
    }

    /// The version of the oldest commit file.
    pub fn first_commit(&self) -> Option<i64> {
        self.commits.keys().next().copied()
    }

    /// The newest complete checkpoint up to a version.
    pub fn newest_checkpoint(&self, version: i64) -> Option<&Checkpoint> {
        self.checkpoints.range(..=version).next_back().map(|(_, checkpoint)| checkpoint)
    }

    /// The newest version up to `version` that has a checksum.
    pub fn newest_checksum(&self, version: i64) -> Option<i64> {
        self.checksums.range(..=version).next_back().copied()
    }

    /// Whether there is a compacted log of the commits `from` to `to`.
    pub fn has_compacted(&self, from: i64, to: i64) -> bool {
        self.compacted.get(&from).is_some_and(|compacted| compacted.iter().any(|(end, _)| *end == to))
    }

    /// The complete checkpoint of a version.
    pub fn checkpoint(&self, version: i64) -> Option<&Checkpoint> {
        self.checkpoints.get(&version)
    }

    /// All complete checkpoints of a version, the one that readers take first.
    pub fn checkpoints_of(&self, version: i64) -> impl Iterator<Item = &Checkpoint> {
        let further = self.further_checkpoints.iter().filter(move |checkpoint| checkpoint.version == version);
        self.checkpoints.get(&version).into_iter().chain(further)
    }

    /// The commit files of some versions, in order.
    pub fn commits(&self, versions: std::ops::RangeInclusive<i64>) -> impl DoubleEndedIterator<Item = &LogFile> {
        let is_empty = versions.is_empty();
        self.commits.range(if is_empty { 0..=0 } else { versions }).map(|(_, file)| file).filter(move |_| !is_empty)
    }

    /// The compacted logs, each with its last version.
    pub fn compacted(&self) -> impl Iterator<Item = (i64, &LogFile)> {
        self.compacted.values().flatten().map(|(end, file)| (*end, file))
    }

    /// Whether a version has a `.crc` (protocol section "Version Checksum File").
    pub fn has_checksum(&self, version: i64) -> bool {
        self.checksums.contains(&version)
    }

    /// The commit file of a version.
    pub fn commit(&self, version: i64) -> Option<&LogFile> {
        self.commits.get(&version)
    }
}

/// The complete checkpoints of a version, the best one first: single files, then those of which all parts are there
/// (protocol: readers must ignore a multi-part checkpoint with missing parts).
fn complete_checkpoints(files: Vec<LogFile>) -> Vec<Vec<LogFile>> {
    let rank = |file: &LogFile| match file.kind {
        LogFileKind::ClassicCheckpoint => 0,
        LogFileKind::UuidCheckpointParquet => 1,
        LogFileKind::UuidCheckpointJson => 2,
        _ => 3,
    };
    let (mut single, parts): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| rank(file) < 3);
    single.sort_by_key(|file| (rank(file), file.name.clone()));
    let mut by_parts: BTreeMap<u64, BTreeMap<u64, LogFile>> = BTreeMap::new();
    for file in parts {
        if let LogFileKind::CheckpointPart { part, parts } = file.kind {
            by_parts.entry(parts).or_default().insert(part, file);
        }
    }
    let whole = by_parts.into_iter().filter(|(parts, found)| found.len() as u64 == *parts);
    single.into_iter().map(|file| vec![file]).chain(whole.map(|(_, found)| found.into_values().collect())).collect()
}
