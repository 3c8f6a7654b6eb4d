//! A transaction is in all of its tables or in none.

use crate::history::TableHistory;
use crate::ledger::Ledger;

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, commit) in &ledger.commits {
        // Tables that were dropped say nothing.
        let is_in = |key: i64| {
            let table = tables.iter().find(|table| table.key == key);
            table.is_some_and(|table| table.versions.iter().any(|entry| entry.commit_id.as_ref() == Some(id)))
        };
        let (with, without): (Vec<i64>, Vec<i64>) = commit
            .intents
            .iter()
            .map(|intent| intent.table)
            .filter(|key| !ledger.dropped.contains(key))
            .partition(|&key| is_in(key));
        if !with.is_empty() && !without.is_empty() {
            wrong.push(format!("the transaction {id} is in the tables {with:?}, and not in {without:?}"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{intent, ledger, table, version};
    use crate::ledger::Scope;

    #[test]
    fn a_part_alone_is_found() {
        let mut ledger = ledger(vec![("a", intent(0, Scope::Nothing, &[]))]);
        let mut other = intent(0, Scope::Nothing, &[]);
        other.table = 2;
        ledger.commits.get_mut("a").unwrap().intents.push(other);
        let first = table(vec![version(0, "a", &[])]);
        let mut second = first.clone();
        second.key = 2;
        assert_eq!(check(&[first.clone(), second.clone()], &ledger), [""; 0]);
        assert_eq!(check(&[], &ledger), [""; 0]);
        assert_eq!(check(&[first], &ledger), ["the transaction a is in the tables [1], and not in [2]"]);
    }
}
