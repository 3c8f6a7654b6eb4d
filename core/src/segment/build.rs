//! The chunks of a segment, made from rows.

use crate::Result;
use crate::predicate::{BoundColumn, Facts, PartitionValues};
use crate::schema::{Column, Schema};
use crate::sql::SegmentSizes;

use super::bounds::BoundsBuilder;
use super::chunk::{block, encode};
use super::column::StatsColumns;
use super::keys::{Keys, Removals};
use super::row::FileRow;
use super::zone::{Zone, ZoneBuilder};

/// Texts of a segment at the most; those of its statistics do not count, as they are not kept.
const SEGMENT_BYTES: usize = 16 << 20;
/// The same of a block of files.
const BLOCK_BYTES: usize = 512 << 10;

/// A row of `dl_segment_chunks`.
pub(super) struct Chunk {
    pub(super) name: String,
    pub(super) block: i64,
    /// JSON.
    pub(super) zone: Option<String>,
    pub(super) data: Option<Vec<u8>>,
}

/// A segment, ready to be written.
pub(super) struct BuiltSegment {
    pub(super) first_file_id: i64,
    pub(super) file_count: i64,
    pub(super) first_version: i64,
    pub(super) removals: Removals,
    /// JSON.
    pub(super) file_blocks: String,
    pub(super) chunks: Vec<Chunk>,
}

/// A segment in the making: takes rows until it is full.
pub(super) struct SegmentBuilder<'s> {
    sizes: SegmentSizes,
    first_file_id: i64,
    partition_columns: Vec<BoundColumn>,
    stats_columns: &'s StatsColumns,
    bounds: Vec<BoundsBuilder>,
    rows: Vec<FileRow>,
    bytes: usize,
}

impl<'s> SegmentBuilder<'s> {
    pub(super) fn new(sizes: SegmentSizes, first_file_id: i64, schema: &Schema, columns: &'s StatsColumns) -> Self {
        SegmentBuilder {
            sizes,
            first_file_id,
            partition_columns: partition_columns(schema),
            stats_columns: columns,
            bounds: columns.columns.iter().map(|_| BoundsBuilder::default()).collect(),
            rows: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes a row, the next one by its id, or gives it back when the segment is full.
    pub(super) fn push(&mut self, mut row: FileRow) -> Option<FileRow> {
        let bytes = text_bytes(&row);
        let is_full = self.rows.len() >= self.sizes.files
            || (!self.rows.is_empty() && self.bytes + bytes > SEGMENT_BYTES)
            || u32::try_from(row.file_id - self.first_file_id).is_err();
        if is_full {
            return Some(row);
        }
        self.bytes += bytes;
        let stats = row.stats.take();
        for (bounds, facts) in self.bounds.iter_mut().zip(self.stats_columns.facts(stats.as_deref())) {
            bounds.push(&facts);
        }
        self.rows.push(row);
        None
    }

    /// Files that are there come first, and those of equal partition values side by side.
    pub(super) fn finish(self) -> Result<BuiltSegment> {
        let codes = Keys::of_rows(self.first_file_id, self.rows.iter()).partition_values;
        let codes = codes.keys();
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|&index| (self.rows[index].removed_version.is_some(), codes.value(index)));
        let rows: Vec<&FileRow> = order.iter().map(|&index| &self.rows[index]).collect();

        let keys = Keys::of_rows(self.first_file_id, rows.iter().copied());
        let mut chunks = vec![Chunk { name: "keys".to_owned(), block: 0, zone: None, data: Some(keys.encode()?) }];
        let starts = block_starts(&rows, self.sizes.block);
        for (number, &start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(rows.len());
            let data = encode(&block(rows[start..end].iter().copied())?)?;
            chunks.push(Chunk { name: "files".to_owned(), block: start as i64, zone: None, data: Some(data) });
        }
        for column in &self.partition_columns {
            let mut zone = ZoneBuilder::default();
            let mut last = None;
            for row in &rows {
                // Equal ones lie side by side.
                if last.replace(row.partition_values.as_str()) != Some(&row.partition_values) {
                    zone.add(&Facts::of_partition(column, PartitionValues::Json(&row.partition_values)));
                }
            }
            chunks.push(column_chunk(column, &zone.finish(), None));
        }
        for (column, bounds) in self.stats_columns.columns.iter().zip(self.bounds) {
            let (zone, batch) = bounds.finish(&order)?;
            if let Some(batch) = batch {
                chunks.push(column_chunk(column, &zone, Some(encode(&batch)?)));
            }
        }
        Ok(BuiltSegment {
            first_file_id: self.first_file_id,
            file_count: rows.len() as i64,
            first_version: rows.iter().map(|row| row.version).min().unwrap_or(0),
            removals: keys.removals(),
            file_blocks: serde_json::to_string(&starts).unwrap_or_default(),
            chunks,
        })
    }
}

/// The name of a column's chunk: its physical path, as JSON.
pub(super) fn chunk_name(column: &BoundColumn) -> String {
    serde_json::to_string(&column.physical).unwrap_or_default()
}

fn column_chunk(column: &BoundColumn, zone: &Facts<'_>, data: Option<Vec<u8>>) -> Chunk {
    let zone = serde_json::to_string(&Zone::new(column, zone)).ok();
    Chunk { name: chunk_name(column), block: 0, zone, data }
}

fn partition_columns(schema: &Schema) -> Vec<BoundColumn> {
    let columns = schema.partition_columns().map(|field| Column {
        field,
        logical: vec![field.name.as_str()],
        physical: vec![field.physical_name(schema.column_mapping())],
        is_partition: true,
    });
    columns.map(|column| BoundColumn::new(&column)).collect()
}

fn text_bytes(row: &FileRow) -> usize {
    row.path.len() + row.partition_values.len() + row.deletion_vector.as_ref().map_or(0, String::len)
}

/// The numbers of the first files of the blocks.
fn block_starts(rows: &[&FileRow], most_files: usize) -> Vec<usize> {
    let mut starts = Vec::new();
    let (mut files, mut bytes) = (usize::MAX, 0);
    for (number, row) in rows.iter().enumerate() {
        if files >= most_files || bytes + text_bytes(row) > BLOCK_BYTES {
            starts.push(number);
            (files, bytes) = (0, 0);
        }
        files += 1;
        bytes += text_bytes(row);
    }
    starts
}
