//! A checkpoint alone: its rows with their structs, its tombstones, its sidecars, what it leads to.

use std::collections::HashMap;

use deltalakedb_core::Result;
use deltalakedb_core::action::Sidecar;
use deltalakedb_core::diff::{Counts, FileSum, LogState, Tombstones, rule_differences};
use deltalakedb_core::log::{Checkpoint, LogFileKind, LogPlan};
use deltalakedb_core::snapshot::Snapshot;
use deltalakedb_core::sql::Database;

use super::Problem;
use crate::diff::{compare_state, read_state};
use crate::log_reader::{Structs, sidecar_name};
use crate::store::LogStore;

/// What differs between a checkpoint, alone, and the catalog, what is wrong in its rows, and the state that it leads to.
pub(super) async fn compare_checkpoint(
    database: &impl Database,
    catalog: &Snapshot,
    files: &FileSum,
    log: &LogStore,
    checkpoint: &Checkpoint,
    now_ms: i64,
) -> Result<(Counts, Vec<Problem>, LogState)> {
    let version = checkpoint.version;
    let plan = LogPlan {
        checkpoint: Some(checkpoint.clone()),
        steps: Vec::new(),
        earliest_version: version,
        latest_version: version,
    };
    let mut state = read_state(log, &plan, Structs::Checked).await?;
    let problems = check_rows(database, catalog, log, checkpoint, &mut state, now_ms).await?;
    let mut counts = Counts::default();
    if state.files() == *files {
        rule_differences(catalog, &state, now_ms).iter().for_each(|difference| counts.count(difference));
        return Ok((counts, problems, state));
    }
    // A checkpoint may leave something out: what it is takes a closer look.
    compare_state(database, catalog, log, plan, now_ms, &mut |difference| {
        counts.count(&difference);
        Ok(())
    })
    .await?;
    Ok((counts, problems, state))
}

/// What is wrong in the rows of a checkpoint, from which `state` was read with its structs checked.
pub(super) async fn check_rows(
    database: &impl Database,
    catalog: &Snapshot,
    log: &LogStore,
    checkpoint: &Checkpoint,
    state: &mut LogState,
    now_ms: i64,
) -> Result<Vec<Problem>> {
    let Some(file) = checkpoint.files.first() else { return Ok(Vec::new()) };
    let is_v2 = matches!(file.kind, LogFileKind::UuidCheckpointJson | LogFileKind::UuidCheckpointParquet);
    let rows = state.take_checkpoint_rows(is_v2);
    let mut problems: Vec<Problem> = rows.faults.into_iter().map(|fault| Problem::of(&file.name, fault)).collect();
    problems.extend(check_tombstones(database, catalog, &file.name, rows.tombstones, now_ms).await?);
    problems.extend(check_sidecars(log, &file.name, &rows.sidecars).await?);
    Ok(problems)
}

/// VACUUM deletes the data of a removed file that it finds no tombstone of.
async fn check_tombstones(
    database: &impl Database,
    catalog: &Snapshot,
    checkpoint: &str,
    tombstones: Tombstones,
    now_ms: i64,
) -> Result<Vec<Problem>> {
    let found = tombstones.differences(database, catalog, now_ms).await?;
    let told = [
        (found.lacking, "it lacks the `remove` of {} files, which have not expired"),
        (found.other_time, "it has the `remove` of {} files with another `deletionTimestamp` than the catalog"),
        (found.unknown, "it has the `remove` of {} files that the catalog knows no removal of"),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0);
    Ok(told.map(|(count, text)| Problem::of(checkpoint, text.replace("{}", &count.to_string()))).collect())
}

/// The sizes of sidecars must be those that the checkpoint tells: readers fetch by them.
async fn check_sidecars(log: &LogStore, checkpoint: &str, sidecars: &[Sidecar]) -> Result<Vec<Problem>> {
    if sidecars.is_empty() {
        return Ok(Vec::new());
    }
    let listed = log.list_in("_sidecars").await?.into_iter();
    let sizes: HashMap<String, u64> = listed.map(|(name, size, _)| (format!("_sidecars/{name}"), size)).collect();
    let mut problems = Vec::new();
    for sidecar in sidecars {
        let name = sidecar_name(&sidecar.path)?;
        if let Some(&size) = sizes.get(&name).filter(|&&size| u64::try_from(sidecar.size_in_bytes) != Ok(size)) {
            let told = sidecar.size_in_bytes;
            problems.push(Problem::of(checkpoint, format!("it tells {told} bytes of {name}, which has {size}")));
        }
    }
    Ok(problems)
}
