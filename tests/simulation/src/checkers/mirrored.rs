//! The mirror is a prefix of the catalog at every moment, and all of it once the faults are over.

use std::collections::BTreeSet;

use bytes::Bytes;
use deltalakedb_core::Result;
use deltalakedb_core::log::{CheckpointReader, LogFileKind, commit_file_name, parse_checksum_name, parse_file_name};
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
            let inside = |path: &String| Some(path.strip_prefix(&folder)?.strip_prefix('/')?.to_owned());
            let deleted: BTreeSet<String> = ledger.deleted.iter().filter_map(inside).collect();
            let published: Vec<String> = ledger.published.iter().filter_map(inside).collect();
            let found = check_order(&published, &deleted).into_iter().chain(check_files(table, &files, &deleted));
            wrong.extend(found.map(|found| format!("the mirror of {}: {found}", table.name)));
        }
    }
    wrong
}

/// Commits appear one after the other, all else after its commit. One that was deleted appears again where a mirror that
/// looked before is slow.
fn check_order(published: &[String], deleted: &BTreeSet<String>) -> Vec<String> {
    let mut next = 0;
    let mut wrong = Vec::new();
    for name in published {
        match parse_file_name(name).or_else(|| Some((parse_checksum_name(name)?, LogFileKind::ClassicCheckpoint))) {
            Some((version, LogFileKind::Commit)) if version == next => next += 1,
            Some((version, LogFileKind::Commit)) if version < next && deleted.contains(name) => {}
            Some((_, LogFileKind::CompactedTo(version))) if version >= next => {
                wrong.push(format!("{name} appeared before its commits"));
            }
            Some((version, LogFileKind::Commit)) => {
                wrong.push(format!("{name} appeared when {next} was due: {version}"))
            }
            Some((version, _)) if version >= next => wrong.push(format!("{name} appeared before its commit")),
            _ => {}
        }
    }
    wrong
}

fn check_files(table: &TableHistory, files: &[(String, Bytes)], deleted: &BTreeSet<String>) -> Vec<String> {
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
            Some((from, LogFileKind::CompactedTo(to))) => {
                let before = if from == 0 { Some(State::default()) } else { states.get(&(from - 1)).cloned() };
                let after = states.get(&to).cloned().map(State::changing_no_data);
                let found = before.and_then(|before| compacted_state(before.changing_no_data(), bytes));
                if found.is_none() || found != after {
                    wrong.push(format!("{name} does not lead where its commits lead"));
                }
            }
            None if parse_checksum_name(name).is_some() => {
                let state = parse_checksum_name(name).and_then(|version| states.get(&version));
                if !state.is_some_and(|state| is_checksum_of(state, bytes)) {
                    wrong.push(format!("{name} says another thing than the log"));
                }
            }
            _ if name == "_last_checkpoint" => {
                named = serde_json::from_slice::<Value>(bytes).ok().and_then(|last| last["version"].as_i64());
            }
            _ => wrong.push(format!("{name} does not belong there")),
        }
    }
    if !is_complete(&commits, &checkpoints, deleted, table.latest_version) {
        wrong.push(format!("it has the commits {commits:?}, the catalog those up to {}", table.latest_version));
    }
    if named.is_some_and(|version| !checkpoints.contains(&version)) || named.is_some() == checkpoints.is_empty() {
        wrong.push(format!("_last_checkpoint names {named:?}; there are {checkpoints:?}"));
    }
    wrong
}

/// All commits up to the latest are there, or those from before a checkpoint on; others were deleted, and may be there
/// again.
fn is_complete(commits: &BTreeSet<i64>, checkpoints: &BTreeSet<i64>, deleted: &BTreeSet<String>, latest: i64) -> bool {
    let first = (0..=latest).rev().take_while(|version| commits.contains(version)).last();
    let Some(first) = first.filter(|_| commits.last() == Some(&latest)) else { return false };
    let is_covered = first == 0 || checkpoints.range(first..=latest).next().is_some();
    is_covered && (0..first).all(|version| deleted.contains(&commit_file_name(version)))
}

/// The state that a compacted log leads to.
fn compacted_state(mut state: State, bytes: &Bytes) -> Option<State> {
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        state.apply(&serde_json::from_slice(line).ok()?);
    }
    Some(state)
}

fn is_checksum_of(state: &State, bytes: &Bytes) -> bool {
    let Ok(checksum) = serde_json::from_slice::<Value>(bytes) else { return false };
    let sum = |list: &Value| list.as_array().map(|bins| bins.iter().filter_map(Value::as_i64).sum::<i64>());
    let vectors: Vec<i64> =
        state.files.values().filter_map(|add| add["deletionVector"]["cardinality"].as_i64()).collect();
    let (count, bytes) = (state.files.len() as i64, state.size_bytes());
    let domains = checksum["domainMetadata"].as_array();
    let transactions = checksum["setTransactions"].as_array();
    checksum["numFiles"] == count
        && checksum["tableSizeBytes"] == bytes
        && sum(&checksum["fileSizeHistogram"]["fileCounts"]) == Some(count)
        && sum(&checksum["fileSizeHistogram"]["totalBytes"]) == Some(bytes)
        && (checksum["numDeletionVectorsOpt"].is_null() || checksum["numDeletionVectorsOpt"] == vectors.len())
        && (checksum["numDeletedRecordsOpt"].is_null()
            || checksum["numDeletedRecordsOpt"] == vectors.iter().sum::<i64>())
        && checksum["metadata"] == state.metadata
        && checksum["protocol"] == state.protocol
        && domains.is_none_or(|domains| domains.iter().eq(state.domains.values()))
        && transactions.is_none_or(|transactions| transactions.iter().eq(state.txns.values()))
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
        let none = BTreeSet::new();
        let wrong = |files: Vec<(String, Bytes)>| check_files(&table, &files, &none).len();
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
        let compacted = "00000000000000000000.00000000000000000001.compacted.json";
        assert_eq!(wrong(with(compacted, "")), 1);
        assert_eq!(wrong(with("00000000000000000001.crc", r#"{"numFiles":3}"#)), 1);
    }

    #[test]
    fn what_was_deleted_is_covered() {
        let versions = |versions: &[i64]| versions.iter().copied().collect::<BTreeSet<_>>();
        let deleted: BTreeSet<String> = (0..5).map(commit_file_name).collect();
        let complete =
            |commits: &[i64], checkpoints: &[i64]| is_complete(&versions(commits), &versions(checkpoints), &deleted, 6);
        assert!(complete(&[5, 6], &[5]) && complete(&[4, 5, 6], &[5]) && complete(&[1, 5, 6], &[5]));
        assert!(!complete(&[5, 6], &[]), "no checkpoint covers them");
        assert!(!complete(&[6], &[6]), "nobody deleted version 5");
        assert!(!complete(&[4, 5], &[5]) && !complete(&[], &[5]));
    }

    #[test]
    fn files_appear_in_order() {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let wrong = |names: &[&str]| check_order(&owned(names), &BTreeSet::new()).len();
        let (first, second) = (commit_file_name(0), commit_file_name(1));
        let checkpoint = "00000000000000000001.checkpoint.parquet";
        assert_eq!(wrong(&[&first, &second, checkpoint, "_last_checkpoint"]), 0);
        assert_eq!(wrong(&[&first, checkpoint, &second]), 1);
        assert_eq!(wrong(&[&second]), 1);
        assert_eq!(wrong(&[&first, &first]), 1, "a file is written once");
        assert_eq!(wrong(&[&first, "00000000000000000001.crc", &second]), 1);
        assert_eq!(wrong(&[&first, "00000000000000000000.00000000000000000001.compacted.json", &second]), 1);
        let deleted = BTreeSet::from([first.clone()]);
        assert_eq!(check_order(&owned(&[&first, &second, &first]), &deleted), [""; 0]);
    }
}
