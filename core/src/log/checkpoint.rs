//! Actions from a Parquet checkpoint or sidecar (protocol section "Checkpoint Schema").

use arrow_array::{Array, RecordBatch, StructArray, cast::AsArray};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::json_encoder::JsonEncoder;
use crate::action::{Action, Json};
use crate::{Error, Result};

const ROWS_PER_BATCH: usize = 4096;

/// Columns that repeat another one in types; without it, statistics are taken from theirs.
const STATS_PARSED: &str = "stats_parsed";
const PARTITION_VALUES_PARSED: &str = "partitionValues_parsed";

/// Reads the actions of one Parquet file, some thousand rows at a time.
///
/// All columns become actions, also those that the protocol does not name. Where a file has its statistics
/// as a struct only, the JSON form is made from it.
pub struct CheckpointReader {
    file: String,
    batches: ParquetRecordBatchReader,
}

impl CheckpointReader {
    /// A reader of `source`, called `file` in errors.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it is not a Parquet file.
    pub fn new(file: &str, source: impl ChunkReader + 'static) -> Result<Self> {
        // A writer's own Arrow types (dictionaries, views) say nothing that the Parquet types do not.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let batches = ParquetRecordBatchReaderBuilder::try_new_with_options(source, options)
            .and_then(|builder| builder.with_batch_size(ROWS_PER_BATCH).build())
            .map_err(|error| corrupt(file, error))?;
        Ok(CheckpointReader { file: file.to_owned(), batches })
    }
}

impl Iterator for CheckpointReader {
    type Item = Result<Vec<Action>>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.batches.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(corrupt(&self.file, error))),
        };
        Some(read_batch(&batch).map_err(|error| error.context(&self.file).path(&self.file)))
    }
}

fn corrupt(file: &str, error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("{file} is not a readable Parquet checkpoint: {error}")).path(file).hint(
        "restore the file; where all commits are still there, `dl import --mode full-history` needs no checkpoint",
    )
}

fn read_batch(batch: &RecordBatch) -> Result<Vec<Action>> {
    let mut actions = Vec::with_capacity(batch.num_rows());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        match column.as_struct_opt() {
            Some(column) => read_column(field.name(), column, &mut actions)?,
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
    let kept = |field: &str| !(has_derived_columns && (field == STATS_PARSED || field == PARTITION_VALUES_PARSED));
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
    let stats_parsed = stats_parsed.map(|column| JsonEncoder::new(column.as_ref())).transpose()?;

    let mut text = String::new();
    for row in (0..column.len()).filter(|&row| !column.is_null(row)) {
        text.clear();
        encoder.write(row, &mut text);
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
