//! Whether the structs in a checkpoint's `add`s say what the texts beside them say: `stats_parsed` and `stats`,
//! `partitionValues_parsed` and `partitionValues` (protocol section "Checkpoints").
//!
//! Engines go by the structs, so that a wrong one is a wrong answer. A struct may say less than its text, which makes engines
//! read more files; of partition values it may not, as null is a value there.

mod partition_values;
mod stats;
#[cfg(test)]
mod tests;
mod values;

use arrow_array::cast::AsArray;
use arrow_array::{Array, MapArray, RecordBatch, StructArray};
use arrow_schema::{DataType, Schema};
use parquet::file::reader::ChunkReader;

use super::checkpoint::{Batches, PARTITION_VALUES_PARSED, STATS_PARSED};
use super::json_encoder::TextArray;
use crate::Result;
use values::Part;

const ADD: &str = "add";
const PATH: &str = "path";
const STATS: &str = "stats";
const PARTITION_VALUES: &str = "partitionValues";
const COLUMNS: [&str; 5] = [PATH, STATS, STATS_PARSED, PARTITION_VALUES, PARTITION_VALUES_PARSED];
/// Of a text in a message.
const SHOWN_CHARS: usize = 60;

/// What is wrong with the structs of a checkpoint's file or sidecar: a text for `stats_parsed`, one for
/// `partitionValues_parsed`, none where nothing is. A row that has only one of struct and text has nothing to compare.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) when it is not a Parquet file, or its columns are not those of a checkpoint.
pub fn wrong_structs(file: &str, source: impl ChunkReader + 'static) -> Result<Vec<String>> {
    let keep = |leaf: &[String]| leaf[0] == ADD && leaf.get(1).is_some_and(|field| COLUMNS.contains(&field.as_str()));
    let mut batches = Batches::open(file, source, keep)?;
    if !has_structs(batches.schema()) {
        return Ok(Vec::new());
    }
    let [mut stats, mut partition_values] = [Faults::default(), Faults::default()];
    while let Some(batch) = batches.next() {
        check_batch(&batch?, &mut stats, &mut partition_values).map_err(|error| batches.doing(error))?;
    }
    let told = [stats.told(STATS_PARSED, STATS), partition_values.told(PARTITION_VALUES_PARSED, PARTITION_VALUES)];
    Ok(told.into_iter().flatten().collect())
}

fn has_structs(schema: &Schema) -> bool {
    let fields = schema.field_with_name(ADD).map(|add| add.data_type());
    let Ok(DataType::Struct(fields)) = fields else { return false };
    let has = |name| fields.find(name).is_some();
    has(STATS) && has(STATS_PARSED) || has(PARTITION_VALUES) && has(PARTITION_VALUES_PARSED)
}

fn check_batch(batch: &RecordBatch, stats: &mut Faults, partition_values: &mut Faults) -> Result<()> {
    let Some(add) = batch.column_by_name(ADD).and_then(|column| column.as_struct_opt()) else { return Ok(()) };
    let path = add.column_by_name(PATH).map(|path| TextArray::of(path.as_ref())).transpose()?;
    let path = |row: usize| path.as_ref().and_then(|path| path.text(row)).unwrap_or_default();
    if let (Some(text), Some(parsed)) = (add.column_by_name(STATS), parsed(add, STATS_PARSED)) {
        let (texts, parsed) = (TextArray::of(text.as_ref())?, Part::of_struct(parsed));
        for row in (0..add.len()).filter(|&row| add.is_valid(row) && text.is_valid(row)) {
            let found = texts.text(row).and_then(|text| stats::difference(&parsed, row, text));
            stats.count(found, path(row));
        }
    }
    let text = add.column_by_name(PARTITION_VALUES).and_then(|map| map.as_any().downcast_ref::<MapArray>());
    if let (Some(text), Some(parsed)) = (text, parsed(add, PARTITION_VALUES_PARSED)) {
        let (texts, columns) = (partition_values::Texts::of(text)?, values::columns(parsed));
        for row in (0..add.len()).filter(|&row| add.is_valid(row) && text.is_valid(row)) {
            partition_values.count(partition_values::difference(&columns, parsed, &texts, row), path(row));
        }
    }
    Ok(())
}

fn parsed<'a>(add: &'a StructArray, name: &str) -> Option<&'a StructArray> {
    add.column_by_name(name)?.as_struct_opt()
}

/// A value that is not what its text says.
struct Difference {
    /// The names that lead to it in the struct, with dots between them.
    field: String,
    /// As JSON; none for null.
    value: Option<String>,
    /// Likewise.
    text: Option<String>,
}

/// The rows of a file whose struct is wrong.
#[derive(Default)]
struct Faults {
    rows: u64,
    /// A file's path, and what is wrong there.
    first: Option<(String, Difference)>,
}

impl Faults {
    fn count(&mut self, found: Option<Difference>, path: &str) {
        if let Some(difference) = found {
            self.rows += 1;
            self.first.get_or_insert_with(|| (path.to_owned(), difference));
        }
    }

    fn told(self, parsed: &str, text: &str) -> Option<String> {
        let (path, Difference { field, value, text: told }) = self.first?;
        let shown = |value: Option<String>| value.map_or_else(|| "null".to_owned(), |value| shortened(&value));
        Some(format!(
            "`{parsed}` of {} `add`s is not what their `{text}` says: that of {} has {} as `{field}`, the text has {}",
            self.rows,
            shortened(&path),
            shown(value),
            shown(told)
        ))
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
