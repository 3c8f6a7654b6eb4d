//! `_last_checkpoint` (protocol section "Last Checkpoint File Schema").

use serde::{Deserialize, Serialize};

use super::checksum_of_json::{checksums_of_json, json_checksum};
use crate::action::{Action, Json, Sidecar};
use crate::{Error, ErrorKind, Result};

/// More actions, or sidecars, than these are left to the checkpoint, as in Delta-Spark.
const MAX_ACTIONS: usize = 30;
/// Longer schemas are left to the checkpoint, as in Delta-Spark.
const MAX_SCHEMA_BYTES: usize = 20_000;

/// What `_last_checkpoint` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckpoint {
    /// The checkpoint's version.
    pub version: i64,
    /// Its actions.
    pub size: i64,
    /// Its files, where it is one of several parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<i64>,
    /// Its bytes, sidecars included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_in_bytes: Option<i64>,
    /// Its add actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_of_add_files: Option<i64>,
    /// The schema of its files, as Delta writes schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_schema: Option<Json>,
    /// What only a V2 checkpoint has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v2_checkpoint: Option<LastV2Checkpoint>,
}

/// What `_last_checkpoint` says of a V2 checkpoint, as Delta-Spark has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastV2Checkpoint {
    /// The name of the file that names the sidecars.
    pub path: String,
    /// Its bytes.
    pub size_in_bytes: i64,
    /// Milliseconds since the epoch.
    pub modification_time: i64,
    /// All that is not of files; none where they are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_file_actions: Option<Vec<Json>>,
    /// None where they are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar_files: Option<Vec<Sidecar>>,
}

impl LastCheckpoint {
    /// With the schema of its files, unless it is long.
    #[must_use]
    pub fn with_schema(self, schema: &str) -> Self {
        let schema = (schema.len() <= MAX_SCHEMA_BYTES).then(|| Json::parse(schema.to_owned()).ok()).flatten();
        LastCheckpoint { checkpoint_schema: schema, ..self }
    }

    /// Whether a file of this content has a checksum that is not its own. Writers that put the items of long arrays into
    /// another order before they sum up are as right.
    pub fn has_wrong_checksum(content: &str) -> bool {
        #[derive(Deserialize)]
        struct Told {
            checksum: String,
        }
        let Ok(Told { checksum }) = serde_json::from_str(content) else { return false };
        checksums_of_json(content).is_ok_and(|right| !right.contains(&checksum))
    }

    /// The file's content, with its checksum.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when it has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        let internal = |error: serde_json::Error| Error::new(ErrorKind::Internal, error.to_string());
        let without = serde_json::to_string(self).map_err(internal)?;
        let checksum = json_checksum(&without).map_err(internal)?;
        let Some(fields) = without.strip_suffix('}') else { return Ok(without) };
        Ok(format!("{fields},\"checksum\":\"{checksum}\"}}"))
    }
}

impl LastV2Checkpoint {
    /// Of a file of this name and size in bytes, written at this time, with these actions.
    pub fn of_actions(path: String, size_in_bytes: i64, modification_time: i64, actions: &[Action]) -> Self {
        let (sidecars, others): (Vec<&Action>, Vec<&Action>) =
            actions.iter().partition(|action| matches!(action, Action::Sidecar(_)));
        let sidecars = sidecars.into_iter().filter_map(|action| match action {
            Action::Sidecar(sidecar) => Some(sidecar.clone()),
            _ => None,
        });
        let sidecars: Vec<_> = sidecars.collect();
        // Of fields that the protocol does not name, readers may write the numbers in another way, and so get another
        // checksum.
        let is_plain = |action: &&Action| !super::has_unknown_fields(action);
        let is_told = others.len() <= MAX_ACTIONS && others.iter().all(is_plain);
        let others = is_told.then(|| others.iter().filter_map(|action| Json::of(action).ok()).collect());
        LastV2Checkpoint {
            path,
            size_in_bytes,
            modification_time,
            non_file_actions: others,
            sidecar_files: (sidecars.len() <= MAX_ACTIONS).then_some(sidecars),
        }
    }
}
