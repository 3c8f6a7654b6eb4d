//! What a commit says of itself.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::action::{Action, CommitInfo, Json};
use crate::table_features::row_tracking_enabled;
use crate::{Error, Result};

use super::intent::Intent;
use super::plan::Part;

const ENGINE: &str = concat!("deltalakedb/", env!("CARGO_PKG_VERSION"));
const ROWS_PRESERVED_TAG: &str = "delta.rowTracking.preserved";

/// The tag by which the commits of one transaction over several tables know each other (Delta's open RFC for multi-table
/// transactions).
pub(super) const TRANSACTION_TAG: &str = "delta.multiTableTransaction.transactionId";

/// Of a commit that says none.
pub(super) const DEFAULT_OPERATION: &str = "WRITE";

/// The writer's own commit info, with what it left out.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) when its `tags` are no object.
pub(super) fn commit_info(part: &Part<'_>, intent: &Intent, now_ms: i64) -> Result<CommitInfo> {
    let Part { state, request, .. } = part;
    let given = request.actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => Some(info.fields()),
        _ => None,
    });
    let mut fields = given.unwrap_or_default();
    if let Some(operation) = request.operation.as_deref() {
        fields.insert("operation".into(), json(operation.into())?);
    }
    // Others rest on it: a writer that knows better may deny it, but not claim it.
    if !intent.is_blind_append {
        fields.insert("isBlindAppend".into(), json(false.into())?);
    }
    for (name, value) in [
        ("timestamp", now_ms.into()),
        ("operation", DEFAULT_OPERATION.into()),
        ("operationParameters", serde_json::json!({})),
        ("isolationLevel", intent.isolation.as_str().into()),
        ("isBlindAppend", intent.is_blind_append.into()),
        ("engineInfo", ENGINE.into()),
        ("txnId", request.commit_id.as_str().into()),
    ] {
        if is_left_out(&fields, name) {
            fields.insert(name.into(), json(value)?);
        }
    }
    if let (Some(version), true) = (request.read.version, is_left_out(&fields, "readVersion")) {
        fields.insert("readVersion".into(), json(version.into())?);
    }
    let mut tags = given_tags(&fields)?;
    if part.transaction.is_some() {
        tags.insert(TRANSACTION_TAG.into(), json(request.commit_id.as_str().into())?);
    }
    if part.loses_row_ids {
        tags.insert(ROWS_PRESERVED_TAG.into(), json("false".into())?);
    } else if row_tracking_enabled(&state.metadata, &state.protocol) && !tags.contains_key(ROWS_PRESERVED_TAG) {
        // Only the writer of the files knows, unless no row was there before.
        tags.insert(ROWS_PRESERVED_TAG.into(), json(intent.is_blind_append.to_string().into())?);
    }
    if !tags.is_empty() {
        fields.insert("tags".into(), Json::of(&tags).map_err(|error| Error::invalid(error.to_string()))?);
    }
    CommitInfo::from_fields(&fields).map_err(|error| Error::invalid(error.to_string()))
}

/// A null tells nothing.
fn is_left_out(fields: &BTreeMap<String, Json>, name: &str) -> bool {
    fields.get(name).is_none_or(|value| value.text() == "null")
}

fn given_tags(fields: &BTreeMap<String, Json>) -> Result<BTreeMap<String, Json>> {
    match fields.get("tags") {
        None => Ok(BTreeMap::new()),
        Some(tags) if tags.text() == "null" => Ok(BTreeMap::new()),
        Some(tags) => tags.read().ok_or_else(|| {
            Error::invalid("the `tags` of `commitInfo` must be an object").hint("write them as {\"name\":\"value\"}")
        }),
    }
}

fn json(value: Value) -> Result<Json> {
    Json::of(&value).map_err(|error| Error::invalid(error.to_string()))
}
