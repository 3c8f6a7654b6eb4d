//! The commands that help and README show do what is said there, in a fresh folder.

use std::path::Path;
use std::process::Command;

use crate::support::{Home, Ran, add, dl, lines, many_commits, run, tables_folder};
use deltalakedb_core::commit::RetryPolicy;

fn help(command: &str) -> String {
    let mut dl = dl();
    dl.env_remove("COLUMNS").args([command, "--help"]);
    run(dl).ok().out
}

/// Runs lines of POSIX shell, which find `dl` on the path.
fn shell(home: &Home, script: &str) -> Ran {
    let bin = Path::new(env!("CARGO_BIN_EXE_dl")).parent().unwrap().to_owned();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(bin).chain(std::env::split_paths(&paths));
    let mut shell = Command::new("sh");
    shell.env("PATH", std::env::join_paths(path).unwrap()).env_remove("DL_DATABASE");
    shell.current_dir(home.path(".")).args(["-euc", script]);
    run(shell)
}

/// A catalog whose tables have versions 0 to 8.
fn home(tables: &[&str]) -> Home {
    let home = Home::new();
    for table in tables {
        let mut commits = many_commits(8, 1);
        commits[1] = lines(&[add("part-1.parquet")]);
        home.write_log(table, &commits);
        home.import(table).ok();
    }
    home
}

#[test]
fn the_examples_of_help_can_be_run() {
    for (command, tables) in [
        ("commit", &["events"][..]),
        ("transaction", &["orders", "stock"]),
        ("sweep", &["events"]),
        ("diff", &["events"]),
        ("verify", &["events"]),
        ("export", &["events"]),
        ("backup", &["events"]),
        ("restore", &["events"]),
    ] {
        let help = help(command);
        let (_, examples) = help.split_once("Example").unwrap_or_else(|| panic!("dl {command} has no example"));
        let (examples, codes) = examples.split_once("Exit codes").unwrap();
        assert!(codes.contains("0 ") && codes.contains("1 ") && codes.contains("2 "), "{codes}");
        let script: Vec<_> = examples.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        shell(&home(tables), &script.join("\n")).ok();
    }
}

#[test]
fn the_default_that_help_tells_is_the_one() {
    let told = format!("by default {} times", RetryPolicy::default().max_tries);
    for command in ["commit", "transaction"] {
        assert!(help(command).contains(&told), "dl {command} --help does not say `{told}`");
    }
}

/// README's fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let begin = format!("```{language}\n");
    let block = |rest: &str| rest.split_once("```").unwrap().0.to_owned();
    readme.split(&begin).skip(1).map(block).collect()
}

/// They build on one another; what must be printed is in blocks of text.
#[test]
fn the_commands_of_readme_can_be_run() {
    let home = Home::new();
    let clone = tables_folder().join("../..");
    let script = format!("exec 2>&1\nCLONE='{}'\n{}", clone.display(), blocks("sh").concat());
    let printed = shell(&home, &script).ok().out;
    let told = blocks("text");
    assert!(!told.is_empty());
    for told in told {
        assert!(printed.contains(&told), "README tells\n{told}\nbut its commands print\n{printed}");
    }
}
