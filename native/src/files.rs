//! The files of a snapshot, several parts of them at a time.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::thread::available_parallelism;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use deltalakedb_core::action::Add;
use deltalakedb_core::predicate::Predicate;
use deltalakedb_core::segment::{FileScan, columns, scan};
use deltalakedb_core::snapshot::{Snapshot, files_by_id};
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::{StreamExt, stream};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::database::SqliteDatabase;

/// Files whose `add` actions are asked for at once.
const PAGE: usize = 1024;

/// Reads the files of a scan as batches of the [`columns`], as many parts at a time as there are processors; `take` gets them in
/// order and may stop. Needs a tokio runtime.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use deltalakedb_core::segment::scan;
/// use deltalakedb_core::snapshot::Snapshot;
/// use deltalakedb_native::database::SqliteDatabase;
/// use deltalakedb_native::files::read_files;
///
/// async fn count(database: &SqliteDatabase, table: &Snapshot) -> deltalakedb_core::Result<usize> {
///     let mut count = 0;
///     read_files(database, scan(database, table, None).await?, |files| {
///         count += files.num_rows();
///         Ok(ControlFlow::Continue(()))
///     })
///     .await?;
///     Ok(count)
/// }
/// ```
///
/// # Errors
/// As [`ScanPart::read`](deltalakedb_core::segment::ScanPart::read), and those of `take`.
pub async fn read_files(
    database: &SqliteDatabase,
    scan: FileScan,
    mut take: impl FnMut(RecordBatch) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let at_once = available_parallelism().map_or(1, NonZero::get);
    let read = scan.parts().map(|part| {
        let (database, runtime) = (database.clone(), Handle::current());
        spawn_blocking(move || runtime.block_on(async { part.read(&database).await }))
    });
    let mut batches = stream::iter(read).buffered(at_once);
    while let Some(read) = batches.next().await {
        let read =
            read.map_err(|error| Error::new(ErrorKind::Internal, format!("a thread that reads files: {error}")))?;
        for batch in read? {
            if take(batch)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The `add` actions of the files that may have a row for which the condition is true, in the order in which they were added, by
/// pages; `take` may stop.
pub(crate) async fn matching_adds(
    database: &SqliteDatabase,
    table: &Snapshot,
    predicate: Predicate,
    mut take: impl FnMut(Vec<Add>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut ids = Vec::new();
    let plan = scan(database, table, Some(predicate)).await?;
    read_files(database, plan, |files| {
        let column = files.column_by_name(columns::FILE_ID).and_then(|column| column.as_primitive_opt::<Int64Type>());
        ids.extend_from_slice(column.map_or(&[][..], |ids| ids.values()));
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    ids.sort_unstable();
    for page in ids.chunks(PAGE) {
        if take(files_by_id(database, table, page).await?)?.is_break() {
            break;
        }
    }
    Ok(())
}
