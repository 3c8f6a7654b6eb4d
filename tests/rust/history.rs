//! Random histories of a table, each commit legal by the protocol (section "Add File and Remove File").

use std::collections::HashSet;
use std::fmt;

use deltalakedb_core::action::{Action, parse_line};
use proptest::prelude::*;
use serde_json::json;

use crate::model::State;

pub(crate) const NOW_MS: i64 = 2_000_000_000_000;
const BIG: i64 = (1 << 53) + 1;

const PATHS: &[&str] = &["a.parquet", "A.parquet", "p=%20/b.parquet", "s3://bucket/c%20d.parquet", ODD_PATH];
/// No URI: an import takes it, a commit may not bring it in.
pub(crate) const ODD_PATH: &str = "ä😀 '\"\\.parquet";
const APPS: &[&str] = &["a", "app", "App"];
const DOMAINS: &[&str] = &["clustering", "ä"];
const PROTOCOLS: &[&str] = &[
    r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors","domainMetadata","changeDataFeed"]}}"#,
    r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors","domainMetadata","changeDataFeed","appendOnly"],"future":1.10}}"#,
    r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors","timestampNtz"],"writerFeatures":["deletionVectors","domainMetadata","changeDataFeed","appendOnly","timestampNtz"]}}"#,
];

/// A commit and the time of its file.
#[derive(Clone)]
pub(crate) struct Commit {
    pub(crate) actions: Vec<Action>,
    pub(crate) modified_ms: i64,
}

/// As the lines of its file, which are easier to read in a failed test.
impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "commit at {}", self.modified_ms)?;
        self.actions.iter().try_for_each(|action| write!(f, "\n  {}", action.to_json()))
    }
}

/// What a commit may do; numbers choose the path, application and so on.
#[derive(Clone, Debug)]
enum Op {
    Add(usize, i64),
    Remove(usize, i64),
    ChangeVector(usize, i64),
    Metadata(i64),
    Protocol(usize),
    Txn(usize, i64),
    Domain(usize, i64),
    Cdc(i64),
    Unknown(i64),
    CommitInfo(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let which = || any::<prop::sample::Index>().prop_map(|index| index.index(60));
    let number = || 0..24i64;
    prop_oneof![
        5 => (which(), number()).prop_map(|(which, n)| Op::Add(which, n)),
        3 => (which(), number()).prop_map(|(which, n)| Op::Remove(which, n)),
        3 => (which(), number()).prop_map(|(which, n)| Op::ChangeVector(which, n)),
        1 => number().prop_map(Op::Metadata),
        1 => which().prop_map(Op::Protocol),
        2 => (which(), number()).prop_map(|(which, n)| Op::Txn(which, n)),
        2 => (which(), number()).prop_map(|(which, n)| Op::Domain(which, n)),
        1 => number().prop_map(Op::Cdc),
        1 => number().prop_map(Op::Unknown),
        2 => number().prop_map(Op::CommitInfo),
    ]
}

/// The commits of versions 0, 1, ...
pub(crate) fn histories() -> impl Strategy<Value = Vec<Commit>> {
    // Times stand still and go back, too.
    let modified_ms = (0..10i64).prop_map(|n| 1_700_000_000_000 + n * 7);
    prop::collection::vec((prop::collection::vec(op(), 0..10), modified_ms), 1..9).prop_map(build)
}

/// A history in which the last commit removes one of two files, and the other one has a deletion vector.
pub(crate) fn example() -> Vec<Commit> {
    let ops = [
        vec![Op::Add(0, 3), Op::Add(1, 4)],
        vec![Op::ChangeVector(1, 5), Op::Txn(0, 1), Op::Domain(0, 1)],
        vec![Op::Remove(0, 1)],
    ];
    build(ops.into_iter().map(|ops| (ops, NOW_MS)).collect())
}

fn build(commits: Vec<(Vec<Op>, i64)>) -> Vec<Commit> {
    let mut state = State::default();
    let mut history = Vec::new();
    for (ops, modified_ms) in commits {
        let mut actions = Vec::new();
        if history.is_empty() {
            actions.extend(parse(PROTOCOLS[0]));
            actions.extend(metadata(0));
        }
        // One of a kind for a path, application or domain in a commit.
        let mut done: HashSet<(&str, usize)> = HashSet::new();
        if history.is_empty() {
            done.extend([("protocol", 0), ("metadata", 0)]);
        }
        for op in &ops {
            let new = resolve(op, &state, &mut done);
            actions.extend(new);
        }
        state.apply(&actions);
        history.push(Commit { actions, modified_ms });
    }
    history
}

fn resolve(op: &Op, state: &State, done: &mut HashSet<(&'static str, usize)>) -> Vec<Action> {
    let mut first = |kind: &'static str, which: usize| done.insert((kind, which));
    match *op {
        Op::Add(which, n) if first("file", which % PATHS.len()) => match live_vector(state, which) {
            // Another vector would need a remove of this one.
            Some(vector) => add(which, vector, n),
            None => add(which, n % 3, n),
        },
        Op::Remove(which, n) if first("file", which % PATHS.len()) => {
            // Also of files that are not there, or not any more.
            let vector = live_vector(state, which).filter(|_| n % 4 != 0).unwrap_or(n % 3);
            remove(which, vector, n)
        }
        Op::ChangeVector(which, n) if first("file", which % PATHS.len()) => match live_vector(state, which) {
            Some(vector) => [remove(which, vector, n), add(which, (vector + 1 + n % 2) % 3, n)].concat(),
            None => Vec::new(),
        },
        Op::Metadata(n) if first("metadata", 0) => metadata(n),
        Op::Protocol(which) if first("protocol", 0) => {
            let rank = |text: &str| PROTOCOLS.iter().position(|protocol| *protocol == text);
            let current = state.protocol.clone().and_then(|now| rank(&Action::Protocol(now).to_json()));
            // A protocol may not go down.
            parse(PROTOCOLS[current.unwrap_or(0).max(which % PROTOCOLS.len())])
        }
        Op::Txn(which, n) if first("txn", which % APPS.len()) => {
            let (app, version) = (APPS[which % APPS.len()], if n > 20 { BIG + n } else { n });
            parse(&json!({"txn": {"appId": app, "version": version, "lastUpdated": n}}).to_string())
        }
        Op::Domain(which, n) if first("domain", which % DOMAINS.len()) => {
            let domain = DOMAINS[which % DOMAINS.len()];
            let action = json!({"domain": domain, "configuration": format!("{{\"n\":{n}}}"), "removed": n % 3 == 0});
            parse(&json!({ "domainMetadata": action }).to_string())
        }
        Op::Cdc(n) => parse(&format!(
            r#"{{"cdc":{{"path":"_change_data/{n}","partitionValues":{{"p":null,"q":"x"}},"size":{n},"dataChange":false}}}}"#
        )),
        Op::Unknown(n) => parse(&format!(r#"{{"future{}":{{"n":{n}.10,"text":"\u0000"}}}}"#, n % 2)),
        Op::CommitInfo(n) if first("commitInfo", 0) => {
            parse(&format!(r#"{{"commitInfo":{{"operation":"OP {n}","timestamp":{n},"x":{n}.50}}}}"#))
        }
        _ => Vec::new(),
    }
}

fn parse(line: &str) -> Vec<Action> {
    parse_line(line).unwrap()
}

fn vector(number: i64) -> serde_json::Value {
    match number {
        0 => json!(null),
        1 => json!({"storageType": "i", "pathOrInlineDv": "wi5b=00001", "sizeInBytes": 8, "cardinality": 3}),
        _ => {
            json!({"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1, "sizeInBytes": 4, "cardinality": 1})
        }
    }
}

/// The number of the vector that a path has in `state`, if it is there.
fn live_vector(state: &State, which: usize) -> Option<i64> {
    let path = PATHS[which % PATHS.len()];
    let (_, add) = state.files.iter().find(|((live, _), _)| live == path)?;
    Some(match add.deletion_vector.as_ref().map(|vector| vector.storage_type.as_str()) {
        None => 0,
        Some("i") => 1,
        Some(_) => 2,
    })
}

fn add(which: usize, vector_number: i64, n: i64) -> Vec<Action> {
    let mut add = json!({
        "path": PATHS[which % PATHS.len()],
        "partitionValues": {"p": if n % 3 == 0 { None } else { Some(n.to_string()) }, "q": ""},
        "size": if n == 23 { BIG } else { n },
        "modificationTime": i64::MAX - n,
        "dataChange": n % 2 == 0,
        "deletionVector": vector(vector_number),
    });
    if n % 5 != 4 {
        add["stats"] = json!(if n % 7 == 6 { "{}".into() } else { format!(r#"{{"numRecords":{}}}"#, n + 3) });
    }
    if n % 4 == 1 {
        add["tags"] = json!({"t": n.to_string(), "null": null});
        add["baseRowId"] = json!(BIG);
        add["defaultRowCommitVersion"] = json!(n);
        add["clusteringProvider"] = json!("liquid");
    }
    if n % 4 == 2 {
        add["future"] = json!({"n": i64::MIN});
    }
    parse(&json!({ "add": add }).to_string())
}

fn remove(which: usize, vector_number: i64, n: i64) -> Vec<Action> {
    let mut remove = json!({
        "path": PATHS[which % PATHS.len()],
        "dataChange": n % 2 == 0,
        "deletionVector": vector(vector_number),
    });
    // By path, so that a later remove lives no shorter: not given, expired long ago, fresh.
    match which % PATHS.len() {
        0 => {}
        1 => remove["deletionTimestamp"] = json!(n),
        _ => remove["deletionTimestamp"] = json!(NOW_MS - n),
    }
    if n % 4 == 1 {
        remove["extendedFileMetadata"] = json!(true);
        remove["partitionValues"] = json!({"p": null, "q": ""});
        remove["size"] = json!(BIG);
        remove["future"] = json!(n);
    }
    parse(&json!({ "remove": remove }).to_string())
}

fn metadata(n: i64) -> Vec<Action> {
    let column = |name: &str| json!({"name": name, "type": "string", "nullable": true, "metadata": {}});
    let schema = json!({"type": "struct", "fields": [column("p"), column("q")]}).to_string();
    let metadata = json!({
        "id": "the table's id",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": ["p", "q"],
        "configuration": {
            "n": n.to_string(), "delta.enableChangeDataFeed": "true", "delta.enableDeletionVectors": "true",
        },
        "future": n,
    });
    parse(&json!({ "metaData": metadata }).to_string())
}
