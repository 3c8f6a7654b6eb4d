//! A classic checkpoint of the V1 spec (protocol section "Checkpoint Schema").

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow_json::reader::{Decoder, ReaderBuilder};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::action::{Action, Json, StringMap};
use crate::{Error, ErrorKind, Result};

/// What a written checkpoint holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointSummary {
    /// All actions.
    pub actions: i64,
    /// Its add actions.
    pub add_files: i64,
}

/// Writes actions to a Parquet checkpoint, row group by row group.
pub struct CheckpointWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    decoder: Decoder,
    summary: CheckpointSummary,
    unknown_fields: UnknownFields,
}

/// Whether a checkpoint keeps the fields that the protocol does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// There are none: the checkpoint has the protocol's columns alone.
    Absent,
    /// An action that has some carries its own JSON in one more column, [`WHOLE_ACTION`], which other readers
    /// pass over.
    Kept,
}

/// The field of an action's column that holds the action's JSON, where the other fields do not hold all of it.
pub const WHOLE_ACTION: &str = "deltalakedbAction";

const ROWS_PER_BATCH: usize = 4096;
const ROWS_PER_GROUP: usize = 32 * 1024;

impl<W: Write + Send> CheckpointWriter<W> {
    /// A writer into `sink`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the sink fails.
    pub fn new(sink: W, unknown_fields: UnknownFields) -> Result<Self> {
        let schema = Arc::new(checkpoint_schema(unknown_fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .build();
        let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties)).map_err(failed)?;
        let decoder = ReaderBuilder::new(schema).with_batch_size(ROWS_PER_BATCH).build_decoder().map_err(failed)?;
        Ok(CheckpointWriter { writer, decoder, summary: CheckpointSummary::default(), unknown_fields })
    }

    /// Writes some actions.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the sink fails.
    pub fn write(&mut self, actions: &[Action]) -> Result<()> {
        for action in actions {
            self.summary.actions += 1;
            self.summary.add_files += i64::from(matches!(action, Action::Add(_)));
            let line = self.line(action);
            let mut rest = line.as_bytes();
            while !rest.is_empty() {
                let taken = self.decoder.decode(rest).map_err(not_storable)?;
                rest = &rest[taken..];
                if !rest.is_empty() || self.decoder.len() >= ROWS_PER_BATCH {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    /// The action as JSON that the columns can hold.
    fn line(&self, action: &Action) -> String {
        let in_columns = in_columns(action.clone());
        let line = in_columns.to_json();
        if self.unknown_fields == UnknownFields::Absent || in_columns == *action {
            return line;
        }
        let whole = action.to_json();
        // `{"add":{...` becomes `{"add":{"deltalakedbAction":"...",...`
        let value_at = action.name().len() + 5;
        let whole = serde_json::Value::from(&whole[value_at - 1..whole.len() - 1]);
        format!("{}\"{WHOLE_ACTION}\":{whole},{}", &line[..value_at], &line[value_at..])
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(batch) = self.decoder.flush().map_err(not_storable)? {
            self.writer.write(&batch).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the footer and gives the sink back.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the sink fails.
    pub fn finish(mut self) -> Result<(W, CheckpointSummary)> {
        self.flush()?;
        Ok((self.writer.into_inner().map_err(failed)?, self.summary))
    }
}

/// Whether an action has fields that the protocol does not name: then its checkpoint keeps them only with
/// [`UnknownFields::Kept`].
pub fn has_unknown_fields(action: &Action) -> bool {
    in_columns(action.clone()) != *action
}

/// The action as the checkpoint's columns can hold it: with the fields that the protocol names, in its types.
fn in_columns(mut action: Action) -> Action {
    match &mut action {
        Action::Add(add) => {
            add.extra.clear();
            if let Some(vector) = &mut add.deletion_vector {
                vector.extra.clear();
            }
            add.tags = add.tags.take().and_then(string_tags);
        }
        Action::Remove(remove) => {
            remove.extra.clear();
            if let Some(vector) = &mut remove.deletion_vector {
                vector.extra.clear();
            }
            remove.tags = remove.tags.take().and_then(string_tags);
        }
        Action::Metadata(metadata) => {
            metadata.extra.clear();
            metadata.format.extra.clear();
        }
        Action::Protocol(protocol) => protocol.extra.clear(),
        Action::Txn(txn) => txn.extra.clear(),
        Action::DomainMetadata(domain) => domain.extra.clear(),
        _ => {}
    }
    action
}

/// Tags are a map of strings; numbers go in by their text, what is no map at all stays out.
fn string_tags(tags: Json) -> Option<Json> {
    if tags.read::<BTreeMap<String, Option<String>>>().is_some() {
        return Some(tags);
    }
    Json::of(&tags.read::<StringMap>()?).ok()
}

fn not_storable(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("writing a checkpoint: an action does not fit the protocol's columns: {error}"))
        .hint("a value has another type than the protocol gives it; `dl files` and `dl snapshot` show the actions")
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("writing a checkpoint: {error}"))
        .hint("check the space on the disk; nothing was published, run the mirror again")
}

fn checkpoint_schema(unknown_fields: UnknownFields) -> Schema {
    let columns = protocol_columns();
    if unknown_fields == UnknownFields::Absent {
        return Schema::new(columns);
    }
    let with_whole = columns.into_iter().map(|column| match column.data_type() {
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| field.as_ref().clone()).chain([text(WHOLE_ACTION)]);
            action(column.name(), fields.collect())
        }
        _ => column,
    });
    Schema::new(with_whole.collect::<Vec<_>>())
}

fn protocol_columns() -> Vec<Field> {
    vec![
        action("txn", vec![text("appId"), long("version"), long("lastUpdated")]),
        action(
            "add",
            vec![
                text("path"),
                string_map("partitionValues"),
                long("size"),
                long("modificationTime"),
                boolean("dataChange"),
                text("stats"),
                string_map("tags"),
                deletion_vector(),
                long("baseRowId"),
                long("defaultRowCommitVersion"),
                text("clusteringProvider"),
            ],
        ),
        action(
            "remove",
            vec![
                text("path"),
                long("deletionTimestamp"),
                boolean("dataChange"),
                boolean("extendedFileMetadata"),
                string_map("partitionValues"),
                long("size"),
                text("stats"),
                string_map("tags"),
                deletion_vector(),
                long("baseRowId"),
                long("defaultRowCommitVersion"),
            ],
        ),
        action(
            "metaData",
            vec![
                text("id"),
                text("name"),
                text("description"),
                action("format", vec![text("provider"), string_map("options")]),
                text("schemaString"),
                text_list("partitionColumns"),
                long("createdTime"),
                string_map("configuration"),
            ],
        ),
        action(
            "protocol",
            vec![
                integer("minReaderVersion"),
                integer("minWriterVersion"),
                text_list("readerFeatures"),
                text_list("writerFeatures"),
            ],
        ),
        action("domainMetadata", vec![text("domain"), text("configuration"), boolean("removed")]),
    ]
}

fn action(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(Fields::from(fields)), true)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn long(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn integer(name: &str) -> Field {
    Field::new(name, DataType::Int32, true)
}

fn boolean(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn text_list(name: &str) -> Field {
    Field::new(name, DataType::List(Arc::new(text("element"))), true)
}

fn string_map(name: &str) -> Field {
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8, false), text("value")]);
    let entries = Field::new("key_value", DataType::Struct(entries), false);
    Field::new(name, DataType::Map(Arc::new(entries), false), true)
}

fn deletion_vector() -> Field {
    action(
        "deletionVector",
        vec![
            text("storageType"),
            text("pathOrInlineDv"),
            integer("offset"),
            integer("sizeInBytes"),
            long("cardinality"),
        ],
    )
}
