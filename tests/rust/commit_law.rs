//! What engines commit is never refused: each commit of the bundled logs is checked against the version before it.
//!
//! `DL_MORE_TABLES` may name a folder with more tables to check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deltalakedb_core::action::Action;
use deltalakedb_core::commit::{CommitRequest, check_commit, plan_commit};
use deltalakedb_core::log::HistoryMode;
use deltalakedb_core::snapshot::{At, Snapshot, snapshot};
use deltalakedb_core::sql::Limits;
use deltalakedb_core::table_features::check_readable;

use crate::catalog::{id, named, new_catalog};
use crate::log_corpus::{import, list, logs, logs_in, replay};

/// Why a commit of an engine is refused after all: a part of the reason, and why it is right.
const REFUSED: &[(&str, &str)] = &[
    ("features that this release does not write", "unsupported features keep a table from being written"),
    ("does not switch in-commit timestamps on", "not supported yet"),
    ("begins with `/`", "a path on a file system without a name: the bundled table has it to be read"),
];

/// Tables with paths that no commit here may bring in, and why that is right.
const UNUSUAL_PATHS: &[(&str, &str)] = &[("absolute-paths", "made by hand, with files of other folders, to be read")];

/// The checked commits, and those that were refused, by table and version.
#[derive(Default)]
struct Outcome {
    checked: usize,
    refused: BTreeMap<(String, i64), String>,
    /// Those with paths that are taken only where a table has or had them.
    unusual: Vec<(String, i64)>,
}

fn has_unusual_paths(state: &Snapshot, actions: Vec<Action>) -> bool {
    let request = CommitRequest::new(id("id"), actions);
    let batch = plan_commit(state, &request, 0, &Limits::SQLITE);
    batch.is_ok_and(|batch| batch.statements.iter().any(|statement| statement.sql.contains("'unusual_path'")))
}

async fn check_all(tables: Vec<(String, PathBuf)>) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let database = new_catalog(&folder);
    let mut outcome = Outcome::default();
    for (name, log) in tables {
        let Ok(plan) = list(&log, |_, _| true).plan(HistoryMode::Full) else { continue };
        let Ok(versions) = replay(&log, &plan) else { continue };
        let protocols = versions.iter().filter_map(|(_, state, _)| state.protocol.as_ref());
        if protocols.map(check_readable).any(|readable| readable.is_err()) {
            continue; // it cannot be imported
        }
        import(&database, &name, &log, &plan).await;
        for pair in versions.windows(2) {
            let [(before, ..), (version, _, Some(actions))] = pair else { continue };
            let state = snapshot(&database, &named(&name), At::Version(*before)).await.unwrap();
            outcome.checked += 1;
            let actions = without_checkpoint_parts(actions);
            if let Err(error) = check_commit(&state, &actions) {
                outcome.refused.insert((name.clone(), *version), error.to_string());
            } else if has_unusual_paths(&state, actions) {
                outcome.unusual.push((name.clone(), *version));
            }
        }
    }
    outcome
}

/// The bundled table with unknown actions has those of checkpoints in its commits.
fn without_checkpoint_parts(actions: &[Action]) -> Vec<Action> {
    let is_part = |action: &Action| matches!(action, Action::Sidecar(_) | Action::CheckpointMetadata(_));
    actions.iter().filter(|action| !is_part(action)).cloned().collect()
}

#[tokio::test]
async fn what_engines_commit_is_not_refused() {
    let mut tables = logs();
    if let Some(more) = std::env::var_os("DL_MORE_TABLES") {
        tables.extend(logs_in(Path::new(&more)));
    }
    let mut outcome = check_all(tables).await;
    for (at, reason) in &outcome.refused {
        println!("{at:?}: {reason}");
    }
    println!("{} commits checked, {} refused", outcome.checked, outcome.refused.len());
    let unexpected: Vec<_> =
        outcome.refused.iter().filter(|(_, why)| !REFUSED.iter().any(|(reason, _)| why.contains(reason))).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let is_known = |table: &str| UNUSUAL_PATHS.iter().any(|(known, _)| *known == table);
    outcome.unusual.retain(|(table, _)| !is_known(table));
    assert_eq!(outcome.unusual, [], "commits of engines with paths that are no engine's");
    assert!(outcome.checked > 200, "{} commits were checked", outcome.checked);
}
