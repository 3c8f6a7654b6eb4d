//! A comparison as numbers for monitoring.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Comparison, Thresholds, Verdict};

/// A table and a target; no comparison where it failed.
pub(crate) struct Measured {
    pub(crate) table: String,
    pub(crate) target: String,
    pub(crate) comparison: Option<Comparison>,
}

/// A metric: its name, which ends in its unit, what it says, and its value.
type Metric = (&'static str, &'static str, fn(&Comparison, Thresholds) -> Number);

enum Number {
    Integer(i64),
    /// As seconds.
    Milliseconds(i64),
}

const METRICS: [Metric; 14] = [
    ("dl_diff_equal", "1 when catalog and log are equal up to the thresholds, lag included.", |found, thresholds| {
        flag(found.verdict(thresholds) == Verdict::Equal)
    }),
    ("dl_diff_drift", "1 when they differ by more than lag.", |found, thresholds| {
        flag(found.verdict(thresholds) == Verdict::Drift)
    }),
    ("dl_diff_lag_versions", "Versions of the catalog that the log lacks.", |found, _| {
        Number::Integer(found.lag.versions)
    }),
    ("dl_diff_lag_seconds", "How long the oldest version that the log lacks has been in the catalog.", |found, _| {
        Number::Milliseconds(found.lag.ms)
    }),
    ("dl_diff_catalog_version", "The newest version in the catalog.", |found, _| Number::Integer(found.table.version)),
    ("dl_diff_log_version", "The newest version in the log.", |found, _| Number::Integer(found.log_version)),
    ("dl_diff_compared_version", "The version whose states were compared.", |found, _| Number::Integer(found.version)),
    ("dl_diff_files_in_catalog_only", "Files that the log lacks at that version.", |found, _| {
        count(found.counts.files_in_catalog_only)
    }),
    ("dl_diff_files_in_log_only", "Files that the catalog lacks at that version.", |found, _| {
        count(found.counts.files_in_log_only)
    }),
    ("dl_diff_files_different", "Files that both have, with other fields.", |found, _| {
        count(found.counts.files_different)
    }),
    ("dl_diff_rules_different", "Of protocol, metadata, transactions and domains: how many differ.", |found, _| {
        count(found.counts.others())
    }),
    ("dl_diff_foreign_commits", "Versions that are not the same in both, or that the catalog lacks.", |found, _| {
        count(found.history.foreign.len() as u64)
    }),
    ("dl_diff_diverged", "1 when both have a version, and not the same.", |found, _| {
        flag(found.history.diverged_at.is_some())
    }),
    ("dl_diff_unreadable", "1 when a part of the log is missing or damaged.", |found, _| {
        flag(found.unreadable.is_some() || found.history.gap.is_some() || found.misnamed_checkpoint.is_some())
    }),
];

/// Whether the comparison could be made at all.
const COMPARED: (&str, &str) = ("dl_diff_compared", "0 when the comparison failed; there are no other numbers then.");

fn flag(is_set: bool) -> Number {
    Number::Integer(is_set.into())
}

fn count(count: u64) -> Number {
    Number::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The text that Prometheus reads.
pub(crate) fn prometheus(measured: &[Measured], thresholds: Thresholds) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, help: &str, value: &dyn Fn(&Measured) -> Option<String>| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for one in measured {
            if let Some(value) = value(one) {
                let (table, target) = (label(&one.table), label(&one.target));
                let _ = writeln!(text, "{name}{{table=\"{table}\",target=\"{target}\"}} {value}");
            }
        }
    };
    metric(COMPARED.0, COMPARED.1, &|one| Some(u8::from(one.comparison.is_some()).to_string()));
    for (name, help, value) in METRICS {
        metric(name, help, &|one| {
            Some(match value(one.comparison.as_ref()?, thresholds) {
                Number::Integer(number) => number.to_string(),
                Number::Milliseconds(ms) => format!("{}.{:03}", ms / 1000, ms % 1000),
            })
        });
    }
    text
}

/// The same as an array of objects, with the metrics' names.
pub(crate) fn to_json(measured: &[Measured], thresholds: Thresholds) -> Vec<Value> {
    let object = |one: &Measured| {
        let mut object = Map::new();
        object.insert("table".to_owned(), json!(one.table));
        object.insert("target".to_owned(), json!(one.target));
        object.insert(COMPARED.0.to_owned(), json!(i64::from(one.comparison.is_some())));
        for (name, _, value) in METRICS {
            if let Some(found) = &one.comparison {
                let value = match value(found, thresholds) {
                    Number::Integer(number) => json!(number),
                    Number::Milliseconds(ms) => json!(ms as f64 / 1000.0),
                };
                object.insert(name.to_owned(), value);
            }
        }
        Value::Object(object)
    };
    measured.iter().map(object).collect()
}

/// The value of a label: three characters are escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
