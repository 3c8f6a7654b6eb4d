//! The checksums of the bundled tables, which Delta-Spark wrote, are what this project would write.

use std::fs;

use deltalakedb_core::log::{HistoryMode, parse_checksum_name};
use deltalakedb_core::mirror::{Checksum, FileTotals};
use deltalakedb_core::snapshot::{At, snapshot};
use serde_json::{Map, Value};

use crate::catalog::{named, new_catalog};
use crate::log_corpus::{import, list, logs};

/// In one order, without nulls, with the present name of the histogram.
fn normal(text: &str) -> Map<String, Value> {
    let mut fields: Map<String, Value> = serde_json::from_str(text).unwrap();
    if let Some(histogram) = fields.remove("histogramOpt") {
        fields.insert("fileSizeHistogram".to_owned(), histogram);
    }
    for list in ["setTransactions", "domainMetadata"] {
        if let Some(Value::Array(actions)) = fields.get_mut(list) {
            actions.sort_by_key(Value::to_string);
        }
    }
    for list in ["readerFeatures", "writerFeatures"] {
        if let Some(Value::Array(features)) = fields.get_mut("protocol").and_then(|protocol| protocol.get_mut(list)) {
            features.sort_by_key(Value::to_string);
        }
    }
    fields.retain(|_, value| !value.is_null());
    fields
}

#[tokio::test]
async fn checksums_are_those_of_delta_spark() {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    let mut compared = 0;
    for (name, log) in logs() {
        let files = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let checksums: Vec<(i64, String)> =
            files.filter_map(|file| Some((parse_checksum_name(&file)?, file))).collect();
        if checksums.is_empty() {
            continue;
        }
        let plan = list(&log, |_, _| true).plan(HistoryMode::Full).unwrap();
        import(&database, &name, &log, &plan).await;
        for (version, file) in checksums.into_iter().filter(|(version, _)| *version >= plan.earliest_version) {
            let text = fs::read_to_string(log.join(file)).unwrap();
            let state = snapshot(&database, &named(&name), At::Version(version)).await.unwrap();
            let totals = FileTotals::of(&database, &state, None, 100).await.unwrap();
            let ours = normal(&Checksum::new(&state, totals).to_json().unwrap());
            for (field, theirs) in normal(&text) {
                // Optional, and left out.
                if field != "allFiles" {
                    assert_eq!(ours.get(&field), Some(&theirs), "{name}, version {version}: {field}");
                }
            }
            // Theirs can be counted on from.
            let read = Checksum::read(version, text.as_bytes()).unwrap().file_totals();
            assert!(read.is_some(), "{name}, version {version}: {text}");
            let counted = FileTotals::of(&database, &state, read, 100).await.unwrap();
            assert_eq!(normal(&Checksum::new(&state, counted).to_json().unwrap()), ours);
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared} checksums compared");
}
