//! The codec's laws: what is read is written back, and an error names the field that is wrong.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Every action with all fields that the protocol names, in the order in which they are written, then fields
/// that it does not name.
const COMPLETE: &[&str] = &[
    r#"{"add":{"path":"a=1/part%20%3D.parquet","partitionValues":{"a":"1","b":null,"c":""},"size":9223372036854775807,"modificationTime":-9223372036854775808,"dataChange":true,"stats":"{\"numRecords\":9007199254740993}","tags":{"k":"v","n":null,"x":1.10},"deletionVector":{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":4,"sizeInBytes":40,"cardinality":9007199254740993,"future":1.0},"baseRowId":9007199254740993,"defaultRowCommitVersion":0,"clusteringProvider":"liquid","future":{"z":1,"a":[1e400,-0.0]}}}"#,
    r#"{"remove":{"path":"s3://bucket/a b.parquet","deletionTimestamp":9223372036854775807,"dataChange":false,"extendedFileMetadata":true,"partitionValues":{"a":null},"size":-1,"stats":"{}","tags":{},"deletionVector":{"storageType":"i","pathOrInlineDv":"wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":40,"cardinality":6},"baseRowId":-1,"defaultRowCommitVersion":9007199254740993,"future":[]}}"#,
    r#"{"metaData":{"id":"af23c9d7","name":"n","description":"","format":{"provider":"parquet","options":{"o":"1"},"future":12345678901234567890},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":["a","ä"],"createdTime":-1,"configuration":{"delta.appendOnly":"true","k":null},"future":null}}"#,
    r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[],"writerFeatures":["a","b"],"future":true}}"#,
    r#"{"txn":{"appId":"","version":-9223372036854775808,"lastUpdated":9007199254740993,"future":0.10}}"#,
    r#"{"domainMetadata":{"domain":"delta.rowTracking","configuration":"{\"rowIdHighWaterMark\":9007199254740993}","removed":false,"future":""}}"#,
    r#"{"cdc":{"path":"_change_data/x.parquet","partitionValues":{},"size":0,"dataChange":false,"tags":{"a":"b"},"future":1}}"#,
    r#"{"sidecar":{"path":"x.parquet","sizeInBytes":1,"modificationTime":2,"tags":{},"future":1}}"#,
    r#"{"commitInfo":{"timestamp":9007199254740993,"z":1.50,"a":{"b":[null,1E-30]}}}"#,
    r#"{"checkpointMetadata":{"version":9007199254740993,"z":1.50,"a":[]}}"#,
    r#"{"futureAction":{"z":1,"a":1234567890123456789012345678901234567890.10}}"#,
    r#"{"futureText":"x"}"#,
    r#"{"futureList":[0.0, 1e5 ,{ }]}"#,
];

/// Reads a line with one action.
fn parse_one(line: &str) -> Action {
    let mut actions = parse_line(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    assert_eq!(actions.len(), 1, "{line}");
    actions.remove(0)
}

#[test]
fn complete_actions_come_back_as_they_were() {
    for line in COMPLETE {
        assert_eq!(parse_one(line).to_json(), *line);
    }
}

#[test]
fn numbers_that_no_machine_word_holds_stay_as_text() {
    for number in [
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551616",
        "1234567890123456789012345678901234567890",
        "0.10",
        "-0.0",
        "1E400",
        "1e-400",
        "3.141592653589793238462643383279502884197",
    ] {
        for line in [
            format!(
                r#"{{"add":{{"path":"a","partitionValues":{{}},"size":1,"modificationTime":1,"dataChange":true,"tags":{{"t":{number}}},"x":{number}}}}}"#
            ),
            format!(r#"{{"commitInfo":{{"operationMetrics":{{"x":{number}}}}}}}"#),
            format!(r#"{{"x":{number}}}"#),
        ] {
            assert_eq!(parse_one(&line).to_json(), line);
        }
    }
}

#[test]
fn text_survives_however_it_was_escaped() {
    for text in [
        r#""""#,
        r#""\u0000""#,
        r#""\u0041\u00e4\ud83d\ude00""#,
        r#""\/\\\"\b\f\n\r\t""#,
        r#""ä😀\u2028﻿""#,
        r#""a%20b/c=d%2525?#[]|<>""#,
        r#""abfss://c@a.dfs.core.windows.net/t/p=%7B\\%7D.parquet""#,
    ] {
        let expected: String = serde_json::from_str(text).unwrap();
        let line = format!(
            r#"{{"add":{{"path":{text},"partitionValues":{{{text}:{text}}},"size":1,"modificationTime":1,"dataChange":true,"stats":{text},"x":{text}}}}}"#
        );
        let action = parse_one(&line);
        let written = action.to_json();
        assert_eq!(parse_one(&written), action);
        for action in [action, parse_one(&written)] {
            let Action::Add(add) = action else { panic!("{line}") };
            assert_eq!(add.path, expected);
            assert_eq!(add.stats.as_ref(), Some(&expected));
            assert_eq!(add.partition_values.value(&expected), Some(expected.as_str()));
            assert_eq!(add.extra["x"].text(), text, "an unknown field keeps its escapes, too");
        }
    }
}

#[test]
fn partition_values_without_quotes_are_taken_by_their_text() {
    for (value, expected) in [
        ("null", None),
        (r#""""#, Some("")),
        (r#""null""#, Some("null")),
        ("true", Some("true")),
        ("false", Some("false")),
        ("0", Some("0")),
        ("-9223372036854775808", Some("-9223372036854775808")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("0.5", Some("0.5")),
        ("1.10", Some("1.10")),
        ("12345678901234567890123456789012345678", Some("12345678901234567890123456789012345678")),
    ] {
        let line = format!(r#"{{"cdc":{{"path":"a","partitionValues":{{"p":{value}}},"size":1,"dataChange":false}}}}"#);
        let Action::Cdc(cdc) = parse_one(&line) else { panic!("{line}") };
        assert_eq!(cdc.partition_values.0["p"].as_deref(), expected, "{value}");
    }
    let Action::Cdc(cdc) = parse_one(r#"{"cdc":{"path":"a","partitionValues":{},"size":1,"dataChange":false}}"#) else {
        panic!()
    };
    assert_eq!(cdc.partition_values.0.get("p"), None, "a missing value is not null");
}

/// The fields of the actions in [`COMPLETE`] that the protocol names, by action, and whether they are required.
/// Those of a deletion vector and a format are named with the field that holds them.
const FIELDS: &[(&str, &[&str], &[&str])] = &[
    (
        "add",
        &["path", "partitionValues", "size", "modificationTime", "dataChange"],
        &["stats", "deletionVector", "baseRowId", "defaultRowCommitVersion", "clusteringProvider"],
    ),
    (
        "remove",
        &["path", "dataChange"],
        &[
            "deletionTimestamp",
            "extendedFileMetadata",
            "partitionValues",
            "size",
            "stats",
            "deletionVector",
            "baseRowId",
            "defaultRowCommitVersion",
        ],
    ),
    (
        "metaData",
        &["id", "format", "partitionColumns"],
        &["name", "description", "schemaString", "createdTime", "configuration"],
    ),
    ("protocol", &["minReaderVersion", "minWriterVersion"], &["readerFeatures", "writerFeatures"]),
    ("txn", &["appId", "version"], &["lastUpdated"]),
    ("domainMetadata", &["domain", "configuration", "removed"], &[]),
    ("cdc", &["path", "partitionValues", "size", "dataChange"], &[]),
    ("sidecar", &["path", "sizeInBytes", "modificationTime"], &[]),
];

fn complete(name: &str) -> Value {
    let mut lines = COMPLETE.iter().filter(|line| line.starts_with(&format!(r#"{{"{name}":"#)));
    serde_json::from_str(&lines.next_back().unwrap().replace("1e400", "0")).unwrap()
}

/// What is wrong with a line.
fn error(line: &Value) -> String {
    let error = parse_line(&line.to_string()).expect_err(&line.to_string());
    assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
    error.to_string()
}

#[test]
fn a_missing_or_null_required_field_is_named() {
    for (name, required, _) in FIELDS {
        for field in *required {
            let mut line = complete(name);
            line[name].as_object_mut().unwrap().remove(*field);
            assert!(error(&line).starts_with(&format!("`{name}` has no `{field}`")));
            line[name][field] = Value::Null;
            assert!(error(&line).starts_with(&format!("`{name}` has no `{field}`")));
        }
    }
    for field in ["storageType", "pathOrInlineDv", "sizeInBytes", "cardinality"] {
        let mut line = complete("add");
        line["add"]["deletionVector"].as_object_mut().unwrap().remove(field);
        assert!(error(&line).contains(&format!("`deletionVector` has no `{field}`")));
    }
    let mut line = complete("metaData");
    line["metaData"]["format"].as_object_mut().unwrap().remove("provider");
    assert!(error(&line).contains("`format` has no `provider`"));
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (name, required, optional) in FIELDS {
        for field in required.iter().chain(*optional) {
            let mut line = complete(name);
            // Neither text, number, boolean, list of texts nor map of texts.
            line[name][field] = serde_json::json!([[1]]);
            let error = error(&line);
            assert!(error.contains(&format!("`{field}`")), "{name}.{field}: {error}");
        }
    }
    for (field, value) in [("size", "1.5"), ("size", "9223372036854775808"), ("size", r#""1""#), ("dataChange", "1")] {
        let line = format!(r#"{{"remove":{{"path":"a","{field}":{value},"dataChange":true}}}}"#);
        let error = parse_line(&line).expect_err(&line).to_string();
        assert!(error.contains(&format!("`{field}`")), "{field} = {value}: {error}");
    }
}

#[test]
fn a_null_optional_field_is_as_good_as_none() {
    for (name, _, optional) in FIELDS {
        let (mut null, mut missing) = (complete(name), complete(name));
        for field in *optional {
            null[name][field] = Value::Null;
            missing[name].as_object_mut().unwrap().remove(*field);
        }
        assert_eq!(parse_one(&null.to_string()), parse_one(&missing.to_string()));
    }
}

#[test]
fn a_line_may_hold_any_number_of_actions() {
    let line =
        r#" {"txn":{"appId":"a","version":1},"add":null,"futureNull":null,"txn":{"appId":"b","version":2},"x":1} "#;
    let texts: Vec<String> = parse_line(line).unwrap().iter().map(Action::to_json).collect();
    assert_eq!(texts, [r#"{"txn":{"appId":"a","version":1}}"#, r#"{"txn":{"appId":"b","version":2}}"#, r#"{"x":1}"#]);
    assert_eq!(parse_line("{}").unwrap(), []);
    for line in ["", "null", "[]", "1", r#""add""#, "{", r#"{"add":1}"#, r#"{"add":[]}"#, r#"{"txn":{}} {}"#] {
        assert!(parse_line(line).is_err(), "{line}");
    }
}

/// The text of a JSON value: numbers of any size, any escapes, blanks.
fn json_text() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?";
    let text = prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        r#""(\\u0000|\\ud83d\\ude00|\\u00e9|\\/|\\n|a|é){0,4}""#,
    ];
    let scalar = prop_oneof![Just("true".to_owned()), Just("null".to_owned()), number, text.clone()];
    scalar.prop_recursive(3, 16, 4, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(", ")));
        let field = (text.clone(), inner).prop_map(|(key, value)| format!("{key} :{value}"));
        let object = prop::collection::vec(field, 0..4).prop_map(|fields| format!("{{{}}}", fields.join(",")));
        prop_oneof![list, object]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unknown_fields_keep_their_text(values in prop::collection::btree_map("future[a-zé\"\\\\]{1,3}", json_text(), 1..4)) {
        let fields: String = values
            .iter()
            .map(|(key, text)| format!(",{}:{text}", serde_json::to_string(key).unwrap()))
            .collect();
        // Beside each `"future":` field of the complete actions, at every level.
        for line in COMPLETE.iter().filter(|line| line.contains("\"future\":")) {
            let places: Vec<_> = line.match_indices(",\"future\":").map(|(place, _)| place).collect();
            for place in places {
                let line = format!("{}{fields}{}", &line[..place], &line[place..]);
                let action = parse_one(&line);
                let written = action.to_json();
                prop_assert_eq!(&parse_one(&written), &action);
                for (key, text) in &values {
                    let field = format!("{}:{text}", serde_json::to_string(key).unwrap());
                    prop_assert!(written.contains(&field), "{} is not in {}", field, written);
                }
            }
        }
    }

    #[test]
    fn unknown_actions_keep_their_text(name in any::<String>(), text in json_text()) {
        prop_assume!(text != "null");
        let line = format!("{{{}:{text}}}", serde_json::to_string(&format!("future{name}")).unwrap());
        prop_assert_eq!(parse_one(&line).to_json(), line);
        let line = format!(r#"{{"commitInfo":{{"x":{text}}}}}"#);
        prop_assert_eq!(parse_one(&line).to_json(), line);
    }
}
