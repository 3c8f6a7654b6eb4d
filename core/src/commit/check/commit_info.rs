//! What a writer says of its commit (protocol section "Commit Provenance Information"). Its fields are free; those that
//! engines read by type must have it, or they cannot open the table.

use std::collections::BTreeMap;

use crate::action::{CommitInfo, Json};
use crate::commit::info::TRANSACTION_TAG;
use crate::{Error, Result};

type Is = fn(&Json) -> bool;

const FIELDS: &[(&str, Is, &str)] = &[
    ("timestamp", |json| json.read::<i64>().is_some(), "an integer"),
    ("inCommitTimestamp", |json| json.read::<i64>().is_some(), "an integer"),
    ("readVersion", |json| json.read::<i64>().is_some(), "an integer"),
    ("operation", |json| json.read::<String>().is_some(), "a text"),
    ("engineInfo", |json| json.read::<String>().is_some(), "a text"),
    ("isolationLevel", |json| json.read::<String>().is_some(), "a text"),
    ("txnId", |json| json.read::<String>().is_some(), "a text"),
    ("isBlindAppend", |json| json.read::<bool>().is_some(), "a boolean"),
    ("operationParameters", is_object, "an object"),
    ("operationMetrics", is_object, "an object"),
];

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
