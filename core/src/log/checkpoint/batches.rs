//! The rows of a file, as Arrow has them.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema_by_columns};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;
use parquet::schema::types::SchemaDescriptor;

use super::budget::Budget;
use super::row_group::RowGroup;
use crate::{Error, Result};

const ROWS_PER_BATCH: usize = 4096;
/// Of values that all have one length: those of decimals, and ids, have less. A null takes as much as a value.
const LONGEST_FIXED_BYTES: i32 = 64;
const DELETE: &str = "restore the file, or delete it where an older checkpoint and the commits since are still there";

/// The rows of a file, some thousand at a time.
pub(in crate::log) struct Batches {
    file: String,
    groups: Box<dyn Groups>,
    /// The next row group.
    next: usize,
    /// The row group that is being read.
    current: Option<(ParquetRecordBatchReader, Arc<Budget>)>,
}

impl Batches {
    /// Of the columns without others below them that `keep` wants, by the names that lead to them.
    pub(in crate::log) fn open(
        file: &str,
        source: impl ChunkReader + 'static,
        keep: impl Fn(&[String]) -> bool,
    ) -> Result<Self> {
        let groups = no_panic(|| FileGroups::open(source, keep)).map_err(|error| corrupt(file, error))?;
        Ok(Batches { file: file.to_owned(), groups: Box::new(groups), next: 0, current: None })
    }

    pub(in crate::log) fn schema(&self) -> &Schema {
        self.groups.schema()
    }

    /// An error with the file's name.
    pub(in crate::log) fn doing(&self, error: Error) -> Error {
        error.context(&self.file).path(&self.file)
    }

    /// There is nothing more to read.
    pub(super) fn close(&mut self) {
        (self.next, self.current) = (usize::MAX, None);
    }

    /// The next rows; an error in the words of the reader.
    fn read(&mut self) -> Result<Option<RecordBatch>, String> {
        loop {
            let (mut reader, budget) = match self.current.take() {
                Some(current) => current,
                None if self.next >= self.groups.count() => return Ok(None),
                None => {
                    let opened = self.groups.open(self.next)?;
                    self.next += 1;
                    opened
                }
            };
            budget.begin_batch();
            let batch = reader.next().transpose();
            if let Some(batch) = batch.map_err(|error| budget.refusal().unwrap_or_else(|| error.to_string()))? {
                self.current = Some((reader, budget));
                return Ok(Some(batch));
            }
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = no_panic(|| self.read());
        if batch.is_err() {
            self.close();
        }
        batch.map_err(|error| corrupt(&self.file, error)).transpose()
    }
}

/// The row groups of a file.
trait Groups: Send {
    fn schema(&self) -> &Schema;
    fn count(&self) -> usize;
    fn open(&self, index: usize) -> Result<(ParquetRecordBatchReader, Arc<Budget>), String>;
}

struct FileGroups<R> {
    source: Arc<R>,
    metadata: Arc<ParquetMetaData>,
    levels: FieldLevels,
    schema: Schema,
}

impl<R: ChunkReader> FileGroups<R> {
    fn open(source: R, keep: impl Fn(&[String]) -> bool) -> Result<Self, String> {
        let text = |error: ParquetError| error.to_string();
        // A writer's own Arrow types (dictionaries, views) say nothing that the Parquet types do not.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&source, options).map_err(text)?;
        let parquet_schema = metadata.parquet_schema();
        let kept: Vec<usize> = {
            let leaves = parquet_schema.columns().iter().enumerate();
            leaves.filter(|(_, leaf)| keep(leaf.path().parts())).map(|(index, _)| index).collect()
        };
        check_lengths(parquet_schema, &kept)?;
        let types = read_types(metadata.schema().fields());
        let mask = ProjectionMask::leaves(parquet_schema, kept.iter().copied());
        let levels = parquet_to_arrow_field_levels(parquet_schema, mask.clone(), Some(&types)).map_err(text)?;
        let schema = parquet_to_arrow_schema_by_columns(parquet_schema, mask, None).map_err(text)?;
        Ok(FileGroups { source: Arc::new(source), metadata: metadata.metadata().clone(), levels, schema })
    }
}

impl<R: ChunkReader + 'static> Groups for FileGroups<R> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn count(&self) -> usize {
        // A file without the columns that are asked for has no row to tell.
        if self.schema.fields().is_empty() { 0 } else { self.metadata.num_row_groups() }
    }

    fn open(&self, index: usize) -> Result<(ParquetRecordBatchReader, Arc<Budget>), String> {
        let budget = Arc::new(Budget::new(self.metadata.row_group(index).num_columns()));
        let (source, metadata) = (self.source.clone(), self.metadata.clone());
        let group = RowGroup { source, metadata, index, budget: budget.clone() };
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, &group, ROWS_PER_BATCH, None);
        reader.map(|reader| (reader, budget)).map_err(|error| error.to_string())
    }
}

fn check_lengths(schema: &SchemaDescriptor, kept: &[usize]) -> Result<(), String> {
    let lengthy = kept.iter().map(|&index| schema.column(index)).find(|column| {
        column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY && column.type_length() > LONGEST_FIXED_BYTES
    });
    lengthy.map_or(Ok(()), |column| {
        Err(format!("each value of column `{}` has {} bytes", column.path().string(), column.type_length()))
    })
}

/// The columns of a file in the types that they are read as.
fn read_types(fields: &Fields) -> Fields {
    fields.iter().map(read_field).collect()
}

fn read_field(field: &FieldRef) -> Field {
    field.as_ref().clone().with_data_type(read_type(field.data_type()))
}

/// Texts are views, which show them where the page or its dictionary has them. Nanoseconds come from INT96, which is an
/// instant and reaches further than 64 bits of nanoseconds do; read as microseconds it keeps both.
fn read_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Struct(fields) => DataType::Struct(read_types(fields)),
        DataType::List(item) => DataType::List(Arc::new(read_field(item))),
        DataType::Map(entries, is_sorted) => DataType::Map(Arc::new(read_field(entries)), *is_sorted),
        other => other.clone(),
    }
}

/// The Parquet reader panics on some damaged files; here they are errors as any other.
pub(super) fn no_panic<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

pub(super) fn corrupt(file: &str, error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("{file} is not a readable Parquet checkpoint: {error}")).path(file).hint(DELETE)
}
