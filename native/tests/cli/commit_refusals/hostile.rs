//! Hostile commits, by the table that they are for.

mod features;
mod files;
mod schema;
mod table;

use serde_json::{Value, json};

use crate::support::{add, lines, metadata_with, protocol};

/// A table's first commit, and commits that are refused on it, each with its name.
pub(super) struct Hostile {
    pub(super) first: Vec<u8>,
    pub(super) commits: Vec<(&'static str, Vec<u8>)>,
}

pub(super) fn hostile() -> Vec<Hostile> {
    [table::hostile(), files::hostile(), schema::hostile(), features::hostile()].into_iter().flatten().collect()
}

pub(super) const ROWS: &str = "{\"numRecords\":9}";

pub(super) fn vector() -> Value {
    json!({ "storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
            "sizeInBytes": 40, "cardinality": 6 })
}

pub(super) fn features(readers: &[&str], writers: &[&str]) -> Value {
    json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
                          "readerFeatures": readers, "writerFeatures": writers } })
}

pub(super) const MAPPING_FEATURES: &[&str] = &["appendOnly", "invariants", "columnMapping"];

/// A nullable column.
pub(super) fn column(name: &str, data_type: Value) -> Value {
    json!({ "name": name, "type": data_type, "nullable": true, "metadata": {} })
}

fn not_null(mut column: Value) -> Value {
    column["nullable"] = json!(false);
    column
}

pub(super) fn mapped_column(name: &str, id: i64, physical: &str) -> Value {
    let mut column = column(name, json!("long"));
    column["metadata"] = json!({ "delta.columnMapping.id": id, "delta.columnMapping.physicalName": physical });
    column
}

pub(super) fn schema_of(columns: &[Value]) -> Value {
    json!(json!({ "type": "struct", "fields": columns }).to_string())
}

pub(super) fn with_columns(columns: &[Value]) -> Value {
    metadata_with(json!({ "schemaString": schema_of(columns) }))
}

pub(super) fn with_properties(properties: Value) -> Value {
    metadata_with(json!({ "configuration": properties }))
}

fn with_column(data_type: Value, column_metadata: Value) -> Value {
    let mut other = column("c", data_type);
    other["metadata"] = column_metadata;
    with_columns(&[column("id", json!("long")), other])
}

/// Metadata with column mapping, and these properties.
pub(super) fn mapped(columns: &[Value], max_id: i64, mode: &str) -> Value {
    metadata_with(json!({ "schemaString": schema_of(columns), "configuration": {
        "delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": max_id.to_string() } }))
}

/// The first commit of a table with one file.
pub(super) fn with_one_file(protocol: Value, metadata: Value) -> Vec<u8> {
    lines(&[protocol, metadata, add("first")])
}

fn plain(metadata: Value) -> Vec<u8> {
    with_one_file(protocol(), metadata)
}
