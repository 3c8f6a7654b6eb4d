//! Calls of `dl`, shown as one would type them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::tools::{Result, Tool, at, quoted};

/// The columns that a shown command fills.
const WIDTH: usize = 90;
/// The exit code of a commit that lost.
const CONFLICT: i32 = 4;

/// `dl` and the catalog that it works on.
pub(super) struct Dl {
    program: PathBuf,
    database: PathBuf,
}

impl Dl {
    pub(super) fn new(program: PathBuf, database: &Path) -> Self {
        Dl { program, database: database.to_path_buf() }
    }

    pub(super) fn with_database(&self, database: &Path) -> Self {
        Dl::new(self.program.clone(), database)
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Prints the command and runs it on this terminal.
    pub(super) fn show(&self, args: &[&str]) -> Result<()> {
        self.shown(args).run()
    }

    /// The same, of a commit that loses.
    pub(super) fn show_conflict(&self, args: &[&str]) -> Result<()> {
        self.shown(args).expect_code(CONFLICT).run()?;
        println!("(exit code {CONFLICT})");
        Ok(())
    }

    /// Prints the command and starts it beside the walk, on this terminal.
    pub(super) fn show_start(&self, args: &[&str]) -> Result<Child> {
        let args = self.print(args, " &");
        Command::new(&self.program).args(args).stdin(Stdio::null()).spawn().map_err(at("starting", &self.program))
    }

    fn shown(&self, args: &[&str]) -> Tool {
        let args = self.print(args, "");
        self.tool(&args)
    }

    fn print(&self, args: &[&str], end: &str) -> Vec<String> {
        let args = self.with_own_args(args);
        let words = std::iter::once(self.program.to_string_lossy().into_owned()).chain(args.clone());
        println!("\n$ {}{end}\n", folded(&words.collect::<Vec<_>>()));
        args
    }

    /// Runs a command for its output, which is not shown.
    pub(super) fn ask(&self, args: &[&str]) -> Result<String> {
        self.tool(&self.with_own_args(args)).output()
    }

    fn tool(&self, args: &[String]) -> Tool {
        let doing = format!("running dl {}", args.first().map_or("", String::as_str));
        Tool::new(&self.program, doing).args(args).quiet()
    }

    /// The subcommand comes first, the catalog next.
    fn with_own_args(&self, args: &[&str]) -> Vec<String> {
        let database = self.database.to_string_lossy().into_owned();
        let (command, rest) = args.split_at(args.len().min(1));
        let own = ["--database".to_owned(), database];
        let command = command.iter().map(|word| (*word).to_owned());
        command.chain(own).chain(rest.iter().map(|word| (*word).to_owned())).collect()
    }
}

/// The words on lines that a shell joins again; an option stays with its value.
pub(super) fn folded(words: &[String]) -> String {
    let mut pieces: Vec<String> = Vec::new();
    for word in words {
        let word = quoted(word);
        match pieces.last_mut() {
            Some(last) if last.starts_with("--") && !last.contains(' ') && !word.starts_with("--") => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => pieces.push(word),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + piece.len() <= WIDTH => {
                line.push(' ');
                line.push_str(&piece);
            }
            _ => lines.push(piece),
        }
    }
    lines.join(" \\\n    ")
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn an_option_stays_with_its_value() {
        let long = "x".repeat(60);
        let words = ["dl", "files", "--database", &long, "--table", "people", "--where", "id < 5"];
        let words: Vec<_> = words.map(str::to_owned).into();
        assert_eq!(folded(&words), format!("dl files --database {long} \\\n    --table people --where \"id < 5\""));
    }
}
