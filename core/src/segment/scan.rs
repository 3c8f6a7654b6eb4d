//! The files of a snapshot as record batches, read from segments where there are some and from rows where not.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_select::take::{take, take_record_batch};

use crate::Result;
use crate::predicate::{BoundColumn, Facts, FileView, PartitionValues, Predicate};
use crate::snapshot::Snapshot;
use crate::sql::{Batch, Database, ResultSet, Row, Statement, Value};

use super::bounds::Bounds;
use super::build::chunk_name;
use super::chunk::{arrow_error, as_partition_values, decode, list, list_of_rows};
use super::keys::Keys;
use super::removed::{removed, removed_query};
use super::row::FileRow;
use super::zone::Zone;

/// Those with files of a version. ?1 table, ?2 version.
const SEGMENTS: &str = "
SELECT segment_id, first_file_id, end_file_id, file_blocks FROM dl_segments
WHERE segment_id >= ?1 << 40 AND segment_id < (?1 + 1) << 40 AND first_version <= ?2
  AND (live_count > 0 OR last_removed_version > ?2)
ORDER BY first_file_id";

/// ?1 table.
const END: &str = "SELECT end_file_id FROM dl_segment_state WHERE table_id = ?1";

/// ?1 table, ?2 version, ?3 names, as JSON.
const ZONES: &str = "
SELECT s.segment_id, c.name, c.zone FROM dl_segments s CROSS JOIN json_each(?3) n CROSS JOIN dl_segment_chunks c
  ON c.segment_id = s.segment_id AND c.name = n.value AND c.block = 0
WHERE s.segment_id >= ?1 << 40 AND s.segment_id < (?1 + 1) << 40 AND s.first_version <= ?2
  AND (s.live_count > 0 OR s.last_removed_version > ?2)";

/// ?1 segment, ?2 names, as JSON.
const CHUNKS: &str = "
SELECT c.name, c.block, c.data FROM json_each(?2) n CROSS JOIN dl_segment_chunks c
  ON c.segment_id = ?1 AND c.name = n.value ORDER BY c.name, c.block";

/// ?1 segment, ?2 numbers of blocks, as JSON.
const BLOCKS: &str = "
SELECT c.name, c.block, c.data FROM json_each(?2) n CROSS JOIN dl_segment_chunks c
  ON c.segment_id = ?1 AND c.name = 'files' AND c.block = n.value ORDER BY c.block";

/// Ids of files that are read from rows in one part, and rows of a page.
const ROW_IDS: i64 = 16_384;
const PAGE: usize = 2048;

/// How the files of a snapshot are read: in parts, each by itself, so that a host can read some at a time.
///
/// ```
/// use deltalakedb_core::Result;
/// use deltalakedb_core::predicate::Predicate;
/// use deltalakedb_core::segment::scan;
/// use deltalakedb_core::snapshot::Snapshot;
/// use deltalakedb_core::sql::Database;
///
/// /// How many files may have a row of the day.
/// async fn count_of_day(database: &impl Database, table: &Snapshot) -> Result<usize> {
///     let predicate = Predicate::parse("day = '2024-01-31'", table.schema()?)?;
///     let scan = scan(database, table, Some(predicate)).await?;
///     let mut count = 0;
///     for part in scan.parts() {
///         count += part.read(database).await?.iter().map(|files| files.num_rows()).sum::<usize>();
///     }
///     Ok(count)
/// }
/// ```
#[derive(Debug)]
pub struct FileScan {
    shared: Arc<Shared>,
    sources: Vec<Source>,
}

/// What all parts need.
#[derive(Debug)]
struct Shared {
    table: Snapshot,
    predicate: Option<Predicate>,
    /// Files that were removed up to the version, as far as segments may not say so.
    removed: HashMap<i64, i64>,
}

/// Where some files are.
#[derive(Clone, Debug)]
enum Source {
    Segment(Segment),
    /// Ids from the first one and before the second one.
    Rows(i64, i64),
}

#[derive(Clone, Debug)]
struct Segment {
    id: i64,
    first_file_id: i64,
    end_file_id: i64,
    /// The numbers of the first files of its blocks.
    file_blocks: Arc<[u32]>,
}

/// Some of a snapshot's files.
#[derive(Clone, Debug)]
pub struct ScanPart {
    shared: Arc<Shared>,
    source: Source,
}

/// Plans how to read the files of a snapshot that can have a row for which a condition, parsed with the snapshot's schema,
/// is true. One batch.
///
/// # Errors
/// Those of the database.
pub async fn scan(database: &impl Database, table: &Snapshot, predicate: Option<Predicate>) -> Result<FileScan> {
    let key = table.table.key;
    let at: Vec<Value> = vec![key.into(), table.version.into()];
    let columns = predicate.as_ref().map_or(&[][..], Predicate::columns);
    let mut statements = vec![
        Statement::new(END, [key.into()]),
        Statement::new(SEGMENTS, at.clone()),
        removed_query(key, table.version),
    ];
    if !columns.is_empty() {
        let mut params = at;
        params.push(names(columns).into());
        statements.push(Statement::new(ZONES, params));
    }
    let mut results = database.batch(Batch::read(statements)).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    let end = next().rows.first().map(|row| row.integer(0)).transpose()?;
    let segments = next().rows.into_iter().map(Segment::from_row).collect::<Result<Vec<_>>>()?;
    let removed = removed(next())?;
    let zones = zones(next());

    let mut sources: Vec<Source> = Vec::new();
    for segment in segments {
        // A snapshot's files are in the ids before its end; a segment may reach beyond it.
        if segment.first_file_id >= table.end_file_id() {
            continue;
        }
        let zone = |column: &BoundColumn| zones.get(&segment.id)?.get(chunk_name(column).as_str());
        let is_of_other_type = |column: &BoundColumn| zone(column).is_some_and(|zone| !zone.fits(column));
        if predicate.as_ref().is_some_and(|predicate| !may_match_zone(predicate, zone)) {
            continue;
        }
        sources.push(match columns.iter().any(|column| !column.is_partition && is_of_other_type(column)) {
            true => Source::Rows(segment.first_file_id, segment.end_file_id),
            false => Source::Segment(segment),
        });
    }
    let mut first = end.unwrap_or(key << 40);
    while first < table.end_file_id() {
        let end = table.end_file_id().min(first + ROW_IDS);
        sources.push(Source::Rows(first, end));
        first = end;
    }
    Ok(FileScan { shared: Arc::new(Shared { table: table.clone(), predicate, removed }), sources })
}

impl FileScan {
    /// The parts, in the order in which their files were added. None has a file of another.
    pub fn parts(self) -> impl Iterator<Item = ScanPart> {
        let shared = self.shared;
        self.sources.into_iter().map(move |source| ScanPart { shared: Arc::clone(&shared), source })
    }
}

impl ScanPart {
    /// The part's files: batches of the [columns](super::columns), in no order that means anything.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the table was dropped meanwhile; those of the database;
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a row cannot be read.
    pub async fn read(&self, database: &impl Database) -> Result<Vec<RecordBatch>> {
        match &self.source {
            Source::Segment(segment) => match self.shared.read_segment(database, segment).await? {
                Some(batches) => Ok(batches),
                // Replaced meanwhile, damaged, or made for a column that is another one now.
                None => self.shared.read_rows(database, segment.first_file_id, segment.end_file_id).await,
            },
            Source::Rows(first, end) => self.shared.read_rows(database, *first, *end).await,
        }
    }
}

impl Segment {
    fn from_row(mut row: Row) -> Result<Self> {
        let file_blocks: Vec<u32> = serde_json::from_str(&row.text(3)?).unwrap_or_default();
        Ok(Segment {
            id: row.integer(0)?,
            first_file_id: row.integer(1)?,
            end_file_id: row.integer(2)?,
            file_blocks: file_blocks.into(),
        })
    }
}

/// Zones by segment and name of the column.
type Zones = HashMap<i64, HashMap<String, Zone>>;

/// What is no zone is left out, as if nothing were known.
fn zones(result: ResultSet) -> Zones {
    let mut zones = Zones::new();
    for mut row in result.rows {
        let (Ok(segment), Ok(name), Ok(text)) = (row.integer(0), row.text(1), row.text(2)) else { continue };
        if let Ok(zone) = serde_json::from_str(&text) {
            zones.entry(segment).or_default().insert(name, zone);
        }
    }
    zones
}

fn may_match_zone<'z>(predicate: &Predicate, zone: impl Fn(&BoundColumn) -> Option<&'z Zone>) -> bool {
    predicate.may_match_facts(|index| {
        let zone = predicate.columns().get(index).and_then(|column| zone(column).filter(|zone| zone.fits(column)));
        Cow::Owned(zone.map_or_else(Facts::default, Zone::facts))
    })
}

/// The names of the chunks of columns, as JSON.
fn names(columns: &[BoundColumn]) -> String {
    serde_json::to_string(&columns.iter().map(chunk_name).collect::<Vec<_>>()).unwrap_or_default()
}

impl Shared {
    async fn read_rows(&self, database: &impl Database, first: i64, end: i64) -> Result<Vec<RecordBatch>> {
        let end = end.min(self.table.end_file_id());
        let mut after = first - 1;
        let mut batches = Vec::new();
        loop {
            let rows = self.table.table.read_rows(database, FileRow::page(after, end, PAGE)).await?;
            let is_last = rows.len() < PAGE;
            let rows = rows.into_iter().map(FileRow::from_row).collect::<Result<Vec<_>>>()?;
            after = rows.last().map_or(after, |row| row.file_id);
            let is_wanted = |row: &FileRow| row.is_in(self.table.version) && self.may_match(row);
            let rows: Vec<FileRow> = rows.into_iter().filter(is_wanted).collect();
            if !rows.is_empty() {
                batches.push(list_of_rows(&rows)?);
            }
            if is_last {
                return Ok(batches);
            }
        }
    }

    fn may_match(&self, row: &FileRow) -> bool {
        self.predicate.as_ref().is_none_or(|predicate| {
            let partition_values = PartitionValues::Json(&row.partition_values);
            predicate.may_match(&FileView { partition_values, stats: row.stats.as_deref() })
        })
    }

    /// `None` when the segment cannot be used.
    async fn read_segment(&self, database: &impl Database, segment: &Segment) -> Result<Option<Vec<RecordBatch>>> {
        let Some(predicate) = &self.predicate else {
            let Some(mut chunks) = self.chunks(database, segment, CHUNKS, r#"["keys","files"]"#.to_owned()).await?
            else {
                return Ok(None);
            };
            let keys = chunks.remove(&("keys".to_owned(), 0)).and_then(|data| Keys::decode(&data));
            let Some(keys) = keys else { return Ok(None) };
            let files = self.files_at(&keys, segment);
            return lists(&keys, segment, &files, &mut chunks);
        };
        let stats_columns: Vec<BoundColumn> =
            predicate.columns().iter().filter(|column| !column.is_partition).cloned().collect();
        let mut wanted = vec!["keys".to_owned()];
        wanted.extend(stats_columns.iter().map(chunk_name));
        let wanted = serde_json::to_string(&wanted).unwrap_or_default();
        let Some(mut chunks) = self.chunks(database, segment, CHUNKS, wanted).await? else { return Ok(None) };
        let keys = chunks.remove(&("keys".to_owned(), 0)).and_then(|data| Keys::decode(&data));
        let Some(keys) = keys else { return Ok(None) };
        let Some(files) = self.matching(predicate, &keys, segment, &chunks) else { return Ok(None) };
        if files.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let blocks = serde_json::to_string(&blocks_of(segment, &files)).unwrap_or_default();
        let Some(mut chunks) = self.chunks(database, segment, BLOCKS, blocks).await? else { return Ok(None) };
        lists(&keys, segment, &files, &mut chunks)
    }

    /// The numbers of the files that are in the snapshot, in order.
    fn files_at(&self, keys: &Keys, segment: &Segment) -> Vec<u32> {
        let mut files = keys.files_at(self.table.version, segment.first_file_id, &self.removed);
        files.retain(|&file| {
            segment.first_file_id + i64::from(keys.offset.value(file as usize)) < self.table.end_file_id()
        });
        files
    }

    /// The same, of those that may match.
    fn matching(&self, predicate: &Predicate, keys: &Keys, segment: &Segment, chunks: &Chunks) -> Option<Vec<u32>> {
        let columns = predicate.columns();
        let bounds = columns.iter().map(|column| match chunks.get(&(chunk_name(column), 0)) {
            Some(_) if column.is_partition => Some(None),
            Some(data) => {
                let bounds = decode(data).as_ref().and_then(Bounds::of).filter(|bounds| bounds.len() == keys.len())?;
                Some(Some(bounds))
            }
            None => Some(None),
        });
        let bounds: Vec<Option<Bounds>> = bounds.collect::<Option<_>>()?;
        let texts = keys.partition_values.values().as_any().downcast_ref::<StringArray>()?;
        // What the partition values of a file say, once for all files that share them.
        let by_code: Vec<OnceCell<(bool, Vec<Facts<'_>>)>> = (0..texts.len()).map(|_| OnceCell::new()).collect();
        let unknown = Facts::default();
        let mut files = self.files_at(keys, segment);
        files.retain(|&file| {
            let file = file as usize;
            let code = usize::try_from(keys.partition_values.keys().value(file)).ok();
            let Some(cell) = code.and_then(|code| by_code.get(code)) else { return true };
            let (may_match, of_partition) = cell.get_or_init(|| {
                let values = PartitionValues::Json(texts.value(code.unwrap_or_default()));
                let facts: Vec<Facts<'_>> = columns
                    .iter()
                    .map(
                        |column| {
                            if column.is_partition { Facts::of_partition(column, values) } else { Facts::default() }
                        },
                    )
                    .collect();
                (predicate.may_match_facts(|column| Cow::Borrowed(facts.get(column).unwrap_or(&unknown))), facts)
            });
            *may_match
                && predicate.may_match_facts(|column| match bounds.get(column) {
                    Some(Some(bounds)) => Cow::Owned(bounds.facts(file)),
                    _ => Cow::Borrowed(of_partition.get(column).unwrap_or(&unknown)),
                })
        });
        Some(files)
    }

    /// The data of chunks; `None` when the segment is not there any more.
    async fn chunks(
        &self,
        database: &impl Database,
        segment: &Segment,
        query: &'static str,
        wanted: String,
    ) -> Result<Option<Chunks>> {
        let query = Statement::new(query, vec![segment.id.into(), wanted.into()]);
        let rows = self.table.table.read_rows(database, query).await?;
        let chunk = |mut row: Row| Some(((row.text(0).ok()?, row.integer(1).ok()?), row.blob(2)?));
        let chunks: Option<Chunks> = rows.into_iter().map(chunk).collect();
        Ok(chunks.filter(|chunks| !chunks.is_empty()))
    }
}

/// Data by name and block.
type Chunks = HashMap<(String, i64), Vec<u8>>;

/// The blocks that some files, in order, are in.
fn blocks_of(segment: &Segment, files: &[u32]) -> Vec<u32> {
    let mut blocks: Vec<u32> = files.iter().filter_map(|file| block_of(segment, *file)).collect();
    blocks.dedup();
    blocks
}

fn block_of(segment: &Segment, file: u32) -> Option<u32> {
    let after = segment.file_blocks.partition_point(|first| *first <= file);
    segment.file_blocks.get(after.checked_sub(1)?).copied()
}

/// Lists of some files, in order; `None` where a block is missing or of another form.
fn lists(keys: &Keys, segment: &Segment, files: &[u32], chunks: &mut Chunks) -> Result<Option<Vec<RecordBatch>>> {
    let mut batches = Vec::new();
    for of_block in files.chunk_by(|one, other| block_of(segment, *one) == block_of(segment, *other)) {
        let first = of_block.first().and_then(|file| block_of(segment, *file));
        let Some(first) = first else { return Ok(None) };
        let data = chunks.remove(&("files".to_owned(), first.into()));
        let Some(block) = data.and_then(|data| decode(&data)) else { return Ok(None) };
        let end = first as usize + block.num_rows();
        if of_block.last().is_some_and(|last| *last as usize >= end) || end > keys.len() {
            return Ok(None);
        }
        let ids = Int64Array::from_iter_values(
            of_block.iter().map(|file| segment.first_file_id + i64::from(keys.offset.value(*file as usize))),
        );
        let is_whole = of_block.len() == block.num_rows();
        let (values, block) = if is_whole {
            (keys.partition_values.slice(first as usize, block.num_rows()), block)
        } else {
            let in_block = UInt32Array::from_iter_values(of_block.iter().map(|file| file - first));
            let values =
                take(&keys.partition_values, &UInt32Array::from(of_block.to_vec()), None).map_err(arrow_error)?;
            let Some(values) = as_partition_values(&values).cloned() else { return Ok(None) };
            (values, take_record_batch(&block, &in_block).map_err(arrow_error)?)
        };
        let Some(batch) = list(ids, values, &block) else { return Ok(None) };
        batches.push(batch);
    }
    Ok(Some(batches))
}
