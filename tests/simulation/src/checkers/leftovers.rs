//! In the end no rows are left of large commits and of dropped tables.

use crate::ledger::Ledger;

pub(super) fn check(ledger: &Ledger) -> Vec<String> {
    let left = ledger.leftovers.iter().filter(|(_, count)| **count > 0);
    left.map(|(table, count)| format!("{count} rows are left in {table} that belong to nothing")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found() {
        let ledger = Ledger { leftovers: [("dl_large_commits", 1), ("dl_guard", 0)].into(), ..Ledger::default() };
        assert_eq!(check(&ledger), ["1 rows are left in dl_large_commits that belong to nothing"]);
    }
}
