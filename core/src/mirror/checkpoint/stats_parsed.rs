//! The types of `stats_parsed` and `partitionValues_parsed` (protocol sections "Per-file Statistics" and "Checkpoints").

use super::parsed::ParsedType;
use crate::action::Metadata;
use crate::schema::{ColumnMapping, DataType, Field, Primitive, Schema};

const INDEXED_COLUMN_COUNT: &str = "delta.dataSkippingNumIndexedCols";
const INDEXED_COLUMNS: &str = "delta.dataSkippingStatsColumns";
/// As in Delta-Spark.
const DEFAULT_INDEXED_COLUMN_COUNT: i64 = 32;

/// The struct of a table's statistics: of the columns that have some by the table's properties, under their physical
/// names.
pub(super) fn stats_type(schema: &Schema, metadata: &Metadata, has_deletion_vectors: bool) -> ParsedType {
    let mut columns = IndexedColumns::of(metadata);
    let mapping = schema.column_mapping();
    let partition: Vec<&str> = schema.partition_columns().map(|field| field.name.as_str()).collect();
    let data = schema.fields().iter().filter(|field| !partition.contains(&field.name.as_str()));
    let indexed: Vec<(String, Indexed)> = data
        .filter_map(|field| Some((field.physical_name(mapping).to_owned(), columns.take(field, mapping)?)))
        .collect();
    let bounds = || of_kind(&indexed, &|data_type| bounded_type(data_type).cloned());
    let null_count = of_kind(&indexed, &|_| Some(Primitive::Long));
    let mut fields = vec![("numRecords".to_owned(), ParsedType::Leaf(Primitive::Long))];
    let parts = [("minValues", bounds()), ("maxValues", bounds()), ("nullCount", null_count)];
    fields.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
    if has_deletion_vectors {
        fields.push(("tightBounds".to_owned(), ParsedType::Leaf(Primitive::Boolean)));
    }
    ParsedType::Struct(fields)
}

/// The struct of a table's partition values; `None` for a table without partitions.
pub(super) fn partition_values_type(schema: &Schema) -> Option<ParsedType> {
    let mapping = schema.column_mapping();
    ParsedType::of_fields(schema.partition_columns().filter_map(|field| match &field.data_type {
        DataType::Primitive(Primitive::Void | Primitive::Variant | Primitive::Other(_)) => None,
        DataType::Primitive(primitive) => {
            Some((field.physical_name(mapping).to_owned(), ParsedType::Leaf(primitive.clone())))
        }
        _ => None,
    }))
}

/// A column with statistics, by its physical name, or those below it.
enum Indexed {
    Column(DataType),
    Struct(Vec<(String, Indexed)>),
}

/// The columns as a struct, of those for which there is a kind of statistics.
fn of_kind(columns: &[(String, Indexed)], leaf: &impl Fn(&DataType) -> Option<Primitive>) -> Option<ParsedType> {
    ParsedType::of_fields(columns.iter().filter_map(|(name, column)| {
        let column = match column {
            Indexed::Column(data_type) => ParsedType::Leaf(leaf(data_type)?),
            Indexed::Struct(fields) => of_kind(fields, leaf)?,
        };
        Some((name.clone(), column))
    }))
}

/// Types that have a least and a greatest value. Delta-Spark has none of booleans and bytes.
fn bounded_type(data_type: &DataType) -> Option<&Primitive> {
    match data_type {
        DataType::Primitive(
            Primitive::Boolean | Primitive::Binary | Primitive::Void | Primitive::Variant | Primitive::Other(_),
        ) => None,
        DataType::Primitive(primitive) => Some(primitive),
        _ => None,
    }
}

/// Which columns have statistics.
enum IndexedColumns {
    /// So many more, counted as they come; a struct counts by its fields.
    First(i64),
    /// Those of these logical paths, in lower case, and all below them.
    Named(Vec<Vec<String>>),
}

impl IndexedColumns {
    fn of(metadata: &Metadata) -> Self {
        let property = |name: &str| metadata.configuration.value(name);
        if let Some(paths) = property(INDEXED_COLUMNS) {
            return IndexedColumns::Named(column_paths(&paths.to_lowercase()));
        }
        let count = property(INDEXED_COLUMN_COUNT).and_then(|text| text.trim().parse().ok());
        let count = count.unwrap_or(DEFAULT_INDEXED_COLUMN_COUNT);
        IndexedColumns::First(if count < 0 { i64::MAX } else { count })
    }

    fn take(&mut self, field: &Field, mapping: ColumnMapping) -> Option<Indexed> {
        self.take_below(field, mapping, &mut Vec::new())
    }

    fn take_below(&mut self, field: &Field, mapping: ColumnMapping, path: &mut Vec<String>) -> Option<Indexed> {
        path.push(field.name.to_lowercase());
        let found = match &field.data_type {
            DataType::Struct(fields) => {
                let fields = fields.iter().filter_map(|field| {
                    Some((field.physical_name(mapping).to_owned(), self.take_below(field, mapping, path)?))
                });
                let fields: Vec<_> = fields.collect();
                (!fields.is_empty()).then_some(Indexed::Struct(fields))
            }
            data_type => self.take_one(path).then(|| Indexed::Column(data_type.clone())),
        };
        path.pop();
        found
    }

    fn take_one(&mut self, path: &[String]) -> bool {
        match self {
            IndexedColumns::First(left) => {
                *left -= 1;
                *left >= 0
            }
            IndexedColumns::Named(paths) => paths.iter().any(|named| path.starts_with(named)),
        }
    }
}

/// The columns in a list with commas: names with dots between them, in backticks where a name holds a dot or comma.
fn column_paths(list: &str) -> Vec<Vec<String>> {
    let mut paths = vec![vec![String::new()]];
    let mut is_quoted = false;
    for character in list.chars() {
        let path = paths.last_mut();
        match (character, path) {
            ('`', _) => is_quoted = !is_quoted,
            (',', _) if !is_quoted => paths.push(vec![String::new()]),
            ('.', Some(path)) if !is_quoted => path.push(String::new()),
            (_, Some(path)) => path.last_mut().into_iter().for_each(|name| name.push(character)),
            (_, None) => {}
        }
    }
    paths.iter().map(|path| path.iter().map(|name| name.trim().to_owned()).collect()).collect()
}
