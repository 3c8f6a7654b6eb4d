//! What a commit says of itself, and what is filled in.

use serde_json::{Value, json};

use crate::support::{Home, add, dl, first_commit, lines, remove, run_with};

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

/// A commit has its id in the log: who sends it again to a catalog that took the log in is told which version it is.
#[test]
fn a_commit_is_known_again_by_its_id_after_an_import() {
    const ID: [&str; 2] = ["--commit-id", "5f7c1a4e-2f8b-4c06-9d1e-0000000000aa"];
    let home = Home::with_table(&[first_commit()]);
    home.run("backup", &["--to", home.path("b").to_str().unwrap()]).ok();
    let actions = lines(&[remove("first"), add("second")]);
    assert_eq!(home.commit(&actions, &ID).json()["version"], 1);
    home.commit(&lines(&[add("third")]), &[]).ok();
    home.run("mirror", &[]).ok();
    let restored = home.path("restored.db").to_str().unwrap().to_owned();
    let from = home.path("b").to_str().unwrap().to_owned();
    let database = ["--database", &restored];
    let run_on = |command: &str, args: &[&str], input: &[u8]| {
        let mut all = dl();
        all.arg(command).args(database).args(["--format", "json"]).args(args);
        run_with(all, input)
    };
    run_on("restore", &["--from", &from], b"").ok();
    let log = home.path("t/_delta_log").to_str().unwrap().to_owned();
    run_on("import", &["--log-dir", &log, "--incremental"], b"").ok();
    let again = run_on("commit", &[&["--table", "t", "--actions", "-"][..], &ID].concat(), &actions).json();
    assert_eq!(again["version"], 1);
    let history = run_on("history", &["--table", "t"], b"").json();
    assert_eq!(history.as_array().unwrap().len(), 3, "{history}");
}
