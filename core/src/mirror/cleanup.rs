//! Which files of a log may go (protocol section "Metadata Cleanup").

use std::collections::HashSet;

use crate::Result;
use crate::action::Metadata;
use crate::catalog::{Table, TableSelector};
use crate::log::{Checkpoint, LogFileKind, LogListing, parse_checksum_name, parse_file_name};
use crate::snapshot::{At, Queries, target};
use crate::sql::Database;
use crate::time::parse_interval_ms;

const ENABLED: &str = "delta.enableExpiredLogCleanup";
const RETENTION: &str = "delta.logRetentionDuration";
const DAY_MS: i64 = 24 * 3_600_000;
const DEFAULT_RETENTION_MS: i64 = 30 * DAY_MS;

/// The newest version at a time.
const VERSION_AT: Queries = target!(" SELECT version FROM target");

fn midnight_ms(time_ms: i64) -> i64 {
    time_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS)
}

/// Versions that were replaced by this time, a midnight in UTC, may go: `delta.logRetentionDuration` (30 days) before
/// `now_ms`, all in milliseconds since the epoch. `None` where `delta.enableExpiredLogCleanup` says so, or one of the two
/// cannot be understood: then everything stays, which harms nobody.
///
/// ```
/// use deltalakedb_core::action::Metadata;
/// use deltalakedb_core::mirror::cleanup_cutoff_ms;
/// use deltalakedb_core::time::{format_ms, parse_ms};
/// let metadata: Metadata = serde_json::from_str(
///     r#"{"id": "x", "format": {"provider": "parquet"}, "partitionColumns": [],
///         "configuration": {"delta.logRetentionDuration": "interval 2 days"}}"#,
/// )?;
/// let cutoff_ms = cleanup_cutoff_ms(&metadata, parse_ms("2024-01-10T18:00:00Z")?);
/// assert_eq!(cutoff_ms.map(format_ms).as_deref(), Some("2024-01-08T00:00:00.000Z"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cleanup_cutoff_ms(metadata: &Metadata, now_ms: i64) -> Option<i64> {
    let value = |property| metadata.configuration.value(property).map(str::trim);
    if value(ENABLED).is_some_and(|enabled| !enabled.eq_ignore_ascii_case("true")) {
        return None;
    }
    let retention_ms = value(RETENTION).map_or(Some(DEFAULT_RETENTION_MS), parse_interval_ms)?;
    Some(midnight_ms(now_ms.saturating_sub(retention_ms)))
}

/// The newest version whose time, in the catalog, is `time_ms` or earlier; `None` when all are later.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
pub async fn newest_version_at(database: &impl Database, table: &Table, time_ms: i64) -> Result<Option<i64>> {
    let query = VERSION_AT.at(&TableSelector::Key(table.key), At::Timestamp(time_ms));
    let rows = table.read_rows(database, query).await?;
    Ok(rows.first().map(|row| row.optional_integer(0)).transpose()?.flatten())
}

/// What a log is cleaned up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Stays, with its commit and all after it. The host makes sure that it is whole before it deletes anything.
    pub checkpoint: Checkpoint,
    /// Names of objects, in the order in which they are to be deleted: whenever that ends, what is left can be read.
    pub deletions: Vec<String>,
    /// Whether checkpoints go, so that their sidecars may be nobody's.
    pub deletes_checkpoints: bool,
}

/// Plans the clean-up of a log with these `objects` (names, sizes, times of modification): what comes before the newest
/// complete checkpoint up to `cutoff_version`, if that is `floor` or later (see
/// [`cleanup_floor`](crate::table_features::cleanup_floor)). `None` without such a checkpoint, when a commit after it is
/// missing, or when nothing is to be deleted.
///
/// Compacted logs go first, for they tell of commits that go; then commits, oldest first, so that the log always looks like
/// one that was cleaned up less; then checksums; and checkpoints after all commits that rest on them.
pub fn plan_cleanup(objects: &[(String, u64, i64)], cutoff_version: i64, floor: i64) -> Option<Cleanup> {
    let listing = LogListing::new(objects.iter().cloned());
    let checkpoint = listing.newest_checkpoint(cutoff_version).filter(|checkpoint| checkpoint.version >= floor)?;
    let first = checkpoint.version;
    let latest = listing.latest_version()?;
    if (first + 1..=latest).any(|version| listing.commit(version).is_none()) {
        return None;
    }
    let mut deletions: Vec<(u8, i64, &str)> = Vec::new();
    for (name, ..) in objects {
        let deletion = match parse_file_name(name) {
            Some((version, LogFileKind::CompactedTo(_))) if version <= first => (0, version),
            Some((_, LogFileKind::CompactedTo(_))) => continue,
            Some((version, LogFileKind::Commit)) if version < first => (1, version),
            Some((version, _)) if version < first => (3, version),
            _ => match parse_checksum_name(name) {
                Some(version) if version < first => (2, version),
                _ => continue,
            },
        };
        deletions.push((deletion.0, deletion.1, name));
    }
    deletions.sort_unstable();
    let deletes_checkpoints = deletions.last().is_some_and(|(rank, ..)| *rank == 3);
    let deletions: Vec<String> = deletions.into_iter().map(|(.., name)| name.to_owned()).collect();
    (!deletions.is_empty()).then(|| Cleanup { checkpoint: checkpoint.clone(), deletions, deletes_checkpoints })
}

/// The sidecars that are nobody's: not among the `named` ones of the checkpoints that are there, and older than the day
/// before `now_ms`, for a checkpoint that is being written names its sidecars last. `objects` are those of `_sidecars`.
pub fn orphaned_sidecars(objects: &[(String, u64, i64)], named: &HashSet<String>, now_ms: i64) -> Vec<String> {
    let young_from_ms = midnight_ms(now_ms).saturating_sub(DAY_MS);
    let old = objects.iter().filter(|(_, _, modified_ms)| *modified_ms < young_from_ms);
    old.filter(|(name, ..)| name.ends_with(".parquet") && !named.contains(name))
        .map(|(name, ..)| name.clone())
        .collect()
}
