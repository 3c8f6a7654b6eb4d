//! What a checkpoint must not say twice, though a reader may get over it (protocol section "Checkpoints").

use std::collections::HashSet;

use super::state::FileKey;
use super::tombstones::Tombstones;
use crate::action::{Action, Remove, Sidecar};

/// What the rows of a checkpoint tell beside the state.
#[derive(Debug, Default)]
pub struct CheckpointRows {
    /// What is wrong in them.
    pub faults: Vec<String>,
    /// The sidecars that it names.
    pub sidecars: Vec<Sidecar>,
    /// The files that it has a `remove` of.
    pub tombstones: Tombstones,
}

/// What is said in the rows of one checkpoint, as they are taken in.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckpointForm {
    protocols: u64,
    metadata: u64,
    transactions: u64,
    domains: u64,
    repeated_files: u64,
    tombstones: Tombstones,
    repeated_tombstones: u64,
    removed_files: u64,
    /// How many rows tell the version, and the last of those that tell another one.
    versions: u64,
    other_version: Option<String>,
    sidecars: Vec<Sidecar>,
    /// What is wrong that the actions do not show.
    others: Vec<String>,
}

impl CheckpointForm {
    /// Takes in a row that is no file's.
    pub(super) fn see(&mut self, version: i64, action: &Action) {
        match action {
            Action::Protocol(_) => self.protocols += 1,
            Action::Metadata(_) => self.metadata += 1,
            Action::Txn(_) => self.transactions += 1,
            Action::DomainMetadata(domain) if !domain.removed => self.domains += 1,
            Action::Sidecar(sidecar) => self.sidecars.push(sidecar.clone()),
            Action::CheckpointMetadata(json) => {
                self.versions += 1;
                #[derive(serde::Deserialize)]
                struct OfVersion {
                    version: i64,
                }
                if json.read::<OfVersion>().is_none_or(|told| told.version != version) {
                    self.other_version = Some(json.text().to_owned());
                }
            }
            _ => {}
        }
    }

    /// Takes in an `add`; whether the file was there already.
    pub(super) fn see_add(&mut self, key: FileKey, is_repeated: bool) {
        self.repeated_files += u64::from(is_repeated);
        self.removed_files += u64::from(self.tombstones.contains(key));
    }

    /// Takes in a `remove` of a file that is live or not.
    pub(super) fn see_remove(&mut self, key: FileKey, remove: &Remove, is_live: bool) {
        if is_live {
            self.removed_files += 1;
        } else {
            self.repeated_tombstones += u64::from(!self.tombstones.insert(key, remove));
        }
    }

    /// Takes in what else is wrong.
    pub(super) fn see_fault(&mut self, fault: String) {
        self.others.push(fault);
    }

    /// What they tell. `transactions` and `domains` are those of different keys.
    pub(super) fn rows(self, transactions: usize, domains: usize, is_v2: bool) -> CheckpointRows {
        let names: HashSet<&str> = self.sidecars.iter().map(|sidecar| sidecar.path.as_str()).collect();
        let repeated = |rows: u64, keys: usize| rows.saturating_sub(keys as u64);
        let counted = [
            (repeated(self.protocols, 1), "`protocol` too many"),
            (repeated(self.metadata, 1), "`metaData` too many"),
            (repeated(self.transactions, transactions), "`txn` of an application that has one"),
            (repeated(self.domains, domains), "`domainMetadata` of a domain that has one"),
            (self.repeated_files, "`add` of a file that has one"),
            (self.removed_files, "`remove` of a file that has an `add`"),
            (self.repeated_tombstones, "`remove` of a file that has one"),
            (repeated(self.sidecars.len() as u64, names.len()), "`sidecar` of a file that has one"),
            (repeated(self.versions, 1), "`checkpointMetadata` too many"),
        ];
        let mut faults: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("it has {count} {what}"))
            .collect();
        if self.versions == 0 && is_v2 {
            faults.push("it has no `checkpointMetadata`, which a V2 checkpoint must have".to_owned());
        }
        faults.extend(self.other_version.map(|told| format!("its `checkpointMetadata` is of another version: {told}")));
        faults.extend(self.others);
        CheckpointRows { faults, sidecars: self.sidecars, tombstones: self.tombstones }
    }
}
