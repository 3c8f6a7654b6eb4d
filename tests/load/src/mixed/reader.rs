//! Reading tables, and what must hold of every snapshot.

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::snapshot::{At, FileCursor, Snapshot, files, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_simulation::history::to_value;
use deltalakedb_simulation::model::rows;
use serde_json::Value;

use super::actions::View;
use super::journal::{Entry, Saw};
use crate::Result;

/// Small, so that paging takes part.
const PAGE: usize = 16;

/// A table's snapshot with all its files.
pub(crate) async fn read(database: &impl Database, table: i64, at: At) -> Result<View> {
    let snapshot = snapshot(database, &TableSelector::Key(table), at).await?;
    let mut all = Vec::new();
    let mut cursor = Some(FileCursor::start(&snapshot));
    while let Some(at) = cursor {
        let page = files(database, &snapshot, at, PAGE).await?;
        all.extend(page.files.into_iter().map(|add| to_value(&Action::Add(add))["add"].take()));
        cursor = page.next;
    }
    Ok(View { snapshot, files: all })
}

/// What is wrong with the snapshot in itself, and the snapshot for the checkers.
pub(crate) fn look(view: &View, reader: &str, asked_ms: Option<i64>) -> Vec<Entry> {
    let View { snapshot, files } = view;
    let mut entries = Vec::new();
    let what = format!("{reader} saw table {} at version {}", snapshot.table.key, snapshot.version);
    let rows: i64 = files.iter().map(|add| rows(add).len() as i64).sum();
    if (snapshot.file_count, snapshot.row_count) != (files.len() as i64, Some(rows)) {
        let (count, total) = (snapshot.file_count, snapshot.row_count);
        let found = files.len();
        entries.push(Entry::Wrong(format!("{what} with {count} files and {total:?} rows; it has {found} and {rows}")));
    }
    entries.push(Entry::Saw(Box::new(saw(snapshot, files.clone(), reader, asked_ms))));
    entries
}

fn saw(snapshot: &Snapshot, files: Vec<Value>, reader: &str, asked_ms: Option<i64>) -> Saw {
    let value = |json: &dyn Fn() -> serde_json::Result<Value>| json().unwrap_or_default();
    Saw {
        reader: reader.to_owned(),
        table: snapshot.table.key,
        version: snapshot.version,
        timestamp_ms: snapshot.timestamp_ms,
        latest_version: snapshot.table.version,
        asked_ms,
        file_count: snapshot.file_count,
        size_bytes: snapshot.size_bytes,
        metadata: value(&|| serde_json::to_value(&snapshot.metadata)),
        protocol: value(&|| serde_json::to_value(&snapshot.protocol)),
        txns: snapshot.transactions.iter().map(|txn| value(&|| serde_json::to_value(txn))).collect(),
        domains: snapshot.domain_metadata.iter().map(|domain| value(&|| serde_json::to_value(domain))).collect(),
        files,
    }
}
