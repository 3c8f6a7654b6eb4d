//! Actions from a Parquet checkpoint or sidecar (protocol section "Checkpoint Schema").
//!
//! A small file may unfold to any size: a text that a dictionary has once may stand in each row. So texts are handed out
//! where the pages have them ([`batches`]), pages are weighed before they are unfolded ([`row_group`], [`budget`]), and rows
//! become actions some megabytes at a time.

mod batches;
mod budget;
mod delta_lengths;
mod page_header;
mod row_group;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, cast::AsArray};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::reader::ChunkReader;

use super::json_encoder::{JsonEncoder, TextArray};
use crate::action::{Action, Json};
use crate::mirror::{WHOLE_ACTION, delta_schema};
use crate::{Error, Result};
pub(super) use batches::Batches;
use batches::{corrupt, no_panic};

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
/// Texts of the actions that are handed out at once, about.
const BYTES_AT_ONCE: usize = 4 << 20;
/// Of the texts of one action. No table's schema comes near it.
const MOST_BYTES: usize = 64 << 20;

/// Columns that repeat another one in types; without it, statistics are taken from theirs.
pub(super) const STATS_PARSED: &str = "stats_parsed";
pub(super) const PARTITION_VALUES_PARSED: &str = "partitionValues_parsed";

/// Reads the actions of one Parquet file, some thousand rows or some megabytes at a time.
///
/// All columns become actions, also those that the protocol does not name. Where a file has its statistics
/// as a struct only, the JSON form is made from it.
pub struct CheckpointReader {
    batches: Batches,
    /// The rows of which some are to be handed out yet, and from where on.
    rest: Option<(RecordBatch, Place)>,
}

/// A row of a column.
#[derive(Clone, Copy, Default)]
struct Place {
    column: usize,
    row: usize,
}

impl CheckpointReader {
    /// A reader of `source`, called `file` in errors.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it is not a Parquet file; while it is read, also when its pages unfold to
    /// more than some machines have memory.
    pub fn new(file: &str, source: impl ChunkReader + 'static) -> Result<Self> {
        Batches::open(file, source, |_| true).map(Self::of)
    }

    /// A reader of the sidecars that `source` names, which passes over all other actions.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sidecars(file: &str, source: impl ChunkReader + 'static) -> Result<Self> {
        Batches::open(file, source, |leaf| leaf[0] == "sidecar").map(Self::of)
    }

    fn of(batches: Batches) -> Self {
        CheckpointReader { batches, rest: None }
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
        let (batch, from) = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next()? {
                Ok(batch) => (batch, Place::default()),
                Err(error) => return Some(Err(error)),
            },
        };
        Some(match read_batch(&batch, from) {
            Ok((actions, next)) => {
                self.rest = next.map(|next| (batch, next));
                Ok(actions)
            }
            Err(error) => {
                self.batches.close();
                Err(self.batches.doing(error))
            }
        })
    }
}

/// The actions of rows, column by column, from a place on; where the next ones begin when these are enough.
fn read_batch(batch: &RecordBatch, from: Place) -> Result<(Vec<Action>, Option<Place>)> {
    let mut actions = Vec::with_capacity(batch.num_rows());
    let (mut room, mut row) = (Room(BYTES_AT_ONCE), from.row);
    let schema = batch.schema_ref();
    for (column, (field, values)) in schema.fields().iter().zip(batch.columns()).enumerate().skip(from.column) {
        let next = match values.as_struct_opt() {
            Some(values) => read_column(field.name(), values, row, &mut room, &mut actions)?,
            None if values.data_type() == &DataType::Null => None,
            None if PROTOCOL_ACTIONS.contains(&field.name().as_str()) => {
                return Err(Error::corrupt(format!(
                    "column `{}` is of type {}, not a struct",
                    field.name(),
                    values.data_type()
                )));
            }
            None => read_unknown(field.name(), values, row, &mut room, &mut actions)?,
        };
        if let Some(row) = next {
            return Ok((actions, Some(Place { column, row })));
        }
        row = 0;
    }
    Ok((actions, None))
}

/// How many bytes of texts may come yet.
struct Room(usize);

impl Room {
    /// Whether there is any left; takes off what the row of a column has.
    fn take(&mut self, column: &str, row: usize, bytes: usize) -> Result<bool> {
        if bytes > MOST_BYTES {
            return Err(Error::corrupt(format!(
                "row {row} of column `{column}` has texts of {bytes} bytes, more than {MOST_BYTES}"
            ))
            .hint("no writer makes such actions; delete the file where an older checkpoint and the commits since are still there"));
        }
        let is_left = self.0 > 0;
        self.0 = self.0.saturating_sub(bytes);
        Ok(is_left)
    }
}

/// Rows of a column that is no struct, which the protocol does not name; the next one's number when these are enough.
fn read_unknown(
    name: &str,
    column: &ArrayRef,
    from: usize,
    room: &mut Room,
    actions: &mut Vec<Action>,
) -> Result<Option<usize>> {
    let encoder = JsonEncoder::new(column.as_ref())?;
    for row in (from..column.len()).filter(|&row| !encoder.is_null(row)) {
        if !room.take(name, row, encoder.text_bytes(row))? {
            return Ok(Some(row));
        }
        let mut text = String::new();
        encoder.write(row, &mut text);
        let value = Json::parse(text).map_err(|error| Error::corrupt(error.to_string()))?;
        actions.push(Action::Unknown { name: name.to_owned(), value });
    }
    Ok(None)
}

/// Rows of an action's column; the next one's number when these are enough.
fn read_column(
    name: &str,
    column: &StructArray,
    from: usize,
    room: &mut Room,
    actions: &mut Vec<Action>,
) -> Result<Option<usize>> {
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

    let whole =
        column.column_by_name(WHOLE_ACTION).and_then(|whole| Some((whole, TextArray::of(whole.as_ref()).ok()?)));
    let whole =
        |row: usize| whole.as_ref().filter(|(array, _)| array.is_valid(row)).and_then(|(_, whole)| whole.text(row));

    let mut text = String::new();
    for row in (from..column.len()).filter(|&row| !column.is_null(row)) {
        let parsed_bytes = stats_parsed.as_ref().map_or(0, |parsed| parsed.text_bytes(row));
        let bytes = encoder.text_bytes(row) + whole(row).map_or(0, str::len) + parsed_bytes;
        if !room.take(name, row, bytes)? {
            return Ok(Some(row));
        }
        text.clear();
        match whole(row) {
            Some(whole) => text.push_str(whole),
            None => encoder.write(row, &mut text),
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
    Ok(None)
}

/// Statistics without the bounds of variants, which are bytes here and an encoding of their own in JSON.
fn without_variants(column: &ArrayRef) -> Option<ArrayRef> {
    let Some(fields) = column.as_struct_opt() else { return Some(column.clone()) };
    let is_binary = |name| {
        let part = fields.column_by_name(name);
        part.is_some_and(|part| matches!(part.data_type(), DataType::Binary | DataType::BinaryView))
    };
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
