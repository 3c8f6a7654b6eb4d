//! Versions have no gap and no fork; their times increase.

use std::collections::BTreeMap;

use crate::history::TableHistory;

pub(super) fn check(tables: &[TableHistory]) -> Vec<String> {
    tables.iter().flat_map(check_table).collect()
}

fn check_table(table: &TableHistory) -> Vec<String> {
    let name = &table.name;
    let mut wrong = Vec::new();
    let expected = table.earliest_version..=table.latest_version;
    if !table.versions.iter().map(|entry| entry.version).eq(expected.clone()) {
        let found: Vec<i64> = table.versions.iter().map(|entry| entry.version).collect();
        wrong.push(format!("{name} must have the versions {expected:?}, and has {found:?}"));
    }
    for pair in table.versions.windows(2) {
        if pair[0].timestamp_ms >= pair[1].timestamp_ms {
            wrong.push(format!("{name}: version {} is not later than the one before it", pair[1].version));
        }
    }
    for entry in &table.versions {
        let info = entry.actions.iter().find_map(|action| action.get("commitInfo"));
        let in_commit = info.and_then(|info| info["inCommitTimestamp"].as_i64());
        if in_commit.is_some_and(|time| time != entry.timestamp_ms) {
            wrong.push(format!("{name}: version {} has another in-commit timestamp than time", entry.version));
        }
    }
    let mut ids: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in &table.versions {
        let Some(id) = &entry.commit_id else { continue };
        if let Some(earlier) = ids.insert(id, entry.version) {
            wrong.push(format!("{name}: {id} is version {earlier} and version {}", entry.version));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{table, version};

    #[test]
    fn gaps_forks_and_times_that_stand_still_are_found() {
        let good = table(vec![version(0, "a", &[]), version(1, "b", &[])]);
        assert_eq!(check_table(&good), [""; 0]);
        let gap = table(vec![version(0, "a", &[]), version(2, "b", &[])]);
        assert!(check_table(&gap)[0].contains("must have the versions 0..=2"));
        let twice = table(vec![version(0, "a", &[]), version(1, "a", &[])]);
        assert_eq!(check_table(&twice), ["table: a is version 0 and version 1"]);
        let mut late = good;
        late.versions[0].timestamp_ms = late.versions[1].timestamp_ms;
        assert_eq!(check_table(&late).len(), 1);
    }
}
