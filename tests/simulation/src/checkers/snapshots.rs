//! What readers saw is the replay of the log up to that version, and no reader goes back.

use std::collections::BTreeMap;

use crate::history::TableHistory;
use crate::ledger::{Ledger, Seen};
use crate::model::State;

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let mut wrong = no_reader_goes_back(ledger);
    for table in tables {
        // Of a table that begins with a state, the versions are compared with those of its source.
        if !table.is_known_from_its_creation() {
            continue;
        }
        let states = table.states();
        let seen = ledger.seen.iter().filter(|seen| seen.table == table.key);
        let is_copy = ledger.copies.contains_key(&table.key);
        wrong.extend(seen.flat_map(|seen| check_one(table, &states, seen, is_copy)));
    }
    wrong
}

fn check_one(table: &TableHistory, states: &BTreeMap<i64, State>, seen: &Seen, is_copy: bool) -> Vec<String> {
    let what = format!("{} saw {} at version {}", seen.reader, table.name, seen.version);
    let Some((entry, state)) = table.version(seen.version).zip(states.get(&seen.version)) else {
        return vec![format!("{what}, which is not there")];
    };
    let mut wrong = Vec::new();
    if seen.state != *state {
        wrong.push(format!("{what} with another state than the log's: {:?}, the log has {state:?}", seen.state));
    }
    if (seen.file_count, seen.size_bytes) != (state.files.len() as i64, state.size_bytes()) {
        wrong.push(format!(
            "{what} with {} files of {} bytes in all, which are not its totals",
            seen.file_count, seen.size_bytes
        ));
    }
    // The times of a log's files give way to in-commit timestamps that an import finds after them.
    if is_copy {
        return wrong;
    }
    if seen.timestamp_ms != entry.timestamp_ms {
        wrong.push(format!("{what} with the time {}, which is {}", seen.timestamp_ms, entry.timestamp_ms));
    }
    if let Some(asked_ms) = seen.asked_ms {
        let next = table.version(seen.version + 1).filter(|next| next.version <= seen.latest_version);
        if seen.timestamp_ms > asked_ms || next.is_some_and(|next| next.timestamp_ms <= asked_ms) {
            wrong.push(format!("{what}, which is not the version of the time {asked_ms}"));
        }
    }
    wrong
}

fn no_reader_goes_back(ledger: &Ledger) -> Vec<String> {
    let mut latest: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seen in &ledger.seen {
        let before = latest.insert((&seen.reader, seen.table), seen.latest_version);
        if before.is_some_and(|before| before > seen.latest_version) {
            wrong.push(format!("{} saw table {} go back to version {}", seen.reader, seen.table, seen.latest_version));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{add, remove, seen, table, version};

    #[test]
    fn what_was_not_so_is_found() {
        let table = table(vec![version(0, "a", &[add("f", "1")]), version(1, "b", &[remove("f")])]);
        let wrong = |seen: Vec<Seen>| {
            let ledger = Ledger { seen, ..Ledger::default() };
            check(std::slice::from_ref(&table), &ledger).len()
        };
        let (first, second) = (seen(0, &table), seen(1, &table));
        assert_eq!(wrong(vec![first.clone(), second.clone()]), 0);
        assert_eq!(wrong(vec![second.clone(), first.clone()]), 1, "went back");
        assert_eq!(wrong(vec![Seen { state: second.state.clone(), ..first.clone() }]), 1);
        assert_eq!(wrong(vec![Seen { file_count: 2, ..first.clone() }]), 1);
        assert_eq!(wrong(vec![Seen { timestamp_ms: 7, ..first.clone() }]), 1);
        assert_eq!(wrong(vec![Seen { asked_ms: Some(101), latest_version: 1, ..first.clone() }]), 1);
        assert_eq!(wrong(vec![Seen { asked_ms: Some(101), ..first }]), 0);
        assert_eq!(wrong(vec![seen(7, &table)]), 1);
    }
}
