//! Sums that 64 bits do not hold: SQLite goes over to floating point there, which once left tables unreadable.

use serde_json::{Value, json};

use crate::support::{Home, add, add_with, first_commit, lines};

fn of_size(path: &str, size: i64) -> Value {
    add_with(path, json!({ "size": size }))
}

#[test]
fn sizes_beyond_64_bits_are_not_committed() {
    let home = Home::with_table(&[first_commit()]);
    home.commit(&lines(&[of_size("b", i64::MAX - 10)]), &[]).ok(); // with the first file's 10 bytes just as large
    let refused = home.commit(&lines(&[of_size("c", 1)]), &[]);
    refused.fails("invalid", "64 bits");
    let both = lines(&[of_size("c", i64::MAX), of_size("d", i64::MAX)]);
    home.commit(&both, &[]).fails("invalid", "64 bits");

    let snapshot = home.run("snapshot", &[]).json();
    assert_eq!((&snapshot["version"], &snapshot["size_bytes"]), (&json!(1), &json!(i64::MAX)));
    home.commit(&lines(&[of_size("empty", 0)]), &[]).ok();
}

#[test]
fn sizes_beyond_64_bits_are_not_imported() {
    let large = |path| lines(&[of_size(path, i64::MAX)]);
    for commits in [
        vec![first_commit(), large("b")],
        vec![first_commit(), lines(&[add("b")]), [large("c"), large("d")].concat(), lines(&[add("e")])],
    ] {
        let home = Home::new();
        home.write_log("t", &commits);
        home.import("t").fails("corrupt", "64 bits");
        home.nothing_is_left();
    }
}

#[test]
fn sizes_beyond_64_bits_are_not_taken_in_later() {
    let home = Home::with_table(&[first_commit()]);
    let before = home.content();
    home.write_log("t", &[first_commit(), lines(&[of_size("b", i64::MAX)])]);
    let refused = home.run("import", &["--incremental", "--log-dir", home.path("t").to_str().unwrap()]);
    refused.fails("corrupt", "64 bits");
    assert_eq!(home.content(), before);
}

/// Statistics only help: ones that cannot be true do not keep a table out.
#[test]
fn row_counts_beyond_64_bits_are_unknown() {
    let many_rows = |path| add_with(path, json!({ "stats": format!("{{\"numRecords\":{}}}", i64::MAX) }));
    let home = Home::with_table(&[first_commit(), lines(&[many_rows("b"), many_rows("c")])]);
    home.commit(&lines(&[many_rows("d"), many_rows("e")]), &[]).ok();
    let snapshot = home.run("snapshot", &[]).json();
    assert_eq!((&snapshot["file_count"], &snapshot["row_count"]), (&json!(5), &Value::Null));
}

/// The key of a version is made of the table's and its number.
#[test]
fn a_version_beyond_40_bits_is_not_another_tables() {
    let home = Home::with_table(&[first_commit(), lines(&[add("b")])]);
    home.write_log("u", &[first_commit(), lines(&[add("c")]), lines(&[add("d")])]);
    home.import("u").ok();
    for version in [-1, 1 << 40, (1 << 40) + 1, (2 << 40) + 1, i64::MAX] {
        let version = format!("--version={version}");
        for command in ["files", "history", "snapshot", "schema"] {
            home.run(command, &["--table", "t", &version]).fails("not_found", "has no version");
        }
    }

    let last = (1_i64 << 40) - 2;
    home.query(&format!(
        "UPDATE dl_table_versions SET version = {last}, version_id = (table_id << 40) + 1 + {last}
         WHERE version = 1 AND table_id = (SELECT table_id FROM dl_tables WHERE name = 't')"
    ));
    let refused = home.commit(&lines(&[add("e")]), &[]);
    refused.fails("unsupported", &last.to_string());
    assert_eq!(home.run("snapshot", &["--table", "t"]).json()["version"], last);
    assert_eq!(home.run("snapshot", &["--table", "u"]).json()["version"], 2);
}
