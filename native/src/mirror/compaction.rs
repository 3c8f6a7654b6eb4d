//! Writing `<x>.<y>.compacted.json`.

use std::io::{BufWriter, Seek, SeekFrom, Write};

use deltalakedb_core::Result;
use deltalakedb_core::catalog::Table;
use deltalakedb_core::log::compacted_file_name;
use deltalakedb_core::mirror::{CompactionCursor, compacted_actions, plan_compaction};
use deltalakedb_core::sql::Database;

use super::commit_file::write_lines;
use super::{PAGE, no_space, temporary_file};
use crate::store::{Fetched, LogStore, Put};

/// Writes the commits `from` to `to`, which are in the log, as one compacted log, unless it is there.
///
/// # Errors
/// [`Invalid`](deltalakedb_core::ErrorKind::Invalid) when they are not at least two,
/// [`NotFound`](deltalakedb_core::ErrorKind::NotFound) when the catalog does not know all of them; those of the database and
/// the store.
pub(crate) async fn compact(
    database: &impl Database,
    table: &Table,
    log: &LogStore,
    from: i64,
    to: i64,
) -> Result<Put> {
    let mut compaction = plan_compaction(database, table, from, to).await?;
    let mut file = temporary_file()?;
    {
        let mut out = BufWriter::new(&mut file);
        let mut cursor = Some(CompactionCursor::Head);
        while let Some(at) = cursor {
            let (actions, next) = compacted_actions(database, &mut compaction, at, PAGE).await?;
            write_lines(&mut out, &actions)?;
            cursor = next;
        }
        out.flush().map_err(no_space)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(no_space)?;
    log.put_if_absent(&compacted_file_name(from, to), Fetched::File(file), compaction.timestamp_ms).await
}
