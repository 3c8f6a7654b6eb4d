//! Whatever way a history takes into the catalog, every version of it comes out as the protocol says.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use deltalakedb_core::ErrorKind;
use deltalakedb_core::action::{Action, Json, Remove};
use deltalakedb_core::catalog::find_table;
use deltalakedb_core::commit::{CommitRequest, Committed, Outcome, commit};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::log::CheckpointReader;
use deltalakedb_core::mirror::{
    CheckpointForm, CheckpointState, CheckpointWriter, PART_SIZE, StateCursor, UnknownFields, state_actions,
};
use deltalakedb_core::snapshot::{At, FileCursor, HistoryEntry, Snapshot, files, history, snapshot};
use deltalakedb_core::sql::{Database, Limits};
use deltalakedb_native::database::SqliteDatabase;
use proptest::prelude::*;

use crate::catalog::{FixedHost, WithLimits, begin_import, id, named, new_catalog, read_actions, read_state, run};
use crate::history::{Commit, NOW_MS, ODD_PATH, histories};
use crate::model::State;

/// How long tombstones stay in a table that does not say.
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// One catalog for all cases of a law, a table a case.
pub(crate) struct Laws {
    _folder: tempfile::TempDir,
    database: SqliteDatabase,
    runtime: tokio::runtime::Runtime,
    tables: AtomicUsize,
}

impl Laws {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Laws { database: new_catalog(&folder), _folder: folder, runtime, tables: AtomicUsize::new(0) }
    }

    fn next_table(&self) -> String {
        format!("table {}", self.tables.fetch_add(1, Ordering::Relaxed))
    }

    /// Runs an example with rows in either encoding.
    pub(crate) fn run(&self, example: impl AsyncFn(WithLimits<SqliteDatabase>, String)) {
        for limits in [Limits::SQLITE, Limits::D1] {
            let database = WithLimits(self.database.clone(), limits);
            self.runtime.block_on(example(database, self.next_table()));
        }
    }

    /// Runs a law with rows in either encoding.
    pub(crate) fn check<T>(
        &self,
        strategy: impl Strategy<Value = T>,
        law: impl AsyncFn(WithLimits<SqliteDatabase>, String, &T),
    ) where
        T: std::fmt::Debug,
    {
        let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let outcome = runner.run(&strategy, |case| {
            for limits in [Limits::SQLITE, Limits::D1] {
                let database = WithLimits(self.database.clone(), limits);
                self.runtime.block_on(law(database, self.next_table(), &case));
            }
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    }
}

/// What the catalog should say of a version.
pub(crate) struct Expected {
    pub(crate) version: i64,
    timestamp_ms: i64,
    pub(crate) state: State,
    /// `None`: known from a checkpoint only.
    actions: Option<Vec<Action>>,
}

/// Every version of a history. The times of files become strictly increasing from `first_version` on.
pub(crate) fn replay(history: &[Commit], first_version: usize) -> Vec<Expected> {
    let mut state = State::default();
    let mut timestamp_ms = i64::MIN;
    let mut versions = Vec::new();
    for (version, commit) in history.iter().enumerate() {
        state.apply(&commit.actions);
        if version >= first_version {
            timestamp_ms = commit.modified_ms.max(timestamp_ms.saturating_add(1));
        }
        versions.push(Expected {
            version: version as i64,
            timestamp_ms,
            state: state.clone(),
            actions: Some(commit.actions.clone()),
        });
    }
    versions
}

pub(crate) async fn import(database: &impl Database, table: &str, history: &[Commit], piece: usize) {
    let mut planner = begin_import(database, table, 0).await;
    import_commits(database, &mut planner, history, 0, piece).await;
    run(database, Some(planner.finish())).await;
}

/// Imports the commits from `first_version` on, their actions in pieces.
async fn import_commits(
    database: &impl Database,
    planner: &mut ImportPlanner,
    history: &[Commit],
    first_version: usize,
    piece: usize,
) {
    for (version, commit) in history.iter().enumerate().skip(first_version) {
        planner.begin_version(version as i64, "a file", commit.modified_ms, false);
        for actions in commit.actions.chunks(piece) {
            run(database, planner.actions(actions.to_vec()).unwrap()).await;
        }
        run(database, planner.end_version().unwrap()).await;
    }
}

/// The catalog has these versions and no others, in all that it says of them.
async fn assert_versions(database: &impl Database, table: &str, expected: &[Expected]) {
    let (first, last) = (&expected[0], &expected[expected.len() - 1]);
    for version in [first.version - 1, last.version + 1] {
        let error = snapshot(database, &named(table), At::Version(version)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    assert_eq!(snapshot(database, &named(table), At::Latest).await.unwrap().version, last.version);
    let entries = history(database, &named(table), None, 1000).await.unwrap().entries;
    assert_eq!(entries.len(), expected.len());
    for (expected, entry) in expected.iter().zip(entries.iter().rev()) {
        assert_version(database, table, expected).await;
        assert_history(expected, entry);
    }
}

async fn assert_version(database: &impl Database, table: &str, expected: &Expected) {
    let (snapshot, state) = read_state(database, table, At::Version(expected.version)).await;
    assert_eq!(state, expected.state.without_tombstones(), "version {}", expected.version);
    assert_eq!(snapshot.version, expected.version);
    assert_eq!(snapshot.timestamp_ms, expected.timestamp_ms);
    assert_eq!(snapshot.file_count, state.files.len() as i64);
    assert_eq!(snapshot.size_bytes, state.size_bytes());
    assert_eq!(snapshot.row_count, state.row_count());
    let by_time = crate::catalog::read_state(database, table, At::Timestamp(expected.timestamp_ms)).await;
    assert_eq!(by_time, (snapshot.clone(), state));
    let actions = read_actions(database, &snapshot).await;
    assert_eq!(actions.as_deref().map(sorted_json), expected.actions.as_deref().map(sorted_json));
}

fn assert_history(expected: &Expected, entry: &HistoryEntry) {
    let actions = expected.actions.as_deref();
    let count = |name: &str| actions.map(|all| all.iter().filter(|action| action.name() == name).count() as i64);
    let commit_info = actions.unwrap_or_default().iter().find_map(|action| match action {
        Action::CommitInfo(info) => Some(info.clone()),
        _ => None,
    });
    let expected = HistoryEntry {
        version: expected.version,
        timestamp_ms: expected.timestamp_ms,
        operation: commit_info.as_ref().and_then(|info| info.operation()),
        added_files: count("add"),
        removed_files: count("remove"),
        commit_info,
        commit_id: None,
    };
    assert_eq!(*entry, expected);
}

fn sorted_json(actions: &[Action]) -> Vec<String> {
    let mut texts: Vec<String> = actions.iter().map(Action::to_json).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn an_import_has_every_version() {
    Laws::new().check((histories(), 1..5usize), async |database, table, (history, piece)| {
        import(&database, &table, history, *piece).await;
        assert_versions(&database, &table, &replay(history, 0)).await;
    });
}

#[test]
fn the_order_of_actions_in_a_commit_does_not_matter() {
    Laws::new().check((histories(), any::<u64>()), async |database, table, (history, seed)| {
        let hash = |action: &Action| {
            let mut hasher = DefaultHasher::new();
            (seed, action.to_json()).hash(&mut hasher);
            hasher.finish()
        };
        let mut shuffled = history.clone();
        shuffled.iter_mut().for_each(|commit| commit.actions.sort_by_key(hash));
        import(&database, &table, &shuffled, 2).await;
        assert_versions(&database, &table, &replay(history, 0)).await;
    });
}

/// Where an import begins.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) checkpoint_version: usize,
    /// The first version that is wanted.
    pub(crate) earliest_version: usize,
    pub(crate) own_commit_follows: bool,
}

pub(crate) fn histories_with_start() -> impl Strategy<Value = (Vec<Commit>, Start)> {
    (histories(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(history, checkpoint, earliest, own_commit)| {
            let checkpoint_version = checkpoint.index(history.len());
            let earliest_version = checkpoint_version + earliest.index(history.len() - checkpoint_version);
            let own_commit_follows = own_commit && earliest_version == checkpoint_version;
            (history, Start { checkpoint_version, earliest_version, own_commit_follows })
        },
    )
}

pub(crate) async fn import_from_checkpoint(database: &impl Database, table: &str, history: &[Commit], start: &Start) {
    let from = start.checkpoint_version;
    let mut planner = begin_import(database, table, start.earliest_version as i64).await;
    planner.begin_checkpoint(from as i64, "a checkpoint");
    for actions in replay(history, 0)[from].state.actions().chunks(3) {
        run(database, planner.actions(actions.to_vec()).unwrap()).await;
    }
    let is_base_only = start.earliest_version > from;
    let modified_ms = history[from].modified_ms;
    let batch = planner.end_checkpoint(start.own_commit_follows || is_base_only, modified_ms).unwrap();
    run(database, batch).await;
    let first_commit = if start.own_commit_follows { from } else { from + 1 };
    import_commits(database, &mut planner, history, first_commit, 2).await;
    run(database, Some(planner.finish())).await;
}

/// The versions that [`import_from_checkpoint`] leaves.
pub(crate) fn replay_from(history: &[Commit], start: &Start) -> Vec<Expected> {
    let is_base_only = start.earliest_version > start.checkpoint_version;
    let mut versions = replay(history, start.checkpoint_version + usize::from(is_base_only));
    versions.drain(..start.earliest_version);
    let mut state = replay(history, 0)[start.checkpoint_version].state.clone().changing_no_data();
    let first_commit = start.checkpoint_version + usize::from(!start.own_commit_follows);
    for (version, commit) in history.iter().enumerate().skip(start.checkpoint_version) {
        if version >= first_commit {
            state.apply(&commit.actions);
        }
        if let Some(expected) = versions.iter_mut().find(|expected| expected.version == version as i64) {
            expected.state = state.clone();
        }
    }
    if !start.own_commit_follows && !is_base_only {
        versions[0].actions = None;
        // The checkpoint may have been written later than the commits after it.
        if let Some(next) = history.get(start.earliest_version + 1) {
            versions[0].timestamp_ms = versions[0].timestamp_ms.min(next.modified_ms - 1);
        }
        for at in 1..versions.len() {
            let modified_ms = history[start.earliest_version + at].modified_ms;
            versions[at].timestamp_ms = modified_ms.max(versions[at - 1].timestamp_ms + 1);
        }
    }
    versions
}

#[test]
fn replay_after_a_checkpoint_is_replay_from_zero() {
    Laws::new().check(histories_with_start(), async |database, table, (history, start)| {
        import_from_checkpoint(&database, &table, history, start).await;
        assert_versions(&database, &table, &replay_from(history, start)).await;
    });
}

#[test]
fn commits_make_the_versions_that_an_import_makes() {
    Laws::new().check(histories(), async |database, table, history| {
        import(&database, &table, &history[..1], 100).await;
        let expected = replay(history, 0);
        for (version, new) in history.iter().enumerate().skip(1) {
            let before = &expected[version - 1].state;
            if is_committable(before, &new.actions) {
                commit_one(&database, &table, &expected[version], new).await;
            } else {
                import_increment(&database, &table, version as i64, new).await;
                assert_version(&database, &table, &expected[version]).await;
            }
        }
        // Later commits leave earlier versions as they were.
        for expected in &expected {
            let (snapshot, state) = read_state(&database, &table, At::Version(expected.version)).await;
            assert_eq!(state, expected.state.without_tombstones(), "version {}", expected.version);
            assert_eq!(snapshot.size_bytes, state.size_bytes());
            assert_eq!(snapshot.row_count, state.row_count());
            assert_eq!(snapshot.timestamp_ms, expected.timestamp_ms);
        }
    });
}

/// A commit that removes what is not there, takes a transaction back, has row ids in a table without row tracking, a
/// vector without the number of rows, or brings in a path that is no URI or leads elsewhere, is refused; an import takes
/// it.
fn is_committable(state: &State, actions: &[Action]) -> bool {
    let removed = |path: &str| actions.iter().any(|action| matches!(action, Action::Remove(old) if old.path == path));
    let is_known = |path: &str| state.files.keys().any(|(known, _)| known == path);
    !actions.is_empty()
        && actions.iter().all(|action| match action {
            Action::Remove(remove) => state.files.contains_key(&(remove.path.clone(), remove.dv_id())),
            Action::Add(add) => {
                add.base_row_id.is_none()
                    && (add.path != ODD_PATH || removed(ODD_PATH))
                    && (!add.path.contains("://") || is_known(&add.path))
                    && (add.deletion_vector.is_none() || add.num_records().is_some())
            }
            Action::Txn(txn) => state.txns.get(&txn.app_id).is_none_or(|last| last.version < txn.version),
            _ => true,
        })
}

async fn commit_one(database: &impl Database, table: &str, expected: &Expected, new: &Commit) {
    let request = CommitRequest::new(id(&format!("commit {}", expected.version)), new.actions.clone());
    let host = FixedHost { now_ms: new.modified_ms };
    let committed = Outcome::Committed(Committed {
        table: table.to_owned(),
        version: expected.version,
        timestamp_ms: expected.timestamp_ms,
    });
    // Sent twice, it happens once.
    for _ in 0..2 {
        assert_eq!(commit(database, &host, &named(table), &request).await.unwrap(), committed);
    }
    let snapshot = snapshot(database, &named(table), At::Latest).await.unwrap();
    let mut actions = read_actions(database, &snapshot).await.unwrap();
    let mut given = new.actions.clone();
    let info = |actions: &mut Vec<Action>| {
        let place = actions.iter().position(|action| matches!(action, Action::CommitInfo(_)))?;
        let Action::CommitInfo(info) = actions.remove(place) else { return None };
        Some(info.fields())
    };
    let stored = info(&mut actions).expect("a commit has a commitInfo");
    for (field, value) in info(&mut given).unwrap_or_default() {
        assert_eq!(stored.get(&field).map(Json::text), Some(value.text()), "{field} of the writer's commitInfo");
    }
    assert_eq!(sorted_json(&actions), sorted_json(&given));
}

async fn import_increment(database: &impl Database, table: &str, version: i64, new: &Commit) {
    let state = snapshot(database, &named(table), At::Latest).await.unwrap();
    let table = find_table(database, &named(table)).await.unwrap();
    let mut planner = ImportPlanner::incremental(&table, state.metadata, state.protocol, database.limits());
    planner.begin_version(version, "a file", new.modified_ms, false);
    run(database, planner.actions(new.actions.clone()).unwrap()).await;
    run(database, planner.end_version().unwrap()).await;
    run(database, planner.flush()).await;
}

#[test]
fn a_checkpoint_holds_the_state_and_nothing_twice() {
    Laws::new().check(histories_with_start(), async |database, table, (history, start)| {
        import_from_checkpoint(&database, &table, history, start).await;
        for expected in replay_from(history, start) {
            let snapshot = snapshot(&database, &named(&table), At::Version(expected.version)).await.unwrap();
            for form in forms(&snapshot) {
                let actions = through_parquet(&database, CheckpointState::new(snapshot.clone(), NOW_MS), &form).await;
                let mut state = State::default();
                state.apply(&actions);
                assert_eq!(state, as_in_a_checkpoint(&expected.state), "version {}, {form:?}", expected.version);
                let twice = || sorted_json(&actions);
                assert_eq!(actions.len(), state.actions().len(), "an action is there twice: {:#?}", twice());
            }
        }
    });
}

/// All forms that a checkpoint of the snapshot may have, with few actions a file.
fn forms(snapshot: &Snapshot) -> Vec<CheckpointForm> {
    let form = |feature: Option<&str>, properties: &[(&str, &str)]| {
        let (mut metadata, mut protocol) = (snapshot.metadata.clone(), snapshot.protocol.clone());
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
        metadata.configuration.0.extend(properties);
        protocol.reader_features.get_or_insert_default().extend(feature.map(str::to_owned));
        CheckpointForm::of(&metadata, &protocol, snapshot.file_count).unwrap()
    };
    let structs = ("delta.checkpoint.writeStatsAsStruct", "true");
    let (part_size, v2) = ((PART_SIZE, "2"), ("delta.checkpointPolicy", "v2"));
    vec![form(None, &[]), form(None, &[structs, part_size]), form(Some("v2Checkpoint"), &[v2, part_size, structs])]
}

/// The state as written to a checkpoint and read back.
async fn through_parquet(database: &impl Database, mut state: CheckpointState, form: &CheckpointForm) -> Vec<Action> {
    let mut writer = CheckpointWriter::new(form.clone(), UnknownFields::Kept, || Ok(Vec::new())).unwrap();
    let mut cursor = Some(StateCursor::Head);
    while let Some(at) = cursor {
        let (actions, next) = state_actions(database, &mut state, at, 2).await.unwrap();
        writer.write(&actions).unwrap();
        cursor = next;
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.add_files(), state.snapshot().file_count);
    let mut actions = Vec::new();
    for (bytes, summary) in written.files {
        let batches = CheckpointReader::new("the checkpoint", Bytes::from(bytes)).unwrap();
        let of_file: Vec<Action> = batches.flat_map(Result::unwrap).collect();
        assert_eq!(summary.actions, of_file.len() as i64);
        actions.extend(of_file);
    }
    actions.extend(written.other_actions);
    actions
}

/// Without expired tombstones, and without what tombstones do not tell; its files change no data.
fn as_in_a_checkpoint(state: &State) -> State {
    let mut state = state.clone().changing_no_data();
    let is_fresh = |remove: &Remove| remove.deletion_timestamp.is_some_and(|at| at > NOW_MS - WEEK_MS);
    state.tombstones.retain(|_, remove| is_fresh(remove));
    state.tombstones.values_mut().for_each(|remove| (remove.stats, remove.tags) = (None, None));
    state
}

/// More actions than a batch holds: a version is written by several batches.
#[test]
fn a_commit_may_be_larger_than_a_batch() {
    let parse = |line: String| deltalakedb_core::action::parse_line(&line).unwrap();
    let add = |n: usize, size: usize| {
        parse(format!(
            r#"{{"add":{{"path":"{n}.parquet","partitionValues":{{}},"size":{size},"modificationTime":1,"dataChange":true,"stats":"{{\"numRecords\":{size}}}"}}}}"#
        ))
    };
    let remove = |n: usize| parse(format!(r#"{{"remove":{{"path":"{n}.parquet","dataChange":true}}}}"#));
    let mut first = parse(r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned());
    first.extend(parse(
        r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"configuration":{}}}"#.to_owned(),
    ));
    first.extend((0..9000).flat_map(|n| add(n, n)));
    // Interleaved, so that each batch has some of all.
    let second = (0..3000).flat_map(|n| [remove(n), add(3000 + n, 1), add(9000 + n, 2)].concat()).collect();
    let history = [first, second].map(|actions| Commit { actions, modified_ms: NOW_MS });

    let laws = Laws::new();
    for limits in [Limits::SQLITE, Limits::D1] {
        let (database, table) = (WithLimits(laws.database.clone(), limits), laws.next_table());
        laws.runtime.block_on(async {
            import(&database, &table, &history, 1000).await;
            for expected in replay(&history, 0) {
                let snapshot = snapshot(&database, &named(&table), At::Version(expected.version)).await.unwrap();
                let mut all = Vec::new();
                let mut cursor = Some(FileCursor::start(&snapshot));
                while let Some(at) = cursor {
                    let page = files(&database, &snapshot, at, 100_000).await.unwrap();
                    all.extend(page.files);
                    cursor = page.next;
                }
                all.sort_by(|left, right| left.path.cmp(&right.path));
                assert!(all.iter().eq(expected.state.files.values()));
                assert_eq!(snapshot.file_count, 9000);
                assert_eq!(snapshot.size_bytes, expected.state.size_bytes());
                assert_eq!(snapshot.row_count, expected.state.row_count());
            }
        });
    }
}
