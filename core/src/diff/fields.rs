//! The fields of actions, compared by what they mean.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use twox_hash::XxHash3_128;

use super::value::Value;
use super::{FieldDifference, Source};
use crate::action::{Add, DeletionVector, Extra, Json, Metadata, Protocol};
use crate::scalar::{Scalar, parse_instant};
use crate::schema::{DataType, Field, Primitive, Schema};
use crate::stats_value::stats_value;

/// The fields that the protocol names: a checkpoint may have no others.
const ADD_FIELDS: [&str; 9] = [
    "size",
    "modificationTime",
    "partitionValues",
    "stats",
    "tags",
    "deletionVector",
    "baseRowId",
    "defaultRowCommitVersion",
    "clusteringProvider",
];
const METADATA_FIELDS: [&str; 8] =
    ["id", "name", "description", "format", "schemaString", "partitionColumns", "createdTime", "configuration"];
const PROTOCOL_FIELDS: [&str; 4] = ["minReaderVersion", "minWriterVersion", "readerFeatures", "writerFeatures"];
/// Of `txn` and `domainMetadata`.
const OTHER_FIELDS: [&str; 6] = ["appId", "version", "lastUpdated", "domain", "configuration", "removed"];

/// What a file means beside its key: two with the same are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHash([u64; 2]);

impl FileHash {
    pub(super) fn of(add: &Add, text: &mut String) -> Self {
        text.clear();
        add_value(add).write(text);
        FileHash::of_text(text)
    }

    fn of_text(text: &str) -> Self {
        let hash = XxHash3_128::oneshot(text.as_bytes());
        FileHash([(hash >> 64) as u64, hash as u64])
    }

    pub(super) fn number(self) -> u128 {
        u128::from(self.0[0]) << 64 | u128::from(self.0[1])
    }
}

/// Which columns' statistics are compared by more than their JSON: by the names that lead to them in files.
#[derive(Clone, Debug, Default)]
pub struct StatsTypes(BTreeMap<Vec<String>, Primitive>);

impl StatsTypes {
    /// Of a table; a schema that cannot be read has none.
    pub fn of(metadata: &Metadata) -> Self {
        let mut types = StatsTypes::default();
        if let Ok(schema) = Schema::of(metadata) {
            types.collect(&schema, schema.fields(), &mut Vec::new());
        }
        types
    }

    fn collect(&mut self, schema: &Schema, fields: &[Field], path: &mut Vec<String>) {
        for field in fields {
            path.push(field.physical_name(schema.column_mapping()).to_owned());
            match &field.data_type {
                DataType::Struct(fields) => self.collect(schema, fields, path),
                DataType::Primitive(primitive) => {
                    self.0.insert(path.clone(), primitive.clone());
                }
                _ => {}
            }
            path.pop();
        }
    }

    /// Whether two bounds of a column are one value of its type: 0.1 as a `float` has many texts, a time has several.
    fn are_same(&self, path: &[&str], one: &Value<'_>, other: &Value<'_>) -> bool {
        let ["stats", "minValues" | "maxValues", column @ ..] = path else { return false };
        let column: Vec<String> = column.iter().map(|name| (*name).to_owned()).collect();
        self.0.get(&column).is_some_and(|primitive| is_same_bound(primitive, one, other))
    }
}

/// By what statistics are read as; a time that is not read, as its zone is not known, by its text's parts.
fn is_same_bound(primitive: &Primitive, one: &Value<'_>, other: &Value<'_>) -> bool {
    match [one, other].map(|bound| stats_value(&bound.to_json(), primitive)) {
        [Some(Scalar::Timestamp(one)), Some(Scalar::Timestamp(other))] => one.micros == other.micros,
        [Some(one), Some(other)] => one == other,
        _ => match (primitive, one, other) {
            (Primitive::Timestamp | Primitive::TimestampNtz, Value::Text(one), Value::Text(other)) => {
                parse_instant(one).is_some_and(|one| parse_instant(other) == Some(one))
            }
            _ => false,
        },
    }
}

/// The fields of an object, as they are put together.
#[derive(Default)]
struct Fields<'a>(BTreeMap<Cow<'a, str>, Value<'a>>);

impl<'a> Fields<'a> {
    fn with_extra(extra: &'a Extra) -> Self {
        Fields(extra.iter().map(|(name, value)| (name.as_str().into(), Value::of_json(value.text()))).collect())
    }

    fn set(&mut self, name: &'static str, value: impl Into<Option<Value<'a>>>) {
        if let Some(value) = value.into() {
            self.0.insert(name.into(), value);
        }
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

/// An `add` without its path, and without `dataChange`, which is about the commit.
fn add_value(add: &Add) -> Value<'_> {
    let mut fields = Fields::with_extra(&add.extra);
    fields.set("size", Value::number(add.size));
    fields.set("modificationTime", Value::number(add.modification_time));
    // An empty text means null, too (protocol section "Partition Value Serialization").
    let partition_values = add.partition_values.0.iter().filter_map(|(name, value)| {
        let value = value.as_deref().filter(|value| !value.is_empty())?;
        Some((Cow::Borrowed(name.as_str()), text(value)))
    });
    fields.set("partitionValues", Value::Object(partition_values.collect()));
    fields.set("stats", add.stats.as_deref().map(Value::of_json));
    fields.set("tags", add.tags.as_ref().map(|tags| Value::of_json(tags.text())));
    fields.set("deletionVector", add.deletion_vector.as_ref().map(vector_value));
    fields.set("baseRowId", add.base_row_id.map(Value::number));
    fields.set("defaultRowCommitVersion", add.default_row_commit_version.map(Value::number));
    fields.set("clusteringProvider", add.clustering_provider.as_deref().map(text));
    Value::Object(fields.0)
}

fn vector_value(vector: &DeletionVector) -> Value<'_> {
    let mut fields = Fields::with_extra(&vector.extra);
    fields.set("storageType", text(&vector.storage_type));
    fields.set("pathOrInlineDv", text(&vector.path_or_inline_dv));
    fields.set("offset", vector.offset.map(Value::number));
    fields.set("sizeInBytes", Value::number(vector.size_in_bytes));
    fields.set("cardinality", Value::number(vector.cardinality));
    Value::Object(fields.0)
}

/// What differs in two `add`s of a logical file, of which the log's was read from `source`.
pub(super) fn add_differences(catalog: &Add, log: &Add, source: Source, types: &StatsTypes) -> Vec<FieldDifference> {
    differences(&add_value(catalog), &add_value(log), |path, catalog, log| {
        let may_be_left_out = path[0] == "stats" || !ADD_FIELDS.contains(&path[0]);
        match (catalog, log) {
            (Some(_), None) => source == Source::Checkpoint && may_be_left_out,
            (Some(catalog), Some(log)) => types.are_same(path, catalog, log),
            _ => false,
        }
    })
}

pub(super) fn metadata_differences(catalog: &Metadata, log: &Metadata, source: Source) -> Vec<FieldDifference> {
    let (catalog_json, log_json) = (json(catalog), json(log));
    let value = |text, metadata| with_schema(Value::of_json(text), metadata);
    let (catalog, log) = (value(&catalog_json, catalog), value(&log_json, log));
    differences(&catalog, &log, |path, _, log| is_left_out(source, &METADATA_FIELDS, path, log))
}

/// A schema is JSON in a text, too.
fn with_schema<'a>(value: Value<'a>, metadata: &'a Metadata) -> Value<'a> {
    let Value::Object(mut fields) = value else { return value };
    if let Some(schema) = &metadata.schema_string {
        fields.insert("schemaString".into(), Value::of_json(schema));
    }
    Value::Object(fields)
}

pub(super) fn protocol_differences(catalog: &Protocol, log: &Protocol, source: Source) -> Vec<FieldDifference> {
    let sets = |protocol: &Protocol| {
        let mut protocol = protocol.clone();
        for features in [&mut protocol.reader_features, &mut protocol.writer_features] {
            // A list that is empty says as much as none.
            *features = features.take().filter(|features| !features.is_empty());
            features.iter_mut().for_each(|features| {
                features.sort_unstable();
                features.dedup();
            });
        }
        json(&protocol)
    };
    let (catalog, log) = (sets(catalog), sets(log));
    differences(&Value::of_json(&catalog), &Value::of_json(&log), |path, _, log| {
        is_left_out(source, &PROTOCOL_FIELDS, path, log)
    })
}

/// Of a `txn` or `domainMetadata`.
pub(super) fn action_differences(
    catalog: &impl Serialize,
    log: &impl Serialize,
    source: Source,
) -> Vec<FieldDifference> {
    let (catalog, log) = (json(catalog), json(log));
    differences(&Value::of_json(&catalog), &Value::of_json(&log), |path, _, log| {
        is_left_out(source, &OTHER_FIELDS, path, log)
    })
}

/// A checkpoint has columns for the fields that the protocol names, and for others only if its writer made some.
fn is_left_out(source: Source, known: &[&str], path: &[&str], log: Option<&Value<'_>>) -> bool {
    source == Source::Checkpoint && log.is_none() && !known.contains(&path[0])
}

fn differences(
    catalog: &Value<'_>,
    log: &Value<'_>,
    is_allowed: impl Fn(&[&str], Option<&Value<'_>>, Option<&Value<'_>>) -> bool,
) -> Vec<FieldDifference> {
    let (catalog, log) = (catalog.leaves(), log.leaves());
    let mut paths: Vec<&Vec<&str>> = catalog.keys().chain(log.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let both = |path: &Vec<&str>| (catalog.get(path).copied(), log.get(path).copied());
    let differing = paths.into_iter().filter(|&path| match both(path) {
        (Some(catalog), Some(log)) if catalog.means(log) => false,
        (catalog, log) => path.is_empty() || !is_allowed(path, catalog, log),
    });
    let told = |value: Option<&Value<'_>>| value.and_then(|value| Json::parse(value.to_json()).ok());
    differing
        .map(|path| {
            let (catalog, log) = both(path);
            FieldDifference { field: path.join("."), catalog: told(catalog), log: told(log) }
        })
        .collect()
}

/// Actions hold strings, numbers and JSON text only, which always serialize.
fn json(action: &impl Serialize) -> String {
    serde_json::to_string(action).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, parse_line};

    fn add(fields: &str) -> Add {
        let line = format!(
            r#"{{"add":{{"path":"a","partitionValues":{{}},"size":1,"modificationTime":0,"dataChange":true{fields}}}}}"#
        );
        match parse_line(&line).unwrap().remove(0) {
            Action::Add(add) => add,
            other => panic!("{other:?}"),
        }
    }

    fn types() -> StatsTypes {
        let schema = r#"{\"type\":\"struct\",\"fields\":[
            {\"name\":\"f\",\"type\":\"float\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"d\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"t\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"n\",\"type\":\"timestamp_ntz\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"c\",\"type\":\"decimal(5,2)\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"day\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"s\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},
            {\"name\":\"l\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}"#
            .replace('\n', "");
        let line = format!(
            r#"{{"metaData":{{"id":"i","format":{{"provider":"parquet"}},"schemaString":"{schema}","partitionColumns":[],"configuration":{{}}}}}}"#
        );
        match parse_line(&line).unwrap().remove(0) {
            Action::Metadata(metadata) => StatsTypes::of(&metadata),
            other => panic!("{other:?}"),
        }
    }

    /// The names of the fields that differ.
    fn check(catalog: &str, log: &str, source: Source, expected: &[&str]) {
        let differences = add_differences(&add(catalog), &add(log), source, &types());
        let fields: Vec<&str> = differences.iter().map(|difference| difference.field.as_str()).collect();
        assert_eq!(fields, expected, "{catalog} and {log}");
    }

    fn stats(text: &str) -> String {
        format!(",\"stats\":{}", serde_json::to_string(text).unwrap())
    }

    #[test]
    fn a_checkpoint_may_leave_out_and_not_change() {
        let all = stats(r#"{"numRecords":1,"minValues":{"l":1,"s":"a"}}"#) + r#","odd":{"x":1}"#;
        let some = stats(r#"{"numRecords":1,"minValues":{"l":1}}"#);
        let other = stats(r#"{"numRecords":1,"minValues":{"l":2}}"#);
        let more = stats(r#"{"numRecords":1,"minValues":{"l":1},"maxValues":{"l":9}}"#);
        check(&all, "", Source::Checkpoint, &[]);
        check(&all, &some, Source::Checkpoint, &[]);
        check(&all, &some, Source::Commit, &["odd.x", "stats.minValues.s"]);
        check(&all, &other, Source::Checkpoint, &["stats.minValues.l"]);
        check(&some, &more, Source::Checkpoint, &["stats.maxValues.l"]);
        check("", r#","odd":1"#, Source::Checkpoint, &["odd"]);
        // What the protocol names it must have.
        for field in [r#","baseRowId":1"#, r#","tags":{"a":"b"}"#, r#","clusteringProvider":"x""#] {
            assert_eq!(add_differences(&add(field), &add(""), Source::Checkpoint, &types()).len(), 1, "{field}");
        }
    }

    #[test]
    fn bounds_are_values_of_their_columns() {
        let bound = |column: &str, value: &str| stats(&format!(r#"{{"minValues":{{"{column}":{value}}}}}"#));
        let same = |column: &str, one: &str, other: &str| {
            check(&bound(column, one), &bound(column, other), Source::Commit, &[]);
        };
        let different = |column: &str, one: &str, other: &str| {
            let field = format!("stats.minValues.{column}");
            check(&bound(column, one), &bound(column, other), Source::Checkpoint, &[&field]);
        };
        same("f", "0.1", "0.10000000149011612");
        different("d", "0.1", "0.10000000149011612");
        same("d", "0.1", "0.1000000000000000055511151231257827");
        same("d", "2.0E-3", "0.002");
        different("l", "9007199254740993", "9007199254740992");
        same("l", "5", "5.0");
        same("t", "\"2024-01-01T00:00:00Z\"", "\"2024-01-01T00:00:00.000Z\"");
        different("t", "\"2024-01-01T00:00:00Z\"", "\"2024-01-01T00:00:01Z\"");
        same("t", "\"2021-05-01T12:00:00.000-07:00\"", "\"2021-05-01T19:00:00.000Z\"");
        same("t", "\"2021-05-01T19:00:00+00:00\"", "\"2021-05-01T19:00:00.000Z\"");
        different("t", "\"2021-05-01T12:00:00\"", "\"2021-05-01T12:00:00Z\"");
        same("n", "\"2021-05-01T12:00:00\"", "\"2021-05-01T12:00:00.000Z\"");
        different("n", "\"2021-05-01T12:00:00\"", "\"2021-05-01T12:00:00+00:00\"");
        same("c", "\"1.50\"", "1.5");
        different("c", "\"1.50\"", "1.51");
        same("day", "\"1969-1-3\"", "\"1969-01-03\"");
        different("day", "\"1969-1-3\"", "\"1969-01-04\"");
        different("s", "\"2024-01-01T00:00:00Z\"", "\"2024-01-01T00:00:00.000Z\"");
    }

    #[test]
    fn data_change_and_empty_partition_values_say_nothing() {
        let hash = |add: &Add| FileHash::of(add, &mut String::new());
        let mut one = add(r#","tags":{}"#);
        let mut other = one.clone();
        other.data_change = false;
        other.tags = None;
        one.partition_values.0.insert("p".into(), Some(String::new()));
        other.partition_values.0.insert("p".into(), None);
        assert_eq!(hash(&one), hash(&other));
        other.partition_values.0.insert("p".into(), Some("0".into()));
        assert_ne!(hash(&one), hash(&other));
    }
}
