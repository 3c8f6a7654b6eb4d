//! The kinds of commits, each planned on a table as it was read.

use deltalakedb_core::snapshot::Snapshot;
use deltalakedb_simulation::ledger::Scope;
use deltalakedb_simulation::model::{rows, text};
use serde_json::{Value, json};

use super::chance::Chance;

/// The values of the partition column.
pub(crate) const PARTITIONS: [&str; 3] = ["a", "b", "c"];

/// A table with more files is made smaller.
const MANY_FILES: usize = 40;

/// A table as a writer sees it.
pub(crate) struct View {
    pub(crate) snapshot: Snapshot,
    /// Each the body of an `add`.
    pub(crate) files: Vec<Value>,
}

/// What is to be committed to one table.
pub(crate) struct Planned {
    pub(crate) actions: Vec<Value>,
    pub(crate) scope: Scope,
}

type Plan = fn(&mut Chance, &View) -> Option<Planned>;

/// Name, how often of all, plan.
const KINDS: [(&str, usize, Plan); 12] = [
    ("append", 10, append),
    ("delete", 5, delete),
    ("remove by name", 3, remove_by_name),
    ("overwrite", 1, overwrite),
    ("compact", 4, compact),
    ("statistics", 3, statistics),
    ("deletion vector", 4, vector),
    ("property", 1, property),
    ("column", 1, column),
    ("stream", 4, stream),
    ("domain", 2, domain),
    ("transaction", 6, part_of_transaction),
];

pub(crate) const TRANSACTION: &str = "transaction";

/// The name as it lives as long as the program.
pub(crate) fn known_kind(name: &str) -> Option<&'static str> {
    KINDS.iter().map(|(known, ..)| *known).find(|known| *known == name)
}

/// One of the kinds.
pub(crate) fn choose(chance: &mut Chance) -> (&'static str, Plan) {
    let mut left = chance.below(KINDS.iter().map(|(_, weight, _)| weight).sum());
    let chosen = KINDS.iter().find(|(_, weight, _)| {
        let is_it = left < *weight;
        left = left.saturating_sub(*weight);
        is_it
    });
    chosen.map_or(("append", append), |(name, _, plan)| (*name, *plan))
}

fn blind(actions: Vec<Value>) -> Option<Planned> {
    Some(Planned { actions, scope: Scope::Nothing })
}

fn append(chance: &mut Chance, view: &View) -> Option<Planned> {
    if view.files.len() > MANY_FILES {
        return overwrite(chance, view);
    }
    let count = 1 + chance.below(3);
    blind((0..count).map(|_| new_file(chance)).collect())
}

fn part_of_transaction(chance: &mut Chance, view: &View) -> Option<Planned> {
    let parts: [Plan; 4] = [append, delete, remove_by_name, stream];
    parts[chance.below(parts.len())](chance, view)
}

/// A file with new rows.
fn new_file(chance: &mut Chance) -> Value {
    let partition = PARTITIONS[chance.below(PARTITIONS.len())];
    let rows: Vec<u64> = (0..=chance.below(4)).map(|_| chance.number()).collect();
    file(chance, partition, &rows, true)
}

fn file(chance: &mut Chance, partition: &str, rows: &[u64], data_change: bool) -> Value {
    let number = chance.number();
    json!({"add": {
        "path": format!("p={partition}/{number}.parquet"),
        "partitionValues": {"p": partition},
        "size": 100 + number % 1000,
        "modificationTime": 1_704_067_200_000_i64,
        "dataChange": data_change,
        "stats": json!({"numRecords": rows.len()}).to_string(),
        "tags": {"rows": names(rows)},
    }})
}

fn names(rows: &[u64]) -> String {
    rows.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn partition(add: &Value) -> String {
    text(&add["partitionValues"], "p")
}

fn remove(add: &Value, data_change: bool) -> Value {
    let mut remove = json!({
        "path": add["path"], "deletionTimestamp": 1_704_067_200_000_i64, "dataChange": data_change,
        "extendedFileMetadata": true, "partitionValues": add["partitionValues"], "size": add["size"],
    });
    if add["deletionVector"].is_object() {
        remove["deletionVector"] = add["deletionVector"].clone();
    }
    json!({"remove": remove})
}

/// All of the table, or a partition, with the files in it.
fn scope(chance: &mut Chance, view: &View) -> (Scope, Vec<Value>) {
    if chance.once_in(3) || view.files.len() > MANY_FILES {
        return (Scope::Table, view.files.clone());
    }
    let chosen = PARTITIONS[chance.below(PARTITIONS.len())];
    (Scope::Partition(chosen.to_owned()), in_partition(view, chosen))
}

fn in_partition(view: &View, chosen: &str) -> Vec<Value> {
    view.files.iter().filter(|add| partition(add) == chosen).cloned().collect()
}

/// Some of the files.
fn some(chance: &mut Chance, files: &[Value], most: usize) -> Vec<Value> {
    let count = 1 + chance.below(most.min(files.len().max(1)));
    let mut left = files.to_vec();
    let mut chosen = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        chosen.push(left.swap_remove(chance.below(left.len())));
    }
    chosen
}

fn paths(files: &[Value]) -> Scope {
    Scope::Files(files.iter().map(|add| text(add, "path")).collect())
}

/// Reads a scope, drops some of its rows, which rewrites their files.
fn delete(chance: &mut Chance, view: &View) -> Option<Planned> {
    let (scope, files) = scope(chance, view);
    let mut actions = Vec::new();
    for add in some(chance, &files, 3) {
        actions.push(remove(&add, true));
        let mut kept = rows(&add);
        kept.truncate(chance.below(kept.len() + 1));
        if !kept.is_empty() {
            actions.push(file(chance, &partition(&add), &kept, true));
        }
    }
    (!actions.is_empty()).then_some(Planned { actions, scope })
}

/// Knows files by their names and minds no others.
fn remove_by_name(chance: &mut Chance, view: &View) -> Option<Planned> {
    let touched = some(chance, &view.files, 2);
    let actions: Vec<Value> = touched.iter().map(|add| remove(add, true)).collect();
    (!actions.is_empty()).then(|| Planned { actions, scope: paths(&touched) })
}

fn overwrite(chance: &mut Chance, view: &View) -> Option<Planned> {
    let (scope, files) = scope(chance, view);
    let mut actions: Vec<Value> = files.iter().map(|add| remove(add, true)).collect();
    let partition = files.first().map(partition)?;
    let row = chance.number();
    actions.push(file(chance, &partition, &[row], true));
    Some(Planned { actions, scope })
}

/// Puts the rows of files of one partition into one file.
fn compact(chance: &mut Chance, view: &View) -> Option<Planned> {
    let chosen = PARTITIONS[chance.below(PARTITIONS.len())];
    let files = in_partition(view, chosen);
    if files.len() < 2 {
        return None;
    }
    let touched = some(chance, &files, 4);
    let all: Vec<u64> = touched.iter().flat_map(rows).collect();
    let mut actions: Vec<Value> = touched.iter().map(|add| remove(add, false)).collect();
    actions.push(file(chance, chosen, &all, false));
    Some(Planned { actions, scope: paths(&touched) })
}

/// Adds live files again, with statistics made anew.
fn statistics(chance: &mut Chance, view: &View) -> Option<Planned> {
    let touched = some(chance, &view.files, 2);
    let mut again = |add: &Value| {
        let mut add = add.clone();
        let mut stats: Value = serde_json::from_str(&text(&add, "stats")).unwrap_or_default();
        stats["minValues"] = json!({"id": chance.number()});
        add["stats"] = stats.to_string().into();
        add["dataChange"] = false.into();
        json!({"add": add})
    };
    let actions: Vec<Value> = touched.iter().map(&mut again).collect();
    (!actions.is_empty()).then(|| Planned { actions, scope: paths(&touched) })
}

/// Deletes a row of a file by a deletion vector, in the place of the one that it has.
fn vector(chance: &mut Chance, view: &View) -> Option<Planned> {
    let add = view.files.get(chance.below(view.files.len()))?;
    let mut kept = rows(add);
    if kept.len() < 2 {
        return None;
    }
    kept.remove(chance.below(kept.len()));
    let mut again = add.clone();
    let deleted = again["deletionVector"]["cardinality"].as_i64().unwrap_or(0);
    // 20 characters of Z85 are 16 bytes; the digits are among its characters.
    let bytes = format!("{:020}", chance.number());
    again["deletionVector"] =
        json!({"storageType": "i", "pathOrInlineDv": bytes, "sizeInBytes": 16, "cardinality": deleted + 1});
    again["tags"]["rows"] = names(&kept).into();
    again["dataChange"] = true.into();
    let actions = vec![remove(add, true), json!({"add": again})];
    Some(Planned { actions, scope: Scope::Files(vec![text(add, "path")]) })
}

fn property(chance: &mut Chance, view: &View) -> Option<Planned> {
    let mut metadata = serde_json::to_value(&view.snapshot.metadata).ok()?;
    metadata["configuration"]["load.number"] = chance.number().to_string().into();
    blind(vec![json!({"metaData": metadata})])
}

fn column(chance: &mut Chance, view: &View) -> Option<Planned> {
    let mut metadata = serde_json::to_value(&view.snapshot.metadata).ok()?;
    let mut schema: Value = serde_json::from_str(&text(&metadata, "schemaString")).ok()?;
    let name = format!("c{}", chance.number());
    schema["fields"].as_array_mut()?.push(json!({"name": name, "type": "long", "nullable": true, "metadata": {}}));
    metadata["schemaString"] = schema.to_string().into();
    blind(vec![json!({"metaData": metadata})])
}

/// The next batch of an application, of which several instances may run.
fn stream(chance: &mut Chance, view: &View) -> Option<Planned> {
    let app_id = format!("app-{}", chance.below(4));
    let last = view.snapshot.transactions.iter().find(|txn| txn.app_id == app_id).map_or(0, |txn| txn.version);
    let txn = json!({"txn": {"appId": app_id, "version": last + 1, "lastUpdated": 1_704_067_200_000_i64}});
    blind(vec![txn, new_file(chance)])
}

fn domain(chance: &mut Chance, view: &View) -> Option<Planned> {
    let name = format!("load.domain-{}", chance.below(2));
    let is_there = view.snapshot.domain_metadata.iter().any(|domain| domain.domain == name);
    let removed = is_there && chance.once_in(3);
    let configuration = chance.number().to_string();
    blind(vec![json!({"domainMetadata": {"domain": name, "configuration": configuration, "removed": removed}})])
}
