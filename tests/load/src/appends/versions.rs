//! Whether each acknowledged append is there, and the versions have no gap.

use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::sql::Database;

use super::group::Group;
use super::worker::TABLE;
use crate::{Result, catalog};

/// What is wrong with the table after the group's commits, before which there were `before`.
pub(crate) fn check(database: &impl Database, group: &Group, before: usize) -> Result<Vec<String>> {
    let state = catalog::runtime()?.block_on(snapshot(database, &catalog::named(TABLE), At::Latest))?;
    let mut wrong = Vec::new();
    let mut told = group.versions.clone();
    told.sort_unstable();
    if !told.iter().copied().eq(before as i64 + 1..=state.version) {
        let gap = told.windows(2).find(|pair| pair[1] != pair[0] + 1);
        let found = told.len();
        wrong.push(format!("{found} versions were told, the table is at {}; the first gap: {gap:?}", state.version));
    }
    if state.file_count != state.version {
        wrong.push(format!("the table has {} files at version {}", state.file_count, state.version));
    }
    Ok(wrong)
}
