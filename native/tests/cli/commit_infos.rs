//! What a commit says of itself, and what is filled in.

use serde_json::{Value, json};

use crate::support::{Home, add, first_commit, lines};

/// Null is as good as left out.
#[test]
fn what_is_null_is_filled_in() {
    let home = Home::with_table(&[first_commit()]);
    let nulls = json!({ "operation": null, "timestamp": null, "operationParameters": null, "isolationLevel": null,
        "isBlindAppend": null, "engineInfo": null, "txnId": null, "readVersion": null, "tags": null, "mine": null });
    home.commit(&lines(&[json!({ "commitInfo": nulls }), add("b")]), &["--read-version", "0"]).ok();
    home.mirror("mirrored").ok();
    let commit = std::fs::read_to_string(home.path("mirrored/_delta_log/00000000000000000001.json")).unwrap();
    let info: Value = serde_json::from_str(commit.lines().next().unwrap()).unwrap();
    let info = &info["commitInfo"];
    assert_eq!(
        (&info["operation"], &info["isBlindAppend"], &info["readVersion"]),
        (&json!("WRITE"), &json!(true), &json!(0))
    );
    for filled in ["timestamp", "operationParameters", "isolationLevel", "engineInfo", "txnId"] {
        assert!(!info[filled].is_null(), "{filled}: {info}");
    }
}
