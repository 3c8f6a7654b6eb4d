//! Actions from a Parquet checkpoint or sidecar (protocol section "Checkpoint Schema").

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader, StructArray, cast::AsArray};
use arrow_schema::{DataType, Fields, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use super::json_encoder::JsonEncoder;
use crate::action::{Action, Json};
use crate::mirror::{WHOLE_ACTION, delta_schema};
use crate::{Error, Result};

const PROTOCOL_ACTIONS: [&str; 10] = [
    "add",
    "remove",
    "metaData",
    "protocol",
    "txn",
    "domainMetadata",
    "cdc",
    "commitInfo",
    "sidecar",
    "checkpointMetadata",
];
const ROWS_PER_BATCH: usize = 4096;

/// Columns that repeat another one in types; without it, statistics are taken from theirs.
pub(super) const STATS_PARSED: &str = "stats_parsed";
pub(super) const PARTITION_VALUES_PARSED: &str = "partitionValues_parsed";

/// Reads the actions of one Parquet file, some thousand rows at a time.
///
/// All columns become actions, also those that the protocol does not name. Where a file has its statistics
/// as a struct only, the JSON form is made from it.
pub struct CheckpointReader(Batches);

impl CheckpointReader {
    /// A reader of `source`, called `file` in errors.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it is not a Parquet file.
    pub fn new(file: &str, source: impl ChunkReader + 'static) -> Result<Self> {
        Batches::open(file, source, |_| true).map(CheckpointReader)
    }

    /// A reader of the sidecars that `source` names, which passes over all other actions.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sidecars(file: &str, source: impl ChunkReader + 'static) -> Result<Self> {
        Batches::open(file, source, |leaf| leaf[0] == "sidecar").map(CheckpointReader)
    }

    /// How many rows a file has, and its schema as Delta writes schemas; `end` needs to hold the footer only.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when that is not the end of a Parquet file.
    pub fn footer(file: &str, end: Bytes) -> Result<(i64, String)> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = no_panic(|| ArrowReaderMetadata::load(&end, options).map_err(|error| error.to_string()));
        let metadata = metadata.map_err(|error| corrupt(file, error))?;
        Ok((metadata.metadata().file_metadata().num_rows(), delta_schema(metadata.schema())))
    }
}

impl Iterator for CheckpointReader {
    type Item = Result<Vec<Action>>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.0.next()?;
        Some(batch.and_then(|batch| read_batch(&batch).map_err(|error| self.0.doing(error))))
    }
}

/// The rows of a file, some thousand at a time.
pub(super) struct Batches {
    file: String,
    schema: SchemaRef,
    /// None after an error.
    reader: Option<ParquetRecordBatchReader>,
}

impl Batches {
    /// Of the columns without others below them that `keep` wants, by the names that lead to them.
    pub(super) fn open(
        file: &str,
        source: impl ChunkReader + 'static,
        keep: impl Fn(&[String]) -> bool,
    ) -> Result<Self> {
        let reader = no_panic(|| open(source, keep)).map_err(|error| corrupt(file, error))?;
        Ok(Batches { file: file.to_owned(), schema: reader.schema(), reader: Some(reader) })
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// An error with the file's name.
    pub(super) fn doing(&self, error: Error) -> Error {
        error.context(&self.file).path(&self.file)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let batch = match no_panic(|| reader.next().transpose().map_err(|error| error.to_string())) {
            Ok(batch) => batch?,
            Err(error) => return Some(Err(corrupt(&self.file, error))),
        };
        self.reader = Some(reader);
        Some(Ok(batch))
    }
}

fn open(
    source: impl ChunkReader + 'static,
    keep: impl Fn(&[String]) -> bool,
) -> Result<ParquetRecordBatchReader, String> {
    let text = |error: ParquetError| error.to_string();
    // A writer's own Arrow types (dictionaries, views) say nothing that the Parquet types do not.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&source, options.clone()).map_err(text)?;
    let with_instants = options.with_schema(Arc::new(Schema::new(instants(metadata.schema().fields()))));
    let metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), with_instants).unwrap_or(metadata);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, metadata).with_batch_size(ROWS_PER_BATCH);
    let leaves = builder.parquet_schema().columns().iter().enumerate();
    let kept = leaves.filter(|(_, leaf)| keep(leaf.path().parts())).map(|(index, _)| index);
    let mask = ProjectionMask::leaves(builder.parquet_schema(), kept.collect::<Vec<_>>());
    builder.with_projection(mask).build().map_err(text)
}

/// Nanoseconds come from INT96, which is an instant and reaches further than 64 bits of nanoseconds do; read as
/// microseconds it keeps both.
fn instants(fields: &Fields) -> Fields {
    fields.iter().map(|field| field.as_ref().clone().with_data_type(instant_type(field.data_type()))).collect()
}

fn instant_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Struct(fields) => DataType::Struct(instants(fields)),
        other => other.clone(),
    }
}

/// The Parquet reader panics on some damaged files; here they are errors as any other.
fn no_panic<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

fn corrupt(file: &str, error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("{file} is not a readable Parquet checkpoint: {error}"))
        .path(file)
        .hint("restore the file, or delete it where an older checkpoint and the commits since are still there")
}

fn read_batch(batch: &RecordBatch) -> Result<Vec<Action>> {
    let mut actions = Vec::with_capacity(batch.num_rows());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        match column.as_struct_opt() {
            Some(column) => read_column(field.name(), column, &mut actions)?,
            None if column.data_type() == &DataType::Null => {}
            None if PROTOCOL_ACTIONS.contains(&field.name().as_str()) => {
                return Err(Error::corrupt(format!(
                    "column `{}` is of type {}, not a struct",
                    field.name(),
                    column.data_type()
                )));
            }
            None => {
                let encoder = JsonEncoder::new(column.as_ref())?;
                for row in (0..column.len()).filter(|&row| !encoder.is_null(row)) {
                    let mut text = String::new();
                    encoder.write(row, &mut text);
                    let value = Json::parse(text).map_err(|error| Error::corrupt(error.to_string()))?;
                    actions.push(Action::Unknown { name: field.name().clone(), value });
                }
            }
        }
    }
    Ok(actions)
}

fn read_column(name: &str, column: &StructArray, actions: &mut Vec<Action>) -> Result<()> {
    let has_derived_columns = name == "add" || name == "remove";
    let kept = |field: &str| {
        field != WHOLE_ACTION && !(has_derived_columns && (field == STATS_PARSED || field == PARTITION_VALUES_PARSED))
    };
    let (fields, columns): (Vec<_>, Vec<_>) = column
        .fields()
        .iter()
        .zip(column.columns())
        .filter(|(field, _)| kept(field.name()))
        .map(|(field, column)| (field.clone(), column.clone()))
        .unzip();
    let stored = StructArray::try_new(fields.into(), columns, column.nulls().cloned())
        .map_err(|error| Error::corrupt(format!("column `{name}`: {error}")))?;
    let encoder = JsonEncoder::new(&stored)?;
    let stats_parsed = if has_derived_columns { column.column_by_name(STATS_PARSED) } else { None };
    let stats_parsed = stats_parsed.and_then(without_variants);
    let stats_parsed = stats_parsed.as_ref().map(|column| JsonEncoder::new(column.as_ref())).transpose()?;

    let whole = column.column_by_name(WHOLE_ACTION).and_then(|whole| whole.as_string_opt::<i32>());

    let mut text = String::new();
    for row in (0..column.len()).filter(|&row| !column.is_null(row)) {
        text.clear();
        match whole {
            Some(whole) if whole.is_valid(row) => text.push_str(whole.value(row)),
            _ => encoder.write(row, &mut text),
        }
        let mut action =
            parse(name, &text).map_err(|error| Error::corrupt(format!("row {row} of column `{name}`: {error}")))?;
        if let (Some(parsed), Action::Add(add)) = (&stats_parsed, &mut action)
            && add.stats.is_none()
            && !parsed.is_null(row)
        {
            let mut stats = String::new();
            parsed.write(row, &mut stats);
            add.stats = Some(stats);
        }
        actions.push(action);
    }
    Ok(())
}

/// Statistics without the bounds of variants, which are bytes here and an encoding of their own in JSON.
fn without_variants(column: &ArrayRef) -> Option<ArrayRef> {
    let Some(fields) = column.as_struct_opt() else { return Some(column.clone()) };
    let is_binary = |name| fields.column_by_name(name).is_some_and(|part| part.as_binary_opt::<i32>().is_some());
    if fields.num_columns() == 2 && is_binary("metadata") && is_binary("value") {
        return None;
    }
    let kept = fields.fields().iter().zip(fields.columns());
    let (names, columns): (Vec<_>, Vec<_>) = kept
        .filter_map(|(field, column)| {
            let column = without_variants(column)?;
            Some((Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone())), column))
        })
        .unzip();
    let kept = StructArray::try_new_with_length(names.into(), columns, fields.nulls().cloned(), fields.len());
    Some(kept.map_or_else(|_| column.clone(), |kept| Arc::new(kept)))
}

fn parse(name: &str, text: &str) -> serde_json::Result<Action> {
    Ok(match name {
        "add" => Action::Add(serde_json::from_str(text)?),
        "remove" => Action::Remove(serde_json::from_str(text)?),
        "metaData" => Action::Metadata(serde_json::from_str(text)?),
        "protocol" => Action::Protocol(serde_json::from_str(text)?),
        "txn" => Action::Txn(serde_json::from_str(text)?),
        "domainMetadata" => Action::DomainMetadata(serde_json::from_str(text)?),
        "cdc" => Action::Cdc(serde_json::from_str(text)?),
        "commitInfo" => Action::CommitInfo(serde_json::from_str(text)?),
        "sidecar" => Action::Sidecar(serde_json::from_str(text)?),
        "checkpointMetadata" => Action::CheckpointMetadata(serde_json::from_str(text)?),
        _ => Action::Unknown { name: name.to_owned(), value: serde_json::from_str(text)? },
    })
}
