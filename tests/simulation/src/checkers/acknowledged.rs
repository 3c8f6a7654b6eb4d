//! Every acknowledged commit is there once, as it was sent; every refused one never.

use std::collections::BTreeMap;

use serde_json::Value;

use super::in_commit_timestamps::{SINCE_TIME, SINCE_VERSION};
use super::row_ids;
use crate::history::{TableHistory, Version};
use crate::ledger::{Answer, Commit, Ledger};

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut found: BTreeMap<(i64, &str), &Version> = BTreeMap::new();
    for table in tables {
        for entry in &table.versions {
            let Some(id) = &entry.commit_id else { continue };
            found.insert((table.key, id), entry);
            if !ledger.commits.contains_key(id) {
                wrong.push(format!("{}: version {} has the id {id}, which nobody sent", table.name, entry.version));
            }
        }
    }
    for (id, commit) in &ledger.commits {
        for (index, intent) in commit.intents.iter().enumerate() {
            if ledger.dropped.contains(&intent.table) {
                continue;
            }
            let entry = found.get(&(intent.table, id.as_str())).copied();
            wrong.extend(check_part(id, commit, index, entry, ledger.touches_dropped(commit)));
        }
    }
    wrong
}

fn check_part(id: &str, commit: &Commit, index: usize, entry: Option<&Version>, touches_dropped: bool) -> Vec<String> {
    let table = commit.intents[index].table;
    let what = format!("{id} ({}) to table {table}", commit.kind);
    let mut wrong = Vec::new();
    for answer in &commit.answers {
        match (answer, entry) {
            (Answer::Committed(parts), Some(entry))
                if parts.get(index) == Some(&(entry.version, entry.timestamp_ms)) => {}
            (Answer::Committed(_), Some(entry)) => {
                wrong.push(format!("{what} was told {answer:?}, and is version {}", entry.version));
            }
            (Answer::Committed(_), None) => wrong.push(format!("{what} was acknowledged, and is not there")),
            // What became of a transaction before one of its tables was dropped cannot be found out.
            (Answer::Refused(_), _) if touches_dropped => {}
            (Answer::Refused(reason), Some(entry)) => {
                wrong.push(format!("{what} was refused ({reason}), and is version {}", entry.version));
            }
            _ => {}
        }
    }
    let Some(entry) = entry else { return wrong };
    if commit.is_invalid {
        wrong.push(format!("{what} breaks a rule, and is version {}", entry.version));
    }
    let all_failed = commit.answers.iter().all(|answer| *answer == Answer::Failed);
    if all_failed && commit.answers.len() == commit.sent_count {
        wrong.push(format!("{what} never happened, by its answers, and is version {}", entry.version));
    }
    if changes(&as_sent(&entry.actions)) != changes(&as_sent(&commit.intents[index].actions)) {
        wrong.push(format!("{what}: version {} has other actions than were sent", entry.version));
    }
    wrong
}

/// The actions in an order of their own, without what the commit says of itself.
pub(super) fn changes(actions: &[Value]) -> Vec<String> {
    let changes = actions.iter().filter(|action| action.get("commitInfo").is_none());
    let mut texts: Vec<String> = changes.map(Value::to_string).collect();
    texts.sort();
    texts
}

/// Without what is decided when the commit happens: row ids, and since when there are in-commit timestamps.
fn as_sent(actions: &[Value]) -> Vec<Value> {
    let sent = actions.iter().filter(|action| action["domainMetadata"]["domain"] != row_ids::DOMAIN);
    let mut sent: Vec<Value> = sent.cloned().collect();
    for body in sent.iter_mut().filter_map(Value::as_object_mut).flat_map(|action| action.values_mut()) {
        let Some(fields) = body.as_object_mut() else { continue };
        fields.retain(|name, _| name != "baseRowId" && name != "defaultRowCommitVersion");
        if let Some(properties) = fields.get_mut("configuration").and_then(Value::as_object_mut) {
            properties.retain(|name, _| name != SINCE_VERSION && name != SINCE_TIME);
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{add, intent, ledger, table, version};
    use crate::ledger::Scope;

    #[test]
    fn each_answer_is_held_against_the_history() {
        let actions = [add("f", "1")];
        let tables = [table(vec![version(0, "a", &actions)])];
        let told = |answer: Answer| {
            let mut ledger = ledger(vec![("a", intent(0, Scope::Nothing, &actions))]);
            ledger.commits.get_mut("a").unwrap().answers.push(answer);
            ledger
        };
        let wrong = |answer: Answer| check(&tables, &told(answer)).len();
        assert_eq!(wrong(Answer::Committed(vec![(0, 100)])), 0);
        assert_eq!(wrong(Answer::Committed(vec![(1, 100)])), 1);
        assert_eq!(wrong(Answer::Unknown), 0);
        assert_eq!(wrong(Answer::Refused("no".into())), 1);
        assert_eq!(wrong(Answer::Failed), 1);
        assert_eq!(check(&[], &told(Answer::Committed(vec![(0, 100)]))).len(), 1);
        assert_eq!(check(&tables, &Ledger::default()).len(), 1);

        let mut invalid = told(Answer::Unknown);
        invalid.commits.get_mut("a").unwrap().is_invalid = true;
        assert_eq!(check(&tables, &invalid).len(), 1);
        let mut other = told(Answer::Unknown);
        other.commits.get_mut("a").unwrap().intents[0].actions = vec![add("f", "2")];
        assert_eq!(check(&tables, &other).len(), 1);
    }
}
