//! Where commits have their time in the log, it is there, right, and said since when.

use serde_json::Value;

use crate::history::{TableHistory, Version};
use crate::model::{State, text};
use crate::tables::{TIMESTAMP_FEATURE, TIMESTAMPS};

pub(super) const SINCE_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
pub(super) const SINCE_TIME: &str = "delta.inCommitTimestampEnablementTimestamp";

pub(super) fn check(tables: &[TableHistory]) -> Vec<String> {
    // Of a table that begins with a state it is not known what was before.
    tables.iter().filter(|table| table.is_known_from_its_creation()).flat_map(check_table).collect()
}

fn check_table(table: &TableHistory) -> Vec<String> {
    let states = table.states();
    let mut wrong = Vec::new();
    let mut since: Option<&Version> = None;
    let mut last = i64::MIN;
    for entry in &table.versions {
        let Some(state) = states.get(&entry.version) else { continue };
        let info = entry.actions.iter().find_map(|action| action.get("commitInfo"));
        let time = info.and_then(|info| info["inCommitTimestamp"].as_i64());
        let mut found = Vec::new();
        if !is_enabled(state) {
            since = None;
            found.extend(time.map(|_| "it has an in-commit timestamp, and the table has none".to_owned()));
        } else {
            let first = *since.get_or_insert(entry);
            found.extend(check_time(entry, time, last));
            found.extend(check_since(&state.metadata["configuration"], first));
            last = time.unwrap_or(last);
        }
        wrong.extend(found.into_iter().map(|what| format!("{} version {}: {what}", table.name, entry.version)));
    }
    wrong
}

fn is_enabled(state: &State) -> bool {
    let features = state.protocol["writerFeatures"].as_array();
    features.is_some_and(|features| features.iter().any(|feature| feature == TIMESTAMP_FEATURE))
        && state.metadata["configuration"][TIMESTAMPS] == "true"
}

fn check_time(entry: &Version, time: Option<i64>, last: i64) -> Vec<String> {
    let mut wrong = Vec::new();
    if time != Some(entry.timestamp_ms) {
        wrong.push(format!("its in-commit timestamp is {time:?}, and its time {}", entry.timestamp_ms));
    }
    if time.is_some_and(|time| time <= last) {
        wrong.push("its in-commit timestamp is not later than the one before it".to_owned());
    }
    if entry.actions.first().is_none_or(|action| action.get("commitInfo").is_none()) {
        wrong.push("its commit info does not come first".to_owned());
    }
    wrong
}

/// A table that has them from its first version on needs not say so.
fn check_since(configuration: &Value, first: &Version) -> Option<String> {
    let said = (text(configuration, SINCE_VERSION), text(configuration, SINCE_TIME));
    let expected = (first.version.to_string(), first.timestamp_ms.to_string());
    let is_right = said == expected || (first.version == 0 && said == (String::new(), String::new()));
    (!is_right).then(|| format!("in-commit timestamps are said to be since {said:?}, and are since {expected:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checkers::examples::{table, version};

    fn info(time: i64) -> Value {
        json!({"commitInfo": {"inCommitTimestamp": time}})
    }

    fn enabled(since_version: &str, since_time: &str) -> Value {
        json!({"metaData": {"configuration":
            {TIMESTAMPS: "true", SINCE_VERSION: since_version, SINCE_TIME: since_time}}})
    }

    fn wrong(first: Vec<Value>, second: Vec<Value>, third: Vec<Value>) -> Vec<String> {
        let mut first = first;
        first.push(json!({"protocol": {"writerFeatures": [TIMESTAMP_FEATURE]}}));
        check(&[table(vec![version(0, "a", &first), version(1, "b", &second), version(2, "c", &third)])])
    }

    #[test]
    fn wrong_times_and_beginnings_are_found() {
        let good = || vec![info(101), enabled("1", "101")];
        assert_eq!(wrong(vec![], good(), vec![info(102)]), [""; 0]);
        assert_eq!(wrong(vec![info(100)], good(), vec![info(102)]).len(), 1, "it has none yet");
        assert_eq!(wrong(vec![], good(), vec![]).len(), 2, "no time, no info");
        assert_eq!(wrong(vec![], good(), vec![info(101)]).len(), 2, "another time, and not later");
        assert_eq!(wrong(vec![], vec![info(101), enabled("0", "101")], vec![info(102)]).len(), 2);
        assert_eq!(wrong(vec![], vec![enabled("1", "101"), info(101)], vec![info(102)]).len(), 1, "not first");
    }
}
