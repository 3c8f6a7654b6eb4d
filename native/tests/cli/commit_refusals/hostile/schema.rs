//! Schemas, partition columns and column mapping.

use serde_json::{Value, json};

use super::*;
use crate::support::metadata;

pub(super) fn hostile() -> Vec<Hostile> {
    let nested = json!({ "type": "struct", "fields": [column("a", json!("long")), column("b", json!("string"))] });
    let wide = [column("id", json!("long")), column("s", nested), column("n", json!("integer"))];
    let partitioned = metadata_with(json!({
        "schemaString": schema_of(&[column("id", json!("long")), column("p", json!("string"))]),
        "partitionColumns": ["p"],
    }));
    let in_partition = crate::support::add_with("first", json!({ "partitionValues": { "p": "x" } }));
    let mapped_first = with_one_file(features(&["columnMapping"], MAPPING_FEATURES), two_mapped("a", "b"));
    vec![
        Hostile { first: plain(with_columns(&wide)), commits: changed_columns(&wide) },
        Hostile { first: plain(metadata()), commits: names_and_partitions() },
        Hostile { first: lines(&[protocol(), partitioned, in_partition]), commits: partition_columns() },
        Hostile { first: mapped_first, commits: mappings() },
    ]
}

fn changed_columns(columns: &[Value]) -> Vec<(&'static str, Vec<u8>)> {
    let [id, s, n] = columns else { return Vec::new() };
    let of = |columns: &[&Value]| {
        lines(&[with_columns(&columns.iter().map(|column| (*column).clone()).collect::<Vec<_>>())])
    };
    let typed = |mut column: Value, data_type: Value| {
        column["type"] = data_type;
        column
    };
    let fields = |fields: &[Value]| typed(s.clone(), json!({ "type": "struct", "fields": fields }));
    let (a, b) = (column("a", json!("long")), column("b", json!("string")));
    let long = typed(n.clone(), json!("long"));
    let widening = ["appendOnly", "invariants", "typeWidening"];
    vec![
        ("a dropped column", of(&[id, s])),
        ("a renamed column", of(&[id, s, &column("N", json!("integer"))])),
        ("a dropped field", of(&[id, &fields(std::slice::from_ref(&a)), n])),
        ("another type", of(&[id, s, &typed(n.clone(), json!("string"))])),
        ("a struct that becomes a text", of(&[id, &typed(s.clone(), json!("string")), n])),
        ("a wider type without widening", of(&[id, s, &long])),
        ("a wider type that is not told of", {
            let mut action = with_columns(&[id.clone(), s.clone(), long.clone()]);
            action["metaData"]["configuration"] = json!({ "delta.enableTypeWidening": "true" });
            lines(&[features(&["typeWidening"], &widening), action])
        }),
        ("another type of a field", of(&[id, &fields(&[typed(a.clone(), json!("date")), b.clone()]), n])),
        ("a new column that is NOT NULL", of(&[id, s, n, &not_null(column("x", json!("long")))])),
        ("a new field that is NOT NULL", of(&[id, &fields(&[a.clone(), b, not_null(column("x", json!("long")))]), n])),
        ("a column that becomes NOT NULL", of(&[&not_null(id.clone()), s, n])),
        ("a default that is no text, of a column that is there", {
            let mut column = id.clone();
            column["metadata"] = json!({ "CURRENT_DEFAULT": 5 });
            of(&[&column, s, n])
        }),
        ("fields that differ in case alone", of(&[id, &fields(&[a, column("A", json!("long"))]), n])),
    ]
}

fn names_and_partitions() -> Vec<(&'static str, Vec<u8>)> {
    let id = || column("id", json!("long"));
    let of = |new: Value| lines(&[with_columns(&[id(), new])]);
    vec![
        ("a column without a name", of(column("", json!("long")))),
        ("a comma in a name", of(column("a,b", json!("long")))),
        ("a type below that no protocol knows", {
            of(column("c", json!({ "type": "array", "elementType": "text", "containsNull": true })))
        }),
        ("an array that does not say whether it holds nulls", {
            of(column("c", json!({ "type": "array", "elementType": "long" })))
        }),
        ("a generated column of a number", {
            let mut generated = column("g", json!("long"));
            generated["metadata"] = json!({ "delta.generationExpression": 1 });
            of(generated)
        }),
        ("identities that stand still", {
            let mut identity = column("i", json!("long"));
            identity["metadata"] = json!({ "delta.identity.start": 1, "delta.identity.step": 0 });
            of(identity)
        }),
        ("a decimal of 39 digits", of(column("c", json!("decimal(39,0)")))),
        ("a partition column that is not there", { lines(&[metadata_with(json!({ "partitionColumns": ["day"] }))]) }),
        ("a partition column in another case", lines(&[metadata_with(json!({ "partitionColumns": ["ID"] }))])),
        ("a partition column twice", lines(&[metadata_with(json!({ "partitionColumns": ["id", "id"] }))])),
        ("a schema that is a list", lines(&[metadata_with(json!({ "schemaString": "[]" }))])),
        ("a partition column that is an array", {
            let array = column("c", json!({ "type": "array", "elementType": "long", "containsNull": true }));
            lines(&[metadata_with(json!({ "schemaString": schema_of(&[id(), array]), "partitionColumns": ["c"] }))])
        }),
    ]
}

fn partition_columns() -> Vec<(&'static str, Vec<u8>)> {
    let (id, p) = (column("id", json!("long")), column("p", json!("string")));
    let of = |columns: &[&Value], partition: &[&str]| {
        let columns: Vec<Value> = columns.iter().map(|column| (*column).clone()).collect();
        lines(&[metadata_with(json!({ "schemaString": schema_of(&columns), "partitionColumns": partition }))])
    };
    vec![
        ("a partition column that is dropped", of(&[&id, &p], &[])),
        ("another partition column", of(&[&id, &p], &["id"])),
        ("a partition column that leaves the schema", of(&[&id], &["p"])),
        ("a partition column that leaves both", of(&[&id, &column("x", json!("string"))], &["x"])),
        ("a partition column that becomes a struct", {
            let p = column("p", json!({ "type": "struct", "fields": [column("a", json!("long"))] }));
            let mut first = crate::support::remove("first");
            first["remove"]["partitionValues"] = json!({ "p": "x" });
            [lines(&[first]), of(&[&id, &p], &["p"])].concat()
        }),
    ]
}

fn two_mapped(a: &str, b: &str) -> Value {
    // The id 2 was of a column that is dropped.
    mapped(&[mapped_column(a, 1, "col-a"), mapped_column(b, 3, "col-b")], 3, "name")
}

fn mappings() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = (mapped_column("a", 1, "col-a"), mapped_column("b", 3, "col-b"));
    let of = |columns: &[Value], max_id: i64| lines(&[mapped(columns, max_id, "name")]);
    let with = |new: Value, max_id: i64| of(&[a.clone(), b.clone(), new], max_id);
    vec![
        ("mapping that ends", lines(&[with_columns(&[column("a", json!("long")), column("b", json!("long"))])])),
        ("mapping by id instead", lines(&[mapped(&[a.clone(), b.clone()], 3, "id")])),
        ("another physical name", of(&[mapped_column("a", 1, "col-x"), b.clone()], 3)),
        ("another id", of(&[mapped_column("a", 4, "col-a"), b.clone()], 4)),
        ("another id and physical name", of(&[mapped_column("a", 4, "col-x"), b.clone()], 4)),
        ("ids that change places", of(&[mapped_column("a", 3, "col-a"), mapped_column("b", 1, "col-b")], 3)),
        ("the id of a dropped column", with(mapped_column("c", 2, "col-c"), 3)),
        ("an id twice", with(mapped_column("c", 3, "col-c"), 3)),
        ("a physical name twice", with(mapped_column("c", 4, "col-a"), 4)),
        ("a physical name twice, but for its case", with(mapped_column("c", 4, "COL-A"), 4)),
        (
            "two new physical names that are one but for their case",
            of(&[a.clone(), b.clone(), mapped_column("c", 4, "col-c"), mapped_column("d", 5, "Col-C")], 5),
        ),
        ("a largest id that goes down", of(std::slice::from_ref(&a), 2)),
        ("a largest id below a new one", with(mapped_column("c", 5, "col-c"), 4)),
        ("an id of 0", with(mapped_column("c", 0, "col-c"), 3)),
        ("a column without an id", with(column("c", json!("long")), 3)),
        ("a field without an id", {
            let fields = json!({ "type": "struct", "fields": [column("x", json!("long"))] });
            let mut c = mapped_column("c", 4, "col-c");
            c["type"] = fields;
            with(c, 4)
        }),
        ("a column without a physical name", {
            let mut c = column("c", json!("long"));
            c["metadata"] = json!({ "delta.columnMapping.id": 4 });
            with(c, 4)
        }),
    ]
}
