//! Whether the logs say what the catalog says.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, find_table};
use deltalakedb_core::mirror::{commit_actions, read_commit};
use deltalakedb_core::sql::Database;

use super::{table_folder, table_name};
use crate::{Result, catalog};

const PAGE: usize = 1000;

/// Waits until each log has the last version of its table; which do not have it in time.
pub(crate) fn wait_for_logs(
    database: &impl Database,
    folder: &Path,
    tables: usize,
    longest: Duration,
) -> Result<Vec<String>> {
    let begun = Instant::now();
    let mut late = Vec::new();
    for number in 0..tables {
        let table = table(database, number)?;
        let last = commit_file(folder, number, table.version);
        while !last.exists() && begun.elapsed() < longest {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !last.exists() {
            late.push(format!("{} version {} is not in its log {longest:?} later", table.name, table.version));
        }
    }
    Ok(late)
}

fn table(database: &impl Database, number: usize) -> Result<Table> {
    Ok(catalog::runtime()?.block_on(find_table(database, &catalog::named(&table_name(number))))?)
}

fn commit_file(folder: &Path, number: usize, version: i64) -> std::path::PathBuf {
    table_folder(folder, &table_name(number)).join(format!("_delta_log/{version:020}.json"))
}

/// Compares each commit file with what the catalog says of the version; how many there are.
pub(crate) fn equal(database: &impl Database, folder: &Path, tables: usize, wrong: &mut Vec<String>) -> Result<usize> {
    let mut count = 0;
    for number in 0..tables {
        let table = table(database, number)?;
        for version in 0..=table.version {
            let expected = catalog::runtime()?.block_on(lines(database, &table, version))?;
            let found = std::fs::read(commit_file(folder, number, version)).unwrap_or_default();
            if found != expected {
                wrong.push(format!("{} version {version} is another one in the log", table.name));
            }
            count += 1;
        }
    }
    Ok(count)
}

async fn lines(database: &impl Database, table: &Table, version: i64) -> Result<Vec<u8>> {
    let commit = read_commit(database, table, version).await?;
    let mut lines = Vec::new();
    write(&mut lines, &commit.actions)?;
    let mut cursor = commit.start();
    while let Some(at) = cursor {
        let (actions, next) = commit_actions(database, &commit, at, PAGE).await?;
        write(&mut lines, &actions)?;
        cursor = next;
    }
    Ok(lines)
}

fn write(lines: &mut Vec<u8>, actions: &[Action]) -> Result<()> {
    for action in actions {
        writeln!(lines, "{}", action.to_json())?;
    }
    Ok(())
}

/// Files in the logs that are none of theirs.
pub(crate) fn temporary_files(folder: &Path) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for table in std::fs::read_dir(folder.join("tables"))? {
        for file in std::fs::read_dir(table?.path().join("_delta_log"))? {
            let path = file?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                left.push(format!("{} was left behind", path.display()));
            }
        }
    }
    Ok(left)
}
