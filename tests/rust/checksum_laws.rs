//! A checksum says what the state at its version adds up to, however it was counted.

use std::collections::BTreeMap;

use deltalakedb_core::action::{Action, Add};
use deltalakedb_core::catalog::find_table;
use deltalakedb_core::mirror::{Checksum, FileTotals};
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Database;
use serde_json::{Value, json};

use crate::catalog::named;
use crate::history::histories;
use crate::model::State;
use crate::replay_laws::{Laws, histories_with_start, import, import_from_checkpoint, replay, replay_from};

/// More than the changes of a history, so that they are counted and not the whole state.
const MANY: usize = 1000;

async fn at(database: &impl Database, table: &str, version: i64) -> Snapshot {
    snapshot(database, &named(table), At::Version(version)).await.unwrap()
}

/// A checksum as it is after it was written and read, so that what is counted on from went through the file.
fn through_file(checksum: &Checksum) -> Checksum {
    let text = checksum.to_json().unwrap();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    let read = Checksum::read(checksum.version(), text.as_bytes()).unwrap();
    assert_eq!(read, *checksum);
    read
}

fn json_of(checksum: &Checksum) -> Value {
    serde_json::from_str(&checksum.to_json().unwrap()).unwrap()
}

/// Without the boundaries and the empty bins, by where a bin begins.
fn bins(histogram: &Value, counts: &str) -> BTreeMap<i64, i64> {
    let list = |name: &str| histogram[name].as_array().unwrap().iter().map(|number| number.as_i64().unwrap());
    assert_eq!(list("sortedBinBoundaries").len(), list(counts).len());
    list("sortedBinBoundaries").zip(list(counts)).filter(|(_, count)| *count != 0).collect()
}

fn assert_says(checksum: &Checksum, state: &State) {
    let mut found = json_of(checksum);
    let sizes = found.as_object_mut().unwrap().remove("fileSizeHistogram").unwrap();
    let files: Vec<&Add> = state.files.values().collect();
    let bin_of = |add: &Add| if add.size < 8192 { 0 } else { 256 << 30 };
    let (mut counts, mut bytes) = (BTreeMap::new(), BTreeMap::new());
    for add in &files {
        *counts.entry(bin_of(add)).or_insert(0) += 1;
        *bytes.entry(bin_of(add)).or_insert(0) += add.size;
    }
    bytes.retain(|_, bytes| *bytes != 0);
    assert_eq!(bins(&sizes, "fileCounts"), counts);
    assert_eq!(bins(&sizes, "totalBytes"), bytes);
    let deleted: Vec<i64> = files.iter().filter_map(|add| Some(add.deletion_vector.as_ref()?.cardinality)).collect();
    let vectors = deleted.len();
    let json = |action: Action| -> Value { serde_json::from_str(&action.to_json()).unwrap() };
    let field = |action: Action| json(action).as_object().unwrap().values().next().unwrap().clone();
    let expected = json!({
        "tableSizeBytes": state.size_bytes(),
        "numFiles": files.len(),
        "numDeletedRecordsOpt": deleted.iter().sum::<i64>(),
        "numDeletionVectorsOpt": vectors,
        "deletedRecordCountsHistogramOpt": {
            "deletedRecordCounts": [files.len() - vectors, vectors, 0, 0, 0, 0, 0, 0, 0, 0],
        },
        "numMetadata": 1,
        "numProtocol": 1,
        "metadata": field(Action::Metadata(state.metadata.clone().unwrap())),
        "protocol": field(Action::Protocol(state.protocol.clone().unwrap())),
        "setTransactions": state.txns.values().cloned().map(|txn| field(Action::Txn(txn))).collect::<Vec<_>>(),
        "domainMetadata":
            state.domains.values().cloned().map(|domain| field(Action::DomainMetadata(domain))).collect::<Vec<_>>(),
    });
    assert_eq!(found, expected);
}

#[test]
fn counted_on_is_counted_from_scratch() {
    Laws::new().check(histories(), async |database, table, history| {
        import(&database, &table, history, 100).await;
        let versions = replay(history, 0);
        let mut all = Vec::new();
        for expected in &versions {
            let state = at(&database, &table, expected.version).await;
            // Pages of two files take part, too.
            let totals = FileTotals::of(&database, &state, None, 2).await.unwrap();
            let checksum = Checksum::new(&state, totals);
            assert_says(&checksum, &expected.state);
            all.push((state, checksum));
        }
        for (to, (state, checksum)) in all.iter().enumerate() {
            for limit in [1, 2, MANY] {
                for (_, before) in &all[..=to] {
                    let before = through_file(before).file_totals();
                    assert!(before.is_some(), "a checksum of this project can be counted on from");
                    let totals = FileTotals::of(&database, state, before, limit).await.unwrap();
                    assert_eq!(Checksum::new(state, totals), *checksum, "by pages of {limit}");
                }
            }
        }
    });
}

/// Also where the history begins with a state.
#[test]
fn a_history_from_a_checkpoint_has_the_same_checksums() {
    Laws::new().check(histories_with_start(), async |database, table, (history, start)| {
        import_from_checkpoint(&database, &table, history, start).await;
        let mut before = None;
        for expected in replay_from(history, start) {
            let state = at(&database, &table, expected.version).await;
            let totals = FileTotals::of(&database, &state, before, MANY).await.unwrap();
            let checksum = Checksum::new(&state, totals);
            assert_says(&checksum, &expected.state);
            before = through_file(&checksum).file_totals();
        }
    });
}

/// What is counted on from is believed where it can be right, and only there.
#[test]
fn totals_that_cannot_be_right_are_not_counted_on_from() {
    let history = crate::history::example();
    let laws = Laws::new();
    laws.run(async |database, table| {
        import(&database, &table, &history, 100).await;
        let last = history.len() as i64 - 1;
        let state = at(&database, &table, last).await;
        let right = Checksum::new(&state, FileTotals::of(&database, &state, None, MANY).await.unwrap());
        let before = at(&database, &table, last - 1).await;
        let before = Checksum::new(&before, FileTotals::of(&database, &before, None, MANY).await.unwrap());
        let edited = |edit: fn(&mut Value)| {
            let mut value = json_of(&before);
            edit(&mut value);
            Checksum::read(last - 1, value.to_string().as_bytes()).unwrap().file_totals()
        };
        // It is counted on from, and not silently counted from scratch.
        let more = edited(|value| {
            value["numDeletionVectorsOpt"] = json!(value["numDeletionVectorsOpt"].as_i64().unwrap() + 1)
        });
        let counted = Checksum::new(&state, FileTotals::of(&database, &state, more, MANY).await.unwrap());
        assert_ne!(counted, right);

        for edit in [
            (|value| value["numFiles"] = json!(value["numFiles"].as_i64().unwrap() + 1)) as fn(&mut Value),
            |value| value["tableSizeBytes"] = json!(0),
            |value| value["numDeletedRecordsOpt"] = json!(1000),
            |value| value["fileSizeHistogram"]["fileCounts"] = json!([]),
            |value| value["fileSizeHistogram"]["sortedBinBoundaries"][1] = json!(4096),
            |value| value["fileSizeHistogram"]["totalBytes"][0] = json!(-1),
            |value| drop(value.as_object_mut().unwrap().remove("fileSizeHistogram")),
            |value| {
                value["deletedRecordCountsHistogramOpt"]["deletedRecordCounts"] = json!([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            },
        ] {
            assert_eq!(edited(edit), None);
        }
        // Of another table, or without what is needed: the state is read.
        for edit in [
            (|value| {
                value["numFiles"] = json!(0);
                value["tableSizeBytes"] = json!(0);
                let zeros = json!([0].repeat(95));
                value["fileSizeHistogram"]["fileCounts"] = zeros.clone();
                value["fileSizeHistogram"]["totalBytes"] = zeros;
                value["deletedRecordCountsHistogramOpt"]["deletedRecordCounts"] = json!([0].repeat(10));
            }) as fn(&mut Value),
            |value| drop(value.as_object_mut().unwrap().remove("numDeletionVectorsOpt")),
        ] {
            let totals = edited(edit);
            assert!(totals.is_some());
            let counted = Checksum::new(&state, FileTotals::of(&database, &state, totals, MANY).await.unwrap());
            assert_eq!(counted, right);
        }
        assert_eq!(find_table(&database, &named(&table)).await.unwrap().version, last);
    });
}

#[test]
fn a_file_that_is_none() {
    for text in ["", "{}", "[]", "null", r#"{"tableSizeBytes":1e400}"#, r#"{"numFiles":"#] {
        assert!(Checksum::read(0, text.as_bytes()).is_err(), "{text}");
    }
}
