use super::*;
use crate::ErrorKind;

fn schema(fields: &str) -> Schema {
    Schema::parse(&format!(r#"{{"type":"struct","fields":[{fields}]}}"#)).unwrap()
}

fn field(name: &str, data_type: &str) -> String {
    format!(r#"{{"name":"{name}","type":{data_type},"nullable":true,"metadata":{{}}}}"#)
}

#[test]
fn types_are_read_and_shown() {
    let same = [
        "string",
        "long",
        "integer",
        "short",
        "byte",
        "float",
        "double",
        "decimal(38,10)",
        "boolean",
        "binary",
        "date",
        "timestamp",
        "timestamp_ntz",
        "void",
        "variant",
        "interval day to second",
        "decimal(39,0)",
        "geometry",
    ];
    for name in same {
        assert_eq!(schema(&field("c", &format!("\"{name}\""))).to_string(), format!("c: {name}"));
    }
    let nested = [
        (r#"{"type":"array","elementType":"long","containsNull":true}"#, "array<long>"),
        (r#"{"valueType":{"type":"struct","fields":[]},"keyType":"string","type":"map"}"#, "map<string, struct<>>"),
        (r#"{"type":"variant"}"#, "variant"),
        (r#"{"type":"udt","class":"x"}"#, "udt"),
        (r#""decimal( 5 , 2 )""#, "decimal(5,2)"),
        (r#""decimal""#, "decimal(10,0)"),
        (r#"{"type":"struct","fields":[{"name":"b","type":"long"}]}"#, "struct<b: long>"),
    ];
    for (json, shown) in nested {
        assert_eq!(schema(&field("c", json)).to_string(), format!("c: {shown}"));
    }
}

#[test]
fn metadata_is_kept() {
    let schema =
        schema(r#"{"name":"c","type":"long","nullable":false,"metadata":{"comment":"x","n":9007199254740993}}"#);
    assert_eq!(schema.fields()[0].metadata["n"], 9007199254740993i64);
    assert!(!schema.fields()[0].nullable);
}

#[test]
fn broken_schemas_are_corrupt() {
    let deep = |n: usize| format!("{}\"long\"{}", r#"{"type":"array","elementType":"#.repeat(n), "}".repeat(n));
    let broken = [
        "",
        "[]",
        "null",
        r#""string""#,
        r#"{"type":"struct"}"#,
        r#"{"fields":[]}"#,
        r#"{"type":"struct","fields":[{"type":"long"}]}"#,
        r#"{"type":"struct","fields":[{"name":"a"}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":5}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":{"type":"map","keyType":"long"}}]}"#,
        &format!(r#"{{"type":"struct","fields":[{{"name":"a","type":{}}}]}}"#, deep(100_000)),
    ];
    for text in broken {
        let kind = Schema::parse(text).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Corrupt), "{:.80}", text);
    }
    schema(&field("a", &deep(100)));
}

fn mapped() -> Schema {
    schema(
        r#"{"name":"a","type":{"type":"struct","fields":[
             {"name":"B","type":"long","metadata":{"delta.columnMapping.physicalName":"col-b"}}]},
            "metadata":{"delta.columnMapping.physicalName":"col-a"}},
           {"name":"x.y","type":"date"},{"name":"Id","type":"long"},{"name":"ID","type":"string"}"#,
    )
}

#[test]
fn columns_are_found_by_logical_path() {
    let cases: [(&[&str], ColumnMapping, &[&str]); 6] = [
        (&["a", "B"], ColumnMapping::None, &["a", "B"]),
        (&["a", "B"], ColumnMapping::Name, &["col-a", "col-b"]),
        (&["A", "b"], ColumnMapping::Id, &["col-a", "col-b"]),
        (&["x.y"], ColumnMapping::Name, &["x.y"]),
        (&["X.Y"], ColumnMapping::None, &["x.y"]),
        (&["ID"], ColumnMapping::None, &["ID"]),
    ];
    for (path, mode, physical) in cases {
        let schema = mapped().with_column_mapping(mode);
        assert_eq!(schema.column(path).unwrap().physical, physical);
    }
}

#[test]
fn unknown_columns_are_explained() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&["id"], "`id` could be several columns", "write its exact case"),
        (&["x", "y"], "there is no column `x`", "there are a, x.y, Id, ID"),
        (&["a", "bb"], "there is no column `a`.`bb`", "did you mean `B`?"),
        (&["Id", "k"], "`Id` is long and has no field `k`", "only fields of structs"),
        (&[], "a column needs a name", ""),
    ];
    for (path, message, hint) in cases {
        let schema = mapped();
        let error = schema.column(path).map(|column| column.quoted()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint_text().unwrap_or("").starts_with(hint), "{error:?}");
    }
}

#[test]
fn partition_columns_must_exist() {
    let schema = mapped().partitioned_by(&["x.y"]).unwrap();
    assert_eq!(schema.partition_columns().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["x.y"]);
    assert!(schema.column(&["x.y"]).unwrap().is_partition);
    assert!(!schema.column(&["a", "B"]).unwrap().is_partition);
    assert_eq!(mapped().partitioned_by(&["q"]).map_err(|e| e.kind()), Err(ErrorKind::Corrupt));
}
