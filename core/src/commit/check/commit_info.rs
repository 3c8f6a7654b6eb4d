//! What a writer says of its commit (protocol section "Commit Provenance Information"). Its fields are free; those that
//! engines read by type must have it, or they cannot open the table or show its history.

use std::collections::BTreeMap;

use crate::action::{CommitInfo, Json};
use crate::commit::info::TRANSACTION_TAG;
use crate::commit::request::{Isolation, is_operation};
use crate::{Error, Result};

type Is = fn(&Json) -> bool;

const FIELDS: &[(&str, Is, &str)] = &[
    ("version", is_integer, "an integer"),
    ("timestamp", is_integer, "an integer"),
    ("inCommitTimestamp", is_integer, "an integer"),
    ("readVersion", |json| json.read::<i64>().is_some_and(|version| version >= 0), "an integer, 0 or more"),
    ("operation", |json| json.read::<String>().is_some_and(|name| is_operation(&name)), "a name such as WRITE"),
    ("engineInfo", is_text, "a text"),
    ("isolationLevel", is_isolation_level, "Serializable, WriteSerializable or SnapshotIsolation"),
    ("txnId", is_text, "a text"),
    ("userId", is_text, "a text"),
    ("userName", is_text, "a text"),
    ("userMetadata", is_text, "a text"),
    ("clusterId", is_text, "a text"),
    ("isBlindAppend", is_boolean, "a boolean"),
    ("dataChange", is_boolean, "a boolean"),
    ("operationParameters", is_object, "an object"),
    ("operationMetrics", is_flat_object, A_FLAT_OBJECT),
    ("tags", is_flat_object, A_FLAT_OBJECT),
    ("job", is_flat_object, A_FLAT_OBJECT),
    ("notebook", is_flat_object, A_FLAT_OBJECT),
];

const A_FLAT_OBJECT: &str = "an object of texts";

fn is_integer(json: &Json) -> bool {
    json.read::<i64>().is_some()
}

fn is_text(json: &Json) -> bool {
    json.read::<String>().is_some()
}

fn is_boolean(json: &Json) -> bool {
    json.read::<bool>().is_some()
}

/// In its exact case.
fn is_isolation_level(json: &Json) -> bool {
    let levels = [Isolation::Serializable, Isolation::WriteSerializable, Isolation::Snapshot];
    json.read::<String>().is_some_and(|name| levels.iter().any(|level| level.as_str() == name))
}

/// Engines take numbers and the like for texts, but nothing that is nested.
fn is_flat_object(json: &Json) -> bool {
    let fields = json.read::<BTreeMap<String, Json>>();
    fields.is_some_and(|fields| fields.values().all(|value| !value.text().starts_with(['{', '['])))
}

fn is_object(json: &Json) -> bool {
    json.read::<BTreeMap<String, Json>>().is_some()
}

pub(super) fn check_commit_info(info: &CommitInfo) -> Result<()> {
    if !is_object(info.json()) {
        return Err(Error::invalid("`commitInfo` must be an object")
            .hint("write {\"operation\":...,\"operationParameters\":{...}}, or leave it out"));
    }
    let fields = info.fields();
    let tags = fields.get("tags").and_then(|tags| tags.read::<BTreeMap<String, Json>>());
    if tags.is_some_and(|tags| tags.contains_key(TRANSACTION_TAG)) {
        return Err(Error::invalid(format!(
            "the `tags` of `commitInfo` have {TRANSACTION_TAG}, which names the commits of one transaction"
        ))
        .hint("leave it out: a transaction over several tables sets it, and no other commit has it"));
    }
    for (name, is, expected) in FIELDS {
        if let Some(value) = fields.get(*name).filter(|value| value.text() != "null" && !is(value)) {
            let shown: String = value.text().chars().take(40).collect();
            return Err(Error::invalid(format!("`commitInfo` has the `{name}` {shown}; it must be {expected}"))
                .hint("leave out what you do not know: it is filled in where it can be"));
        }
    }
    Ok(())
}
