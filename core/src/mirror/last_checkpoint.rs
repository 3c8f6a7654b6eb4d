use serde::{Deserialize, Serialize};

/// `_last_checkpoint` (protocol section "Last Checkpoint File Schema").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckpoint {
    /// The checkpoint's version.
    pub version: i64,
    /// Its actions.
    pub size: i64,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_in_bytes: Option<i64>,
    /// Its add actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_of_add_files: Option<i64>,
}
