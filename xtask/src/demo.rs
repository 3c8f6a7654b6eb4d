//! `cargo xtask demo`: one walk through what `dl` does, on a bundled table.

mod append;
mod command;
mod folder;
mod mirroring;
mod transaction;
mod two_writers;

use std::fs;
use std::path::{Path, PathBuf};

use crate::setup::{self, Part, python};
use crate::tools::{Failure, Result, Tool, at};
use crate::workspace::Workspace;
use command::Dl;
use folder::copy_folder;

/// Written by Spark: eight versions, checkpoints, deletion vectors, an update and two restores.
const TABLE: &str = "deletion-vectors";
/// Written by Spark, too: two columns of the same names and types.
const SECOND_TABLE: &str = "optimize";
/// The version at which that table has two files, one of them with a deletion vector.
const OLD_VERSION: &str = "4";
/// What the walk commits first.
const FIRST_FILE: &str = "part-00000-demo.snappy.parquet";

/// Prints the heading of a step, with its number.
struct Steps {
    count: u32,
}

impl Steps {
    fn begin(&mut self, title: &str, text: &str) {
        self.count += 1;
        let title = format!("{}. {title}", self.count);
        println!("\n{title}\n{}", "-".repeat(title.len()));
        println!("{text}");
    }
}

/// Where the walk keeps its files.
struct Places {
    dir: PathBuf,
    table: PathBuf,
    log: PathBuf,
    second_table: PathBuf,
    catalog: PathBuf,
    second_catalog: PathBuf,
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::install(workspace, &[Part::CCompiler])?;
    eprintln!("demo: building dl; the first time takes some minutes");
    workspace.cargo("building dl").args(["build", "--bin", "dl"]).run()?;

    let places = lay_out(workspace)?;
    let dl = Dl::new(workspace.dl("debug"), &places.catalog);
    println!("\nThe walk's files are in {}", places.dir.display());

    let mut steps = Steps { count: 0 };
    look(&dl, &places, &mut steps)?;
    travel(&dl, &mut steps)?;
    commit(&dl, &places, &mut steps)?;
    two_writers::show(&dl, &places, &mut steps)?;
    transaction::show(&dl, &places, &mut steps)?;
    mirroring::show(&dl, &places, &mut steps)?;
    read_with_delta_rs(workspace, &places, &mut steps)?;
    what_next(&dl, &places);
    Ok(())
}

/// A fresh folder with a copy of the table.
fn lay_out(workspace: &Workspace) -> Result<Places> {
    let dir = workspace.target.join("demo");
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(at("removing", &dir))?;
    }
    let table = dir.join("people");
    let second_table = dir.join("visits");
    for (bundled, copy) in [(TABLE, &table), (SECOND_TABLE, &second_table)] {
        copy_folder(&workspace.root.join("tests/tables").join(bundled), copy)?;
    }
    Ok(Places {
        log: table.join("_delta_log"),
        catalog: dir.join("catalog.db"),
        second_catalog: dir.join("second-catalog.db"),
        table,
        second_table,
        dir,
    })
}

fn look(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    steps.begin(
        "Import the table's log into an SQLite catalog",
        "Spark wrote this table. Its log is read once, every version of it, into SQL.",
    );
    let log = places.log.to_string_lossy();
    dl.show(&["import", "--log-dir", &log, "--name", "people", "--mode", "full-history"])?;

    steps.begin("List the tables of the catalog", "One so far.");
    dl.show(&["tables"])?;

    steps.begin("Show the history", "What each version did. The answer comes from SQL; the log is not read again.");
    dl.show(&["history", "--table", "people"])?;

    steps.begin("Show the latest snapshot", "Protocol, metadata and totals, in one query.");
    dl.show(&["snapshot", "--table", "people"])?;

    steps.begin("Show the schema", "As of the latest version; --version gives an older one.");
    dl.show(&["schema", "--table", "people"])
}

fn travel(dl: &Dl, steps: &mut Steps) -> Result<()> {
    steps.begin("List the files", "These are what an engine reads at the latest version.");
    dl.show(&["files", "--table", "people"])?;

    let old = ["files", "--table", "people", "--version", OLD_VERSION];
    steps.begin("Travel in time", "At version 4 the table had two files, one of them with a deletion vector.");
    dl.show(&old)?;
    expect_files(dl, &old, 2)?;

    let some = [&old[..], &["--where", "id < 5"]].concat();
    steps.begin(
        "List only the files that can hold a match",
        "By its statistics, the second file has no id but 8, so it is left out.",
    );
    dl.show(&some)?;
    expect_files(dl, &some, 1)
}

/// What the walk says of the files must be so.
fn expect_files(dl: &Dl, command: &[&str], expected: usize) -> Result<()> {
    let listed = dl.ask(&[command, &["--format", "ndjson"]].concat())?;
    let found = listed.lines().count();
    if found == expected {
        return Ok(());
    }
    let doing = format!("checking `dl {}`", command.join(" "));
    Err(Failure::new(doing, format!("files listed: expected {expected}, found {found}"))
        .hint("either `dl` is wrong, or the bundled table is another one now"))
}

fn commit(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    let append = new_file(dl, "people", &places.table, FIRST_FILE)?;
    steps.begin(
        "Commit",
        &format!(
            "An engine would now write a Parquet file; here a copy of one is the new file:\n  {}\n\
             The commit is one add action, as the Delta protocol has it:",
            append.file.display(),
        ),
    );
    let actions = written(&places.dir.join("append.ndjson"), &append.action.to_string())?;
    dl.show(&["commit", "--table", "people", "--operation", "WRITE", "--actions", &actions])?;
    dl.show(&["files", "--table", "people"])
}

/// A new file in the folder of a table, with its action.
fn new_file(dl: &Dl, table: &str, folder: &Path, name: &str) -> Result<append::Append> {
    append::prepare(folder, &dl.ask(&["files", "--table", table, "--format", "ndjson"])?, name)
}

/// Writes a file for `dl`, and shows what is in it.
fn written(path: &Path, text: &str) -> Result<String> {
    fs::write(path, format!("{text}\n")).map_err(at("writing", path))?;
    print_command(&[Path::new("cat"), path]);
    println!("{text}");
    Ok(path.to_string_lossy().into_owned())
}

fn read_with_delta_rs(workspace: &Workspace, places: &Places, steps: &mut Steps) -> Result<()> {
    steps.begin("Read the table with delta-rs", "It knows nothing of the catalog; it reads the mirrored log.");
    if !python::COMPARE.is_complete(workspace)? {
        println!("Left out: delta-rs is not installed here. `cargo xtask setup` installs it.");
        return Ok(());
    }
    let python = python::COMPARE.interpreter(workspace);
    let script = workspace.root.join("xtask/src/demo/read_with_delta_rs.py");
    print_command(&[&python, &script, &places.table]);
    Tool::new(&python, "reading the mirrored table with delta-rs").arg(script).arg(&places.table).quiet().run()
}

fn print_command(words: &[&Path]) {
    let words: Vec<_> = words.iter().map(|word| word.display().to_string()).collect();
    println!("\n$ {}\n", command::folded(&words));
}

fn what_next(dl: &Dl, places: &Places) {
    println!("\nThe walk is done; its files stay until the next one. What to try next:\n");
    println!("- Import a table of your own:");
    println!("    {} import \\", dl.program().display());
    println!("    --database {} \\", places.catalog.display());
    println!("    --log-dir /path/to/table/_delta_log");
    println!("- See all commands: {} --help", dl.program().display());
    println!("- Build the binary to keep: cargo build --release --bin dl");
    println!("- Run every check and comparison: cargo xtask test");
}
