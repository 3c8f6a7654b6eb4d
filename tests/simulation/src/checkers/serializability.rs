//! The committed history is one that could have happened commit after commit: at its place each one finds what it
//! read and what it removes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::in_commit_timestamps::{SINCE_TIME, SINCE_VERSION};
use crate::history::{TableHistory, Version};
use crate::ledger::{BACKFILL, Intent, Isolation, Ledger, Scope};
use crate::model::{State, key, rows, text};
use crate::tables::TIMESTAMPS;

pub(super) fn check(tables: &[TableHistory], ledger: &Ledger) -> Vec<String> {
    let written = tables.iter().filter(|table| !ledger.copies.contains_key(&table.key));
    written.flat_map(|table| check_table(table, ledger)).collect()
}

fn check_table(table: &TableHistory, ledger: &Ledger) -> Vec<String> {
    let states = table.states();
    let nothing = State::default();
    let mut before = &nothing;
    let mut wrong = Vec::new();
    for entry in &table.versions {
        let Some(after) = states.get(&entry.version) else { continue };
        let intent = intent_of(table, entry, ledger);
        let mut found = check_change(&entry.actions, before, after);
        if let Some(intent) = intent.filter(|intent| intent.states_version()) {
            match states.get(&intent.base) {
                Some(base) => found.extend(check_reads(table, ledger, entry, intent, base, before)),
                None => found.push(format!("it read version {}, which is not there", intent.base)),
            }
        }
        let who = entry.commit_id.as_deref().unwrap_or("import");
        wrong.extend(
            found.into_iter().map(|found| format!("{} version {} ({who}): {found}", table.name, entry.version)),
        );
        before = after;
    }
    wrong
}

fn intent_of<'a>(table: &TableHistory, entry: &Version, ledger: &'a Ledger) -> Option<&'a Intent> {
    let commit = ledger.commits.get(entry.commit_id.as_ref()?)?;
    commit.intents.iter().find(|intent| intent.table == table.key)
}

/// What holds of a commit between the states before and after it, whatever it read.
fn check_change(actions: &[Value], before: &State, after: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    let bodies = |name: &'static str| actions.iter().filter_map(move |action| action.get(name));
    for remove in bodies("remove") {
        if !before.files.contains_key(&key(remove)) {
            wrong.push(format!("it removes {}, which was not there", text(remove, "path")));
        }
    }
    let mut live = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for ((path, _), add) in &after.files {
        if !paths.insert(path) {
            wrong.push(format!("{path} is there with two deletion vectors"));
        }
        let twice = rows(add).into_iter().find(|row| !live.insert(*row));
        wrong.extend(twice.map(|row| format!("row {row} is there twice")));
    }
    let mut files = bodies("add").chain(bodies("remove")).peekable();
    if files.peek().is_some() && files.all(|file| file["dataChange"] == false) && before.rows(|_, _| true) != live {
        wrong.push("it says that it changes no data, and the rows are others".to_owned());
    }
    for add in bodies("add").filter(|_| bodies("commitInfo").any(|info| info["operation"] == BACKFILL)) {
        let is = before.files.get(&key(add)).unwrap_or(&Value::Null);
        if ["stats", "tags"].into_iter().any(|field| is[field] != add[field]) {
            wrong.push(format!("it gives row ids to {}, and changes it", text(add, "path")));
        }
    }
    for txn in bodies("txn") {
        let app_id = text(txn, "appId");
        let last = before.txns.get(&app_id).and_then(|txn| txn["version"].as_i64());
        if last >= txn["version"].as_i64() {
            wrong.push(format!("the batch {} of {app_id} was written before", txn["version"]));
        }
    }
    wrong
}

/// What it read must be the same just before it.
fn check_reads(
    table: &TableHistory,
    ledger: &Ledger,
    entry: &Version,
    intent: &Intent,
    base: &State,
    before: &State,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if intent.base >= entry.version {
        wrong.push(format!("it read version {}", intent.base));
    }
    if without_timestamps(&base.metadata) != without_timestamps(&before.metadata) {
        wrong.push(format!("the metadata that it read at version {} has changed", intent.base));
    }
    wrong
        .extend(check_names(intent, base, before).map(|what| format!("{what} at version {} has changed", intent.base)));
    if let Scope::Files(paths) = &intent.scope {
        // Their rows may be in other files by now: that is removed, too.
        let read = base.files.keys().filter(|(path, _)| paths.contains(path));
        let gone = read.filter(|key| !before.files.contains_key(key));
        wrong.extend(gone.map(|(path, _)| format!("it read {path} of version {}, which was removed", intent.base)));
        return wrong;
    }
    let read = rows_in(base, &intent.scope);
    let mut now = rows_in(before, &intent.scope);
    if intent.isolation == Isolation::WriteSerializable {
        let between = table.versions.iter().filter(|other| (intent.base + 1..entry.version).contains(&other.version));
        for other in between.filter(|other| is_blind_append(table, other, ledger)) {
            let added = other.actions.iter().filter_map(|action| action.get("add"));
            let added: Vec<u64> = added.flat_map(rows).collect();
            // A row that was read is there because of its first `add`, not of the last one.
            now.retain(|row| !added.contains(row) || read.contains(row));
        }
    }
    let new: Vec<_> = now.difference(&read).collect();
    if !new.is_empty() && intent.isolation != Isolation::Snapshot {
        wrong.push(format!("it read version {} and not the rows {new:?}, which are there", intent.base));
    }
    let lost: Vec<_> = read.difference(&now).collect();
    if !lost.is_empty() {
        wrong.push(format!("it read version {} with the rows {lost:?}, which are gone", intent.base));
    }
    wrong
}

/// Metadata without the properties that may be switched on beside any commit.
fn without_timestamps(metadata: &Value) -> Value {
    let mut metadata = metadata.clone();
    if let Some(properties) = metadata["configuration"].as_object_mut() {
        properties.retain(|name, _| ![TIMESTAMPS, SINCE_TIME, SINCE_VERSION].contains(&name.as_str()));
    }
    metadata
}

/// The application that was read, and what a commit changes and therefore has read: applications, domains, the protocol; of
/// a protocol that it does not change the features must still be there.
fn check_names(intent: &Intent, base: &State, before: &State) -> impl Iterator<Item = String> {
    let mut changed = Vec::new();
    if let Scope::Application(app_id) = &intent.scope
        && base.txns.get(app_id) != before.txns.get(app_id)
    {
        changed.push(format!("the application {app_id}, which it read,"));
    }
    for action in &intent.actions {
        let (app_id, domain) = (text(&action["txn"], "appId"), text(&action["domainMetadata"], "domain"));
        if base.txns.get(&app_id) != before.txns.get(&app_id) {
            changed.push(format!("the application {app_id}"));
        }
        if base.domains.get(&domain) != before.domains.get(&domain) {
            changed.push(format!("the domain {domain}"));
        }
    }
    let changes_protocol = intent.actions.iter().any(|action| action.get("protocol").is_some());
    let features = |state: &State| state.protocol["writerFeatures"].as_array().cloned().unwrap_or_default();
    let lost = features(base).iter().any(|feature| !features(before).contains(feature));
    if (changes_protocol && base.protocol != before.protocol) || lost {
        changed.push("the protocol".to_owned());
    }
    changed.into_iter()
}

fn rows_in(state: &State, scope: &Scope) -> BTreeSet<u64> {
    state.rows(|_, add| match scope {
        Scope::Nothing | Scope::Application(_) | Scope::Files(_) => false,
        Scope::Partition(value) => text(&add["partitionValues"], "p") == *value,
        Scope::Table => true,
    })
}

fn is_blind_append(table: &TableHistory, entry: &Version, ledger: &Ledger) -> bool {
    let names: BTreeMap<&str, ()> =
        entry.actions.iter().filter_map(|action| Some((action.as_object()?.keys().next()?.as_str(), ()))).collect();
    let reads_nothing = intent_of(table, entry, ledger).is_some_and(|intent| !intent.scope.has_rows());
    reads_nothing && names.contains_key("add") && !names.contains_key("remove")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::examples::{add, intent, ledger, remove, table, version};

    fn wrong(versions: Vec<Version>, intents: Vec<(&str, Intent)>) -> Vec<String> {
        check_table(&table(versions), &ledger(intents))
    }

    #[test]
    fn a_removed_file_must_be_there() {
        let good = vec![version(0, "a", &[add("f", "1")]), version(1, "b", &[remove("f")])];
        assert_eq!(wrong(good.clone(), vec![]), [""; 0]);
        let twice = vec![good[0].clone(), good[1].clone(), version(2, "c", &[remove("f")])];
        assert_eq!(wrong(twice, vec![]), ["table version 2 (c): it removes f, which was not there"]);
    }

    #[test]
    fn rows_live_once_and_compactions_keep_them() {
        let twice = vec![version(0, "a", &[add("f", "1")]), version(1, "b", &[add("g", "1")])];
        assert_eq!(wrong(twice, vec![]), ["table version 1 (b): row 1 is there twice"]);
        let mut lossy = [remove("f"), add("g", "1")];
        lossy[0]["remove"]["dataChange"] = false.into();
        lossy[1]["add"]["dataChange"] = false.into();
        let versions = vec![version(0, "a", &[add("f", "1 2")]), version(1, "b", &lossy)];
        assert!(wrong(versions, vec![])[0].contains("changes no data"));
    }

    #[test]
    fn a_backfill_leaves_files_as_they_are() {
        let info = serde_json::json!({"commitInfo": {"operation": BACKFILL}});
        let mut again = add("f", "1");
        let first = version(0, "a", &[again.clone()]);
        let backfill = |add: &Value| vec![first.clone(), version(1, "b", &[info.clone(), add.clone()])];
        assert_eq!(wrong(backfill(&again), vec![]), [""; 0]);
        again["add"]["stats"] = "{}".into();
        assert_eq!(wrong(backfill(&again), vec![]), ["table version 1 (b): it gives row ids to f, and changes it"]);
    }

    #[test]
    fn a_vector_replaces_the_file_without_it() {
        let mut with_vector = add("f", "2");
        with_vector["add"]["deletionVector"] = serde_json::json!({"storageType": "i", "pathOrInlineDv": "x"});
        let versions = vec![version(0, "a", &[add("f", "1")]), version(1, "b", &[with_vector])];
        assert_eq!(wrong(versions, vec![]), ["table version 1 (b): f is there with two deletion vectors"]);
    }

    #[test]
    fn an_application_writes_each_batch_once() {
        let txn = serde_json::json!({"txn": {"appId": "app", "version": 1}});
        let versions = vec![version(0, "a", std::slice::from_ref(&txn)), version(1, "b", &[txn])];
        assert_eq!(wrong(versions, vec![]), ["table version 1 (b): the batch 1 of app was written before"]);
    }

    /// What another commit did between the version that a commit read and its own.
    fn between(other: Vec<Value>, other_scope: Scope, isolation: Isolation) -> Vec<String> {
        let protocol = serde_json::json!({"protocol": {"writerFeatures": ["appendOnly"]}});
        let first = [protocol, add("f", "1"), add("g", "2")];
        let own = [remove("f")];
        let versions = vec![version(0, "a", &first), version(1, "b", &other), version(2, "c", &own)];
        let own = Intent { isolation, ..intent(0, Scope::Table, &own) };
        wrong(versions, vec![("b", intent(0, other_scope, &other)), ("c", own)])
    }

    /// What is wrong with a commit that read something before another one.
    fn after(other: Vec<Value>, scope: Scope) -> Vec<String> {
        let own = [add("own", "9")];
        let versions =
            vec![version(0, "a", &[add("f", "1"), add("g", "2")]), version(1, "b", &other), version(2, "c", &own)];
        wrong(versions, vec![("c", intent(0, scope, &own))])
    }

    #[test]
    fn files_that_were_read_one_by_one_are_live() {
        let read = |path: &str| Scope::Files(vec![path.to_owned()]);
        let moved = || vec![remove("f"), add("h", "1")];
        assert_eq!(after(moved(), read("f")), ["table version 2 (c): it read f of version 0, which was removed"]);
        assert_eq!(after(moved(), read("g")), [""; 0]);
        assert_eq!(after(vec![add("f", "1")], read("f")), [""; 0], "new statistics");
    }

    #[test]
    fn an_application_that_was_read_has_not_moved() {
        let txn = |app_id: &str| vec![serde_json::json!({"txn": {"appId": app_id, "version": 1}})];
        let read = || Scope::Application("app".into());
        let moved = "table version 2 (c): the application app, which it read, at version 0 has changed";
        assert_eq!(after(txn("app"), read()), [moved]);
        assert_eq!(after(txn("other"), read()), [""; 0]);
    }

    #[test]
    fn what_was_read_is_still_so() {
        use Isolation::{Serializable, Snapshot, WriteSerializable};
        let append = || vec![add("h", "3")];
        assert_eq!(between(append(), Scope::Nothing, Serializable).len(), 1);
        assert_eq!(between(append(), Scope::Nothing, WriteSerializable).len(), 0);
        assert_eq!(between(append(), Scope::Table, WriteSerializable).len(), 1, "it is not blind");
        assert_eq!(between(append(), Scope::Table, Snapshot).len(), 0);
        let again = || vec![add("g", "2")];
        assert_eq!(between(again(), Scope::Nothing, WriteSerializable).len(), 0);
        let delete = || vec![remove("g")];
        assert_eq!(between(delete(), Scope::Nothing, Serializable).len(), 1);
        assert_eq!(between(delete(), Scope::Nothing, WriteSerializable).len(), 1);
        let metadata = || vec![serde_json::json!({"metaData": {"id": "other"}})];
        assert_eq!(between(metadata(), Scope::Nothing, Snapshot).len(), 1);
        let protocol = || vec![serde_json::json!({"protocol": {"writerFeatures": []}})];
        assert_eq!(between(protocol(), Scope::Nothing, Snapshot).len(), 1);
    }
}
