//! A table's state as a log tells it, of which each file takes some forty bytes of memory.

use std::collections::{BTreeMap, HashMap};

use twox_hash::XxHash3_128;

use super::fields::FileHash;
use super::form::{CheckpointForm, CheckpointRows};
use crate::action::{Action, Add, DomainMetadata, Metadata, Protocol, Remove, Txn};

/// Where the log's side was read from. A checkpoint's writer is free to leave out statistics and what the protocol does not
/// name; a commit's is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A commit file, or a compacted one.
    Commit,
    /// A checkpoint or its sidecar.
    Checkpoint,
}

/// The key of a logical file: a hash of path and deletion vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileKey([u64; 2]);

impl FileKey {
    pub(super) fn of_add(add: &Add) -> Self {
        Self::of(&add.path, &add.dv_id())
    }

    pub(super) fn of_remove(remove: &Remove) -> Self {
        Self::of(&remove.path, &remove.dv_id())
    }

    fn of(path: &str, dv_id: &str) -> Self {
        let hash = if dv_id.is_empty() {
            XxHash3_128::oneshot(path.as_bytes())
        } else {
            XxHash3_128::oneshot(format!("{path}\0{dv_id}").as_bytes())
        };
        FileKey([(hash >> 64) as u64, hash as u64])
    }

    fn number(self) -> u128 {
        u128::from(self.0[0]) << 64 | u128::from(self.0[1])
    }
}

/// All files of a state in one number: the sum of their hashes (XXH3, 128 bits), in whatever order they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSum {
    /// Files.
    pub file_count: i64,
    sum: u128,
}

impl FileSum {
    pub(super) fn insert(&mut self, key: FileKey, hash: FileHash) {
        self.file_count += 1;
        self.sum = self.sum.wrapping_add(term(key, hash));
    }

    pub(super) fn remove(&mut self, key: FileKey, hash: FileHash) {
        self.file_count -= 1;
        self.sum = self.sum.wrapping_sub(term(key, hash));
    }

    pub(super) fn and(self, later: Self) -> Self {
        FileSum { file_count: self.file_count + later.file_count, sum: self.sum.wrapping_add(later.sum) }
    }
}

/// Key and hash hashed together, so that two files with each other's fields have another sum.
fn term(key: FileKey, hash: FileHash) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&key.number().to_le_bytes());
    bytes[16..].copy_from_slice(&hash.number().to_le_bytes());
    XxHash3_128::oneshot(&bytes)
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) hash: FileHash,
    /// The version that added it.
    version: i64,
}

/// An action with where it came from.
pub(super) type Sourced<T> = (T, Source);

/// The state that commits and checkpoints lead to, taken in by pieces.
///
/// ```
/// use deltalakedb_core::action::parse_line;
/// use deltalakedb_core::diff::{LogState, Source};
/// let mut state = LogState::default();
/// let mut apply = |version, line: &str| state.apply(version, &parse_line(line).unwrap(), Source::Commit);
/// let add = r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true}}"#;
/// apply(0, add);
/// apply(1, r#"{"remove":{"path":"a","dataChange":true}}"#);
/// assert_eq!(state.files(), Default::default());
/// ```
#[derive(Clone, Debug, Default)]
pub struct LogState {
    pub(super) protocol: Option<Sourced<Protocol>>,
    pub(super) metadata: Option<Sourced<Metadata>>,
    pub(super) transactions: BTreeMap<String, Sourced<Txn>>,
    pub(super) domains: BTreeMap<String, Sourced<DomainMetadata>>,
    pub(super) files: HashMap<FileKey, Entry>,
    sum: FileSum,
    form: CheckpointForm,
    text: String,
}

impl LogState {
    /// Takes in some actions of a version; versions come in order. Where one names a logical file twice, which the protocol
    /// forbids, the first `add` counts, as it does in the catalog.
    pub fn apply(&mut self, version: i64, actions: &[Action], source: Source) {
        for action in actions {
            if source == Source::Checkpoint {
                self.form.see(version, action);
            }
            match action {
                Action::Add(add) => self.add(version, add, source),
                Action::Remove(remove) => self.remove(version, remove, source),
                Action::Protocol(protocol) => self.protocol = Some((protocol.clone(), source)),
                Action::Metadata(metadata) => self.metadata = Some((metadata.clone(), source)),
                Action::Txn(txn) => {
                    self.transactions.insert(txn.app_id.clone(), (txn.clone(), source));
                }
                Action::DomainMetadata(domain) if domain.removed => {
                    self.domains.remove(&domain.domain);
                }
                Action::DomainMetadata(domain) => {
                    self.domains.insert(domain.domain.clone(), (domain.clone(), source));
                }
                Action::Cdc(_)
                | Action::CommitInfo(_)
                | Action::Sidecar(_)
                | Action::CheckpointMetadata(_)
                | Action::Unknown { .. } => {}
            }
        }
    }

    fn add(&mut self, version: i64, add: &Add, source: Source) {
        let key = FileKey::of_add(add);
        if source == Source::Checkpoint {
            self.form.see_add(key, self.files.contains_key(&key));
        }
        let hash = FileHash::of(add, &mut self.text);
        match self.files.get_mut(&key) {
            Some(entry) if entry.version == version => return,
            Some(entry) => {
                self.sum.remove(key, entry.hash);
                *entry = Entry { hash, version };
            }
            None => {
                self.files.insert(key, Entry { hash, version });
            }
        }
        self.sum.insert(key, hash);
    }

    fn remove(&mut self, version: i64, remove: &Remove, source: Source) {
        let key = FileKey::of_remove(remove);
        if source == Source::Checkpoint {
            self.form.see_remove(key, remove, self.files.contains_key(&key));
        }
        if let Some(entry) = self.files.get(&key).filter(|entry| entry.version < version) {
            self.sum.remove(key, entry.hash);
            self.files.remove(&key);
        }
    }

    /// All its files.
    pub fn files(&self) -> FileSum {
        self.sum
    }

    /// Takes in what is wrong in a checkpoint and its actions do not show.
    pub fn see_fault(&mut self, fault: String) {
        self.form.see_fault(fault);
    }

    /// What the rows of the checkpoint that was taken in, alone, tell beside the state; then forgets about them. A V2
    /// checkpoint is known by its name.
    pub fn take_checkpoint_rows(&mut self, is_v2: bool) -> CheckpointRows {
        std::mem::take(&mut self.form).rows(self.transactions.len(), self.domains.len(), is_v2)
    }

    /// Leaves the files out, for others that mean the same.
    pub fn forget_files(&mut self) {
        self.files.clear();
        self.sum = FileSum::default();
    }

    /// The id in its `metaData`.
    pub fn table_id(&self) -> Option<&str> {
        self.metadata.as_ref().map(|(metadata, _)| metadata.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::parse_line;

    fn add(path: &str, size: i64) -> String {
        format!(
            r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":{size},"modificationTime":0,"dataChange":true}}}}"#
        )
    }

    fn remove(path: &str) -> String {
        format!(r#"{{"remove":{{"path":"{path}","dataChange":true}}}}"#)
    }

    fn state(versions: &[&[String]]) -> LogState {
        let mut state = LogState::default();
        for (version, lines) in versions.iter().enumerate() {
            for line in *lines {
                state.apply(version as i64, &parse_line(line).unwrap(), Source::Commit);
            }
        }
        state
    }

    #[test]
    fn the_sum_is_that_of_the_files_that_are_left() {
        let (a, b) = (add("a", 1), add("b", 2));
        let expected = state(&[&[a.clone(), b.clone()]]).files();
        assert_eq!(expected.file_count, 2);
        let (only_a, only_b) = (&[a.clone()][..], &[b.clone()][..]);
        assert_eq!(state(&[only_b, only_a]).files(), expected);
        assert_eq!(state(&[&[a.clone(), add("b", 9), add("c", 1)], only_b, &[remove("c")]]).files(), expected);
        assert_eq!(state(&[only_a, &[remove("a")], &[b.clone(), a.clone()]]).files(), expected);
        // Each other's fields are other files.
        assert_ne!(state(&[&[add("a", 2), add("b", 1)]]).files(), expected);
        assert_ne!(state(&[&[a.clone(), add("c", 2)]]).files(), expected);
    }

    #[test]
    fn rows_that_a_checkpoint_must_not_have() {
        let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned();
        let txn = r#"{"txn":{"appId":"a","version":1}}"#.to_owned();
        let of_version = |version: i64| format!(r#"{{"checkpointMetadata":{{"version":{version}}}}}"#);
        let sidecar = r#"{"sidecar":{"path":"s","sizeInBytes":1,"modificationTime":0}}"#.to_owned();
        let check = |lines: &[String], is_v2: bool, expected: &[&str]| {
            let mut state = LogState::default();
            lines.iter().for_each(|line| state.apply(7, &parse_line(line).unwrap(), Source::Checkpoint));
            let faults = state.take_checkpoint_rows(is_v2).faults;
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            let is_told = faults.iter().zip(expected).all(|(fault, expected)| fault.contains(expected));
            assert!(is_told, "{faults:?}");
        };
        let right = [protocol.clone(), txn.clone(), add("a", 1), remove("b"), sidecar.clone(), of_version(7)];
        check(&right, true, &[]);
        check(&right[..5], false, &[]);
        check(&right[..5], true, &["no `checkpointMetadata`"]);
        check(&[of_version(8)], true, &["another version"]);
        check(&[of_version(7), of_version(7)], true, &["1 `checkpointMetadata` too many"]);
        check(&[add("a", 1), add("a", 2)], false, &["1 `add`"]);
        check(&[add("a", 1), remove("a")], false, &["1 `remove`"]);
        check(&[remove("a"), add("a", 1)], false, &["1 `remove`"]);
        check(&[remove("a"), remove("a")], false, &["1 `remove` of a file that has one"]);
        check(&[protocol.clone(), protocol], false, &["1 `protocol`"]);
        check(&[txn.clone(), txn], false, &["1 `txn`"]);
        check(&[sidecar.clone(), sidecar], false, &["1 `sidecar`"]);
    }

    #[test]
    fn a_version_that_names_a_file_twice_counts_as_in_the_catalog() {
        let expected = state(&[&[add("a", 1)]]).files();
        assert_eq!(state(&[&[add("a", 1), add("a", 2)]]).files(), expected);
        assert_eq!(state(&[&[add("a", 7)], &[remove("a"), add("a", 1)]]).files(), expected);
        assert_eq!(state(&[&[add("a", 7)], &[add("a", 1), remove("a")]]).files(), expected);
    }
}
