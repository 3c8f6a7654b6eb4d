//! What a table may be called, and that one name never means two tables.

use serde_json::{Value, json};

use crate::support::{Home, Ran, add, first_commit, lines, metadata_with, protocol};

fn import_as(home: &Home, table: &str, name: &str) -> Ran {
    home.run("import", &["--log-dir", home.path(table).to_str().unwrap(), &format!("--name={name}")])
}

#[test]
fn names_that_are_refused() {
    let home = Home::new();
    home.write_log("t", &[first_commit()]);
    let too_long = "x".repeat(10 * 1024);
    for name in ["", "   ", "\u{2028}", "two\nlines", "\u{1b}[31mred", too_long.as_str()] {
        let error = import_as(&home, "t", name).fails("invalid", "name");
        assert!(error["message"].as_str().unwrap().len() < 500, "the message is short: {error}");
    }
    assert!(!home.database().exists(), "a refused name makes no catalog");
}

#[test]
fn odd_names_come_out_as_they_went_in() {
    let home = Home::new();
    let names = ["a'b\"c;--", "é🦀", "a/b/c", "..", "$HOME", "*", "-x", "--name", "null", "%s%n", "עברית"];
    for (index, name) in names.iter().enumerate() {
        let table = format!("t{index}");
        home.write_log(&table, &[first_commit()]);
        assert_eq!(import_as(&home, &table, name).json()["name"], *name);
        let snapshot = home.run("snapshot", &[&format!("--table={name}")]).json();
        assert_eq!(snapshot["name"], *name);
    }
    assert_eq!(home.tables().len(), names.len());
    for name in names {
        home.run("drop", &[&format!("--table={name}")]).ok();
    }
    home.nothing_is_left();
}

#[test]
fn a_location_has_one_name_and_a_name_one_location() {
    let home = Home::new();
    home.write_log("a", &[first_commit()]);
    home.write_log("b", &[first_commit()]);
    home.import("a").ok();
    std::os::unix::fs::symlink(home.path("a"), home.path("link")).unwrap();
    import_as(&home, "b", "a").fails("conflict", "the name `a` is taken");
    import_as(&home, "a", "other").fails("conflict", "registered already, as table `a`");
    import_as(&home, "a/_delta_log/", "other").fails("conflict", "registered already");
    import_as(&home, "link", "other").fails("conflict", "registered already");
    assert_eq!(home.tables().len(), 1);
}

/// A table called like another one's UUID must not stand in for it: here `drop` would forget the wrong one.
#[test]
fn a_name_is_never_another_tables_uuid() {
    let home = Home::new();
    home.write_log("a", &[first_commit()]);
    let other = lines(&[protocol(), metadata_with(json!({ "id": "b" })), add("of-b")]);
    home.write_log("b", &[other]);
    let uuid = home.import("a").json()["table_id"].as_str().unwrap().to_owned();
    if import_as(&home, "b", &uuid).code == Some(0) {
        let by_uuid = home.run("snapshot", &["--table", &uuid]).json();
        assert_eq!(
            by_uuid["metadata"]["id"],
            Value::from("0e3f8a50-5a3c-4b63-a7d4-4b1c7e7f2a11"),
            "the UUID is table a's"
        );
    }
    for _ in 0..10 {
        home.run("tables", &[]).ok();
    }
    home.run("mirror", &["--table", "a", "--target", home.path("mirror").to_str().unwrap()]).ok();
    assert_eq!(
        home.run("import", &["--incremental", "--log-dir", home.path("a").to_str().unwrap()]).json()["name"],
        "a"
    );
}
