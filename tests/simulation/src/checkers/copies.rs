//! An imported table is a prefix of the one whose log was imported, and seen only when it is whole.

use std::collections::BTreeMap;

use super::acknowledged::changes;
use crate::history::TableHistory;
use crate::ledger::{Ledger, Seen};
use crate::model::State;

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let find = |key: i64| tables.iter().find(|table| table.key == key);
    let mut wrong = Vec::new();
    for (&key, &source) in &ledger.copies {
        let seen: Vec<&Seen> = ledger.seen.iter().filter(|seen| seen.table == key).collect();
        match (find(key), find(source)) {
            (Some(copy), Some(source)) => wrong.extend(check_copy(copy, source, &seen)),
            (None, _) if seen.is_empty() => {}
            _ => wrong.push(format!("table {key}, a copy of table {source}, was seen and is gone")),
        }
    }
    wrong
}

fn check_copy(copy: &TableHistory, source: &TableHistory, seen: &[&Seen]) -> Vec<String> {
    let mut wrong = Vec::new();
    for entry in &copy.versions {
        let original = source.version(entry.version).map(|original| changes(&original.actions));
        if entry.is_known && original != Some(changes(&entry.actions)) {
            wrong.push(format!("{}: version {} is not that of {}", copy.name, entry.version, source.name));
        }
    }
    let states: BTreeMap<i64, State> = source.states();
    for seen in seen {
        let original = states.get(&seen.version).cloned().map(State::changing_no_data);
        if original.as_ref() != Some(&seen.state.clone().changing_no_data()) {
            wrong.push(format!(
                "{} saw {} at version {} with another state than {} has: {:?}, which has {original:?}",
                seen.reader, copy.name, seen.version, source.name, seen.state
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{add, table, version};

    #[test]
    fn a_copy_says_what_its_source_says() {
        let source = table(vec![version(0, "a", &[add("f", "1")]), version(1, "b", &[add("g", "2")])]);
        let mut copy = table(vec![version(0, "", &[add("f", "1")])]);
        copy.key = 2;
        let ledger = Ledger { copies: [(2, 1)].into(), ..Ledger::default() };
        assert_eq!(check(&[source.clone(), copy.clone()], &ledger), [""; 0]);
        copy.versions[0].actions = vec![add("h", "3")];
        assert_eq!(check(&[source.clone(), copy.clone()], &ledger), ["table: version 0 is not that of table"]);
        let seen = Seen {
            reader: "reader".into(),
            table: 2,
            version: 1,
            timestamp_ms: 0,
            latest_version: 1,
            asked_ms: None,
            file_count: 0,
            size_bytes: 0,
            state: State::default(),
        };
        let ledger = Ledger { seen: vec![seen], ..ledger };
        assert_eq!(check(&[source.clone(), copy], &ledger).len(), 2);
        assert_eq!(check(&[source], &ledger).len(), 1, "gone");
    }
}
