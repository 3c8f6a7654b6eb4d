//! Whether a compacted log says what its commits say together (protocol section "Log Compaction Files").

use std::collections::{BTreeMap, HashMap};

use super::fields::FileHash;
use super::state::FileKey;
use super::value::Value;
use crate::action::Action;

/// Of each thing that some versions name, the last that they say.
#[derive(Debug, Default)]
pub struct NetChanges {
    files: HashMap<FileKey, Change>,
    /// Protocol, metadata, transactions and domains, as the text that all actions of their meaning have.
    rules: BTreeMap<(&'static str, String), String>,
    text: String,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    /// None: removed.
    hash: Option<FileHash>,
    /// The version that named it last.
    version: i64,
    /// Whether it was added before it was removed: then who compacts may leave it out.
    is_new: bool,
}

impl NetChanges {
    /// Takes in some actions of a version; versions come in order. As in a [`LogState`](super::LogState), of one version the
    /// first `add` of a file counts.
    pub fn apply(&mut self, version: i64, actions: &[Action]) {
        for action in actions {
            let (key, hash) = match action {
                Action::Add(add) => (FileKey::of_add(add), Some(FileHash::of(add, &mut self.text))),
                Action::Remove(remove) => (FileKey::of_remove(remove), None),
                Action::Metadata(_) | Action::Protocol(_) => {
                    self.set_rule(action, String::new());
                    continue;
                }
                Action::Txn(txn) => {
                    self.set_rule(action, txn.app_id.clone());
                    continue;
                }
                Action::DomainMetadata(domain) => {
                    self.set_rule(action, domain.domain.clone());
                    continue;
                }
                _ => continue,
            };
            let change =
                self.files.entry(key).or_insert(Change { hash: None, version: version - 1, is_new: hash.is_some() });
            if change.version < version || change.hash.is_none() {
                (change.hash, change.version) = (hash, version);
            }
        }
    }

    fn set_rule(&mut self, action: &Action, key: String) {
        let name = match action {
            Action::Metadata(_) => "metaData",
            Action::Protocol(_) => "protocol",
            Action::Txn(_) => "txn",
            _ => "domainMetadata",
        };
        let mut text = String::new();
        Value::of_json(&action.to_json()).write(&mut text);
        self.rules.insert((name, key), text);
    }

    /// How many files and how many other things a compacted log of these versions tells otherwise.
    pub fn differences(&self, compacted: &NetChanges) -> (usize, usize) {
        let is_wrong = |(key, change): &(&FileKey, &Change)| match compacted.files.get(key) {
            Some(theirs) => theirs.hash != change.hash,
            None => change.hash.is_some() || !change.is_new,
        };
        let wrong = self.files.iter().filter(is_wrong).count();
        let extra = compacted.files.keys().filter(|key| !self.files.contains_key(key)).count();
        let rules = self.rules.iter().filter(|(key, text)| compacted.rules.get(key) != Some(text)).count();
        let extra_rules = compacted.rules.keys().filter(|key| !self.rules.contains_key(key)).count();
        (wrong + extra, rules + extra_rules)
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

    fn changes(versions: &[&[String]]) -> NetChanges {
        let mut changes = NetChanges::default();
        for (version, lines) in versions.iter().enumerate() {
            lines.iter().for_each(|line| changes.apply(version as i64, &parse_line(line).unwrap()));
        }
        changes
    }

    #[test]
    fn the_last_word_counts() {
        let txn = |version: i64| format!(r#"{{"txn":{{"appId":"a","version":{version}}}}}"#);
        let commits =
            changes(&[&[add("a", 1), add("b", 1), txn(1)], &[add("a", 2), remove("b"), remove("old"), txn(2)]]);
        let differences = |lines: &[String]| commits.differences(&changes(&[lines]));
        assert_eq!(differences(&[add("a", 2), remove("b"), remove("old"), txn(2)]), (0, 0));
        // It came and went.
        assert_eq!(differences(&[add("a", 2), remove("old"), txn(2)]), (0, 0));
        assert_eq!(differences(&[add("a", 2), remove("b"), txn(2)]), (1, 0));
        assert_eq!(differences(&[add("a", 1), remove("b"), remove("old"), txn(1)]), (1, 1));
        assert_eq!(differences(&[add("a", 2), add("b", 1), remove("old"), txn(2)]), (1, 0));
        assert_eq!(differences(&[add("a", 2), add("c", 1), remove("old")]), (1, 1));
        assert_eq!(changes(&[&[remove("a"), add("a", 1)]]).differences(&changes(&[&[add("a", 1)]])), (0, 0));
        assert_eq!(changes(&[&[add("a", 1), remove("a")]]).differences(&changes(&[&[add("a", 1)]])), (0, 0));
    }
}
