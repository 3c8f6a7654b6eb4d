//! One Parquet file of a checkpoint.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use twox_hash::xxhash3_128::Hasher;

use super::actions::ActionColumn;
use super::delta_schema::delta_schema;
use super::failed;
use super::form::CheckpointForm;
use super::kept::{UnknownFields, WHOLE_ACTION, check_fits};
use crate::action::Action;
use crate::{Error, Result};

const ROWS_PER_GROUP: usize = 64 * 1024;

/// Columns whose values differ from row to row.
const UNIQUE: [&[&str]; 4] = [&["add", "path"], &["add", "stats"], &["remove", "path"], &["add", WHOLE_ACTION]];

/// What a written file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointSummary {
    /// All actions.
    pub actions: i64,
    /// Its add actions.
    pub add_files: i64,
    /// Bytes.
    pub size_in_bytes: i64,
    /// A hash of its bytes.
    pub(super) content_hash: u128,
    /// Its schema, in JSON as Delta has it.
    pub schema: String,
}

/// Writes actions to a Parquet file, row group by row group.
pub(super) struct FileWriter<W: Write + Send> {
    writer: ArrowWriter<Hashed<W>>,
    schema: SchemaRef,
    columns: Vec<ActionColumn>,
    actions: i64,
    add_files: i64,
}

impl<W: Write + Send> FileWriter<W> {
    pub(super) fn new(sink: W, form: &CheckpointForm, unknown_fields: UnknownFields) -> Result<Self> {
        let columns = ActionColumn::all(form, unknown_fields);
        let schema = Arc::new(Schema::new(columns.iter().map(ActionColumn::field).collect::<Vec<_>>()));
        let mut properties = WriterProperties::builder()
            .set_compression(form.compression)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP));
        for path in UNIQUE {
            let path = ColumnPath::new(path.iter().map(|&name| name.to_owned()).collect());
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        // The Parquet types say it all; Arrow's own note of them would tie readers to this writer.
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let sink = Hashed { sink, hasher: Hasher::new(), bytes: 0 };
        let writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options).map_err(failed)?;
        Ok(FileWriter { writer, schema, columns, actions: 0, add_files: 0 })
    }

    /// How many actions there are so far.
    pub(super) fn actions(&self) -> u64 {
        self.actions.unsigned_abs()
    }

    /// Writes actions; those of one kind that come together are written together.
    pub(super) fn write<'a>(&mut self, actions: impl IntoIterator<Item = &'a Action>) -> Result<()> {
        let mut current = None;
        let mut rows = 0;
        for action in actions {
            check_fits(action)?;
            let kind = self.columns.iter().position(|column| column.name == action.name());
            let kind = kind.ok_or_else(|| Error::invalid(format!("a checkpoint holds no `{}`", action.name())))?;
            if current != Some(kind) {
                self.write_batch(current.replace(kind), std::mem::take(&mut rows))?;
            }
            self.columns[kind].append(action);
            rows += 1;
            self.actions += 1;
            self.add_files += i64::from(matches!(action, Action::Add(_)));
        }
        self.write_batch(current, rows)
    }

    /// Writes the rows of one column; the others are null in them.
    fn write_batch(&mut self, kind: Option<usize>, rows: usize) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        let columns = self.columns.iter_mut().enumerate().zip(self.schema.fields());
        let columns: Vec<ArrayRef> = columns
            .map(
                |((index, column), field)| {
                    if Some(index) == kind { column.finish() } else { new_null_array(field.data_type(), rows) }
                },
            )
            .collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)?;
        self.writer.write(&batch).map_err(failed)
    }

    /// Ends the row group when it takes more memory than this.
    pub(super) fn flush_if_over(&mut self, bytes: usize) -> Result<()> {
        if self.writer.memory_size() > bytes { self.writer.flush().map_err(failed) } else { Ok(()) }
    }

    pub(super) fn finish(self) -> Result<(W, CheckpointSummary)> {
        let schema = delta_schema(&self.schema);
        let Hashed { sink, hasher, bytes } = self.writer.into_inner().map_err(failed)?;
        let summary = CheckpointSummary {
            actions: self.actions,
            add_files: self.add_files,
            size_in_bytes: bytes,
            content_hash: hasher.finish_128(),
            schema,
        };
        Ok((sink, summary))
    }
}

/// A sink that knows what went into it.
struct Hashed<W> {
    sink: W,
    hasher: Hasher,
    bytes: i64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.hasher.write(&bytes[..written]);
        self.bytes += written as i64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
