//! The chunk `keys`: which files a segment has, and from which version to which they are there.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Int64Array, RecordBatch, UInt32Array};

use super::chunk::{as_partition_values, batch, decode, encode, partition_values};
use super::row::FileRow;
use crate::Result;

/// Of all files of a segment, in its order.
pub(super) struct Keys {
    /// Less the segment's first file id.
    pub(super) offset: UInt32Array,
    pub(super) version: Int64Array,
    /// As far as it was known when the chunk was written.
    pub(super) removed_version: Int64Array,
    pub(super) partition_values: DictionaryArray<Int32Type>,
}

impl Keys {
    pub(super) fn of_rows<'r>(first_file_id: i64, rows: impl Iterator<Item = &'r FileRow> + Clone) -> Self {
        Keys {
            offset: UInt32Array::from_iter_values(rows.clone().map(|row| (row.file_id - first_file_id) as u32)),
            version: Int64Array::from_iter_values(rows.clone().map(|row| row.version)),
            removed_version: rows.clone().map(|row| row.removed_version).collect(),
            partition_values: partition_values(rows),
        }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("offset", Arc::new(self.offset.clone())),
            ("version", Arc::new(self.version.clone())),
            ("removed_version", Arc::new(self.removed_version.clone())),
            ("partition_values", Arc::new(self.partition_values.clone())),
        ];
        encode(&batch(columns)?)
    }

    /// `None` for what is no such chunk.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let batch: RecordBatch = decode(bytes)?;
        let integers = |name| Some(batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.clone());
        let keys = Keys {
            offset: batch.column_by_name("offset")?.as_primitive_opt::<UInt32Type>()?.clone(),
            version: integers("version")?,
            removed_version: integers("removed_version")?,
            partition_values: as_partition_values(batch.column_by_name("partition_values")?)?.clone(),
        };
        let is_whole = keys.offset.null_count() + keys.version.null_count() + keys.partition_values.null_count() == 0;
        is_whole.then_some(keys)
    }

    pub(super) fn len(&self) -> usize {
        self.offset.len()
    }

    /// The files' numbers that are in the snapshot of a version, given what was removed since the chunk was written.
    pub(super) fn files_at(&self, version: i64, first_file_id: i64, removed: &HashMap<i64, i64>) -> Vec<u32> {
        let none_removed = self.removed_version.null_count() == self.len();
        let is_there = |file: usize| {
            let known =
                !none_removed && self.removed_version.is_valid(file) && self.removed_version.value(file) <= version;
            let since =
                || removed.get(&(first_file_id + i64::from(self.offset.value(file)))).is_some_and(|at| *at <= version);
            self.version.value(file) <= version && !known && (removed.is_empty() || !since())
        };
        (0..self.len()).filter(|file| is_there(*file)).map(|file| file as u32).collect()
    }

    /// The same files, some of them removed since.
    pub(super) fn with_removed(self, first_file_id: i64, removed: &HashMap<i64, i64>) -> Self {
        let removed_version = self.offset.values().iter().enumerate().map(|(file, offset)| {
            let known = self.removed_version.is_valid(file).then(|| self.removed_version.value(file));
            known.or_else(|| removed.get(&(first_file_id + i64::from(*offset))).copied())
        });
        let removed_version = removed_version.collect();
        Keys { removed_version, ..self }
    }

    /// Files that were not removed, and the last version that removed one.
    pub(super) fn removals(&self) -> Removals {
        Removals {
            live_count: self.removed_version.null_count() as i64,
            last_removed_version: self.removed_version.iter().flatten().max().unwrap_or(-1),
        }
    }
}

/// What of a segment's description changes when files are removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Removals {
    pub(super) live_count: i64,
    pub(super) last_removed_version: i64,
}
