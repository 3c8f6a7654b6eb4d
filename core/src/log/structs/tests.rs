use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::*;
use crate::action::{Action, Metadata, Protocol, parse_line};
use crate::mirror::{CheckpointForm, CheckpointWriter, UnknownFields};

fn action(line: Value) -> Action {
    parse_line(&line.to_string()).unwrap().remove(0)
}

/// A table's metadata: columns by name and type.
fn metadata(columns: &[(&str, &str)], partition_columns: &[&str]) -> Metadata {
    let field = |(name, data_type): &(&str, &str)| {
        let data_type = serde_json::from_str(data_type).unwrap_or_else(|_| json!(data_type));
        json!({ "name": name, "type": data_type, "nullable": true, "metadata": {} })
    };
    let schema = json!({ "type": "struct", "fields": columns.iter().map(field).collect::<Vec<_>>() }).to_string();
    let configuration = json!({ "delta.checkpoint.writeStatsAsStruct": "true" });
    let action = action(json!({ "metaData": {
        "id": "t", "format": { "provider": "parquet" }, "schemaString": schema, "partitionColumns": partition_columns,
        "configuration": configuration,
    } }));
    let Action::Metadata(metadata) = action else { panic!("{action:?}") };
    metadata
}

/// The rows of a checkpoint with one `add` of these fields, in its two forms.
fn rows(metadata: &Metadata, fields: &Value) -> RecordBatch {
    let protocol = json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"],
    } });
    let Action::Protocol(protocol) = action(protocol) else { panic!() };
    let protocol: Protocol = protocol;
    let mut add = json!({ "path": "a", "partitionValues": {}, "size": 1, "modificationTime": 2, "dataChange": false });
    fields.as_object().unwrap().iter().for_each(|(name, value)| add[name] = value.clone());
    let form = CheckpointForm::of(metadata, &protocol, 1).unwrap();
    let mut writer = CheckpointWriter::new(form, UnknownFields::Absent, || Ok(Vec::new())).unwrap();
    writer.write(&[action(json!({ "add": add }))]).unwrap();
    let file = Bytes::from(writer.finish().unwrap().files.remove(0).0);
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    batches.next().unwrap().unwrap()
}

/// What is wrong where the structs are those of one `add`, and the texts those of another.
fn wrong(metadata: &Metadata, structs: &Value, texts: &Value) -> Vec<String> {
    let (structs, texts) = (rows(metadata, structs), rows(metadata, texts));
    let add = |batch: &RecordBatch| batch.column_by_name("add").unwrap().as_struct().clone();
    let (structs, texts) = (add(&structs), add(&texts));
    let columns = structs.fields().iter().map(|field| {
        let from = if field.name().ends_with("_parsed") { &structs } else { &texts };
        from.column_by_name(field.name()).unwrap().clone()
    });
    let add = StructArray::new(structs.fields().clone(), columns.collect(), None);
    let batch = RecordBatch::try_from_iter([("add", Arc::new(add) as _)]).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    wrong_structs("the checkpoint", Bytes::from(file)).unwrap()
}

const COLUMNS: [(&str, &str); 11] = [
    ("id", "long"),
    ("n", "integer"),
    ("f", "float"),
    ("d", "double"),
    ("c", "decimal(5,2)"),
    ("wide", "decimal(38,10)"),
    ("s", "string"),
    ("day", "date"),
    ("t", "timestamp"),
    ("ntz", "timestamp_ntz"),
    ("in", r#"{"type":"struct","fields":[{"name":"x","type":"long","nullable":true,"metadata":{}}]}"#),
];

/// Of statistics, for which field a difference is told, if one is.
#[track_caller]
fn check_stats(structs: &Value, texts: &Value, expected: Option<&str>) {
    let add = |stats: &Value| match stats {
        Value::Null => json!({}),
        Value::String(text) => json!({ "stats": text }),
        stats => json!({ "stats": stats.to_string() }),
    };
    let told = wrong(&metadata(&COLUMNS, &[]), &add(structs), &add(texts));
    let is_expected = match expected {
        None => told.is_empty(),
        Some(field) => told.len() == 1 && told[0].contains("stats_parsed") && told[0].contains(&format!("`{field}`")),
    };
    assert!(is_expected, "{structs} and {texts}: {told:?}");
}

#[test]
fn bounds_as_values_of_their_types() {
    let bounds = |kind: &str, column: &str, value: &Value| json!({ kind: { column: value } });
    let both = |column: &str, structs: Value, texts: Value, is_same: bool| {
        for kind in ["minValues", "maxValues"] {
            let field = format!("{kind}.{}", if column == "in" { "in.x" } else { column });
            let expected = (!is_same).then_some(field.as_str());
            check_stats(&bounds(kind, column, &structs), &bounds(kind, column, &texts), expected);
        }
    };
    let same = |column, structs, texts| both(column, structs, texts, true);
    let other = |column, structs, texts| both(column, structs, texts, false);
    same("id", json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_993_i64));
    other("id", json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64));
    same("id", json!(5), json!(5.0));
    other("id", json!(5), json!(5.5));
    other("n", json!(5), json!(6));
    same("f", json!(0.1), json!(0.10000000149011612));
    other("f", json!(0.1), json!(0.2));
    same("d", json!(0.10000000149011612), json!(0.1)); // it was a float once
    other("d", json!(0.1), json!(0.1000001));
    same("d", json!("NaN"), Value::Null);
    other("d", json!("Infinity"), Value::Null);
    same("c", json!(1.5), json!("1.50"));
    same("c", json!(1.51), json!(1.505));
    other("c", json!(1.5), json!(1.52));
    same("wide", json!("12345678901234567.1234567891"), json!(12345678901234568.0));
    other("wide", json!("12345678901234567.1234567891"), json!("12345678901234567.1234567892"));
    same("day", json!("2024-01-31"), json!("2024-1-31"));
    other("day", json!("2024-01-31"), json!("2024-02-01"));
    same("t", json!("2024-01-31T00:00:00.123456Z"), json!("2024-01-31T00:00:00.123Z"));
    other("t", json!("2024-01-31T00:00:00.123456Z"), json!("2024-01-31T00:00:00.123457Z"));
    other("t", json!("2024-01-31T00:00:00.125Z"), json!("2024-01-31T00:00:00.123Z"));
    same("t", json!("2024-01-31T01:00:00Z"), json!("2024-01-31T02:00:00+01:00"));
    same("t", json!("2024-01-31T01:00:00Z"), json!("2024-01-31T09:00:00")); // of whose clock is not known
    other("t", json!("2024-01-31T01:00:00Z"), json!("2024-02-01T09:00:00"));
    same("ntz", json!("2024-01-31T01:00:00"), json!("2024-01-31T01:00:00.000Z"));
    other("ntz", json!("2024-01-31T01:00:00"), json!("2024-01-31T02:00:00"));
    other("in", json!({ "x": 5 }), json!({ "x": 6 }));
}

#[test]
fn cut_texts() {
    let (long, longer) = ("x".repeat(32), "x".repeat(40));
    let min = |text: &str| json!({ "minValues": { "s": text } });
    let max = |text: &str| json!({ "maxValues": { "s": text } });
    check_stats(&min("abc"), &min("abc"), None);
    check_stats(&min("ab"), &min("abc"), Some("minValues.s"));
    check_stats(&min(&long), &min(&longer), None);
    check_stats(&min(&longer), &min(&long), None);
    check_stats(&min(&(long.clone() + "z")), &min(&longer), Some("minValues.s"));
    check_stats(&max(&long), &max(&longer), Some("maxValues.s"));
    check_stats(&max(&(long.clone() + "\u{10ffff}")), &max(&longer), None);
    check_stats(&max(&longer), &max(&(long.clone() + "y")), None);
    check_stats(&max("ac"), &max("abc"), Some("maxValues.s"));
}

#[test]
fn counts_and_what_one_side_lacks() {
    let all = json!({ "numRecords": 3, "tightBounds": true, "minValues": { "id": 1 }, "nullCount": { "id": 1, "in": { "x": 2 } } });
    let with = |field: &str, value: Value| {
        let mut stats = all.clone();
        stats[field] = value;
        stats
    };
    check_stats(&all, &all, None);
    check_stats(&with("numRecords", json!(4)), &all, Some("numRecords"));
    check_stats(&with("nullCount", json!({ "id": 0 })), &all, Some("nullCount.id"));
    check_stats(&with("nullCount", json!({ "in": { "x": 1 } })), &all, Some("nullCount.in.x"));
    // A struct that says less, or nothing.
    check_stats(&json!({ "numRecords": 3 }), &all, None);
    check_stats(&json!({}), &all, None);
    check_stats(&Value::Null, &all, None);
    // A text that says less; without one it is the catalog that the struct is compared with.
    check_stats(&all, &json!({ "numRecords": 3, "nullCount": { "id": 1, "in": { "x": 2 } } }), Some("minValues.id"));
    check_stats(&all, &with("minValues", json!({ "id": null })), Some("minValues.id"));
    check_stats(&all, &Value::Null, None);
    // Bounds are tight where nobody says that they are not.
    check_stats(&with("tightBounds", json!(false)), &all, Some("tightBounds"));
    check_stats(&all, &with("tightBounds", Value::Null), None);
    check_stats(&with("tightBounds", Value::Null), &with("tightBounds", json!(false)), Some("tightBounds"));
    // Of a name that is there twice the first one counts; what is no object says nothing.
    check_stats(&json!({ "numRecords": 3 }), &json!(r#"{"numRecords":3,"numRecords":4}"#), None);
    check_stats(&all, &json!("{\"numRecords\":"), None);
    check_stats(&with("minValues", json!({ "in": { "x": 1 } })), &with("minValues", json!({ "in": "0S&u5" })), None);
}

#[test]
fn partition_values() {
    let check = |data_type: &str, structs: Value, texts: Value, is_same: bool| {
        let add = |value: &Value| json!({ "partitionValues": { "p": value } });
        let told = wrong(&metadata(&[("p", data_type)], &["p"]), &add(&structs), &add(&texts));
        assert_eq!(told.is_empty(), is_same, "{data_type} {structs} and {texts}: {told:?}");
    };
    for (data_type, structs, texts, is_same) in [
        ("integer", json!("5"), json!("5"), true),
        ("integer", json!("5"), json!("6"), false),
        ("integer", json!("5"), json!("005"), true),
        ("integer", Value::Null, json!("5"), false),
        ("integer", json!("5"), Value::Null, false),
        ("integer", Value::Null, json!(""), true),
        ("integer", Value::Null, json!("a"), true),
        ("byte", Value::Null, json!("300"), true),
        ("string", json!("a"), json!("a"), true),
        ("string", json!("a"), json!("A"), false),
        ("string", Value::Null, json!("__HIVE_DEFAULT_PARTITION__"), true),
        ("string", json!("a"), json!("__HIVE_DEFAULT_PARTITION__"), false),
        ("date", json!("2024-01-31"), json!("2024-1-31"), true),
        ("date", json!("2024-01-31"), json!("2024-02-01"), false),
        ("decimal(5,2)", json!("1.5"), json!("1.50"), true),
        ("decimal(5,2)", json!("1.5"), json!("1.51"), false),
        ("double", json!("0.5"), json!("0.50"), true),
        ("double", json!("NaN"), json!("NaN"), true),
        ("double", json!("0.5"), json!("NaN"), false),
        ("boolean", json!("true"), json!("TRUE"), true),
        ("boolean", json!("true"), json!("false"), false),
        ("timestamp", json!("2024-01-31T00:00:00Z"), json!("2024-01-31 08:00:00"), true),
        ("timestamp", json!("2024-01-31T00:00:00Z"), json!("2024-01-31T01:00:00Z"), false),
        ("binary", json!("ab"), json!("ac"), false),
    ] {
        check(data_type, structs, texts, is_same);
    }
}

#[test]
fn what_is_told() {
    let add =
        |value: i64| json!({ "path": "part-1.parquet", "stats": json!({ "minValues": { "id": value } }).to_string() });
    let told = wrong(&metadata(&COLUMNS, &[]), &add(5), &add(4));
    let text = "`stats_parsed` of 1 `add`s is not what their `stats` says: that of part-1.parquet has 5 as \
                `minValues.id`, the text has 4";
    assert_eq!(told, [text]);
    let partition = |value: &str| json!({ "path": "b", "partitionValues": { "p": value } });
    let told = wrong(&metadata(&[("p", "string")], &["p"]), &partition(""), &partition(&"long".repeat(20)));
    assert!(
        told[0]
            .ends_with("has null as `p`, the text has \"longlonglonglonglonglonglonglonglonglonglonglonglonglonglon…"),
        "{told:?}"
    );
}
