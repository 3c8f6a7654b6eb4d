//! Chunks: record batches as bytes, and the columns of a list of files.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::row::FileRow;
use crate::{Error, Result};

/// Int64: by this number the catalog knows the file.
pub const FILE_ID: &str = "file_id";
/// Utf8, as in the log: relative to the table's location, with escapes.
pub const PATH: &str = "path";
/// Int64, bytes.
pub const SIZE: &str = "size";
/// Int64, milliseconds since the epoch.
pub const MODIFICATION_TIME: &str = "modification_time";
/// Int64: rows less those that a deletion vector deletes; null where statistics do not tell.
pub const ROW_COUNT: &str = "row_count";
/// Dictionary of Utf8: the partition values by physical name, a JSON object.
pub const PARTITION_VALUES: &str = "partition_values";
/// Utf8: the deletion vector's descriptor, a JSON object; null without one.
pub const DELETION_VECTOR: &str = "deletion_vector";
/// Int64; null without row tracking.
pub const BASE_ROW_ID: &str = "base_row_id";
/// Int64; null without row tracking.
pub const DEFAULT_ROW_COMMIT_VERSION: &str = "default_row_commit_version";

/// The schema of a list of files.
pub(super) static LIST: LazyLock<SchemaRef> = LazyLock::new(|| {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new(FILE_ID, DataType::Int64, false),
        Field::new(PATH, DataType::Utf8, false),
        Field::new(SIZE, DataType::Int64, false),
        Field::new(MODIFICATION_TIME, DataType::Int64, false),
        Field::new(ROW_COUNT, DataType::Int64, true),
        Field::new(PARTITION_VALUES, dictionary, false),
        Field::new(DELETION_VECTOR, DataType::Utf8, true),
        Field::new(BASE_ROW_ID, DataType::Int64, true),
        Field::new(DEFAULT_ROW_COMMIT_VERSION, DataType::Int64, true),
    ]))
});

/// A column of nulls for each that may have them, which all lists share.
static NULLS: LazyLock<Vec<ArrayRef>> =
    LazyLock::new(|| LIST.fields().iter().map(|field| new_null_array(field.data_type(), SHARED_NULLS)).collect());
const SHARED_NULLS: usize = 4096;

pub(super) fn arrow_error(error: ArrowError) -> Error {
    Error::corrupt(format!("files by columns: {error}"))
}

/// A batch of some columns.
pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(arrow_error)
}

/// As a stream of Arrow's IPC format, its buffers compressed by LZ4.
pub(super) fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let write = || {
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
        writer.write(batch)?;
        writer.into_inner()
    };
    write().map_err(arrow_error)
}

/// `None` for what is no such stream, or holds not one batch.
pub(super) fn decode(bytes: &[u8]) -> Option<RecordBatch> {
    let mut batches = StreamReader::try_new(Cursor::new(bytes), None).ok()?;
    let batch = batches.next()?.ok()?;
    batches.next().is_none().then_some(batch)
}

/// The block of `files` of some rows. A column in which nothing is does without.
pub(super) fn block<'r>(rows: impl Iterator<Item = &'r FileRow> + Clone) -> Result<RecordBatch> {
    let integers =
        |value: fn(&FileRow) -> Option<i64>| -> ArrayRef { Arc::new(rows.clone().map(value).collect::<Int64Array>()) };
    let vectors: StringArray = rows.clone().map(|row| row.deletion_vector.as_deref()).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (PATH, Arc::new(StringArray::from_iter_values(rows.clone().map(|row| row.path.as_str())))),
        (SIZE, integers(|row| Some(row.size))),
        (MODIFICATION_TIME, integers(|row| Some(row.modification_time))),
        (ROW_COUNT, integers(|row| row.row_count)),
        (DELETION_VECTOR, Arc::new(vectors)),
        (BASE_ROW_ID, integers(|row| row.base_row_id)),
        (DEFAULT_ROW_COMMIT_VERSION, integers(|row| row.default_row_commit_version)),
    ];
    batch(columns.into_iter().filter(|(_, array)| array.null_count() < array.len()).collect())
}

/// A list of the files of a block; `None` where the block is of another form.
pub(super) fn list(
    ids: Int64Array,
    partition_values: DictionaryArray<Int32Type>,
    block: &RecordBatch,
) -> Option<RecordBatch> {
    let mut given = [(FILE_ID, Arc::new(ids) as ArrayRef), (PARTITION_VALUES, Arc::new(partition_values) as ArrayRef)];
    let columns = LIST.fields().iter().zip(NULLS.iter()).map(|(field, nulls)| {
        let own = given.iter_mut().find(|(name, _)| name == field.name()).map(|(_, array)| Arc::clone(array));
        let array = own.or_else(|| block.column_by_name(field.name()).cloned());
        array.unwrap_or_else(|| match block.num_rows() {
            rows @ ..=SHARED_NULLS => nulls.slice(0, rows),
            rows => new_null_array(field.data_type(), rows),
        })
    });
    // Checks lengths and types, and that nothing is null that may not be.
    RecordBatch::try_new(Arc::clone(&LIST), columns.collect()).ok()
}

/// A list of rows.
pub(super) fn list_of_rows(rows: &[FileRow]) -> Result<RecordBatch> {
    let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.file_id));
    let values = partition_values(rows.iter());
    list(ids, values, &block(rows.iter())?).ok_or_else(|| Error::corrupt("rows of the catalog make no list of files"))
}

/// Each distinct text once.
pub(super) fn partition_values<'r>(rows: impl Iterator<Item = &'r FileRow>) -> DictionaryArray<Int32Type> {
    rows.map(|row| row.partition_values.as_str()).collect()
}

/// The dictionary behind partition values; `None` where they are none.
pub(super) fn as_partition_values(array: &ArrayRef) -> Option<&DictionaryArray<Int32Type>> {
    array.as_dictionary_opt::<Int32Type>().filter(|array| array.values().data_type() == &DataType::Utf8)
}
