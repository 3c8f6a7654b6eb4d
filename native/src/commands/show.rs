//! `dl snapshot`, `dl history`, `dl schema`.

use deltalakedb_core::Result;
use deltalakedb_core::action::{CommitInfo, Json, Metadata, Protocol};
use deltalakedb_core::schema::{DataType, Field, Schema};
use deltalakedb_core::snapshot::{HistoryEntry, Snapshot, history as read_history, snapshot as read_snapshot};
use deltalakedb_core::time::format_ms;
use serde::Serialize;

use super::now_ms;
use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::output::{Column, Output, bytes};

pub(super) async fn snapshot(args: cli::At, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let state = read_snapshot(&database, &args.selector(), args.at()).await?;
    if output.format != Format::Table {
        return output.json(&SnapshotJson::new(&state));
    }
    let (protocol, metadata) = (&state.protocol, &state.metadata);
    let features: Vec<&str> = protocol
        .writer_features
        .iter()
        .flatten()
        .chain(protocol.reader_features.iter().flatten())
        .map(String::as_str)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let configuration = metadata.configuration.0.iter();
    let properties = configuration.map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or("null")));
    let transactions = state.active_transactions(now_ms()).map(|txn| format!("{}@{}", txn.app_id, txn.version));
    let domains = state.domain_metadata.iter().map(|domain| domain.domain.clone());
    let mut shown = vec![
        ("table", state.table.name.clone()),
        ("location", state.table.location.clone()),
        ("version", state.version.to_string()),
        ("time", format_ms(state.timestamp_ms)),
        ("files", state.file_count.to_string()),
        ("size", bytes(state.size_bytes)),
        ("rows", state.row_count.map_or("not known".to_owned(), |rows| rows.to_string())),
        ("protocol", format!("reader {}, writer {}", protocol.min_reader_version, protocol.min_writer_version)),
        ("features", or_dash(features.join(", "))),
        ("partitioned by", or_dash(metadata.partition_columns.join(", "))),
    ];
    shown.extend(several("properties", properties.collect()));
    shown.extend(several("transactions", transactions.collect()));
    shown.extend(several("domains", domains.collect()));
    output.properties(&shown)
}

/// A line each, the name before the first; of very many only some.
fn several(name: &'static str, mut values: Vec<String>) -> Vec<(&'static str, String)> {
    const SHOWN: usize = 50;
    let more = values.len().saturating_sub(SHOWN);
    values.truncate(SHOWN);
    if values.is_empty() {
        values.push("-".to_owned());
    }
    if more > 0 {
        values.push(format!("and {more} more, which --format json shows"));
    }
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names.zip(values).collect()
}

pub(super) async fn history(args: cli::History, output: &Output) -> Result<()> {
    let database = open_catalog(&args.at.database.database).await?;
    let selector = args.at.selector();
    let newest = match args.at.at() {
        deltalakedb_core::snapshot::At::Latest => None,
        at => Some(read_snapshot(&database, &selector, at).await?.version),
    };
    let limit = args.limit.unwrap_or(usize::MAX).min(i64::MAX as usize);
    let entries = read_history(&database, &selector, newest, limit).await?.entries;
    if output.format != Format::Table {
        return output.json_list(&entries.iter().map(EntryJson::new).collect::<Vec<_>>());
    }
    let columns = [
        Column::Right("VERSION"),
        Column::Left("TIME"),
        Column::Left("OPERATION"),
        Column::Right("ADDED"),
        Column::Right("REMOVED"),
    ];
    let count = |count: Option<i64>| count.map_or("-".to_owned(), |count| count.to_string());
    let rows = entries.into_iter().map(|entry| {
        vec![
            entry.version.to_string(),
            format_ms(entry.timestamp_ms),
            entry.operation.unwrap_or_else(|| "-".to_owned()),
            count(entry.added_files),
            count(entry.removed_files),
        ]
    });
    output.table(&columns, rows.collect())
}

/// What `dl snapshot` prints. Actions go out as they are stored: their numbers may be larger than any of Rust's.
#[derive(Serialize)]
struct SnapshotJson<'a> {
    table_id: &'a str,
    name: &'a str,
    version: i64,
    timestamp_ms: i64,
    protocol: &'a Protocol,
    metadata: &'a Metadata,
    file_count: i64,
    size_bytes: i64,
    row_count: Option<i64>,
    transactions: Vec<TransactionJson<'a>>,
    domain_metadata: Vec<DomainJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransactionJson<'a> {
    app_id: &'a str,
    version: i64,
    last_updated: Option<i64>,
}

#[derive(Serialize)]
struct DomainJson<'a> {
    domain: &'a str,
    configuration: &'a str,
}

impl<'a> SnapshotJson<'a> {
    fn new(state: &'a Snapshot) -> Self {
        let transactions = state.active_transactions(now_ms()).map(|txn| TransactionJson {
            app_id: &txn.app_id,
            version: txn.version,
            last_updated: txn.last_updated,
        });
        let domains = state
            .domain_metadata
            .iter()
            .map(|domain| DomainJson { domain: &domain.domain, configuration: &domain.configuration });
        SnapshotJson {
            table_id: &state.table.table_id,
            name: &state.table.name,
            version: state.version,
            timestamp_ms: state.timestamp_ms,
            protocol: &state.protocol,
            metadata: &state.metadata,
            file_count: state.file_count,
            size_bytes: state.size_bytes,
            row_count: state.row_count,
            transactions: transactions.collect(),
            domain_metadata: domains.collect(),
        }
    }
}

/// What `dl history` prints of a version.
#[derive(Serialize)]
struct EntryJson<'a> {
    version: i64,
    timestamp_ms: i64,
    operation: Option<&'a str>,
    added_files: Option<i64>,
    removed_files: Option<i64>,
    commit_info: Option<&'a CommitInfo>,
    commit_id: Option<&'a str>,
}

impl<'a> EntryJson<'a> {
    fn new(entry: &'a HistoryEntry) -> Self {
        EntryJson {
            version: entry.version,
            timestamp_ms: entry.timestamp_ms,
            operation: entry.operation.as_deref(),
            added_files: entry.added_files,
            removed_files: entry.removed_files,
            commit_info: entry.commit_info.as_ref(),
            commit_id: entry.commit_id.as_deref(),
        }
    }
}

/// What `dl schema` prints.
#[derive(Serialize)]
struct SchemaJson<'a> {
    table_id: &'a str,
    name: &'a str,
    version: i64,
    schema: Json,
    partition_columns: &'a [String],
}

pub(super) async fn schema(args: cli::At, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let state = read_snapshot(&database, &args.selector(), args.at()).await?;
    let parse = |error: serde_json::Error| {
        deltalakedb_core::Error::corrupt(format!("the schema of table {} is not JSON: {error}", state.table.name))
            .table(&state.table.name)
            .version(state.version)
    };
    let text = state.metadata.schema_string.as_deref();
    let text = text.unwrap_or(r#"{"type":"struct","fields":[]}"#);
    if output.format != Format::Table {
        return output.json(&SchemaJson {
            table_id: &state.table.table_id,
            name: &state.table.name,
            version: state.version,
            schema: Json::parse(text.to_owned()).map_err(parse)?,
            partition_columns: &state.metadata.partition_columns,
        });
    }
    let schema = Schema::parse(text).map_err(|error| error.table(&state.table.name).version(state.version))?;
    let columns = [Column::Left("COLUMN"), Column::Left("TYPE"), Column::Left("NULLABLE"), Column::Left("PARTITION")];
    let mut rows = Vec::new();
    field_rows(schema.fields(), 0, &state.metadata.partition_columns, &mut rows);
    output.table(&columns, rows)
}

/// A row a field; the fields of structs, also of those in arrays and maps, indented below theirs.
fn field_rows(fields: &[Field], depth: usize, partition_columns: &[String], rows: &mut Vec<Vec<String>>) {
    let yes = |is: bool, otherwise: &str| if is { "yes" } else { otherwise }.to_owned();
    for field in fields {
        rows.push(vec![
            format!("{}{}", "  ".repeat(depth), field.name),
            type_text(&field.data_type),
            yes(field.nullable, "no"),
            yes(partition_columns.contains(&field.name), ""),
        ]);
        for nested in structs_in(&field.data_type) {
            field_rows(nested, depth + 1, &[], rows);
        }
    }
}

fn structs_in(data_type: &DataType) -> Vec<&[Field]> {
    match data_type {
        DataType::Primitive(_) => Vec::new(),
        DataType::Struct(fields) => vec![fields],
        DataType::Array { element, .. } => structs_in(element),
        DataType::Map { key, value, .. } => [structs_in(key), structs_in(value)].concat(),
    }
}

/// Without the fields of structs, which have rows of their own.
fn type_text(data_type: &DataType) -> String {
    match data_type {
        DataType::Primitive(primitive) => primitive.to_string(),
        DataType::Struct(_) => "struct".to_owned(),
        DataType::Array { element, .. } => format!("array<{}>", type_text(element)),
        DataType::Map { key, value, .. } => format!("map<{}, {}>", type_text(key), type_text(value)),
    }
}
