//! What is in the catalog in the end.

use std::collections::BTreeMap;

use deltalakedb_core::Result;
use deltalakedb_core::catalog::{Table, TableSelector, list_tables};
use deltalakedb_core::mirror::{commit_actions, read_commit};
use deltalakedb_core::snapshot::history;
use deltalakedb_core::sql::Database;
use serde_json::Value;

use crate::model::State;

/// One version of a table.
#[derive(Clone, Debug, Default)]
pub struct Version {
    pub version: i64,
    pub timestamp_ms: i64,
    pub commit_id: Option<String>,
    /// False when it is known as a state only.
    pub is_known: bool,
    /// Each an object with one key, file actions last.
    pub actions: Vec<Value>,
}

/// A table with its versions, oldest first.
#[derive(Clone, Debug, Default)]
pub struct TableHistory {
    pub key: i64,
    pub name: String,
    pub earliest_version: i64,
    pub latest_version: i64,
    pub versions: Vec<Version>,
}

impl TableHistory {
    pub fn version(&self, version: i64) -> Option<&Version> {
        self.versions.iter().find(|entry| entry.version == version)
    }

    /// Whether its history begins with the commit that made it, and not with a state.
    pub fn is_known_from_its_creation(&self) -> bool {
        self.versions.first().is_some_and(|entry| entry.is_known && entry.version == 0)
    }

    /// The state after each version, for tables whose first version is a commit.
    pub fn states(&self) -> BTreeMap<i64, State> {
        let mut state = State::default();
        let states = self.versions.iter().map(|entry| {
            entry.actions.iter().for_each(|action| state.apply(action));
            (entry.version, state.clone())
        });
        states.collect()
    }
}

/// Reads all tables of the catalog.
///
/// # Errors
/// When something in it cannot be read, which should not be.
pub async fn read(catalog: &impl Database) -> Result<Vec<TableHistory>> {
    let mut tables = Vec::new();
    for table in list_tables(catalog).await? {
        tables.push(read_table(catalog, &table).await?);
    }
    Ok(tables)
}

async fn read_table(catalog: &impl Database, table: &Table) -> Result<TableHistory> {
    let page = history(catalog, &TableSelector::Key(table.key), None, usize::MAX >> 1).await?;
    let mut versions = Vec::new();
    for entry in page.entries.into_iter().rev() {
        let commit = read_commit(catalog, table, entry.version).await?;
        let mut actions = commit.actions.clone();
        let mut cursor = commit.start();
        while let Some(at) = cursor {
            let (page, next) = commit_actions(catalog, &commit, at, 100).await?;
            actions.extend(page);
            cursor = next;
        }
        versions.push(Version {
            version: entry.version,
            timestamp_ms: entry.timestamp_ms,
            commit_id: entry.commit_id,
            is_known: commit.is_known,
            actions: actions.iter().map(to_value).collect(),
        });
    }
    Ok(TableHistory {
        key: table.key,
        name: table.name.clone(),
        earliest_version: table.earliest_version,
        latest_version: table.version,
        versions,
    })
}

pub fn to_value(action: &deltalakedb_core::action::Action) -> Value {
    serde_json::from_str(&action.to_json()).unwrap_or_default()
}
