//! What must hold of every run, whatever failed in it.

mod acknowledged;
mod copies;
mod in_commit_timestamps;
mod large_commits;
mod leftovers;
mod mirrored;
mod row_ids;
mod serializability;
mod snapshots;
mod transactions;
mod versions;

use crate::history::TableHistory;
use crate::ledger::Ledger;
use crate::store::Objects;

/// What is wrong; empty when all is well.
pub(crate) fn check(tables: &[TableHistory], ledger: &Ledger, objects: &Objects) -> Vec<String> {
    let mut wrong = check_catalog(tables, ledger);
    wrong.extend(mirrored::check(tables, ledger, objects));
    wrong.extend(copies::check(tables, ledger));
    wrong
}

/// What is wrong with the catalog itself.
pub fn check_catalog(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let mut wrong = ledger.violations.clone();
    wrong.extend(versions::check(tables));
    wrong.extend(acknowledged::check(tables, ledger));
    wrong.extend(snapshots::check(tables, ledger));
    wrong.extend(transactions::check(tables, ledger));
    wrong.extend(serializability::check(tables, ledger));
    wrong.extend(large_commits::check(tables, ledger));
    wrong.extend(row_ids::check(tables));
    wrong.extend(in_commit_timestamps::check(tables));
    wrong.extend(leftovers::check(ledger));
    wrong
}

#[cfg(test)]
pub(crate) mod examples;
