//! The bundled tables: what different files of a log say of the same version is the same.
//!
//! A folder in `tests/tables` is a test; dropping one in adds it.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use deltalakedb_core::action::Action;
use deltalakedb_core::log::{
    CheckpointReader, HistoryMode, LogFile, LogFileKind, LogListing, LogPlan, parse_file_name, read_commit_line,
};
use deltalakedb_core::snapshot::{At, history};
use deltalakedb_core::sql::{Database, Limits};
use deltalakedb_core::{ErrorKind, Result};

use crate::catalog::{WithLimits, begin_import, named, new_catalog, read_actions, read_state, run};
use crate::model::State;

/// The newest checkpoint is garbage: the latest state cannot be read by it, all versions can without it.
const CORRUPT_CHECKPOINT: &str = "corrupt-checkpoint-with-commits";

/// The tables by name, each with its `_delta_log`.
pub(crate) fn logs() -> Vec<(String, PathBuf)> {
    let logs = logs_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tables"));
    assert!(logs.len() > 50, "the bundled tables are there");
    logs
}

pub(crate) fn logs_in(tables: &Path) -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(tables).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = folders
        .map(|folder| (folder.file_name().unwrap().to_str().unwrap().to_owned(), folder.join("_delta_log")))
        .filter(|(_, log)| log.is_dir())
        .collect();
    logs.sort_unstable();
    logs
}

/// The files of a log for which `wanted` holds.
pub(crate) fn list(log: &Path, wanted: impl Fn(i64, &LogFileKind) -> bool) -> LogListing {
    let files = fs::read_dir(log).unwrap().map(|entry| entry.unwrap());
    let names = files.map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().len()));
    LogListing::new(
        names
            .filter(|(name, _)| parse_file_name(name).is_some_and(|(version, kind)| wanted(version, &kind)))
            .map(|(name, size)| (name, size, 1_700_000_000_000)),
    )
}

/// All actions of a file, of the sidecars that it names, too.
fn read(log: &Path, file: &LogFile) -> Result<Vec<Action>> {
    let is_parquet = file.name.ends_with(".parquet");
    let mut actions = if is_parquet { read_parquet(log, &file.name)? } else { read_lines(log, &file.name)? };
    for action in actions.clone() {
        if let Action::Sidecar(sidecar) = action {
            let name = sidecar.path.rsplit('/').next().unwrap_or_default();
            actions.extend(read_parquet(log, &format!("_sidecars/{name}"))?);
        }
    }
    Ok(actions)
}

fn read_parquet(log: &Path, name: &str) -> Result<Vec<Action>> {
    let bytes = Bytes::from(fs::read(log.join(name)).unwrap());
    let mut actions = Vec::new();
    for batch in CheckpointReader::new(name, bytes)? {
        actions.extend(batch?);
    }
    Ok(actions)
}

fn read_lines(log: &Path, name: &str) -> Result<Vec<Action>> {
    let mut actions = Vec::new();
    for (index, line) in fs::read(log.join(name)).unwrap().split(|byte| *byte == b'\n').enumerate() {
        read_commit_line(name, index + 1, line, &mut actions)?;
    }
    Ok(actions)
}

/// A version as the model has it, with its own actions where a commit file tells them.
pub(crate) type Version = (i64, State, Option<Vec<Action>>);

/// The versions that a plan leads to.
pub(crate) fn replay(log: &Path, plan: &LogPlan) -> Result<Vec<Version>> {
    let mut state = State::default();
    let mut versions = Vec::new();
    if let Some(checkpoint) = &plan.checkpoint {
        for file in &checkpoint.files {
            state.apply(&read(log, file)?);
        }
        state = state.changing_no_data();
        let own_commit_follows = plan.steps.first().is_some_and(|step| step.version == checkpoint.version);
        if !own_commit_follows {
            versions.push((checkpoint.version, state.clone(), None));
        }
    }
    for step in &plan.steps {
        let mut actions = read(log, &step.file)?;
        for action in actions.iter_mut().filter(|_| step.compacted) {
            if let Action::Add(add) = action {
                add.data_change = false;
            }
        }
        state.apply(&actions);
        versions.push((step.version, state.clone(), (!step.compacted).then_some(actions)));
    }
    versions.retain(|(version, ..)| *version >= plan.earliest_version);
    Ok(versions)
}

/// Imports as a host does.
pub(crate) async fn import(database: &impl Database, table: &str, log: &Path, plan: &LogPlan) {
    let mut planner = begin_import(database, table, plan.earliest_version).await;
    if let Some(checkpoint) = &plan.checkpoint {
        planner.begin_checkpoint(checkpoint.version, "a checkpoint");
        for file in &checkpoint.files {
            run(database, planner.actions(read(log, file).unwrap()).unwrap()).await;
        }
        let own_commit_follows = plan.steps.first().is_some_and(|step| step.version == checkpoint.version);
        let is_base_only = plan.earliest_version > checkpoint.version;
        run(database, planner.end_checkpoint(own_commit_follows || is_base_only, 0).unwrap()).await;
    }
    for step in &plan.steps {
        planner.begin_version(step.version, &step.file.name, step.file.modified_ms, step.compacted);
        run(database, planner.actions(read(log, &step.file).unwrap()).unwrap()).await;
        run(database, planner.end_version().unwrap()).await;
    }
    run(database, Some(planner.finish())).await;
}

fn sorted_json(actions: &[Action]) -> Vec<String> {
    let mut texts: Vec<String> = actions.iter().map(Action::to_json).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn the_catalog_has_every_version_as_the_log_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = new_catalog(&folder);
    for (name, log) in logs() {
        for (mode, limits) in [(HistoryMode::Full, Limits::SQLITE), (HistoryMode::Latest, Limits::D1)] {
            let plan = list(&log, |_, _| true).plan(mode).unwrap();
            let expected = match replay(&log, &plan) {
                Err(error) if name == CORRUPT_CHECKPOINT && mode == HistoryMode::Latest => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    assert!(error.hint_text().unwrap().contains("delete it"));
                    continue;
                }
                expected => expected.unwrap(),
            };
            let database = WithLimits(sqlite.clone(), limits);
            let table = format!("{name} {mode:?}");
            import(&database, &table, &log, &plan).await;
            let entries = history(&database, &named(&table), None, 1000).await.unwrap().entries;
            assert_eq!(entries.len(), expected.len(), "{table}");
            for (version, state, actions) in expected {
                let (snapshot, found) = read_state(&database, &table, At::Version(version)).await;
                assert_eq!(found, state.without_tombstones(), "{table}, version {version}");
                assert_eq!(snapshot.file_count, found.files.len() as i64, "{table}, version {version}");
                assert_eq!(snapshot.size_bytes, found.size_bytes(), "{table}, version {version}");
                assert_eq!(snapshot.row_count, found.row_count(), "{table}, version {version}");
                let own = read_actions(&database, &snapshot).await;
                assert_eq!(own.as_deref().map(sorted_json), actions.as_deref().map(sorted_json), "{table}, {version}");
            }
        }
    }
}

/// The states are the same but for what a checkpoint may leave out: `dataChange`, statistics, tombstones.
fn assert_same(left: &State, right: &State, at: &str) {
    let (mut left, mut right) = (left.without_tombstones(), right.without_tombstones());
    let keys: Vec<_> = left.files.keys().filter(|key| right.files.contains_key(key)).cloned().collect();
    for key in keys {
        let (Some(left), Some(right)) = (left.files.get_mut(&key), right.files.get_mut(&key)) else { continue };
        (left.data_change, right.data_change) = (false, false);
        let stats = [&mut left.stats, &mut right.stats].map(Option::take);
        if let [Some(left), Some(right)] = stats {
            let value = |stats: &str| serde_json::from_str::<serde_json::Value>(stats).unwrap();
            assert_eq!(value(&left), value(&right), "{at}: statistics of {key:?}");
        }
    }
    assert_eq!(left, right, "{at}");
}

#[test]
fn both_modes_give_the_same_latest_state() {
    for (name, log) in logs().into_iter().filter(|(name, _)| name != CORRUPT_CHECKPOINT) {
        let last = |mode| {
            let plan = list(&log, |_, _| true).plan(mode).unwrap();
            replay(&log, &plan).unwrap().pop().unwrap()
        };
        let ((full_version, full, _), (version, latest, _)) = (last(HistoryMode::Full), last(HistoryMode::Latest));
        assert_eq!(version, full_version, "{name}");
        assert_same(&latest, &full, &name);
    }
}

#[test]
fn every_checkpoint_is_the_state_that_the_commits_make() {
    let mut compared = Vec::new();
    for (name, log) in logs().into_iter().filter(|(name, _)| name != CORRUPT_CHECKPOINT) {
        let files = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let parsed = files.filter_map(|file| parse_file_name(&file));
        let is_checkpoint = |kind: &LogFileKind| !matches!(kind, LogFileKind::Commit | LogFileKind::CompactedTo(_));
        let mut checkpoints: Vec<i64> = parsed.filter(|(_, kind)| is_checkpoint(kind)).map(|(v, _)| v).collect();
        checkpoints.sort_unstable();
        checkpoints.dedup();
        for version in checkpoints {
            let own = list(&log, |at, kind| at == version && is_checkpoint(kind));
            // Without its own: from the commits alone, or from an earlier checkpoint on.
            let others = list(&log, |at, kind| match kind {
                LogFileKind::CompactedTo(end) => *end <= version,
                LogFileKind::Commit => at <= version,
                _ => at < version,
            });
            let (Ok(own), Ok(others)) = (own.plan(HistoryMode::Latest), others.plan(HistoryMode::Latest)) else {
                continue; // parts are missing, or the log begins here
            };
            if others.latest_version != version {
                continue; // its commit file is gone
            }
            let at = format!("{name}, checkpoint {version}");
            let (_, checkpoint, _) = replay(&log, &own).unwrap().pop().unwrap();
            let (_, replayed, _) = replay(&log, &others).unwrap().pop().unwrap();
            assert_same(&checkpoint, &replayed, &at);
            // Tombstones may have expired, new ones do not appear.
            for key in checkpoint.tombstones.keys() {
                assert!(replayed.tombstones.contains_key(key), "{at}: {key:?} was never removed");
            }
            compared.push(at);
        }
    }
    // Each kind is there.
    for table in ["classic-checkpoint,", "multi-part-checkpoint,", "v2-checkpoint-json,", "v2-checkpoint-parquet,"] {
        assert!(compared.iter().any(|at| at.starts_with(table)), "{table} not in {compared:#?}");
    }
}
