//! The checkers' own idea of a table: its actions replayed one by one, as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Path and deletion vector: what makes a logical file.
pub type Key = (String, String);

/// A table's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub files: BTreeMap<Key, Value>,
    pub metadata: Value,
    pub protocol: Value,
    pub txns: BTreeMap<String, Value>,
    pub domains: BTreeMap<String, Value>,
}

impl State {
    /// Replays one action, an object with one key.
    pub fn apply(&mut self, action: &Value) {
        let Some((name, body)) = action.as_object().and_then(|action| action.iter().next()) else { return };
        let body = body.clone();
        match name.as_str() {
            "add" => drop(self.files.insert(key(&body), body)),
            "remove" => drop(self.files.remove(&key(&body))),
            "metaData" => self.metadata = body,
            "protocol" => self.protocol = body,
            "txn" => drop(self.txns.insert(text(&body, "appId"), body)),
            "domainMetadata" if body["removed"] == true => drop(self.domains.remove(&text(&body, "domain"))),
            "domainMetadata" => drop(self.domains.insert(text(&body, "domain"), body)),
            _ => {}
        }
    }

    pub fn size_bytes(&self) -> i64 {
        self.files.values().filter_map(|add| add["size"].as_i64()).sum()
    }

    /// As a checkpoint has it: there `dataChange` means nothing.
    pub fn changing_no_data(mut self) -> Self {
        self.files.values_mut().for_each(|add| add["dataChange"] = false.into());
        self
    }

    /// The rows of the files that a filter passes.
    pub fn rows(&self, filter: impl Fn(&Key, &Value) -> bool) -> BTreeSet<u64> {
        self.files.iter().filter(|(key, add)| filter(key, add)).flat_map(|(_, add)| rows(add)).collect()
    }
}

/// Path and deletion vector of an `add` or `remove`.
pub fn key(body: &Value) -> Key {
    let vector = &body["deletionVector"];
    let mut id = text(vector, "storageType") + &text(vector, "pathOrInlineDv");
    if let Some(offset) = vector["offset"].as_i64() {
        id.push_str(&format!("@{offset}"));
    }
    (text(body, "path"), id)
}

/// The rows in an `add`; the simulation numbers them.
pub fn rows(add: &Value) -> Vec<u64> {
    text(&add["tags"], "rows").split(' ').filter_map(|row| row.parse().ok()).collect()
}

pub fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}
