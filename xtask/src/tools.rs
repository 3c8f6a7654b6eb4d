//! Running other programs, and what a failure says.

use std::env::consts::EXE_SUFFIX;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What was being done, what went wrong, and what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    doing: String,
    wrong: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(doing: impl Into<String>, wrong: impl Into<String>) -> Self {
        Failure { doing: doing.into(), wrong: wrong.into(), hint: None }
    }

    /// What to do next; an earlier hint stays, as it knew more.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.wrong)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  what to do: {hint}")?;
        }
        Ok(())
    }
}

/// `map_err` for file system calls: says what was being done to which path.
pub(crate) fn at<'a>(doing: &'a str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Failure + 'a {
    move |error| Failure::new(format!("{doing} {}", path.display()), error.to_string())
}

/// A program with its arguments; it is printed before it runs.
#[derive(Clone)]
pub(crate) struct Tool {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    removed_envs: Vec<OsString>,
    dir: Option<PathBuf>,
    doing: String,
    hint: Option<String>,
    is_quiet: bool,
    expected_code: i32,
}

impl Tool {
    /// `doing` begins the message of a failure, such as "checking the format".
    pub(crate) fn new(program: impl AsRef<OsStr>, doing: impl Into<String>) -> Self {
        Tool {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            removed_envs: Vec::new(),
            dir: None,
            doing: doing.into(),
            hint: None,
            is_quiet: false,
            expected_code: 0,
        }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Takes variables away that this process has.
    pub(crate) fn without_envs(mut self, is_one: fn(&str) -> bool) -> Self {
        let names = std::env::vars_os().map(|(name, _)| name);
        self.removed_envs.extend(names.filter(|name| is_one(&name.to_string_lossy())));
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// What to do when it fails.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A mere question about the machine: not printed, unless it fails.
    pub(crate) fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// It ends with this exit code when all is well.
    pub(crate) fn expect_code(mut self, code: i32) -> Self {
        self.expected_code = code;
        self
    }

    /// Runs it on this terminal; anything but the expected exit code is a failure.
    pub(crate) fn run(&self) -> Result<()> {
        self.print();
        let status = self.command().status().map_err(|error| self.cannot_start(&error))?;
        self.judge(status, "")
    }

    /// Runs it and returns what it wrote to its standard output.
    pub(crate) fn output(&self) -> Result<String> {
        self.print();
        let output = self.command().stdin(Stdio::null()).output().map_err(|error| self.cannot_start(&error))?;
        self.judge(output.status, &String::from_utf8_lossy(&output.stderr))?;
        String::from_utf8(output.stdout).map_err(|_| self.failure("its output is not UTF-8"))
    }

    /// The command as one could type it.
    pub(crate) fn line(&self) -> String {
        let envs = self.envs.iter().filter(|(name, _)| name != "CARGO_TARGET_DIR");
        let envs = envs.map(|(name, value)| format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy())));
        let words = std::iter::once(&self.program).chain(&self.args);
        let words = words.map(|word| quoted(&word.to_string_lossy()));
        envs.chain(words).collect::<Vec<_>>().join(" ")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for name in &self.removed_envs {
            command.env_remove(name);
        }
        command.args(&self.args).envs(self.envs.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    fn print(&self) {
        if !self.is_quiet {
            eprintln!("$ {}", self.line());
        }
    }

    fn judge(&self, status: ExitStatus, messages: &str) -> Result<()> {
        if status.code() == Some(self.expected_code) {
            return Ok(());
        }
        let mut wrong = match self.expected_code {
            0 => format!("`{}` failed ({status})", self.line()),
            code => format!("`{}` should end with exit code {code} ({status})", self.line()),
        };
        if !messages.trim().is_empty() {
            wrong = format!("{wrong}:\n{}", messages.trim_end());
        }
        Err(self.failure(wrong))
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        self.failure(format!("`{}` could not be started: {error}", self.line()))
    }

    fn failure(&self, wrong: impl Into<String>) -> Failure {
        let failure = Failure::new(&self.doing, wrong);
        match &self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// A word as a POSIX shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if !word.contains(['"', '$', '`', '\\', '!', '\n']) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The program's file, if it is on `PATH` (or is itself a path to a file).
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file_name = format!("{name}{EXE_SUFFIX}");
    let mut files = std::env::split_paths(&path).map(|dir| dir.join(&file_name));
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_pasted_into_a_shell() {
        let tool = Tool::new("dl", "trying").env("NAME", "two words").args([
            "files",
            "--where",
            "date = '2024-01-01'",
            "it's $HOME",
            "",
        ]);
        assert_eq!(tool.line(), r#"NAME="two words" dl files --where "date = '2024-01-01'" 'it'\''s $HOME' """#);
    }

    #[test]
    fn a_failure_says_what_was_done_the_command_and_what_to_do() {
        let result = Tool::new("false", "trying").arg("x").hint("try `true`").quiet().run();
        let message = result.err().map(|failure| failure.to_string()).unwrap_or_default();
        assert_eq!(message, "trying: `false x` failed (exit status: 1)\n  what to do: try `true`");
    }

    #[test]
    fn a_failure_may_be_what_is_expected() {
        let tool = |program| Tool::new(program, "trying").quiet().expect_code(1);
        assert_eq!(tool("false").run(), Ok(()));
        let message = tool("true").run().err().map(|failure| failure.to_string()).unwrap_or_default();
        assert_eq!(message, "trying: `true` should end with exit code 1 (exit status: 0)");
    }

    #[test]
    fn a_missing_program_is_named() {
        let result = Tool::new("no-such-program", "trying").quiet().output();
        let message = result.err().map(|failure| failure.to_string()).unwrap_or_default();
        assert!(message.starts_with("trying: `no-such-program` could not be started"), "{message}");
    }
}
