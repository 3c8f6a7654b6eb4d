//! What commits leave to be brought into [segments](crate::segment).

use crate::Result;
use crate::sql::{Database, Row, SegmentSizes};

/// How far a table's segments are behind after a commit, and what of that it added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    /// Files that are in no segment, and those of them that the commit added.
    files: i64,
    added: i64,
    /// Files that were removed since the segments' common version, and those that the commit removed.
    removed_files: i64,
    removed: i64,
}

impl Backlog {
    /// Reads the four numbers of a row from a column on.
    pub(super) fn from_row(row: &Row, column: usize) -> Result<Self> {
        Ok(Backlog {
            files: row.integer(column)?,
            added: row.integer(column + 1)?,
            removed_files: row.integer(column + 2)?,
            removed: row.integer(column + 3)?,
        })
    }

    /// Whether the commit is the one that made the backlog longer by another step: so one of many writers does the work.
    fn is_due(self, sizes: SegmentSizes) -> bool {
        let step = sizes.tail.max(1);
        self.files / step > (self.files - self.added) / step
            || self.removed_files / step > (self.removed_files - self.removed) / step
    }

    /// Brings into segments what is due, as much as the commit added and one segment more. The commit has happened, so whatever goes
    /// wrong here is left to a later one.
    pub(super) async fn work_off(self, database: &impl Database, table: i64) {
        let sizes = database.limits().segments;
        if self.is_due(sizes) {
            let most_segments = 1 + usize::try_from(self.added).unwrap_or_default() / sizes.files.max(1);
            bring_into_segments(database, table, most_segments).await;
        }
    }
}

#[cfg(feature = "parquet")]
async fn bring_into_segments(database: &impl Database, table: i64, most_segments: usize) {
    let _ = crate::segment::refresh(database, &crate::catalog::TableSelector::Key(table), most_segments).await;
}

/// Without Arrow there are none: files are read from their rows.
#[cfg(not(feature = "parquet"))]
async fn bring_into_segments(_: &impl Database, _: i64, _: usize) {}
