//! Bringing a table's segments up to date.

use std::collections::HashMap;

use crate::catalog::TableSelector;
use crate::snapshot::{At, Snapshot, snapshot};
use crate::sql::{Batch, Database, DatabaseError, Row, SegmentSizes, Statement, Value};
use crate::{Error, Result};

use super::build::{BuiltSegment, SegmentBuilder};
use super::column::StatsColumns;
use super::keys::Keys;
use super::removed::{removed, removed_query};
use super::row::FileRow;

/// ?1 table.
const STATE: &str =
    "SELECT generation, end_file_id, as_of_version, as_of_end_remove_id FROM dl_segment_state WHERE table_id = ?1";

/// The last segments by their files' ids. ?1 table.
const LAST_SEGMENTS: &str = "
SELECT segment_id, first_file_id, end_file_id, file_count, live_count, written_live_count FROM dl_segments
WHERE segment_id >= ?1 << 40 AND segment_id < (?1 + 1) << 40 ORDER BY end_file_id DESC LIMIT 16";

/// ?1 table.
const ALL_SEGMENTS: &str = "
SELECT segment_id, first_file_id, end_file_id, file_count, live_count, written_live_count FROM dl_segments
WHERE segment_id >= ?1 << 40 AND segment_id < (?1 + 1) << 40 ORDER BY first_file_id";

/// ?1 table that readers see, ?2 UUID, ?3 version.
const BEGIN: &str = "
INSERT INTO dl_segment_state
  (table_id, generation, end_file_id, as_of_version, as_of_end_file_id, as_of_end_remove_id)
SELECT t.table_id, 0, t.table_id << 40, v.version, v.end_file_id, v.end_remove_id
FROM dl_tables t CROSS JOIN dl_table_versions v ON v.version_id = (t.table_id << 40) + 1 + ?3
WHERE t.table_id = ?1 AND t.table_uuid = ?2 AND t.import_id IS NULL
ON CONFLICT DO NOTHING";

/// ?1 table, ?2 generation that is known, ?3 end of the files that are in segments.
const ADVANCE: &str = "
UPDATE dl_segment_state SET generation = generation + 1, end_file_id = coalesce(?3, end_file_id)
WHERE table_id = ?1 AND generation = ?2";

/// ?1 table, ?2 version.
const KNOW_REMOVALS: &str = "
UPDATE dl_segment_state SET (as_of_version, as_of_end_file_id, as_of_end_remove_id) = (
  SELECT version, end_file_id, end_remove_id FROM dl_table_versions WHERE version_id = (?1 << 40) + 1 + ?2)
WHERE table_id = ?1";

const GUARD: &str = "INSERT INTO dl_guard (guard) SELECT 'segments_moved' WHERE changes() <> 1";

/// ?1 segment.
const DELETE: [&str; 2] =
    ["DELETE FROM dl_segment_chunks WHERE segment_id = ?1", "DELETE FROM dl_segments WHERE segment_id = ?1"];

const INSERT_SEGMENT: &str = "
INSERT INTO dl_segments (segment_id, first_file_id, end_file_id, file_count, live_count, written_live_count,
  first_version, last_removed_version, file_blocks) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8)";

const INSERT_CHUNK: &str =
    "INSERT INTO dl_segment_chunks (segment_id, name, block, zone, data) VALUES (?1, ?2, ?3, ?4, ?5)";

/// ?1 segment.
const KEYS: &str = "SELECT data FROM dl_segment_chunks WHERE segment_id = ?1 AND name = 'keys' AND block = 0";

/// ?1 segment, ?2 data.
const UPDATE_KEYS: &str =
    "UPDATE dl_segment_chunks SET data = ?2 WHERE segment_id = ?1 AND name = 'keys' AND block = 0";

/// ?1 segment, ?2 live files, ?3 last version that removed one.
const UPDATE_SEGMENT: &str = "UPDATE dl_segments SET live_count = ?2, last_removed_version = ?3 WHERE segment_id = ?1";

/// Rows of a page.
const PAGE: usize = 2048;

/// What is known of a table's segments.
struct State {
    generation: i64,
    end_file_id: i64,
    as_of_version: i64,
    as_of_end_remove_id: i64,
}

struct Segment {
    id: i64,
    first_file_id: i64,
    end_file_id: i64,
    file_count: i64,
    live_count: i64,
    written_live_count: i64,
}

/// Brings the files of a table into segments, `most_segments` at the most, and notes in the others what was removed. A table of
/// few files needs none. It can be stopped at any time, and run by several at once: one of them does it.
///
/// Returns how many segments were written.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) when the table is not there; those of the database.
pub async fn refresh(database: &impl Database, table: &TableSelector, most_segments: usize) -> Result<usize> {
    let table = snapshot(database, table, At::Latest).await?;
    let mut refresh = Refresh { database, columns: StatsColumns::of(table.schema()?), table };
    let done = refresh.run(most_segments).await;
    match done {
        Err(Stop::Moved) => Ok(0),
        Err(Stop::Failed(error)) => Err(error.context("bringing the files of a table into segments")),
        Ok(written) => Ok(written),
    }
}

/// Why it ends before it is done.
enum Stop {
    /// Another one does the same, or the table is gone.
    Moved,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

struct Refresh<'d, D> {
    database: &'d D,
    /// As it was when this began: what is committed meanwhile is left to the next one.
    table: Snapshot,
    columns: StatsColumns,
}

impl<D: Database> Refresh<'_, D> {
    fn key(&self) -> i64 {
        self.table.table.key
    }

    async fn run(&mut self, most_segments: usize) -> Result<usize, Stop> {
        let sizes = self.database.limits().segments;
        let mut written = 0;
        let mut state = self.state().await?;
        let first = self.key() << 40;
        while written < most_segments {
            let end = state.as_ref().map_or(first, |state| state.end_file_id);
            let tail = self.table.end_file_id() - end;
            if tail <= 0 || (tail < sizes.tail && written == 0) {
                break;
            }
            // Another one may have begun, and be far: then it is looked at anew what is left to do.
            let Some(known) = state else {
                state = Some(self.begin().await?);
                continue;
            };
            state = Some(self.append(known, sizes, tail).await?);
            written += 1;
        }
        if let Some(state) = state {
            self.note_removals(state, sizes).await?;
        }
        Ok(written)
    }

    async fn state(&self) -> Result<Option<State>, Stop> {
        let query = Statement::new(STATE, [self.key().into()]);
        let mut results = self.database.batch(Batch::read(vec![query])).await?;
        let Some(row) = results.pop().and_then(|result| result.rows.into_iter().next()) else { return Ok(None) };
        Ok(Some(State {
            generation: row.integer(0)?,
            end_file_id: row.integer(1)?,
            as_of_version: row.integer(2)?,
            as_of_end_remove_id: row.integer(3)?,
        }))
    }

    async fn begin(&self) -> Result<State, Stop> {
        let table = &self.table.table;
        let params: Vec<Value> = vec![table.key.into(), table.table_id.as_str().into(), self.table.version.into()];
        self.database.batch(Batch::write(vec![Statement::new(BEGIN, params)])).await?;
        self.state().await?.ok_or(Stop::Moved)
    }

    async fn segments(&self, query: &'static str) -> Result<Vec<Segment>, Stop> {
        let query = Statement::new(query, [self.key().into()]);
        let mut results = self.database.batch(Batch::read(vec![query])).await?;
        let segment = |row: &Row| {
            Ok(Segment {
                id: row.integer(0)?,
                first_file_id: row.integer(1)?,
                end_file_id: row.integer(2)?,
                file_count: row.integer(3)?,
                live_count: row.integer(4)?,
                written_live_count: row.integer(5)?,
            })
        };
        results.pop().unwrap_or_default().rows.iter().map(segment).collect()
    }

    /// Writes the next segment, which takes in the last ones as long as they are small beside it: then each file is written
    /// a few times at most.
    async fn append(&self, state: State, sizes: SegmentSizes, tail: i64) -> Result<State, Stop> {
        let (mut first, mut files) = (state.end_file_id, tail);
        let mut taken_in = Vec::new();
        for segment in self.segments(LAST_SEGMENTS).await? {
            let is_next = segment.end_file_id == first && segment.file_count <= 2 * files;
            if !is_next || files - tail + segment.file_count >= sizes.files as i64 {
                break;
            }
            first = segment.first_file_id;
            files += segment.file_count;
            taken_in.push(segment.id);
        }
        let (built, end) = self.build(sizes, first, self.table.end_file_id()).await?;
        let mut statements = self.advance(&state, Some(end));
        replace(&mut statements, &taken_in, built, self.key(), state.generation + 1, end);
        self.write(statements).await?;
        Ok(State { generation: state.generation + 1, end_file_id: end, ..state })
    }

    /// A segment of the files from one id on, and where it ends. No segment where there is no file.
    async fn build(&self, sizes: SegmentSizes, first: i64, end: i64) -> Result<(Option<BuiltSegment>, i64), Stop> {
        let schema = self.table.schema()?;
        let mut builder = SegmentBuilder::new(sizes, first, schema, &self.columns);
        let mut after = first - 1;
        loop {
            let rows = self.table.table.read_rows(self.database, FileRow::page(after, end, PAGE)).await?;
            let is_last = rows.len() < PAGE;
            for row in rows {
                let row = FileRow::from_row(row)?;
                after = row.file_id;
                if let Some(next) = builder.push(row) {
                    return Ok((Some(builder.finish()?), next.file_id));
                }
            }
            if is_last {
                let built = if builder.is_empty() { None } else { Some(builder.finish()?) };
                return Ok((built, end));
            }
        }
    }

    /// Writes the keys of the segments anew in which files were removed since their common version, when those are many; and
    /// a segment of which little is left.
    async fn note_removals(&self, mut state: State, sizes: SegmentSizes) -> Result<(), Stop> {
        if self.table.end_remove_id() - state.as_of_end_remove_id < sizes.tail
            || state.as_of_version >= self.table.version
        {
            return Ok(());
        }
        let query = removed_query(self.key(), self.table.version);
        let result = self.database.batch(Batch::read(vec![query])).await?.pop().unwrap_or_default();
        let removed = removed(result)?;
        let mut ids: Vec<i64> = removed.keys().copied().collect();
        ids.sort_unstable();
        for segment in self.segments(ALL_SEGMENTS).await? {
            let newly_removed = removed_count(&ids, &segment);
            if newly_removed > 0 {
                let mut statements = self.advance(&state, None);
                state.generation += 1;
                statements.extend(self.without_removed(&segment, newly_removed, &removed, &state, sizes).await?);
                self.write(statements).await?;
            }
        }
        let mut statements = self.advance(&state, None);
        statements.push(Statement::new(KNOW_REMOVALS, vec![self.key().into(), self.table.version.into()]));
        self.write(statements).await
    }

    /// The statements that note removals in a segment; one of which little is left, or whose keys cannot be read, is made
    /// again.
    async fn without_removed(
        &self,
        segment: &Segment,
        newly_removed: i64,
        removed: &HashMap<i64, i64>,
        state: &State,
        sizes: SegmentSizes,
    ) -> Result<Vec<Statement>, Stop> {
        let left = segment.live_count - newly_removed;
        let is_worn = left > 0 && 2 * left < segment.written_live_count;
        let query = Statement::new(KEYS, [segment.id.into()]);
        let row = self.database.batch(Batch::read(vec![query])).await?.pop().and_then(|mut result| result.rows.pop());
        let keys = row.and_then(|mut row| row.blob(0)).and_then(|data| Keys::decode(&data));
        match keys.filter(|_| !is_worn) {
            Some(keys) => {
                let keys = keys.with_removed(segment.first_file_id, removed);
                let removals = keys.removals();
                let counts = vec![segment.id.into(), removals.live_count.into(), removals.last_removed_version.into()];
                Ok(vec![
                    Statement::new(UPDATE_KEYS, vec![segment.id.into(), keys.encode()?.into()]),
                    Statement::new(UPDATE_SEGMENT, counts),
                ])
            }
            None => {
                let (built, end) = self.build(sizes, segment.first_file_id, segment.end_file_id).await?;
                let mut statements = Vec::new();
                replace(&mut statements, &[segment.id], built, self.key(), state.generation, end);
                Ok(statements)
            }
        }
    }

    /// The statements that each batch begins with: nobody else has written since.
    fn advance(&self, state: &State, end_file_id: Option<i64>) -> Vec<Statement> {
        let params: Vec<Value> = vec![self.key().into(), state.generation.into(), end_file_id.into()];
        vec![Statement::new(ADVANCE, params), Statement::new(GUARD, [])]
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<(), Stop> {
        match self.database.batch(Batch::write(statements)).await {
            Ok(_) => Ok(()),
            Err(DatabaseError::Guard(_)) => Err(Stop::Moved),
            Err(error) => Err(error.into()),
        }
    }
}

/// How many of the ids, which are in order, are in a segment.
fn removed_count(ids: &[i64], segment: &Segment) -> i64 {
    let before = |id: i64| ids.partition_point(|removed| *removed < id) as i64;
    before(segment.end_file_id) - before(segment.first_file_id)
}

/// Writes a segment in the place of others.
fn replace(
    statements: &mut Vec<Statement>,
    replaced: &[i64],
    built: Option<BuiltSegment>,
    table: i64,
    generation: i64,
    end_file_id: i64,
) {
    for id in replaced {
        statements.extend(DELETE.map(|sql| Statement::new(sql, [(*id).into()])));
    }
    let Some(built) = built else { return };
    let id = (table << 40) + generation;
    let params: Vec<Value> = vec![
        id.into(),
        built.first_file_id.into(),
        end_file_id.into(),
        built.file_count.into(),
        built.removals.live_count.into(),
        built.first_version.into(),
        built.removals.last_removed_version.into(),
        built.file_blocks.into(),
    ];
    statements.push(Statement::new(INSERT_SEGMENT, params));
    statements.extend(built.chunks.into_iter().map(|chunk| {
        let params: Vec<Value> =
            vec![id.into(), chunk.name.into(), chunk.block.into(), chunk.zone.into(), chunk.data.into()];
        Statement::new(INSERT_CHUNK, params)
    }));
}
