//! Commits that look like hostile ones, and that engines make: they pass.

use serde_json::{Value, json};

use super::hostile::{
    MAPPING_FEATURES, ROWS, column, features, mapped, mapped_column, schema_of, vector, with_columns, with_one_file,
    with_properties,
};
use crate::support::{Home, add, add_with, lines, metadata_with, protocol, remove};

struct Allowed {
    name: &'static str,
    first: Vec<u8>,
    commits: Vec<Vec<u8>>,
}

fn ids() -> Value {
    column("id", json!("long"))
}

fn identity(high_water_mark: i64) -> Value {
    let mut identity = ids();
    identity["metadata"] = json!({ "delta.identity.start": 1, "delta.identity.step": 1,
        "delta.identity.highWaterMark": high_water_mark, "delta.identity.allowExplicitInsert": false });
    identity
}

/// The schema as Spark writes it.
fn reordered(metadata: &Value) -> Value {
    let mut metadata = metadata.clone();
    let schema = metadata["metaData"]["schemaString"].as_str().unwrap();
    let columns = schema.strip_prefix(r#"{"fields":"#).unwrap().strip_suffix(r#","type":"struct"}"#).unwrap();
    metadata["metaData"]["schemaString"] = json!(format!(r#"{{"type": "struct", "fields": {columns}}}"#));
    metadata
}

fn rearranged(mut action: Value) -> Value {
    action.as_object_mut().unwrap().values_mut().for_each(|fields| fields["dataChange"] = json!(false));
    action
}

fn plain(columns: &[Value]) -> Vec<u8> {
    with_one_file(protocol(), with_columns(columns))
}

fn with_mapping(columns: &[Value]) -> Vec<u8> {
    with_one_file(features(&["columnMapping"], MAPPING_FEATURES), mapped(columns, 2, "name"))
}

fn operation(name: &str) -> Value {
    json!({ "commitInfo": { "operation": name, "operationParameters": {}, "readVersion": 0, "isBlindAppend": false } })
}

fn schemas() -> Vec<Allowed> {
    let n = |data_type: &str| column("n", json!(data_type));
    let mut widened = n("long");
    widened["metadata"] = json!({ "delta.typeChanges": [{ "fromType": "integer", "toType": "long" }] });
    let mut widening = with_columns(&[ids(), widened]);
    widening["metaData"]["configuration"] = json!({ "delta.enableTypeWidening": "true" });
    let (a, b) = (mapped_column("a", 1, "col-a"), mapped_column("b", 2, "col-b"));
    let partitioned =
        metadata_with(json!({ "schemaString": schema_of(&[ids(), n("date")]), "partitionColumns": ["n"] }));
    let of_day = add_with("b", json!({ "partitionValues": { "n": "2024-01-01" } }));
    vec![
        Allowed {
            name: "new nullable columns, in another order",
            first: plain(&[ids()]),
            commits: vec![lines(&[with_columns(&[n("integer"), ids()])])],
        },
        Allowed {
            name: "a wider type",
            first: plain(&[ids(), n("integer")]),
            commits: vec![lines(&[
                features(&["typeWidening"], &["appendOnly", "invariants", "typeWidening"]),
                widening,
            ])],
        },
        Allowed {
            name: "a void column gets a type",
            first: plain(&[ids(), n("void")]),
            commits: vec![lines(&[with_columns(&[ids(), n("string")])])],
        },
        Allowed {
            name: "a table that is replaced gets other columns and partition columns",
            first: plain(&[ids()]),
            commits: vec![lines(&[
                operation("CREATE OR REPLACE TABLE AS SELECT"),
                remove("first"),
                partitioned,
                of_day,
            ])],
        },
        Allowed {
            name: "a table that is restored loses a column",
            first: plain(&[ids()]),
            commits: vec![
                lines(&[with_columns(&[ids(), n("integer")])]),
                lines(&[operation("RESTORE"), with_columns(&[ids()])]),
            ],
        },
        Allowed {
            name: "a restored table has its schema in another order of keys, and goes on with its identities",
            first: with_one_file(features(&[], &["identityColumns"]), with_columns(&[identity(10)])),
            commits: vec![
                lines(&[with_columns(&[identity(10), n("integer")])]),
                lines(&[with_columns(&[identity(20), n("integer")]), add("b")]),
                lines(&[operation("RESTORE"), reordered(&with_columns(&[identity(20)])), remove("b")]),
            ],
        },
        Allowed {
            name: "column mapping ends: all files are written anew",
            first: with_mapping(&[a.clone(), b.clone()]),
            commits: vec![lines(&[
                operation("REMOVE COLUMN MAPPING"),
                with_columns(&[column("a", json!("long")), column("b", json!("long"))]),
                rearranged(remove("first")),
                rearranged(add("b")),
            ])],
        },
        Allowed {
            name: "column mapping, switched on; then a column is renamed, another dropped and added again",
            first: plain(&[column("a", json!("long")), column("b", json!("long"))]),
            commits: vec![
                lines(&[
                    features(&["columnMapping"], MAPPING_FEATURES),
                    mapped(&[mapped_column("a", 1, "a"), mapped_column("b", 2, "b")], 2, "name"),
                ]),
                lines(&[mapped(&[mapped_column("renamed", 1, "a"), mapped_column("b", 2, "b")], 2, "name")]),
                lines(&[mapped(&[mapped_column("renamed", 1, "a")], 2, "name")]),
                lines(&[mapped(&[mapped_column("renamed", 1, "a"), mapped_column("b", 3, "col-3")], 3, "name")]),
            ],
        },
        Allowed {
            name: "columns that change their names",
            first: with_mapping(&[a.clone(), b.clone()]),
            commits: vec![lines(&[mapped(
                &[mapped_column("b", 1, "col-a"), mapped_column("a", 2, "col-b")],
                2,
                "name",
            )])],
        },
        Allowed {
            name: "columns that an import brought in get other names, whatever they are",
            first: with_mapping(&odd("a", "b")),
            commits: vec![
                lines(&[mapped(&odd("renamed", "b"), 4, "name")]),
                lines(&[mapped(&odd("a", "c"), 4, "name")]),
            ],
        },
        Allowed {
            name: "a mapped table that is overwritten with other columns",
            first: with_mapping(&[a, b]),
            commits: vec![lines(&[
                operation("WRITE"),
                remove("first"),
                mapped(&[mapped_column("a", 3, "col-x"), mapped_column("c d", 4, "col-y")], 4, "name"),
                add("b"),
            ])],
        },
    ]
}

/// Mapped columns as no commit may bring them in: a wrong invariant, an odd type, physical names that differ by case.
fn odd(first: &str, second: &str) -> Vec<Value> {
    let (mut a, mut b) = (mapped_column(first, 1, "col-a"), mapped_column(second, 2, "col-b"));
    a["metadata"]["delta.invariants"] = json!("a > 1");
    b["type"] = json!("interval year");
    vec![a, b, mapped_column("c1", 3, "twin"), mapped_column("c2", 4, "TWIN")]
}

fn files() -> Vec<Allowed> {
    let with_vector = |path: &str, data_change: bool| {
        add_with(path, json!({ "stats": ROWS, "deletionVector": vector(), "dataChange": data_change }))
    };
    let far = json!({ "storageType": "p", "pathOrInlineDv": "s3://bucket/other/a.bin", "offset": 1,
                      "sizeInBytes": 40, "cardinality": 6 });
    let elsewhere = |data_change: bool| {
        let fields = json!({ "stats": ROWS, "deletionVector": far, "dataChange": data_change });
        add_with("s3://bucket/other/part-0.parquet", fields)
    };
    let mut removed_elsewhere = remove("s3://bucket/other/part-0.parquet");
    removed_elsewhere["remove"]["deletionVector"] = far.clone();
    let enabled = with_properties(json!({ "delta.enableDeletionVectors": "true" }));
    let first = lines(&[features(&["deletionVectors"], &["deletionVectors"]), enabled, with_vector("first", true)]);
    let mut removed = remove("first");
    removed["remove"]["deletionVector"] = vector();
    let clustering = json!({ "domainMetadata": { "domain": "delta.clustering", "removed": false,
                             "configuration": r#"{"clusteringColumns":[["id"]],"domainName":"delta.clustering"}"# } });
    let mut no_clustering = clustering.clone();
    no_clustering["domainMetadata"]["removed"] = json!(true);
    vec![
        Allowed {
            name: "vectors that are there when they are disabled: new statistics, and a file rewritten",
            first,
            commits: vec![
                lines(&[with_properties(json!({}))]),
                lines(&[operation("COMPUTE STATS"), with_vector("first", false)]),
                lines(&[removed, add("rewritten")]),
            ],
        },
        Allowed {
            name: "paths that an import brought in, of other bytes than UTF-8",
            first: lines(&[protocol(), with_columns(&[ids()]), add("a%FF"), add("a%FE")]),
            commits: vec![lines(&[remove("a%FF"), remove("a%FE")])],
        },
        Allowed {
            name: "paths as engines write them",
            first: plain(&[ids()]),
            commits: vec![lines(&[
                add("p=a%20b/part-0.parquet"),
                add("p=a%252F..%252Fb/part-0.parquet"),
                add("p=naïve%20日本語/part-0.parquet"),
                add("at=2024-01-01%2000%253A00%253A00/part-0.parquet"),
            ])],
        },
        Allowed {
            name: "a clone's files stay elsewhere",
            first: plain(&[ids()]),
            commits: vec![
                lines(&[
                    operation("CLONE"),
                    add("s3://bucket/other%20table/part-0.parquet"),
                    add("file:/data/t/part-0.parquet"),
                ]),
                lines(&[
                    operation("COMPUTE STATS"),
                    add_with("file:/data/t/part-0.parquet", json!({ "dataChange": false })),
                ]),
                lines(&[remove("file:/data/t/part-0.parquet")]),
                lines(&[operation("RESTORE"), add("file:/data/t/part-0.parquet")]),
            ],
        },
        Allowed {
            name: "a clone's vectors stay elsewhere",
            first: with_one_file(
                features(&["deletionVectors"], &["deletionVectors"]),
                with_properties(json!({ "delta.enableDeletionVectors": "true" })),
            ),
            commits: vec![
                lines(&[operation("CLONE"), elsewhere(true)]),
                lines(&[operation("COMPUTE STATS"), elsewhere(false)]),
                lines(&[removed_elsewhere]),
                lines(&[operation("RESTORE"), elsewhere(true)]),
            ],
        },
        Allowed {
            name: "an append-only table is so no longer",
            first: with_one_file(protocol(), with_properties(json!({ "delta.appendOnly": "true" }))),
            commits: vec![lines(&[with_properties(json!({}))]), lines(&[remove("first")])],
        },
        Allowed {
            name: "clustering by four columns, one in a struct",
            first: with_one_file(
                features(&[], &["domainMetadata", "clustering"]),
                with_columns(&[
                    ids(),
                    column("t", json!("string")),
                    column("at", json!("timestamp")),
                    column("s", json!({ "type": "struct", "fields": [column("n", json!("decimal(5,2)"))] })),
                ]),
            ),
            commits: vec![lines(&[json!({ "domainMetadata": { "domain": "delta.clustering", "removed": false,
                "configuration": r#"{"clusteringColumns":[["id"],["t"],"at",["s","n"]]}"# } })])],
        },
        Allowed {
            name: "clustering, and a domain of one's own",
            first: with_one_file(features(&[], &["domainMetadata", "clustering"]), with_columns(&[ids()])),
            commits: vec![
                lines(&[
                    clustering.clone(),
                    json!({ "domainMetadata": { "domain": "mine", "configuration": "any text", "removed": false } }),
                ]),
                lines(&[with_columns(&[ids(), column("more", json!("long"))])]),
                lines(&[
                    operation("REPLACE TABLE AS SELECT"),
                    metadata_with(json!({ "schemaString": schema_of(&[ids(), column("p", json!("string"))]),
                                          "partitionColumns": ["p"] })),
                    no_clustering,
                    remove("first"),
                    add_with("b", json!({ "partitionValues": { "p": "x" } })),
                ]),
            ],
        },
    ]
}

#[test]
fn what_engines_commit_passes() {
    for Allowed { name, first, commits } in schemas().into_iter().chain(files()) {
        println!("{name}");
        let home = Home::with_table(&[first]);
        for (at, actions) in commits.iter().enumerate() {
            assert_eq!(home.commit(actions, &[]).json()["version"], at + 1);
        }
    }
}
