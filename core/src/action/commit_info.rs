use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Json;

/// `commitInfo`: what a writer says of its commit (protocol section "Commit Provenance Information").
///
/// The protocol leaves its fields free, so it is kept as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct CommitInfo(Json);

impl CommitInfo {
    /// The JSON object.
    pub fn json(&self) -> &Json {
        &self.0
    }

    /// From fields, each a JSON value.
    pub fn from_fields(fields: &BTreeMap<String, Json>) -> serde_json::Result<Self> {
        Json::of(fields).map(CommitInfo)
    }

    /// All fields, as JSON text each.
    pub fn fields(&self) -> BTreeMap<String, Json> {
        self.0.read().unwrap_or_default()
    }

    fn field<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Option<T> {
        self.fields().get(name)?.read()
    }

    /// `operation`, such as `WRITE`.
    pub fn operation(&self) -> Option<String> {
        self.field("operation")
    }

    /// `engineInfo`, such as `Apache-Spark/4.1.0 Delta-Lake/4.4.0`.
    pub fn engine_info(&self) -> Option<String> {
        self.field("engineInfo")
    }

    /// `txnId`, the id that the writer gave its transaction.
    pub fn txn_id(&self) -> Option<String> {
        self.field("txnId")
    }

    /// `timestamp`, the writer's own, in milliseconds since the epoch.
    pub fn timestamp_ms(&self) -> Option<i64> {
        self.field("timestamp")
    }

    /// `inCommitTimestamp` in milliseconds since the epoch.
    pub fn in_commit_timestamp(&self) -> Option<i64> {
        self.field("inCommitTimestamp")
    }
}

impl Serialize for CommitInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CommitInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(CommitInfo)
    }
}
