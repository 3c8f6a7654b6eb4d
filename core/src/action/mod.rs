//! The actions of the Delta protocol (section "Actions"), read and written without loss.
//!
//! Each action is a struct with the fields that the protocol names, in their types, and `extra` with all
//! others as JSON text. An action that the protocol does not name is [`Action::Unknown`].
//!
//! ```
//! use deltalakedb_core::action::{Action, parse_line};
//! let line = r#"{"txn":{"appId":"job","version":9007199254740993,"new":1.10}}"#;
//! let actions = parse_line(line)?;
//! let Action::Txn(txn) = &actions[0] else { panic!() };
//! assert_eq!(txn.version, 9_007_199_254_740_993);
//! assert_eq!(actions[0].to_json(), line);
//! assert!(parse_line(r#"{"txn":{"version":1}}"#).unwrap_err().to_string().contains("no `appId`"));
//! # Ok::<(), deltalakedb_core::Error>(())
//! ```

mod add;
mod cdc;
mod commit_info;
mod deletion_vector;
mod domain_metadata;
mod metadata;
mod protocol;
mod remove;
mod sidecar;
#[cfg(test)]
mod tests;
mod txn;
mod wire;
pub(crate) mod z85;

pub use add::Add;
pub use cdc::Cdc;
pub use commit_info::CommitInfo;
pub use deletion_vector::DeletionVector;
pub use domain_metadata::DomainMetadata;
pub use metadata::{Format, Metadata};
pub use protocol::Protocol;
pub use remove::Remove;
pub use sidecar::Sidecar;
pub use txn::Txn;
pub use wire::{Extra, Json, StringMap};

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::{Error, Result};

/// One action of a commit or checkpoint.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // nearly all actions are adds; a box for each would cost more
pub enum Action {
    /// `add`
    Add(Add),
    /// `remove`
    Remove(Remove),
    /// `metaData`
    Metadata(Metadata),
    /// `protocol`
    Protocol(Protocol),
    /// `txn`
    Txn(Txn),
    /// `domainMetadata`
    DomainMetadata(DomainMetadata),
    /// `cdc`
    Cdc(Cdc),
    /// `commitInfo`
    CommitInfo(CommitInfo),
    /// `sidecar`, in V2 checkpoints only
    Sidecar(Sidecar),
    /// `checkpointMetadata`, in V2 checkpoints only
    CheckpointMetadata(Json),
    /// An action that the protocol does not name.
    Unknown {
        /// Its key.
        name: String,
        /// Its value.
        value: Json,
    },
}

impl Action {
    /// The action's key in the JSON of a log.
    pub fn name(&self) -> &str {
        match self {
            Action::Add(_) => "add",
            Action::Remove(_) => "remove",
            Action::Metadata(_) => "metaData",
            Action::Protocol(_) => "protocol",
            Action::Txn(_) => "txn",
            Action::DomainMetadata(_) => "domainMetadata",
            Action::Cdc(_) => "cdc",
            Action::CommitInfo(_) => "commitInfo",
            Action::Sidecar(_) => "sidecar",
            Action::CheckpointMetadata(_) => "checkpointMetadata",
            Action::Unknown { name, .. } => name,
        }
    }

    /// The action as a line of a commit file, without the line's end.
    pub fn to_json(&self) -> String {
        // Actions hold strings, numbers and JSON text only, which always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let name = self.name();
        match self {
            Action::Add(value) => map.serialize_entry(name, value)?,
            Action::Remove(value) => map.serialize_entry(name, value)?,
            Action::Metadata(value) => map.serialize_entry(name, value)?,
            Action::Protocol(value) => map.serialize_entry(name, value)?,
            Action::Txn(value) => map.serialize_entry(name, value)?,
            Action::DomainMetadata(value) => map.serialize_entry(name, value)?,
            Action::Cdc(value) => map.serialize_entry(name, value)?,
            Action::CommitInfo(value) => map.serialize_entry(name, value)?,
            Action::Sidecar(value) => map.serialize_entry(name, value)?,
            Action::CheckpointMetadata(value) | Action::Unknown { value, .. } => map.serialize_entry(name, value)?,
        }
        map.end()
    }
}

/// The actions of one line of a commit file: one as a rule, none for `{}` or a null, several where a
/// writer put several keys into one object.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) when the line is not a JSON object or a required field is missing.
pub fn parse_line(line: &str) -> Result<Vec<Action>> {
    let mut actions = Vec::with_capacity(1);
    parse_line_into(line, &mut actions)?;
    Ok(actions)
}

/// [`parse_line`] into an existing vector.
pub fn parse_line_into(line: &str, actions: &mut Vec<Action>) -> Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    deserializer
        .deserialize_map(LineVisitor(actions))
        .and_then(|()| deserializer.end())
        .map_err(|error| Error::corrupt(error.to_string().replace(" at line 1 column ", " at column ")))
}

struct LineVisitor<'a>(&'a mut Vec<Action>);

impl<'de> Visitor<'de> for LineVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object with one action")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let action = match key.as_ref() {
                "add" => map.next_value::<Option<_>>()?.map(Action::Add),
                "remove" => map.next_value::<Option<_>>()?.map(Action::Remove),
                "metaData" => map.next_value::<Option<_>>()?.map(Action::Metadata),
                "protocol" => map.next_value::<Option<_>>()?.map(Action::Protocol),
                "txn" => map.next_value::<Option<_>>()?.map(Action::Txn),
                "domainMetadata" => map.next_value::<Option<_>>()?.map(Action::DomainMetadata),
                "cdc" => map.next_value::<Option<_>>()?.map(Action::Cdc),
                "commitInfo" => map.next_value::<Option<_>>()?.map(Action::CommitInfo),
                "sidecar" => map.next_value::<Option<_>>()?.map(Action::Sidecar),
                "checkpointMetadata" => map.next_value::<Option<_>>()?.map(Action::CheckpointMetadata),
                name => map.next_value::<Option<Json>>()?.map(|value| Action::Unknown { name: name.to_owned(), value }),
            };
            self.0.extend(action);
        }
        Ok(())
    }
}
