//! Commits that remove or replace files.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::View;
use super::plan::{Planned, deletion_vector, file, has_feature, has_vectors, new_file};
use crate::ledger::{BACKFILL, Scope};
use crate::model::{rows, text};
use crate::port::Client;
use crate::tables::{PARTITIONS, ROW_TRACKING_FEATURE};

fn partition(add: &Value) -> String {
    text(&add["partitionValues"], "p")
}

/// The `remove` of a live file.
pub(super) fn remove(client: &Client, add: &Value, data_change: bool) -> Value {
    let mut remove = json!({
        "path": add["path"],
        "deletionTimestamp": client.world.clock.now_ms(),
        "dataChange": data_change,
        "extendedFileMetadata": true,
        "partitionValues": add["partitionValues"],
        "size": add["size"],
    });
    if add["deletionVector"].is_object() {
        remove["deletionVector"] = add["deletionVector"].clone();
    }
    json!({"remove": remove})
}

/// All of the table, or a partition, with the files in it.
fn scope(client: &Client, view: &View) -> (Scope, Vec<Value>) {
    if client.once_in(3) {
        return (Scope::Table, view.files.clone());
    }
    let newest = view.files.last().filter(|_| client.once_in(2)).map(partition);
    let chosen = newest.unwrap_or_else(|| PARTITIONS[client.below(PARTITIONS.len())].to_owned());
    let files = view.files.iter().filter(|add| partition(add) == chosen).cloned().collect();
    (Scope::Partition(chosen), files)
}

/// Some of the files; often the newest is among them, so that writers meet.
fn some(client: &Client, files: &[Value], most: usize) -> Vec<Value> {
    let count = 1 + client.below(most.min(files.len().max(1)));
    let mut left = files.to_vec();
    let mut chosen = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        let number = if client.once_in(2) { left.len() - 1 } else { client.below(left.len()) };
        chosen.push(left.swap_remove(number));
    }
    chosen
}

/// A delete or update: reads a scope, drops some rows and changes others, which rewrites their files.
pub(super) fn delete(client: &Client, view: &View) -> Option<Planned> {
    let (scope, files) = scope(client, view);
    let touched = some(client, &files, 3);
    let mut actions = Vec::new();
    for add in &touched {
        actions.push(remove(client, add, true));
        let mut kept = rows(add);
        kept.truncate(client.below(kept.len() + 1));
        if client.once_in(2) {
            kept.push(client.world.number());
        }
        if !kept.is_empty() {
            actions.push(file(client, &partition(add), &kept, true));
        }
    }
    (!actions.is_empty()).then_some(Planned { actions, scope })
}

/// Adds a file with what it found in others, which stay.
pub(super) fn derive(client: &Client, view: &View) -> Planned {
    let (scope, _) = scope(client, view);
    Planned { actions: vec![new_file(client)], scope }
}

/// The same of files that it names one by one.
pub(super) fn derive_from_files(client: &Client, view: &View) -> Option<Planned> {
    let read = some(client, &view.files, 3);
    let actions = vec![new_file(client)];
    (!read.is_empty()).then_some(Planned { actions, scope: Scope::Files(paths(&read)) })
}

/// A retention job: it knows files by their names and minds no others. Often it goes by their statistics.
pub(super) fn remove_by_name(client: &Client, view: &View) -> Option<Planned> {
    let known: Vec<Value> = view.files.iter().filter(|add| text(add, "stats").contains("minValues")).cloned().collect();
    let files = if known.is_empty() || client.once_in(3) { &view.files } else { &known };
    let touched = some(client, files, 2);
    let actions: Vec<Value> = touched.iter().map(|add| remove(client, add, true)).collect();
    (!actions.is_empty()).then_some(Planned { actions, scope: Scope::Nothing })
}

fn paths(files: &[Value]) -> Vec<String> {
    files.iter().map(|add| text(add, "path")).collect()
}

pub(super) fn overwrite(client: &Client, view: &View) -> Option<Planned> {
    let (scope, files) = scope(client, view);
    let mut actions: Vec<Value> = files.iter().map(|add| remove(client, add, true)).collect();
    let partition = files.first().map(partition)?;
    actions.push(file(client, &partition, &[client.world.number()], true));
    Some(Planned { actions, scope })
}

/// Puts the rows of files of one partition into one file.
pub(super) fn compact(client: &Client, view: &View) -> Option<Planned> {
    let chosen = PARTITIONS[client.below(PARTITIONS.len())];
    let files: Vec<Value> = view.files.iter().filter(|add| partition(add) == chosen).cloned().collect();
    if files.len() < 2 {
        return None;
    }
    let touched = some(client, &files, 4);
    let all: BTreeSet<u64> = touched.iter().flat_map(rows).collect();
    let mut actions: Vec<Value> = touched.iter().map(|add| remove(client, add, false)).collect();
    actions.push(file(client, chosen, &all.into_iter().collect::<Vec<_>>(), false));
    Some(Planned { actions, scope: Scope::Files(paths(&touched)) })
}

/// A file's `add` once more.
fn again(add: &Value) -> Value {
    let mut add = add.clone();
    add["dataChange"] = false.into();
    add
}

/// Adds live files again, with statistics made anew. Some who do so do not say that they read them.
pub(super) fn statistics(client: &Client, view: &View) -> Option<Planned> {
    let touched = some(client, &view.files, 2);
    let actions: Vec<Value> = touched
        .iter()
        .map(|add| {
            let mut add = again(add);
            let mut stats: Value = serde_json::from_str(&text(&add, "stats")).unwrap_or_default();
            stats["tightBounds"] = true.into();
            stats["minValues"] = json!({"id": client.world.number()});
            add["stats"] = stats.to_string().into();
            json!({"add": add})
        })
        .collect();
    let scope = if client.once_in(2) { Scope::Nothing } else { Scope::Files(paths(&touched)) };
    (!actions.is_empty()).then_some(Planned { actions, scope })
}

/// Adds live files again as they are, so that they get row ids.
pub(super) fn backfill(client: &Client, view: &View) -> Option<Planned> {
    let touched = some(client, &view.files, 3);
    if !has_feature(view, ROW_TRACKING_FEATURE) || touched.is_empty() {
        return None;
    }
    let mut actions = vec![json!({"commitInfo": {"operation": BACKFILL}})];
    actions.extend(touched.iter().map(|add| json!({"add": again(add)})));
    Some(Planned { actions, scope: Scope::Files(paths(&touched)) })
}

/// Deletes a row of a file by a deletion vector, in the place of the one that it has.
pub(super) fn vector(client: &Client, view: &View) -> Option<Planned> {
    if !has_vectors(view) {
        return None;
    }
    let add = client.pick(&view.files)?;
    let mut kept = rows(add);
    if kept.len() < 2 {
        return None;
    }
    kept.remove(client.below(kept.len()));
    let mut again = add.clone();
    let deleted = again["deletionVector"]["cardinality"].as_i64().unwrap_or(0);
    again["deletionVector"] = deletion_vector(client, deleted + 1);
    again["tags"]["rows"] = kept.iter().map(u64::to_string).collect::<Vec<_>>().join(" ").into();
    again["dataChange"] = true.into();
    let actions = vec![remove(client, add, true), json!({"add": again})];
    Some(Planned { actions, scope: Scope::Files(vec![text(add, "path")]) })
}
