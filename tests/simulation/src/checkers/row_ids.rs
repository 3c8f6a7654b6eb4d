//! Where rows are tracked no two have one id, a file keeps its ids, and the high-water mark is above them all.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::history::TableHistory;
use crate::model::{State, text};
use crate::tables::ROW_TRACKING_FEATURE;

pub(super) const DOMAIN: &str = "delta.rowTracking";

/// First id and first version of a path.
type Ids = (Option<i64>, Option<i64>);

pub(super) fn check(tables: &[TableHistory]) -> Vec<String> {
    tables.iter().filter(|table| table.is_known_from_its_creation()).flat_map(check_table).collect()
}

fn check_table(table: &TableHistory) -> Vec<String> {
    let states = table.states();
    let mut wrong = Vec::new();
    let mut ids: BTreeMap<String, Ids> = BTreeMap::new();
    let mut last_mark = -1;
    for entry in &table.versions {
        let Some(state) = states.get(&entry.version).filter(|state| is_tracked(state)) else { continue };
        let mut found = Vec::new();
        let mark = mark(state);
        if mark < last_mark {
            found.push(format!("the high-water mark went from {last_mark} to {mark}"));
        }
        last_mark = mark;
        for action in &entry.actions {
            if let Some(add) = action.get("add") {
                found.extend(check_add(add, entry.version, mark, &mut ids));
            } else if let Some(remove) = action.get("remove") {
                let path = text(remove, "path");
                if ids.get(&path).is_some_and(|known| *known != ids_of(remove)) {
                    found.push(format!("it removes {path} with other row ids than it has"));
                }
            }
        }
        found.extend(check_overlaps(state));
        wrong.extend(found.into_iter().map(|what| format!("{} version {}: {what}", table.name, entry.version)));
    }
    wrong
}

fn is_tracked(state: &State) -> bool {
    let features = state.protocol["writerFeatures"].as_array();
    features.is_some_and(|features| features.iter().any(|feature| feature == ROW_TRACKING_FEATURE))
}

fn mark(state: &State) -> i64 {
    let domain = state.domains.get(DOMAIN).map(|domain| text(domain, "configuration"));
    let fields: Option<Value> = domain.and_then(|text| serde_json::from_str(&text).ok());
    fields.and_then(|fields| fields["rowIdHighWaterMark"].as_i64()).unwrap_or(-1)
}

fn ids_of(file: &Value) -> Ids {
    (file["baseRowId"].as_i64(), file["defaultRowCommitVersion"].as_i64())
}

/// The first of a file's ids, and the one after its last.
fn range(add: &Value) -> (i64, i64) {
    let stats: Value = serde_json::from_str(&text(add, "stats")).unwrap_or_default();
    let first = add["baseRowId"].as_i64().unwrap_or(0);
    (first, first + stats["numRecords"].as_i64().unwrap_or(0))
}

fn check_add(add: &Value, version: i64, mark: i64, ids: &mut BTreeMap<String, Ids>) -> Vec<String> {
    let path = text(add, "path");
    let own = ids_of(add);
    let mut wrong = Vec::new();
    let known = *ids.entry(path.clone()).or_insert((own.0, Some(version)));
    if own.0.is_none() || own.1.is_none() {
        wrong.push(format!("{path} has no row ids"));
    } else if known.0 != own.0 {
        wrong.push(format!("the row ids of {path} change from {:?} to {:?}", known.0, own.0));
    } else if known.1 != own.1 {
        wrong.push(format!("{path} was first added by version {:?}, and says {:?}", known.1, own.1));
    }
    let (_, end) = range(add);
    if end - 1 > mark {
        wrong.push(format!("{path} has row ids up to {}, above the high-water mark {mark}", end - 1));
    }
    wrong
}

fn check_overlaps(state: &State) -> Vec<String> {
    let files = state.files.iter().map(|((path, _), add)| (range(add), path));
    let mut ranges: Vec<((i64, i64), &String)> = files.filter(|((first, end), _)| first < end).collect();
    ranges.sort();
    let overlaps = ranges.windows(2).filter(|pair| pair[0].0.1 > pair[1].0.0 && pair[0].1 != pair[1].1);
    overlaps.map(|pair| format!("the row ids of {} and {} overlap", pair[0].1, pair[1].1)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checkers::examples::{remove, table, version};

    fn add(path: &str, first: i64, version: i64) -> Value {
        json!({"add": {"path": path, "stats": r#"{"numRecords":10}"#,
            "baseRowId": first, "defaultRowCommitVersion": version}})
    }

    fn mark(id: i64) -> Value {
        json!({"domainMetadata": {"domain": DOMAIN, "removed": false,
            "configuration": json!({"rowIdHighWaterMark": id}).to_string()}})
    }

    /// What is wrong after a version 0 with the file f, whose ids are 0 to 9.
    fn wrong(second: Vec<Value>) -> Vec<String> {
        let protocol = json!({"protocol": {"writerFeatures": [ROW_TRACKING_FEATURE]}});
        check(&[table(vec![version(0, "a", &[protocol, add("f", 0, 0), mark(9)]), version(1, "b", &second)])])
    }

    #[test]
    fn ids_that_change_meet_or_pass_the_mark_are_found() {
        assert_eq!(wrong(vec![add("g", 10, 1), mark(19)]), [""; 0]);
        assert_eq!(wrong(vec![add("f", 0, 0)]), [""; 0], "new statistics");
        assert!(wrong(vec![add("g", 5, 1), mark(19)])[0].contains("overlap"));
        assert!(wrong(vec![add("f", 10, 0), mark(19)])[0].contains("change from"));
        assert!(wrong(vec![add("f", 0, 1)])[0].contains("was first added by"));
        assert!(wrong(vec![add("g", 10, 1)])[0].contains("above the high-water mark 9"));
        assert!(wrong(vec![mark(5)])[0].contains("went from 9 to 5"));
        assert!(wrong(vec![remove("f")])[0].contains("with other row ids"));
        assert!(wrong(vec![json!({"add": {"path": "g"}})])[0].contains("no row ids"));
    }
}
