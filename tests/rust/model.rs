//! Action reconciliation as the protocol tells it, in memory and naive.

use std::collections::BTreeMap;

use deltalakedb_core::action::{Action, Add, DomainMetadata, Metadata, Protocol, Remove, Txn};

/// Path and unique id of the deletion vector.
pub(crate) type Key = (String, String);

/// A table's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) txns: BTreeMap<String, Txn>,
    pub(crate) domains: BTreeMap<String, DomainMetadata>,
    pub(crate) files: BTreeMap<Key, Add>,
    pub(crate) tombstones: BTreeMap<Key, Remove>,
}

pub(crate) fn key_of_add(add: &Add) -> Key {
    (add.path.clone(), add.dv_id())
}

fn key_of_remove(remove: &Remove) -> Key {
    (remove.path.clone(), remove.dv_id())
}

impl State {
    /// As a checkpoint has it: its actions change no data.
    pub(crate) fn changing_no_data(mut self) -> Self {
        self.files.values_mut().for_each(|add| add.data_change = false);
        self.tombstones.values_mut().for_each(|remove| remove.data_change = false);
        self
    }

    pub(crate) fn apply(&mut self, actions: &[Action]) {
        for action in actions.iter().cloned() {
            match action {
                Action::Add(add) => {
                    self.tombstones.remove(&key_of_add(&add));
                    self.files.insert(key_of_add(&add), add);
                }
                Action::Remove(remove) => {
                    self.files.remove(&key_of_remove(&remove));
                    self.tombstones.insert(key_of_remove(&remove), remove);
                }
                Action::Metadata(metadata) => self.metadata = Some(metadata),
                Action::Protocol(protocol) => self.protocol = Some(protocol),
                Action::Txn(txn) => drop(self.txns.insert(txn.app_id.clone(), txn)),
                Action::DomainMetadata(domain) if domain.removed => drop(self.domains.remove(&domain.domain)),
                Action::DomainMetadata(domain) => drop(self.domains.insert(domain.domain.clone(), domain)),
                Action::Cdc(_)
                | Action::CommitInfo(_)
                | Action::Sidecar(_)
                | Action::CheckpointMetadata(_)
                | Action::Unknown { .. } => {}
            }
        }
    }

    /// The actions of a checkpoint of the state.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        actions.extend(self.protocol.clone().map(Action::Protocol));
        actions.extend(self.metadata.clone().map(Action::Metadata));
        actions.extend(self.txns.values().cloned().map(Action::Txn));
        actions.extend(self.domains.values().cloned().map(Action::DomainMetadata));
        actions.extend(self.files.values().cloned().map(Action::Add));
        actions.extend(self.tombstones.values().cloned().map(Action::Remove));
        actions
    }

    /// Snapshots do not show tombstones.
    pub(crate) fn without_tombstones(&self) -> State {
        State { tombstones: BTreeMap::new(), ..self.clone() }
    }

    pub(crate) fn size_bytes(&self) -> i64 {
        self.files.values().map(|add| add.size).sum()
    }

    /// `None` when a file does not say how many rows it has.
    pub(crate) fn row_count(&self) -> Option<i64> {
        self.files.values().map(row_count).sum()
    }
}

fn row_count(add: &Add) -> Option<i64> {
    let stats: serde_json::Value = serde_json::from_str(add.stats.as_ref()?).ok()?;
    Some(stats.get("numRecords")?.as_i64()? - add.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality))
}
