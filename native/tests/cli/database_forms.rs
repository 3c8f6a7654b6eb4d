//! What `--database` may name, and what it does to what is no catalog.

use std::fs;
use std::path::Path;

use crate::support::{Home, Ran, add, dl, first_commit, lines, run, run_with};

fn tables_of(form: &str, folder: &Path) -> Ran {
    let mut command = dl();
    command.args(["tables", "--format", "json", "--database", form]).current_dir(folder);
    command.env("FOLDER", folder).env("SECRET", "hunter2").env("EMPTY", "");
    run(command)
}

#[test]
fn every_form_of_a_path() {
    let home = Home::with_table(&[first_commit()]);
    let path = home.database();
    let path = path.to_str().unwrap();
    for form in [
        path,
        "catalog.db",
        "$FOLDER/catalog.db",
        "${FOLDER}/catalog.db",
        "sqlite://$FOLDER/catalog.db",
        &format!("sqlite://{path}"),
        &format!("deltasql://sqlite{path}"),
        "deltasql://sqlite${FOLDER}/catalog.db",
    ] {
        println!("{form}");
        assert_eq!(tables_of(form, &home.path("")).json()[0]["name"], "t");
    }
}

#[test]
fn forms_that_name_nothing() {
    let home = Home::new();
    for (form, kind, fragment) in [
        ("", "invalid", "names no file"),
        ("$EMPTY", "invalid", "names no file"),
        ("$NONE/x.db", "invalid", "`NONE`"),
        ("${NONE}", "invalid", "`NONE`"),
        ("${FOLDER", "invalid", "`}`"),
        ("sqlite://", "invalid", "names no file"),
        ("deltasql://postgres/x", "unsupported", "cannot open"),
        ("deltasql://sqlite", "unsupported", "cannot open"),
        (".", "invalid", "folder"),
        ("none.db", "not_found", "none.db"),
        ("none/x.db", "not_found", "none/x.db"),
    ] {
        println!("{form}");
        let error = tables_of(form, &home.path("")).fails(kind, fragment);
        assert!(error["hint"].is_string(), "{error}");
    }
    assert_eq!(fs::read_dir(home.path("")).unwrap().count(), 0, "asking makes nothing");
}

/// Neither what an address holds nor what the environment put in.
#[test]
fn secrets_are_not_printed() {
    let home = Home::new();
    home.write_log("t", &[first_commit()]);
    fs::write(home.path("file"), "x").unwrap();
    for form in [
        "libsql://user:hunter2@host?authToken=hunter2",
        "libsql://host?authToken=hunter2",
        "libsql://host#hunter2",
        "postgres://user:hunter2@host/db",
        "deltasql://user:hunter2@sqlite/x",
        "https://hunter2@host/x",
        "$SECRET",
        "$SECRET/x.db",
        "none/$SECRET/x.db",
        "file/$SECRET",
        "libsql://host/$SECRET",
        "sqlite:///none/x.db?key=hunter2",
    ] {
        for command in ["tables", "migrate", "import"] {
            if form == "$SECRET" && command != "tables" {
                continue; // a file of that name may be made
            }
            for format in ["json", "table"] {
                let mut dl = dl();
                dl.args([command, "--format", format, "--database", form]).current_dir(home.path(""));
                dl.env("SECRET", "hunter2");
                if command == "import" {
                    dl.args(["--log-dir", "t"]);
                }
                let ran = run(dl);
                assert_eq!(ran.code, Some(1), "{command} {form}: {}", ran.err);
                let said = format!("{}{}", ran.out, ran.err);
                assert!(!said.contains("hunter2"), "{command} {form} says {said}");
            }
        }
    }
}

#[test]
fn a_tables_location_holds_no_secret() {
    let home = Home::new();
    home.write_log("t", &[first_commit()]);
    let log = home.path("t");
    let location = "s3://key:hunter2@bucket/folder?token=hunter2";
    let ran = home.run("import", &["--log-dir", log.to_str().unwrap(), "--table-location", location]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{}{}", ran.out, ran.err);
    if ran.code == Some(0) {
        assert!(!home.run("tables", &[]).ok().out.contains("hunter2"));
    }
}

/// Every command on a file that is no catalog says so and leaves the file as it is.
#[test]
fn files_that_are_no_catalog() {
    for (name, content, kind) in [
        ("text", b"not a database, but long enough for a header of one hundred bytes ".repeat(40), "corrupt"),
        ("nothing", Vec::new(), "not_found"),
    ] {
        let home = Home::new();
        home.write_log("t", &[first_commit()]);
        fs::write(home.database(), &content).unwrap();
        let named = ["--table", "t"];
        for (command, args) in [
            ("tables", &[][..]),
            ("snapshot", &[]),
            ("files", &[]),
            ("history", &[]),
            ("mirror", &["--all"]),
            ("drop", &named),
        ] {
            println!("{name}: {command}");
            home.run(command, args).fails(kind, "catalog");
        }
        home.commit(&lines(&[add("b")]), &[]).fails(kind, "catalog");
        assert_eq!(fs::read(home.database()).unwrap(), content);
        match name {
            "nothing" => drop(home.import("t").ok()), // an empty file becomes a catalog
            _ => drop(home.import("t").fails(kind, "catalog")),
        }
    }
}

#[test]
fn a_truncated_catalog() {
    let home = Home::with_table(&crate::support::many_commits(10, 100));
    home.query("PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = fs::read(home.database()).unwrap();
    for (part, of) in [(9, 10), (1, 2), (1, 50)] {
        fs::write(home.database(), &whole[..whole.len() * part / of]).unwrap();
        for command in ["tables", "snapshot", "files", "history"] {
            home.run(command, &[]).fails("corrupt", "damaged");
        }
        home.import("t").fails("corrupt", "damaged");
        home.commit(&lines(&[add("b")]), &[]).fails("corrupt", "damaged");
    }
}

/// Another program's database: nothing of it changes, not even its journal mode.
#[test]
fn a_foreign_database_is_left_alone() {
    let home = Home::new();
    home.write_log("t", &[first_commit()]);
    let connection = rusqlite::Connection::open(home.database()).unwrap();
    connection.execute_batch("CREATE TABLE dl_tables (name TEXT); INSERT INTO dl_tables VALUES ('mine');").unwrap();
    drop(connection);
    let before = fs::read(home.database()).unwrap();
    home.run("tables", &[]).fails("not_found", "no catalog");
    for ran in [home.import("t"), home.run("migrate", &[])] {
        let error = ran.error(1);
        assert_ne!(error["kind"], "internal", "{error}");
        assert!(error["message"].as_str().unwrap().len() < 300, "the message is no SQL text: {error}");
    }
    assert!(fs::read(home.database()).unwrap() == before, "the foreign database was written to");
}

#[test]
fn a_catalog_of_a_newer_release() {
    let home = Home::with_table(&[first_commit()]);
    home.query("INSERT INTO dl_migrations (version, name) VALUES (99, 'later')");
    let before = home.content();
    for command in ["tables", "snapshot", "files", "migrate"] {
        home.run(command, &[]).fails("unsupported", "version 99");
    }
    home.run("drop", &["--table", "t"]).fails("unsupported", "version 99");
    home.import("t").fails("unsupported", "version 99");
    home.commit(&lines(&[add("b")]), &[]).fails("unsupported", "version 99");
    assert_eq!(home.content(), before);
}

#[test]
fn a_dry_run_makes_nothing() {
    let home = Home::new();
    let shown = home.run("migrate", &["--dry-run"]).json();
    assert_eq!((&shown["applied"], &shown["version_before"]), (&false.into(), &0.into()));
    assert!(!home.database().exists(), "a dry run made the database");
}

/// A catalog at rest is one file: a copy of it is the catalog.
#[test]
fn the_catalog_is_one_file_when_nobody_uses_it() {
    let home = Home::with_table(&[first_commit()]);
    home.commit(&lines(&[add("b")]), &[]).ok();
    home.run("mirror", &[]).ok();
    let copy = Home::new();
    fs::copy(home.database(), copy.database()).unwrap();
    assert_eq!(copy.run("snapshot", &[]).json()["version"], 1);
}

/// Root may write everywhere, so there this is run as nobody.
#[test]
fn a_catalog_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_table(&[first_commit()]);
    home.query("PRAGMA wal_checkpoint(TRUNCATE)");
    home.query("PRAGMA journal_mode = DELETE");
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (folder_mode, file_mode) in [(0o555, 0o666), (0o777, 0o444), (0o555, 0o444)] {
        set(&home.database(), file_mode);
        set(&home.path(""), folder_mode);
        let commit = as_nobody(&home, &["commit", "--table", "t", "--actions", "-"], &lines(&[add("b")]));
        let read = as_nobody(&home, &["snapshot"], b"");
        set(&home.path(""), 0o755);
        commit.fails("denied", "");
        assert_eq!(read.json()["version"], 0);
    }
}

fn as_nobody(home: &Home, args: &[&str], input: &[u8]) -> Ran {
    use std::os::unix::fs::MetadataExt;
    let mut command = dl();
    // /proc/self belongs to who we are.
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        // The binary may lie where nobody else may look.
        let copy = home.path("dl");
        if !copy.exists() {
            fs::copy(env!("CARGO_BIN_EXE_dl"), &copy).unwrap();
        }
        command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
    }
    command.args(args).args(["--format", "json", "--database"]).arg(home.database());
    run_with(command, input)
}

/// Credentials in an URL reach the store, and nobody else.
#[test]
fn urls_of_logs_are_printed_without_their_secrets() {
    let home = Home::with_table(&[first_commit()]);
    let urls = [
        "https://user:SECRET@127.0.0.1:1/t",
        "https://127.0.0.1:1/t?sig=SECRET",
        "foo://user:SECRET@host/t",
        "http://[bad:SECRET@host/t",
        "https://user:SECRET@:99999/t",
        "abfss://container@account.dfs.core.windows.net/t?sig=SECRET",
    ];
    for url in urls {
        for ran in [
            home.run("import", &["--log-dir", url, "--name", "other"]),
            home.run("mirror", &["--table", "t", "--target", url]),
        ] {
            ran.error(1);
            assert!(!ran.err.contains("SECRET") && !ran.out.contains("SECRET"), "{url}: {}", ran.err);
        }
    }
    for database in
        ["libsql:u:SECRET@h", "mysql:u:SECRET@h/db", "libsql://h/db;token=SECRET", "libsql://u:p/SECRET@h/db"]
    {
        let mut dl = dl();
        dl.args(["import", "--format", "json", "--log-dir"]).arg(home.path("t")).args(["--database", database]);
        let ran = run(dl);
        ran.error(1);
        assert!(!ran.err.contains("SECRET"), "{database}: {}", ran.err);
    }
}

/// In Azure's URLs what stands before the @ is the container: two of them are two places.
#[test]
fn a_container_is_part_of_a_location() {
    let home = Home::new();
    home.write_log("t", &[first_commit()]);
    for name in ["one", "two"] {
        let location = format!("abfss://{name}@account.dfs.core.windows.net/t");
        let log = home.path("t");
        let args = ["--log-dir", log.to_str().unwrap(), "--name", name, "--table-location", &location];
        assert_eq!(home.run("import", &args).json()["location"], location.as_str());
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let mut dl = dl();
    dl.args(["tables", "--format", "json", "--database"]).arg(std::ffi::OsStr::from_bytes(b"\xff.db"));
    run(dl).error(2);
}

/// What another program had written when it died, and had not committed, is not read.
#[test]
fn a_journal_that_was_left_is_not_passed_over() {
    let home = Home::with_table(&[first_commit()]);
    let connection = rusqlite::Connection::open(home.database()).unwrap();
    let begun = "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 5; BEGIN IMMEDIATE; DELETE FROM dl_add_files;
        CREATE TABLE filler (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
        INSERT INTO filler SELECT zeroblob(4000) FROM n";
    connection.execute_batch(begun).unwrap();
    let died = Home::new();
    for name in ["catalog.db", "catalog.db-journal"] {
        fs::copy(home.path(name), died.path(name)).unwrap();
    }
    drop(connection);

    died.run("files", &[]).fails("unavailable", "dl migrate");
    died.run("migrate", &[]).ok();
    assert_eq!(died.file_paths(), ["first"]);
}

/// SQLite keeps a log for each name: who writes by one does not see what was written by the other.
#[cfg(unix)]
#[test]
fn a_database_with_two_names_is_not_written() {
    let home = Home::with_table(&[first_commit()]);
    std::fs::hard_link(home.database(), home.path("other.db")).unwrap();
    home.commit(&lines(&[add("a")]), &[]).fails("unavailable", "hard links");
    home.run("files", &[]).fails("unavailable", "hard links");
    std::fs::remove_file(home.path("other.db")).unwrap();
    assert_eq!(home.file_paths(), ["first"]);
    home.commit(&lines(&[add("a")]), &[]).ok();
}
