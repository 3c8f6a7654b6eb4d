use bytes::Bytes;

use super::*;
use crate::action::{Metadata, Protocol, parse_line};
use crate::log::CheckpointReader;

/// A table's metadata, with these columns (as JSON), partition columns and properties.
fn metadata(fields: &str, partition_columns: &[&str], properties: &[(&str, &str)]) -> Metadata {
    let schema = format!(r#"{{"type":"struct","fields":[{fields}]}}"#);
    let properties: serde_json::Map<_, _> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let line = serde_json::json!({ "metaData": {
        "id": "t", "format": { "provider": "parquet", "options": {} }, "schemaString": schema,
        "partitionColumns": partition_columns, "configuration": properties,
    } });
    match parse_line(&line.to_string()).unwrap().remove(0) {
        Action::Metadata(metadata) => metadata,
        other => panic!("{other:?}"),
    }
}

fn field(name: &str, data_type: &str) -> String {
    let data_type = if data_type.starts_with('{') { data_type.to_owned() } else { format!("\"{data_type}\"") };
    format!(r#"{{"name":"{name}","type":{data_type},"nullable":true,"metadata":{{}}}}"#)
}

fn protocol(features: &[&str]) -> Protocol {
    let line = match features {
        [] => serde_json::json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        _ => serde_json::json!({ "protocol": {
            "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features,
        } }),
    };
    match parse_line(&line.to_string()).unwrap().remove(0) {
        Action::Protocol(protocol) => protocol,
        other => panic!("{other:?}"),
    }
}

fn add(path: &str, stats: &str) -> Action {
    add_with(path, serde_json::json!({ "stats": stats }))
}

fn add_with(path: &str, fields: serde_json::Value) -> Action {
    let mut add = serde_json::json!({
        "path": path, "partitionValues": {}, "size": 1, "modificationTime": 2, "dataChange": false,
    });
    for (name, value) in fields.as_object().unwrap() {
        add[name] = value.clone();
    }
    parse_line(&serde_json::json!({ "add": add }).to_string()).unwrap().remove(0)
}

fn write_as(form: &CheckpointForm, unknown_fields: UnknownFields, actions: &[Action]) -> WrittenCheckpoint<Vec<u8>> {
    let mut writer = CheckpointWriter::new(form.clone(), unknown_fields, || Ok(Vec::new())).unwrap();
    actions.chunks(3).for_each(|actions| writer.write(actions).unwrap());
    writer.finish().unwrap()
}

fn read(file: &[u8]) -> Vec<Action> {
    let reader = CheckpointReader::new("the checkpoint", Bytes::copy_from_slice(file)).unwrap();
    reader.flat_map(|actions| actions.unwrap()).collect()
}

fn stats_of(action: &Action) -> Option<&str> {
    match action {
        Action::Add(add) => add.stats.as_deref(),
        other => panic!("{other:?}"),
    }
}

const STRUCT_ALONE: [(&str, &str); 2] =
    [("delta.checkpoint.writeStatsAsJson", "false"), ("delta.checkpoint.writeStatsAsStruct", "true")];

/// What the statistics of one file become as a struct alone, in a table with these columns.
fn through_struct(fields: &str, properties: &[(&str, &str)], stats: &str) -> Option<String> {
    let properties = [&STRUCT_ALONE, properties].concat();
    let form = CheckpointForm::of(&metadata(fields, &[], &properties), &protocol(&[]), 3).unwrap();
    let good = add("good", r#"{"numRecords":7}"#);
    let actions = [good.clone(), add("a", stats), good];
    let written = write_as(&form, UnknownFields::Absent, &actions);
    let read = read(&written.files[0].0);
    for good in [&read[0], &read[2]] {
        assert_eq!(stats_of(good), Some(r#"{"numRecords":7}"#), "the neighbours of {stats}");
    }
    stats_of(&read[1]).map(str::to_owned)
}

#[test]
fn bounds_of_every_type_keep_their_values() {
    for (data_type, values) in [
        ("byte", "-128"),
        ("short", "32767"),
        ("integer", "-2147483648"),
        ("long", "9223372036854775807"),
        ("float", "0.1"),
        ("float", "\"NaN\""),
        ("double", "1.7976931348623157e308"),
        ("double", "\"-Infinity\""),
        ("decimal(38,2)", "-123456789012345678901234567890123456.78"),
        ("decimal(5,0)", "12345"),
        ("string", "\"a\\\"é\u{10ffff}\""),
        ("date", "\"0001-01-01\""),
        ("timestamp", "\"2024-02-29T12:34:56.789Z\""),
        ("timestamp", "\"1969-12-31T23:59:59.999001Z\""),
        ("timestamp_ntz", "\"9999-12-31T23:59:59.999\""),
    ] {
        let stats = format!(
            r#"{{"numRecords":3,"minValues":{{"c":{values}}},"maxValues":{{"c":{values}}},"nullCount":{{"c":1}}}}"#
        );
        let read = through_struct(&field("c", data_type), &[], &stats).unwrap();
        // A double may be written in another way, such as 1e308 for 1e+308.
        assert_eq!(read.replace("e+", "e"), stats, "{data_type}");
    }
}

#[test]
fn what_does_not_fit_is_null_and_harms_nobody() {
    let inner = format!(r#"{{"type":"struct","fields":[{},{}]}}"#, field("x", "integer"), field("y", "string"));
    let fields = [field("a", "byte"), field("s", &inner), field("d", "decimal(3,1)"), field("b", "binary")].join(",");
    for (stats, expected) in [
        (r#"{"numRecords":1,"minValues":{"a":128,"d":1.5}}"#, Some(r#"{"numRecords":1,"minValues":{"d":1.5}}"#)),
        (r#"{"numRecords":1,"minValues":{"d":100}}"#, Some(r#"{"numRecords":1,"minValues":{}}"#)),
        (r#"{"numRecords":1,"minValues":{"d":0.05}}"#, Some(r#"{"numRecords":1,"minValues":{}}"#)),
        (r#"{"minValues":{"s":{"x":"1","y":"z"}}}"#, Some(r#"{"minValues":{"s":{"y":"z"}}}"#)),
        (r#"{"minValues":{"s":5,"a":1}}"#, Some(r#"{"minValues":{"a":1}}"#)),
        (r#"{"minValues":{"s":[{"x":1}],"a":1}}"#, Some(r#"{"minValues":{"a":1}}"#)),
        (r#"{"minValues":{"a":{"x":1},"d":null}}"#, Some(r#"{"minValues":{}}"#)),
        (r#"{"minValues":null,"maxValues":7,"nullCount":"x"}"#, Some("{}")),
        (r#"{"nullCount":{"b":3,"s":{"x":1}}}"#, Some(r#"{"nullCount":{"s":{"x":1},"b":3}}"#)),
        (r#"{"nullCount":{"a":-1,"b":1.5}}"#, Some(r#"{"nullCount":{"a":-1}}"#)),
        (
            r#"{"numRecords":1,"numRecords":2,"minValues":{"a":1,"a":2}}"#,
            Some(r#"{"numRecords":1,"minValues":{"a":1}}"#),
        ),
        (r#"{"minValues":{"a":1},"minValues":{"a":2,"d":1}}"#, Some(r#"{"minValues":{"a":1}}"#)),
        (r#"{"minValues":{"\u0061":1,"unknown":{"x":[1]}},"other":1}"#, Some(r#"{"minValues":{"a":1}}"#)),
        // What is no object says nothing.
        (r#"{"numRecords":1,"minValues":{"a":1"#, None),
        (r#"{"numRecords":1}x"#, None),
        (r#"[1]"#, None),
        ("null", None),
        ("", None),
    ] {
        let read = through_struct(&fields, &[], stats);
        let normal = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read.as_deref().map(normal), expected.map(normal), "{stats}");
    }
}

#[test]
fn columns_without_statistics_have_none() {
    let list = r#"{"type":"array","elementType":"long","containsNull":true}"#;
    let inner = format!(r#"{{"type":"struct","fields":[{},{}]}}"#, field("x", "long"), field("y", "long"));
    let fields = [field("a", "long"), field("s", &inner), field("l", list), field("b", "boolean")].join(",");
    let stats = r#"{"numRecords":1,"minValues":{"a":1,"s":{"x":1,"y":1},"b":true},"nullCount":{"a":0,"s":{"x":0,"y":0},"l":0,"b":0}}"#;
    let of = |properties: &[(&str, &str)]| through_struct(&fields, properties, stats).unwrap();
    assert_eq!(
        of(&[]),
        r#"{"numRecords":1,"minValues":{"a":1,"s":{"x":1,"y":1}},"nullCount":{"a":0,"s":{"x":0,"y":0},"l":0,"b":0}}"#
    );
    let first_two = r#"{"numRecords":1,"minValues":{"a":1,"s":{"x":1}},"nullCount":{"a":0,"s":{"x":0}}}"#;
    assert_eq!(of(&[("delta.dataSkippingNumIndexedCols", "2")]), first_two);
    assert_eq!(of(&[("delta.dataSkippingNumIndexedCols", "0")]), r#"{"numRecords":1}"#);
    let named = r#"{"numRecords":1,"minValues":{"s":{"y":1}},"nullCount":{"s":{"y":0},"b":0}}"#;
    assert_eq!(of(&[("delta.dataSkippingStatsColumns", "S.`y`, b")]), named);
    let whole = r#"{"numRecords":1,"minValues":{"s":{"x":1,"y":1}},"nullCount":{"s":{"x":0,"y":0}}}"#;
    assert_eq!(of(&[("delta.dataSkippingStatsColumns", "s")]), whole);
}

/// The column of a file as JSON, row by row.
fn parsed_column(file: &[u8], name: &str) -> Vec<String> {
    use arrow_array::{Array, cast::AsArray};
    let file = Bytes::copy_from_slice(file);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    let rows = batches.flat_map(|batch| {
        let column = batch.column_by_name("add").unwrap().as_struct().column_by_name(name).unwrap().clone();
        let fields = column.as_struct().clone();
        (0..fields.len()).map(move |row| format!("{:?}", fields.slice(row, 1).columns())).collect::<Vec<_>>()
    });
    rows.collect()
}

#[test]
fn partition_values_have_their_types_and_physical_names() {
    let physical = |name: &str, data_type: &str, physical: &str| {
        format!(
            r#"{{"name":"{name}","type":"{data_type}","nullable":true,"metadata":{{"delta.columnMapping.physicalName":"{physical}"}}}}"#
        )
    };
    let fields = [
        physical("day", "date", "p1"),
        physical("n", "short", "p2"),
        physical("s", "string", "p3"),
        physical("at", "timestamp", "p4"),
        physical("id", "long", "c1"),
    ]
    .join(",");
    let properties = [("delta.columnMapping.mode", "name"), ("delta.checkpoint.writeStatsAsStruct", "TRUE")];
    let metadata = metadata(&fields, &["day", "n", "s", "at"], &properties);
    let form = CheckpointForm::of(&metadata, &protocol(&["columnMapping"]), 2).unwrap();
    let values = [
        serde_json::json!({ "p1": "1970-01-02", "p2": "-5", "p3": "__HIVE_DEFAULT_PARTITION__", "p4": "1970-01-01 00:00:01" }),
        serde_json::json!({ "p1": "", "p2": "32767", "p3": null, "p4": "1970-01-01T00:00:01.000001Z" }),
    ];
    let stats = r#"{"minValues":{"c1":5,"id":6}}"#;
    let actions: Vec<Action> = values
        .iter()
        .map(|values| add_with("f", serde_json::json!({ "partitionValues": values, "stats": stats })))
        .collect();
    let written = write_as(&form, UnknownFields::Absent, &actions);
    let (file, summary) = &written.files[0];
    assert_eq!(read(file), actions);
    // Who finds the file there says the same of it as who wrote it.
    let end = Bytes::copy_from_slice(file);
    assert_eq!(CheckpointReader::footer("the checkpoint", end).unwrap(), (2, summary.schema.clone()));
    assert_eq!(stats_of(&read(file)[0]), Some(stats));
    insta::assert_snapshot!(parsed_column(file, "partitionValues_parsed").join("\n"));
    let schema: serde_json::Value = serde_json::from_str(&summary.schema).unwrap();
    let add = schema["fields"].as_array().unwrap().iter().find(|field| field["name"] == "add").unwrap();
    insta::assert_json_snapshot!(add);
}

/// What the column has no value for would be null in it, and readers would pass the file over.
#[test]
fn partition_values_without_a_value_in_their_column() {
    for (data_type, text, has_value) in [
        ("binary", "\u{e9}", false),
        ("binary", "abc", true),
        ("date", "10000-01-01", false),
        ("date", "2024-01-01", true),
        ("integer", " 6", false),
        ("integer", "2147483648", false),
        ("short", "70000", false),
        ("byte", "-129", false),
        ("byte", "-128", true),
        ("decimal(4,2)", "100.00", false),
        ("decimal(4,2)", "99.99", true),
        ("boolean", "1", false),
        ("timestamp", "2024-06-01 00:00:00 Europe/Paris", false),
        ("timestamp", "2024-06-01 00:00:00.1234567Z", false),
        ("timestamp", "2024-06-01 00:00:00", true),
        ("string", "__HIVE_DEFAULT_PARTITION__", true),
        ("long", "", true),
    ] {
        let metadata = metadata(&field("p", data_type), &["p"], &STRUCT_ALONE);
        let form = CheckpointForm::of(&metadata, &protocol(&[]), 1).unwrap();
        let action = add_with("f", serde_json::json!({ "partitionValues": { "p": text } }));
        assert_eq!(form.lacks_partition_value(&action), !has_value, "{data_type} {text}");
        let has_column = |form: &CheckpointForm| {
            let written = write_as(form, UnknownFields::Absent, std::slice::from_ref(&action));
            assert_eq!(read(&written.files[0].0), std::slice::from_ref(&action));
            written.files[0].1.schema.contains("partitionValues_parsed")
        };
        assert!(has_column(&form) && !has_column(&form.clone().without_partition_values_parsed()));
        assert!(!form.without_partition_values_parsed().lacks_partition_value(&action));
    }
}

#[test]
fn the_properties_say_which_form() {
    let form = |features: &[&str], properties: &[(&str, &str)], file_actions: i64| {
        CheckpointForm::of(&metadata(&field("a", "long"), &[], properties), &protocol(features), file_actions).unwrap()
    };
    let files = |features: &[&str], properties: &[(&str, &str)], file_actions: i64| {
        form(features, properties, file_actions).files
    };
    let v2 = ("delta.checkpointPolicy", "v2");
    let size = |size| (PART_SIZE, size);
    let sidecars = |actions| CheckpointFiles::Sidecars { actions };
    for (features, properties, file_actions, expected) in [
        (&[][..], &[][..], 1_000_000, CheckpointFiles::Single),
        (&[], &[], 0, CheckpointFiles::Single),
        (&[], &[], 20_000_001, CheckpointFiles::MultiPart { parts: 3 }),
        (&[], &[size("10")], 10, CheckpointFiles::Single),
        (&[], &[size("10")], 11, CheckpointFiles::MultiPart { parts: 2 }),
        (&[], &[size("0")], 11, CheckpointFiles::Single),
        (&[], &[size("many")], 11, CheckpointFiles::Single),
        (&[], &[size("1")], 100_000, CheckpointFiles::MultiPart { parts: 100 }),
        // The policy alone is not enough, nor is the feature; and with it there are no parts.
        (&[], &[v2], 10, CheckpointFiles::Single),
        (&["v2Checkpoint"], &[], 10, CheckpointFiles::Single),
        (&["v2Checkpoint"], &[("delta.checkpointPolicy", "classic"), size("1")], 10, CheckpointFiles::Single),
        (&["v2Checkpoint"], &[v2], 10, sidecars(50_000)),
        (&["v2Checkpoint"], &[v2, size("7")], 10, sidecars(7)),
        (&["v2Checkpoint"], &[v2, size("7")], 7_000, sidecars(70)),
    ] {
        assert_eq!(files(features, properties, file_actions), expected, "{features:?} {properties:?} {file_actions}");
    }
    let as_said = form(&[], &[], 1);
    assert!(as_said.stats_as_json && as_said.stats_parsed.is_none() && as_said.partition_values_parsed.is_none());
    let broken = metadata("{}", &[], &STRUCT_ALONE);
    assert_eq!(CheckpointForm::of(&broken, &protocol(&[]), 1).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// Adds, removes and others, of which some have fields that the protocol does not name.
fn many_actions() -> Vec<Action> {
    let lines = (0..20).flat_map(|n| {
        let vector = format!(r#"{{"storageType":"u","pathOrInlineDv":"v{n}","offset":1,"sizeInBytes":4,"cardinality":1}}"#);
        [
            format!(r#"{{"add":{{"path":"a{n}","partitionValues":{{"p":null}},"size":{n},"modificationTime":2,"dataChange":false,"stats":"{{\"numRecords\":{n}}}","tags":{{"k":"v"}},"deletionVector":{vector},"baseRowId":{n},"defaultRowCommitVersion":9007199254740993,"clusteringProvider":"liquid"}}}}"#),
            format!(r#"{{"add":{{"path":"u{n}","partitionValues":{{}},"size":{n},"modificationTime":2,"dataChange":false,"tags":{{"k":1.10}},"new":[12345678901234567890.10]}}}}"#),
            format!(r#"{{"remove":{{"path":"r{n}","deletionTimestamp":3,"dataChange":false,"deletionVector":{vector},"more":1e400}}}}"#),
        ]
    });
    let others = [
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2,"x":1}}"#,
        r#"{"metaData":{"id":"t","format":{"provider":"parquet","options":{"o":"1"}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":["p"],"createdTime":5,"configuration":{"a":"b"}}}"#,
        r#"{"txn":{"appId":"app","version":9007199254740993,"lastUpdated":4,"x":{}}}"#,
        r#"{"domainMetadata":{"domain":"d","configuration":"{}","removed":false}}"#,
    ];
    others.iter().map(|line| (*line).to_owned()).chain(lines).flat_map(|line| parse_line(&line).unwrap()).collect()
}

fn sorted(actions: &[Action]) -> Vec<String> {
    let mut lines: Vec<String> = actions.iter().map(Action::to_json).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn in_every_form_all_actions_come_back_and_none_twice() {
    let actions = many_actions();
    assert!(actions.iter().any(has_unknown_fields));
    let v2 = [("delta.checkpointPolicy", "v2"), (PART_SIZE, "7")];
    for (name, features, properties, file_count) in [
        ("single", &[][..], &[][..], 1),
        ("with structs", &[], &[("delta.checkpoint.writeStatsAsStruct", "true")], 1),
        ("parts", &[], &[(PART_SIZE, "15")], 4),
        ("parts by vectors", &["deletionVectors"], &[(PART_SIZE, "15")], 4),
        ("sidecars", &["v2Checkpoint"], &v2, 9),
    ] {
        let form = CheckpointForm::of(&metadata("", &[], properties), &protocol(features), 60).unwrap();
        let written = write_as(&form, UnknownFields::Kept, &actions);
        assert_eq!(written.files.len(), file_count, "{name}");
        let read: Vec<Action> = written
            .files
            .iter()
            .flat_map(|(file, summary)| {
                let actions = read(file);
                assert_eq!(summary.actions, actions.len() as i64, "{name}");
                assert_eq!(summary.size_in_bytes, file.len() as i64, "{name}");
                actions
            })
            .chain(written.other_actions.clone())
            .collect();
        assert_eq!(sorted(&read), sorted(&actions), "{name}");
        assert_eq!(written.add_files(), 40);
        // The same actions make the same bytes.
        let again = write_as(&form, UnknownFields::Kept, &actions);
        let bytes =
            |written: WrittenCheckpoint<Vec<u8>>| written.files.into_iter().map(|(file, _)| file).collect::<Vec<_>>();
        assert!(bytes(again) == bytes(written), "{name}");
    }
}

#[test]
fn tombstones_have_no_statistics_and_no_tags() {
    let line = |more: &str| format!(r#"{{"remove":{{"path":"r","deletionTimestamp":3,"dataChange":false{more}}}}}"#);
    let form = CheckpointForm::of(&metadata("", &[], &[]), &protocol(&[]), 1).unwrap();
    for kept in ["", r#","x":1"#] {
        let remove = parse_line(&line(&format!(r#","stats":"{{}}","tags":{{"a":"b"}}{kept}"#))).unwrap();
        let written = write_as(&form, UnknownFields::Kept, &remove);
        assert_eq!(read(&written.files[0].0)[0].to_json(), line(kept));
    }
}

#[test]
fn statistics_that_are_not_wanted_as_json_are_not_kept_as_such() {
    let form = CheckpointForm::of(&metadata(&field("a", "long"), &[], &STRUCT_ALONE), &protocol(&[]), 1).unwrap();
    let odd = add_with("f", serde_json::json!({ "stats": r#"{"numRecords":1,"x":2}"#, "new": 1 }));
    let written = write_as(&form, UnknownFields::Kept, &[odd]);
    let read = read(&written.files[0].0);
    assert_eq!(stats_of(&read[0]), Some(r#"{"numRecords":1}"#));
    assert!(has_unknown_fields(&read[0]));
}

#[test]
fn what_has_no_room_is_refused() {
    let form = CheckpointForm::of(&metadata("", &[], &[]), &protocol(&[]), 1).unwrap();
    let wide = r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":2,"dataChange":false,"deletionVector":{"storageType":"u","pathOrInlineDv":"v","offset":2147483648,"sizeInBytes":4,"cardinality":1}}}"#;
    let refused = |line: &str| {
        let mut writer = CheckpointWriter::new(form.clone(), UnknownFields::Absent, || Ok(Vec::new())).unwrap();
        writer.write(&parse_line(line).unwrap()).unwrap_err().to_string()
    };
    let no_room =
        "writing a checkpoint: an action does not fit the protocol's columns: `offset` is 2147483648, beyond 32 bits";
    assert_eq!(refused(wide), no_room);
    assert_eq!(refused(r#"{"commitInfo":{}}"#), "a checkpoint holds no `commitInfo`");
}

#[test]
fn a_v2_checkpoint_names_its_sidecars() {
    let properties = [("delta.checkpointPolicy", "v2"), (PART_SIZE, "50")];
    let form = CheckpointForm::of(&metadata("", &[], &properties), &protocol(&["v2Checkpoint"]), 60).unwrap();
    let written = write_as(&form, UnknownFields::Kept, &many_actions());
    let names = ["one.parquet".to_owned(), "two.parquet".to_owned()];
    let mut lines: Vec<String> = v2_checkpoint(7, 8, &written, &names).unwrap().iter().map(Action::to_json).collect();
    // The schema is tested elsewhere, and sizes are those of this release's Parquet.
    let mut first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    let schema = first["checkpointMetadata"]["tags"].as_object_mut().unwrap().remove("sidecarFileSchema").unwrap();
    assert_eq!(schema.as_str(), Some(written.files[0].1.schema.as_str()));
    assert_eq!(first["checkpointMetadata"]["tags"]["sidecarSizeInBytes"], written.size_in_bytes().to_string());
    first["checkpointMetadata"]["tags"]["sidecarSizeInBytes"] = "".into();
    lines[0] = first.to_string();
    let sizes: Vec<_> =
        written.files.iter().map(|(_, file)| format!("\"sizeInBytes\":{}", file.size_in_bytes)).collect();
    let text = sizes.iter().fold(lines.join("\n"), |text, size| text.replace(size, "\"sizeInBytes\":0"));
    insta::assert_snapshot!(text);
}
