//! The mirror is a prefix of the catalog at every moment, and all of it once the faults are over.

use std::collections::BTreeSet;

use bytes::Bytes;
use deltalakedb_core::Result;
use deltalakedb_core::log::{CheckpointReader, LogFileKind, parse_file_name};
use serde_json::Value;

use super::acknowledged::changes;
use crate::history::{TableHistory, to_value};
use crate::ledger::Ledger;
use crate::mirrors::folder;
use crate::model::State;
use crate::store::Objects;

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger, objects: &Objects) -> Vec<String> {
    let mut wrong = Vec::new();
    for table in tables.iter().filter(|table| !ledger.copies.contains_key(&table.key)) {
        let folder = folder(table.key);
        let files = objects.in_folder(&folder);
        if !files.is_empty() {
            let found = check_order(&folder, &ledger.published).into_iter().chain(check_files(table, &files));
            wrong.extend(found.map(|found| format!("the mirror of {}: {found}", table.name)));
        }
    }
    wrong
}

/// Commits appear one after the other, checkpoints after their commit.
fn check_order(folder: &str, published: &[String]) -> Vec<String> {
    let mut next = 0;
    let mut wrong = Vec::new();
    for name in published.iter().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/')) {
        match parse_file_name(name) {
            Some((version, LogFileKind::Commit)) if version == next => next += 1,
            Some((version, LogFileKind::Commit)) => {
                wrong.push(format!("{name} appeared when {next} was due: {version}"))
            }
            Some((version, _)) if version >= next => wrong.push(format!("{name} appeared before its commit")),
            _ => {}
        }
    }
    wrong
}

fn check_files(table: &TableHistory, files: &[(String, Bytes)]) -> Vec<String> {
    let states = table.states();
    let mut wrong = Vec::new();
    let mut commits = BTreeSet::new();
    let mut checkpoints = BTreeSet::new();
    let mut named = None;
    for (name, bytes) in files {
        match parse_file_name(name) {
            Some((version, LogFileKind::Commit)) => {
                commits.insert(version);
                wrong.extend(table.version(version).map_or_else(
                    || Some(format!("{name} is of no version that the catalog has")),
                    |entry| check_commit(name, bytes, &entry.actions),
                ));
            }
            Some((version, LogFileKind::ClassicCheckpoint)) => {
                checkpoints.insert(version);
                match checkpoint_state(name, bytes) {
                    Ok(state) if states.get(&version).cloned().map(State::changing_no_data) == Some(state.clone()) => {}
                    Ok(_) => wrong.push(format!("{name} holds another state than the log")),
                    Err(error) => wrong.push(format!("{name} cannot be read: {error}")),
                }
            }
            _ if name == "_last_checkpoint" => {
                named = serde_json::from_slice::<Value>(bytes).ok().and_then(|last| last["version"].as_i64());
            }
            _ => wrong.push(format!("{name} does not belong there")),
        }
    }
    if !commits.iter().copied().eq(0..=table.latest_version) {
        wrong.push(format!("it has the commits {commits:?}, the catalog those up to {}", table.latest_version));
    }
    if named.is_some_and(|version| !checkpoints.contains(&version)) || named.is_some() == checkpoints.is_empty() {
        wrong.push(format!("_last_checkpoint names {named:?}; there are {checkpoints:?}"));
    }
    wrong
}

fn check_commit(name: &str, bytes: &Bytes, actions: &[Value]) -> Option<String> {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let Ok(written) = lines.map(serde_json::from_slice).collect::<serde_json::Result<Vec<Value>>>() else {
        return Some(format!("{name} is not JSON, line by line"));
    };
    let info = |actions: &[Value]| actions.first().and_then(|action| action.get("commitInfo")).cloned();
    let is_same = changes(&written) == changes(actions) && info(&written) == info(actions);
    (!is_same).then(|| format!("{name} holds other actions than the catalog"))
}

fn checkpoint_state(name: &str, bytes: &Bytes) -> Result<State> {
    let mut state = State::default();
    for actions in CheckpointReader::new(name, bytes.clone())? {
        // Tombstones are of files that are not there.
        let actions: Vec<Value> = actions?.iter().map(to_value).collect();
        actions.iter().filter(|action| action.get("remove").is_none()).for_each(|action| state.apply(action));
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::checkers::examples::{add, table, version};
    use deltalakedb_core::log::commit_file_name;

    fn files(commits: &[(i64, Value)]) -> Vec<(String, Bytes)> {
        commits.iter().map(|(version, action)| (commit_file_name(*version), action.to_string().into())).collect()
    }

    #[test]
    fn only_what_the_catalog_has_is_right() {
        let (first, second) = (add("f", "1"), add("g", "2"));
        let table = table(vec![version(0, "a", from_ref(&first)), version(1, "b", from_ref(&second))]);
        let wrong = |files: Vec<(String, Bytes)>| check_files(&table, &files).len();
        let good = files(&[(0, first.clone()), (1, second.clone())]);
        assert_eq!(wrong(good.clone()), 0);
        assert_eq!(wrong(files(&[(0, first.clone())])), 1, "it is not complete");
        assert_eq!(wrong(files(&[(0, first.clone()), (1, first.clone())])), 1);
        assert_eq!(wrong(files(&[(0, first), (1, second.clone()), (2, second)])), 2);
        let with = |name: &str, text: &'static str| {
            let mut files = good.clone();
            files.push((name.to_owned(), Bytes::from_static(text.as_bytes())));
            files
        };
        assert_eq!(wrong(with("_last_checkpoint", r#"{"version":1,"size":1}"#)), 1);
        assert_eq!(wrong(with("00000000000000000001.checkpoint.parquet", "half of one")), 2);
        assert_eq!(wrong(with("half", "")), 1);
        let mut torn = good.clone();
        torn[1].1.truncate(20);
        assert_eq!(wrong(torn), 1);
    }

    #[test]
    fn files_appear_in_order() {
        let paths = |names: &[&str]| names.iter().map(|name| format!("1/_delta_log/{name}")).collect::<Vec<_>>();
        let wrong = |names: &[&str]| check_order("1/_delta_log", &paths(names)).len();
        let (first, second) = (commit_file_name(0), commit_file_name(1));
        let checkpoint = "00000000000000000001.checkpoint.parquet";
        assert_eq!(wrong(&[&first, &second, checkpoint, "_last_checkpoint"]), 0);
        assert_eq!(wrong(&[&first, checkpoint, &second]), 1);
        assert_eq!(wrong(&[&second]), 1);
        assert_eq!(wrong(&[&first, &first]), 1, "a file is written once");
    }
}
