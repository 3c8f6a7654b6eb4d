//! A commit that came by pages is there whole, at its version, or not at all; before that nobody saw any of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::history::TableHistory;
use crate::ledger::{Ledger, Seen};
use crate::model::text;

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    for id in &ledger.large_commits {
        let Some(commit) = ledger.commits.get(id) else { continue };
        for intent in &commit.intents {
            let Some(table) = tables.iter().find(|table| table.key == intent.table) else { continue };
            let seen = ledger.seen.iter().filter(|seen| seen.table == intent.table);
            // What is removed and added again was there before.
            let removed = paths(&intent.actions, "remove");
            let own = &paths(&intent.actions, "add") - &removed;
            wrong.extend(check_one(table, id, &own, seen));
        }
    }
    wrong
}

fn check_one<'a>(
    table: &TableHistory,
    id: &str,
    own: &BTreeSet<String>,
    seen: impl Iterator<Item = &'a Seen>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut adds: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for entry in &table.versions {
        let there = &paths(&entry.actions, "add") & own;
        if !there.is_empty() {
            adds.insert(entry.version, there);
        }
    }
    let version = table.versions.iter().find(|entry| entry.commit_id.as_deref() == Some(id)).map(|entry| entry.version);
    match (version, adds.first_key_value()) {
        (None, Some((other, paths))) => {
            wrong.push(format!("{}: {id} was not finished, and version {other} has its {paths:?}", table.name));
        }
        (Some(version), Some((&first, paths))) if first != version || paths != own => {
            wrong.push(format!("{}: {id} is version {version}, and not whole: {first} has {paths:?}", table.name));
        }
        (Some(version), None) if !own.is_empty() => {
            wrong.push(format!("{}: {id} is version {version}, without its files", table.name));
        }
        _ => {}
    }
    for seen in seen {
        let there = seen.state.files.keys().filter(|(path, _)| own.contains(path)).count();
        let is_whole = version == Some(seen.version) && there == own.len();
        let is_over = version.is_some_and(|version| version < seen.version);
        if there > 0 && !is_whole && !is_over {
            let (reader, at) = (&seen.reader, seen.version);
            wrong.push(format!("{reader} saw {there} files of {id} in {} at version {at}", table.name));
        }
    }
    wrong
}

fn paths(actions: &[Value], name: &str) -> BTreeSet<String> {
    actions.iter().filter_map(|action| action.get(name)).map(|body| text(body, "path")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{add, intent, ledger, seen, table, version};
    use crate::ledger::Scope;

    #[test]
    fn a_part_is_found() {
        let actions = [add("f", "1"), add("g", "2")];
        let ledger = || {
            let mut ledger = ledger(vec![("a", intent(0, Scope::Nothing, &actions))]);
            ledger.large_commits.insert("a".into());
            ledger
        };
        let first = || version(0, "first", &[]);
        let whole = table(vec![first(), version(1, "a", &actions)]);
        assert_eq!(check(std::slice::from_ref(&whole), &ledger()), [""; 0]);
        let part = table(vec![first(), version(1, "a", &actions[..1])]);
        assert!(check(&[part], &ledger())[0].contains("not whole"));
        let empty = table(vec![first(), version(1, "a", &[])]);
        assert!(check(&[empty], &ledger())[0].contains("without its files"));
        let elsewhere = table(vec![first(), version(1, "other", &actions[..1])]);
        assert!(check(&[elsewhere], &ledger())[0].contains("was not finished"));

        let mut early = ledger();
        early.seen.push(seen(0, &whole));
        early.seen.push(seen(1, &whole));
        assert_eq!(check(std::slice::from_ref(&whole), &early), [""; 0]);
        early.seen[0].state = early.seen[1].state.clone();
        assert_eq!(check(&[whole], &early), ["reader saw 2 files of a in table at version 0"]);
    }
}
