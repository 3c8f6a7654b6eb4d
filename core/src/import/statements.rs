//! The statements of an import.

use crate::catalog::latest_version;
use crate::sql::{Batch, Statement};

/// ?1 table, ?2 import.
pub(super) const SIGN_OF_LIFE: &str =
    "UPDATE dl_tables SET import_batches = import_batches + 1 WHERE table_id = ?1 AND import_id = ?2";

pub(super) const GUARD_IMPORT: &str = "INSERT INTO dl_guard (guard) SELECT 'import_superseded' WHERE changes() <> 1";

/// Versions with times that are worth less than the current version's come before it: before an in-commit timestamp those
/// that only have the time of a file, which a copy of the folder changes; before the time of a commit file those of
/// states, whose files may be written much later. The time of a commit that the catalog made was told to its writer: it
/// stays, and the current version comes after it. ?1 table, ?2 current version, ?3 its time.
pub(super) const GIVE_WAY: &str = "
UPDATE dl_table_versions SET timestamp_ms = min(timestamp_ms, ?3 - (?2 - version))
WHERE version_id >= ?1 << 40 AND version_id < (?1 << 40) + 1 + ?2 AND commit_info ->> '$.inCommitTimestamp' IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM dl_table_versions own
    WHERE own.version_id >= ?1 << 40 AND own.version_id < (?1 << 40) + 1 + ?2 AND own.commit_digest IS NOT NULL)";

pub(super) const GUARD_VERSION: &str = concat!(
    "INSERT INTO dl_guard (guard) SELECT 'version_moved'
     WHERE NOT EXISTS (SELECT 1 FROM dl_tables WHERE table_id = ?1 AND import_id IS NULL AND ?2 = ",
    latest_version!(),
    ")"
);

/// What came before the earliest version and is not part of its state. ?1 table, ?2 earliest version,
/// ?3 version of the checkpoint that the history began with.
pub(super) const FORGET: [&str; 6] = [
    "DELETE FROM dl_add_files
     WHERE file_id >= ?1 << 40 AND file_id < (?1 + 1) << 40 AND removed_version <= ?2",
    "DELETE FROM dl_table_versions WHERE version_id >= ?1 << 40 AND version_id < (?1 << 40) + 1 + ?2",
    "DELETE FROM dl_cdc_files WHERE table_id = ?1 AND version < ?2",
    "DELETE FROM dl_unknown_actions WHERE table_id = ?1 AND version < ?2 AND version >= ?3",
    "DELETE FROM dl_metadata_updates WHERE table_id = ?1 AND version < (
       SELECT max(version) FROM dl_metadata_updates WHERE table_id = ?1 AND version <= ?2)",
    "DELETE FROM dl_protocol_updates WHERE table_id = ?1 AND version < (
       SELECT max(version) FROM dl_protocol_updates WHERE table_id = ?1 AND version <= ?2)",
];

pub(super) const FINISH: &str = "UPDATE dl_tables SET earliest_version = ?2, import_id = NULL WHERE table_id = ?1";

/// What a table that takes another one's place takes over from it. ?1 new table, ?2 old one; the log's targets stay known.
pub(super) const TAKE_TARGETS: &str = "UPDATE dl_mirror_status SET table_id = ?1 WHERE table_id = ?2";

/// ?1 table, ?2 id, ?3 name, ?4 location.
pub(super) const TAKE_NAME: &str = "UPDATE dl_tables SET table_uuid = ?2, name = ?3, location = ?4 WHERE table_id = ?1";

/// The batch that tells other imports that this one is alive, for when it has nothing else to write for a while. It
/// fails when another import has taken the table over.
pub fn sign_of_life(key: i64, import_id: &str) -> Batch {
    Batch::write(sign_of_life_statements(key, import_id))
}

pub(super) fn sign_of_life_statements(key: i64, import_id: &str) -> Vec<Statement> {
    vec![Statement::new(SIGN_OF_LIFE, vec![key.into(), import_id.into()]), Statement::new(GUARD_IMPORT, [])]
}
