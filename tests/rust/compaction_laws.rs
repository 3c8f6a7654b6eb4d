//! A compacted log stands for its commits.

use std::collections::HashSet;

use deltalakedb_core::ErrorKind;
use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::{Table, find_table};
use deltalakedb_core::mirror::{CompactionCursor, compacted_actions, plan_compaction};
use deltalakedb_core::sql::Database;

use crate::catalog::named;
use crate::history::histories;
use crate::model::State;
use crate::replay_laws::{Laws, histories_with_start, import, import_from_checkpoint, replay};

/// By pages of two, through their JSON.
async fn compacted(database: &impl Database, table: &Table, from: i64, to: i64) -> Vec<Action> {
    let mut compaction = plan_compaction(database, table, from, to).await.unwrap();
    let mut all = Vec::new();
    let mut cursor = Some(CompactionCursor::Head);
    while let Some(at) = cursor {
        let (actions, next) = compacted_actions(database, &mut compaction, at, 2).await.unwrap();
        all.extend(actions.iter().flat_map(|action| parse_line(&action.to_json()).unwrap()));
        cursor = next;
    }
    all
}

/// What an action is about; a reconciled log has one of each.
fn key(action: &Action) -> (&'static str, String, String) {
    match action {
        Action::Add(add) => ("file", add.path.clone(), add.dv_id()),
        Action::Remove(remove) => ("file", remove.path.clone(), remove.dv_id()),
        Action::Txn(txn) => ("txn", txn.app_id.clone(), String::new()),
        Action::DomainMetadata(domain) => ("domain", domain.domain.clone(), String::new()),
        Action::Protocol(_) => ("protocol", String::new(), String::new()),
        Action::Metadata(_) => ("metaData", String::new(), String::new()),
        other => panic!("{} is not in a state", other.name()),
    }
}

#[test]
fn a_compacted_log_leads_where_its_commits_lead() {
    Laws::new().check(histories(), async |database, name, history| {
        import(&database, &name, history, 100).await;
        let table = find_table(&database, &named(&name)).await.unwrap();
        let versions = replay(history, 0);
        for from in 0..versions.len() {
            for to in from + 1..versions.len() {
                let actions = compacted(&database, &table, from as i64, to as i64).await;
                let keys: HashSet<_> = actions.iter().map(key).collect();
                assert_eq!(keys.len(), actions.len(), "{from} to {to}: something is there twice");
                let before = from.checked_sub(1).map_or(State::default(), |before| versions[before].state.clone());
                let mut state = before.changing_no_data();
                state.apply(&actions);
                assert_eq!(state, versions[to].state.clone().changing_no_data(), "{from} to {to}");
            }
        }
    });
}

#[test]
fn commits_that_are_not_known_are_not_compacted() {
    Laws::new().check(histories_with_start(), async |database, name, (history, start)| {
        import_from_checkpoint(&database, &name, history, start).await;
        let table = find_table(&database, &named(&name)).await.unwrap();
        let first = table.earliest_version
            + i64::from(!start.own_commit_follows && start.earliest_version == start.checkpoint_version);
        for (from, to) in [(first - 1, first), (first, table.version + 1), (table.version, table.version + 1), (-3, -1)]
        {
            let error = plan_compaction(&database, &table, from, to).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid), "{from} to {to}: {error}");
        }
        if first < table.version {
            plan_compaction(&database, &table, first, table.version).await.unwrap();
        }
        let error = plan_compaction(&database, &table, table.version, table.version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "one commit is not compacted");
    });
}
