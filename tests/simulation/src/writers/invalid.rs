//! Commits that must be refused, whatever happens at the same time.

use serde_json::{Value, json};

use super::View;
use super::plan::{Planned, column, deletion_vector, has_feature, has_vectors, new_file};
use super::rewrites::remove;
use crate::ledger::Scope;
use crate::model::text;
use crate::port::Client;
use crate::tables::ROW_TRACKING_FEATURE;

pub(super) fn plan(client: &Client, view: &View) -> Option<Planned> {
    let mut scope = Scope::Nothing;
    let actions = match client.below(13) {
        0 => Vec::new(),
        1 => {
            let add = new_file(client);
            let unknown = remove(client, &add["add"], true);
            scope = Scope::Files(vec![add["add"]["path"].as_str()?.to_owned()]);
            vec![unknown]
        }
        2 => {
            let add = new_file(client);
            vec![remove(client, &add["add"], true), add]
        }
        3 => {
            let add = new_file(client);
            vec![add.clone(), add]
        }
        4 => with(client, "size", json!(-1)),
        5 => with(client, "partitionValues", json!({})),
        6 => {
            let mut metadata: Value = serde_json::to_value(&view.snapshot.metadata).ok()?;
            metadata["id"] = "another table".into();
            vec![new_file(client), json!({"metaData": metadata})]
        }
        7 => vec![json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 1}}), new_file(client)],
        8 => {
            // A live file once more, with another deletion vector beside the entry that it has.
            let mut add = client.pick(&view.files).filter(|_| has_vectors(view))?.clone();
            add["deletionVector"] = deletion_vector(client, 1);
            scope = Scope::Files(vec![add["path"].as_str()?.to_owned()]);
            vec![json!({"add": add})]
        }
        9 => with(client, "path", format!("file:///elsewhere/{}.parquet", client.world.number()).into()),
        10 => {
            // A live file once more, with rows whose ids are those of other files.
            let mut add = client.pick(&view.files).filter(|_| has_feature(view, ROW_TRACKING_FEATURE))?.clone();
            add["stats"] = json!({"numRecords": 1_000}).to_string().into();
            scope = Scope::Files(vec![text(&add, "path")]);
            vec![json!({"add": add})]
        }
        11 => {
            // A schema that the table never had.
            vec![json!({"commitInfo": {"operation": "RESTORE"}}), column(client, view)?]
        }
        _ => {
            // A batch that the application has written already.
            let txn = client.pick(&view.snapshot.transactions)?;
            vec![json!({"txn": {"appId": txn.app_id, "version": txn.version}}), new_file(client)]
        }
    };
    Some(Planned { actions, scope })
}

fn with(client: &Client, field: &str, value: Value) -> Vec<Value> {
    let mut add = new_file(client);
    add["add"][field] = value;
    vec![add]
}
