//! `dl transaction`: several tables, all or none; and commits of any size.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Home, Ran, add, first_commit, lines, remove, run_with};

const TAG: &str = "delta.multiTableTransaction.transactionId";
const ID: &str = "5f7c1a4e-2f8b-4c06-9d1e-00000000000f";

fn home(tables: &[&str]) -> Home {
    let home = Home::new();
    for table in tables {
        home.write_log(table, &[first_commit()]);
        home.import(table).ok();
    }
    home
}

fn transaction(home: &Home, file: &Value, args: &[&str]) -> Ran {
    let mut command = home.command("transaction", &["--file", "-"]);
    command.args(args);
    run_with(command, file.to_string().as_bytes())
}

fn version(home: &Home, table: &str) -> Value {
    home.run("snapshot", &["--table", table]).json()["version"].clone()
}

#[test]
fn what_happened_in_time_is_told_later() {
    let home = home(&["orders"]);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let file = json!({ "transaction_id": ID, "begun_at_ms": now, "tables": [
        { "table": "orders", "actions": [add("order-1")] },
    ] });
    let done = transaction(&home, &file, &["--max-age", "60"]).json();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(transaction(&home, &file, &["--max-age", "1"]).json(), done);
    let mut other = file.clone();
    other["transaction_id"] = json!("5f7c1a4e-2f8b-4c06-9d1e-000000000010");
    transaction(&home, &other, &["--max-age", "1"]).fails("invalid", "ago; the limit is 1 second");
    other["begun_at_ms"] = json!(now + 10_000_000);
    transaction(&home, &other, &[]).fails("invalid", "from now");
}

#[test]
fn all_tables_or_none() {
    let home = home(&["orders", "stock"]);
    let file = json!({ "transaction_id": ID, "tables": [
        { "table": "orders", "actions": [add("order-1")], "operation": "ORDER" },
        { "table": "stock", "actions": [remove("first"), add("second")], "read": { "version": 0, "files": ["first"] } },
    ] });
    let done = transaction(&home, &file, &[]).json();
    assert_eq!(done["transaction_id"], ID);
    let versions = |done: &Value| -> Vec<(String, i64)> {
        let table = |table: &Value| (table["table"].as_str().unwrap().to_owned(), table["version"].as_i64().unwrap());
        done["tables"].as_array().unwrap().iter().map(table).collect()
    };
    assert_eq!(versions(&done), [("orders".to_owned(), 1), ("stock".to_owned(), 1)]);
    for (table, operation) in [("orders", "ORDER"), ("stock", "WRITE")] {
        let newest = &home.run("history", &["--table", table]).json()[0];
        assert_eq!((&newest["operation"], &newest["commit_id"]), (&json!(operation), &json!(ID)));
        let tag = &newest["commit_info"]["tags"][TAG];
        assert_eq!(tag, ID);
    }
    assert_eq!(transaction(&home, &file, &[]).json(), done, "sent again, it happened once");
    let mut by_uuid = file.clone();
    by_uuid["tables"][1]["table"] = home.tables()[1]["table_id"].clone();
    assert_eq!(transaction(&home, &by_uuid, &[]).json(), done, "a table has two names");
    let mut other = file.clone();
    other["tables"][0]["operation"] = json!("MERGE");
    transaction(&home, &other, &[]).fails("invalid", "with other actions or another operation");
    other["tables"] = json!([file["tables"][0]]);
    transaction(&home, &other, &[]).fails("invalid", "not in a transaction of these tables");

    let loses = json!({ "tables": [
        { "table": "orders", "actions": [add("order-2")] },
        { "table": "stock", "actions": [remove("first")], "read": { "version": 0, "where": ["id > 5"] } },
    ] });
    let error = transaction(&home, &loses, &[]).error(4);
    assert_eq!((&error["table"], &error["version"]), (&json!("stock"), &json!(1)));
    assert_eq!((&error["conflict_kind"], &error["predicate"]), (&json!("concurrentAppend"), &json!("id > 5")));
    assert_eq!(error["winner_operation"], "WRITE");
    assert_eq!((version(&home, "orders"), version(&home, "stock")), (json!(1), json!(1)));

    let invalid = json!({ "tables": [
        { "table": "orders", "actions": [add("order-2")] },
        { "table": "stock", "actions": [add("../escapes")] },
    ] });
    assert_eq!(transaction(&home, &invalid, &[]).fails("invalid", "../escapes")["table"], "stock");
    assert_eq!((version(&home, "orders"), version(&home, "stock")), (json!(1), json!(1)));
}

#[test]
fn what_a_transaction_may_not_be() {
    let home = home(&["orders", "stock"]);
    let one = |table: &str| json!({ "table": table, "actions": [add("a")] });
    let with = |field: &str, value: Value| {
        let mut part = one("orders");
        part[field] = value;
        json!({ "tables": [part] })
    };
    let two = json!({ "tables": [one("orders"), one("stock")] });
    let cases: Vec<(Value, &[&str], &str, &str)> = vec![
        (json!({ "tables": [] }), &[], "invalid", "no tables"),
        (json!({ "tables": [one("orders"), one("orders")] }), &[], "invalid", "twice"),
        (
            json!({ "tables": [one("none")] }),
            &[],
            "not_found",
            ": nothing was committed now: the catalog has no table `none`",
        ),
        (with("database", json!("other.db")), &[], "invalid", "another catalog"),
        (with("actions", json!([])), &[], "invalid", "nothing to commit"),
        (with("actions", json!([{ "add": { "path": "a" } }])), &[], "invalid", "action 1 of table `orders`"),
        (with("actions", json!(["add"])), &[], "invalid", "action 1 of table `orders`"),
        (with("actions", json!([{ "Add": {} }])), &[], "invalid", "there is no action `Add`"),
        (
            with("actions", json!([{ "add": add("a")["add"], "remove": remove("first")["remove"] }])),
            &[],
            "invalid",
            "action 1 of table `orders`: one object has two actions, `add` and `remove`",
        ),
        (with("isolation", json!("weak")), &[], "invalid", "weak"),
        (with("operation", json!("A\0B")), &[], "invalid", "has a NUL character or more than 1000 bytes"),
        (with("operation", json!("A".repeat(1 << 20))), &[], "invalid", "has a NUL character or more than 1000 bytes"),
        (with("read", json!({ "versoin": 1 })), &[], "invalid", "versoin"),
        (with("read", json!({ "where": ["id > 1"] })), &[], "invalid", "not its `version`"),
        (with("read", json!({ "version": 7 })), &[], "invalid", "versions 0 to 0"),
        (with("read", json!({ "version": 0, "where": ["nothing > 1"] })), &[], "invalid", "nothing"),
        (json!({}), &[], "invalid", "tables"),
        (json!({ "tables": [one("orders")], "transaction_id": "x" }), &[], "invalid", "UUID"),
        (json!({ "tables": [one("orders")], "begun_at_ms": 0 }), &[], "invalid", "ago; the limit is 1 hour"),
        (
            with("actions", json!([{ "commitInfo": { "tags": { TAG: ID } } }, add("a")])),
            &[],
            "invalid",
            "multiTableTransaction",
        ),
        (two.clone(), &["--max-tables", "1"], "invalid", "the number of its tables is 2; the limit is 1"),
        (two.clone(), &["--max-actions", "1"], "invalid", "the number of its actions is 2; the limit is 1"),
        (two.clone(), &["--max-bytes", "100"], "invalid", "; the limit is 100"),
    ];
    for (file, args, kind, part) in cases {
        transaction(&home, &file, args).fails(kind, part);
    }
    let no_json = run_with(home.command("transaction", &["--file", "-"]), b"{");
    no_json.fails("invalid", "reading the transaction");
    home.run("transaction", &["--file", home.path("none").to_str().unwrap()]).fails("not_found", "none");
    assert_eq!((version(&home, "orders"), version(&home, "stock")), (json!(0), json!(0)));
}

/// More actions than are held at once.
fn many(count: usize) -> Vec<u8> {
    let mut actions: Vec<Value> = (0..count).map(|file| add(&format!("f{file:06}"))).collect();
    actions.insert(count / 2, json!({ "txn": { "appId": "loader", "version": 1 } }));
    lines(&actions)
}

#[test]
fn a_commit_of_any_size() {
    const COUNT: usize = 40_000;
    let home = Home::with_table(&[first_commit()]);
    let start = Instant::now();
    let done = home.commit(&many(COUNT), &["--commit-id", ID]).json();
    println!("{COUNT} files in {:?}", start.elapsed());
    assert_eq!(done["version"], 1);
    let snapshot = home.run("snapshot", &[]).json();
    assert_eq!(snapshot["file_count"], 1 + COUNT);
    assert_eq!(snapshot["transactions"][0]["appId"], "loader");
    assert_eq!(home.commit(&many(COUNT), &["--commit-id", ID]).json()["version"], 1);
    let mut twice = many(COUNT);
    twice.extend(lines(&[add("f000000")]));
    home.commit(&twice, &[]).fails("invalid", "two `add` actions of `f000000`");
    let mut broken = many(COUNT);
    broken.extend(b"{\"add\":{}}\n");
    home.commit(&broken, &[]).fails("invalid", "line 40002");
    assert_eq!(home.run("snapshot", &[]).json()["version"], 1);
    assert_eq!(home.query("SELECT count(*) FROM dl_large_commit_files"), ["Integer(0)"]);
}

#[test]
fn a_large_commit_that_is_killed_is_swept() {
    const COUNT: usize = 60_000;
    let home = Home::with_table(&[first_commit()]);
    let actions = home.path("actions");
    std::fs::write(&actions, many(COUNT)).unwrap();
    let args = ["--table", "t", "--commit-id", ID, "--actions", actions.to_str().unwrap()];
    let mut child = home.command("commit", &args).spawn().unwrap();
    // Killed when some of it is written.
    while home.query("SELECT count(*) FROM dl_large_commit_files") == ["Integer(0)"] {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let snapshot = home.run("snapshot", &[]).json();
    if snapshot["version"] == 0 {
        assert_eq!(snapshot["file_count"], 1);
        assert_eq!(home.run("sweep", &[]).json()["row_count"], 0, "it may still live");
        assert_ne!(home.run("sweep", &["--older-than", "0"]).json()["row_count"], 0);
    }
    assert_eq!(run_with(home.command("commit", &args), b"").json()["version"], 1);
    assert_eq!(home.run("snapshot", &[]).json()["file_count"], 1 + COUNT);
    home.run("sweep", &["--older-than", "0"]).ok();
    assert_eq!(home.query("SELECT count(*) FROM dl_large_commit_files"), ["Integer(0)"]);
}

/// Given up is given up, whatever time the writer's clock showed.
#[test]
fn a_sweep_of_all_looks_at_no_clock() {
    let home = home(&["t"]);
    let write = "INSERT INTO dl_large_commits (table_id, commit_id, begun_ms, written_ms, action_count, is_over)
        SELECT table_id, 'ahead', 9000000000000000, 9000000000000000, 0, 0 FROM dl_tables";
    rusqlite::Connection::open(home.database()).unwrap().execute(write, []).unwrap();
    assert_eq!(home.run("sweep", &["--older-than", "1"]).json()["commit_count"], 0);
    assert_eq!(home.run("sweep", &["--older-than", "0"]).json()["commit_count"], 1);
}
