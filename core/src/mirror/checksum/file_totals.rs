//! The totals of a version's files: counted on from an earlier version's, or in one pass over all files.

use std::collections::HashSet;

use super::{DeletedRecordCountsHistogram, FileSizeHistogram};
use crate::Result;
use crate::action::DeletionVector;
use crate::catalog::Table;
use crate::snapshot::{Snapshot, parse_stored};
use crate::sql::{Batch, Database, Row, Statement, Value};
use crate::table_features::has_writer_feature;

/// Where the ids of a version's actions end. ?1 table, ?2 version.
const ENDS: &str =
    "SELECT end_file_id, end_remove_id FROM dl_table_versions WHERE version_id = (?1 << 40) + 1 + ?2 AND ?2 >= 0";

/// ?1 first id, ?2 before this one, ?3 version, ?4 rows at the most. Adds within the bounds that are live at the version.
const LIVE: &str = "
SELECT file_id, file_id, size, deletion_vector FROM dl_add_files
WHERE file_id >= ?1 AND file_id < ?2 AND version <= ?3 AND (removed_version IS NULL OR removed_version > ?3)
ORDER BY file_id LIMIT ?4";

/// Files that were live at one version and ended by a later one: all were removed, or replaced by an add, in between.
/// ?1 table, ?2 first id, ?3 before this one, ?4 the one version, ?5 the later one, ?6 rows at the most.
macro_rules! ended_by {
    ($id:literal, $actions:literal) => {
        concat!(
            "SELECT a.",
            $id,
            ", f.file_id, f.size, f.deletion_vector FROM ",
            $actions,
            " a CROSS JOIN dl_add_files f ON f.table_id = ?1 AND f.path = a.path AND f.dv_id = a.dv_id
               AND f.version <= ?4 AND f.removed_version > ?4 AND f.removed_version <= ?5
             WHERE a.",
            $id,
            " >= ?2 AND a.",
            $id,
            " < ?3 ORDER BY a.",
            $id,
            " LIMIT ?6"
        )
    };
}
const ENDED_BY_REMOVES: &str = ended_by!("remove_id", "dl_remove_files");
const ENDED_BY_ADDS: &str = ended_by!("file_id", "dl_add_files");

/// What the files of a version add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTotals {
    /// The version.
    pub(super) version: i64,
    pub(super) file_sizes: FileSizeHistogram,
    /// `None` when it was not counted: the table had no deletion vectors.
    pub(super) deleted_records: Option<DeletedRecords>,
}

/// What deletion vectors delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeletedRecords {
    pub(super) records: i64,
    pub(super) vectors: i64,
    pub(super) histogram: DeletedRecordCountsHistogram,
}

impl FileTotals {
    /// The totals of a snapshot's files: `before` and what has changed since, so that the size of the table does not matter;
    /// all files, by pages of `limit`, where there is nothing before, it does not fit, or more has changed than there is.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped meanwhile; those of the database.
    pub async fn of(
        database: &impl Database,
        snapshot: &Snapshot,
        before: Option<FileTotals>,
        limit: usize,
    ) -> Result<Self> {
        let needs_deleted = has_writer_feature(&snapshot.protocol, "deletionVectors");
        let before = before.filter(|before| before.version <= snapshot.version);
        if let Some(before) = before.filter(|before| before.deleted_records.is_some() || !needs_deleted)
            && let Some(totals) = before.count_on(database, snapshot, limit).await?
            && totals.fit(snapshot.file_count, snapshot.size_bytes)
        {
            return Ok(totals);
        }
        let mut totals = FileTotals {
            version: snapshot.version,
            file_sizes: FileSizeHistogram::default(),
            deleted_records: Some(DeletedRecords::default()),
        };
        let bounds = (snapshot.table.key << 40, snapshot.end_file_id());
        totals.add_live(database, snapshot, bounds, limit).await?;
        Ok(totals)
    }

    /// How many files there are of which size.
    pub fn file_sizes(&self) -> &FileSizeHistogram {
        &self.file_sizes
    }

    /// How many rows deletion vectors delete in how many files; none when that was not counted.
    pub fn deleted_record_counts(&self) -> Option<&DeletedRecordCountsHistogram> {
        self.deleted_records.as_ref().map(|deleted| &deleted.histogram)
    }

    /// Whether a table of so many files and bytes may have them.
    pub(super) fn fit(&self, file_count: i64, size_bytes: i64) -> bool {
        let deleted = self.deleted_records.as_ref();
        self.file_sizes.fits(file_count, size_bytes)
            && deleted.is_none_or(|deleted| deleted.histogram.fits(file_count, deleted.vectors, deleted.records))
    }

    /// `None` when it takes more than to count all files, or the catalog does not know the version to begin with.
    async fn count_on(mut self, database: &impl Database, snapshot: &Snapshot, limit: usize) -> Result<Option<Self>> {
        let key = snapshot.table.key;
        let ends = [self.version, snapshot.version];
        let ends = ends.map(|version| Statement::new(ENDS, [key.into(), version.into()])).into();
        let results = database.batch(Batch::read(ends)).await?;
        let rows: Vec<&Row> = results.iter().filter_map(|result| result.rows.first()).collect();
        let &[from, to] = rows.as_slice() else { return Ok(None) };
        let (added, removed) = ((from.integer(0)?, to.integer(0)?), (from.integer(1)?, to.integer(1)?));
        let change_count = (added.1 - added.0).saturating_add(removed.1 - removed.0);
        if self.version < snapshot.table.earliest_version || change_count > snapshot.file_count.max(limit as i64) {
            return Ok(None);
        }
        // A file may have been removed or replaced several times: once of them it was this one.
        let mut ended = HashSet::new();
        for (sql, (first, end)) in [(ENDED_BY_REMOVES, removed), (ENDED_BY_ADDS, added)] {
            let params = vec![key.into(), first.into(), end.into(), self.version.into(), snapshot.version.into()];
            let pages = Pages { table: &snapshot.table, sql, params, first_param: 1, limit };
            pages
                .each(database, |file| {
                    if ended.insert(file.file_id) {
                        self.count(&file, -1)
                    }
                })
                .await?;
        }
        self.add_live(database, snapshot, added, limit).await?;
        self.version = snapshot.version;
        Ok(Some(self))
    }

    async fn add_live(
        &mut self,
        database: &impl Database,
        snapshot: &Snapshot,
        (first, end): (i64, i64),
        limit: usize,
    ) -> Result<()> {
        let params = vec![first.into(), end.into(), snapshot.version.into()];
        let pages = Pages { table: &snapshot.table, sql: LIVE, params, first_param: 0, limit };
        pages.each(database, |file| self.count(&file, 1)).await
    }

    fn count(&mut self, file: &File, count: i64) {
        self.file_sizes.count(file.size, count);
        if let Some(deleted) = &mut self.deleted_records {
            let records = file.deleted_records.unwrap_or(0);
            deleted.records = deleted.records.saturating_add(records.saturating_mul(count));
            deleted.vectors += if file.deleted_records.is_some() { count } else { 0 };
            deleted.histogram.count(records, count);
        }
    }
}

/// A file, of which only its share in the totals is read.
struct File {
    file_id: i64,
    size: i64,
    /// `None` without a deletion vector.
    deleted_records: Option<i64>,
}

/// A query of files whose first column is the id that the next page begins after.
struct Pages<'a> {
    table: &'a Table,
    sql: &'static str,
    /// All but the limit, which is the last.
    params: Vec<Value>,
    /// Which of the parameters is the first id.
    first_param: usize,
    limit: usize,
}

impl Pages<'_> {
    async fn each(mut self, database: &impl Database, mut see: impl FnMut(File)) -> Result<()> {
        self.params.push((self.limit as i64).into());
        loop {
            let statement = Statement::new(self.sql, self.params.clone());
            let rows = self.table.read_rows(database, statement).await?;
            let last = rows.last().filter(|_| rows.len() == self.limit).map(|row| row.integer(0)).transpose()?;
            for mut row in rows {
                let vector = row.optional_text(3)?;
                let vector: Option<DeletionVector> =
                    vector.map(|text| parse_stored("deletionVector", &self.table.name, text)).transpose()?;
                let deleted_records = vector.map(|vector| vector.cardinality);
                see(File { file_id: row.integer(1)?, size: row.integer(2)?, deleted_records });
            }
            match last {
                Some(last) => self.params[self.first_param] = (last + 1).into(),
                None => return Ok(()),
            }
        }
    }
}
