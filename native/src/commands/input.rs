//! What a command reads: a file, or standard input.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use deltalakedb_core::action::Action;
use deltalakedb_core::log::read_commit_line;
use deltalakedb_core::{Error, ErrorKind, Result};
use twox_hash::XxHash3_64;

/// No action is larger.
const LONGEST_LINE_BYTES: u64 = 64 << 20;

/// What is in memory at a time: no more actions, and no more bytes of text but for the last one.
#[derive(Clone, Copy)]
pub(super) struct PageSize {
    pub(super) actions: usize,
    pub(super) bytes: u64,
}

/// A file that can be read from its beginning again; standard input, given as `-`, and pipes are copied to a file without
/// a name.
pub(super) struct Input {
    pub(super) shown: String,
    /// What is in it, for messages.
    what: &'static str,
    file: File,
    pub(super) size_bytes: u64,
    /// The hash of all that was read as pages, which each later reading has, too.
    read: OnceCell<u64>,
}

impl Input {
    pub(super) fn open(path: &Path, what: &'static str) -> Result<Self> {
        Input::open_up_to(path, what, u64::MAX)
    }

    /// No more than one byte more than `most` is copied.
    pub(super) fn open_up_to(path: &Path, what: &'static str, most: u64) -> Result<Self> {
        let is_standard_input = path == Path::new("-");
        let shown = if is_standard_input { "standard input".to_owned() } else { path.display().to_string() };
        let failed = |error| failed(what, &shown, &error);
        let file = if is_standard_input {
            spool(&mut io::stdin().lock(), most, &failed)?
        } else {
            let mut file = File::open(path).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_dir() {
                return Err(Error::invalid(format!("reading {what} in {shown}: it is a folder")).path(&shown));
            }
            if metadata.is_file() { file } else { spool(&mut file, most, &failed)? }
        };
        let size_bytes = file.metadata().map_err(failed)?.len();
        Ok(Input { what, file, size_bytes, shown: shown.clone(), read: OnceCell::new() })
    }

    /// All of it.
    pub(super) fn text(&self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.reader()?.read_to_end(&mut text).map_err(|error| failed(self.what, &self.shown, &error))?;
        Ok(text)
    }

    /// The actions in it, one a line, a page at a time; with how many bytes were read so far. A reading that is not as the
    /// first one was, as somebody writes to the file, ends with an error.
    pub(super) fn pages(&self, page: PageSize) -> Result<impl Iterator<Item = Result<(Vec<Action>, u64)>>> {
        let mut reader = self.reader()?;
        let (mut number, mut read_bytes, mut line, mut hash) = (0, 0_u64, Vec::new(), 0);
        let mut next = move || -> Result<Option<(Vec<Action>, u64)>> {
            let mut actions = Vec::new();
            let mut end_bytes = read_bytes + page.bytes;
            while actions.len() < page.actions && read_bytes < end_bytes {
                line.clear();
                let read = reader.by_ref().take(LONGEST_LINE_BYTES + 1).read_until(b'\n', &mut line);
                if line.len() as u64 > LONGEST_LINE_BYTES {
                    return Err(Error::invalid(format!(
                        "line {} of {} has more than {LONGEST_LINE_BYTES} bytes",
                        number + 1,
                        self.shown
                    ))
                    .path(&self.shown)
                    .hint("write one action a line"));
                }
                match read.map_err(|error| failed(self.what, &self.shown, &error))? {
                    0 => {
                        self.check_same(hash)?;
                        break;
                    }
                    read => read_bytes += read as u64,
                }
                hash = XxHash3_64::oneshot_with_seed(hash, &line);
                number += 1;
                let before = actions.len();
                let at_line = |error: Error| error.path(&self.shown).hint(A_LINE);
                read_commit_line(&self.shown, number, &line, &mut actions)
                    .map_err(|error| at_line(Error::invalid(error.to_string())))?;
                check_action(&actions[before..])
                    .map_err(|error| at_line(error.context(format!("line {number} of {}", self.shown))))?;
                if actions.is_empty() {
                    end_bytes = read_bytes + page.bytes; // nothing is held yet
                }
            }
            Ok(if actions.is_empty() { None } else { Some((actions, read_bytes)) })
        };
        Ok(std::iter::from_fn(move || next().transpose()))
    }

    fn check_same(&self, hash: u64) -> Result<()> {
        if *self.read.get_or_init(|| hash) == hash {
            return Ok(());
        }
        Err(Error::invalid(format!("{} changed while it was read", self.shown))
            .path(&self.shown)
            .hint("write all of the actions first, then commit them"))
    }

    fn reader(&self) -> Result<BufReader<File>> {
        let rewound = self.file.try_clone().and_then(|mut file| file.rewind().map(|()| file));
        let file = rewound.map_err(|error| failed(self.what, &self.shown, &error))?;
        Ok(BufReader::with_capacity(1 << 18, file))
    }
}

/// What to write.
const A_LINE: &str = "write one action a line, as in a commit file: {\"add\":{...}}";

const NAMES: [&str; 8] = ["add", "remove", "metaData", "protocol", "txn", "domainMetadata", "cdc", "commitInfo"];

/// The actions of one object. Logs are read with several, and with others than the protocol's; readers of the log that is
/// written here may take the first, and a misspelt one would do nothing.
pub(super) fn check_action(actions: &[Action]) -> Result<()> {
    let unknown = actions.iter().find_map(|action| match action {
        Action::Unknown { name, .. } => Some(name),
        _ => None,
    });
    if let Some(name) = unknown {
        let meant = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
        return Err(Error::invalid(format!("there is no action `{}`", name.escape_debug())).hint(match meant {
            Some(meant) => format!("write it as `{meant}`"),
            None => format!("an action is an object with one field, its name: {}", NAMES.join(", ")),
        }));
    }
    match actions {
        [first, second, ..] => {
            Err(Error::invalid(format!("one object has two actions, `{}` and `{}`", first.name(), second.name())))
        }
        _ => Ok(()),
    }
}

fn spool(source: &mut impl Read, most: u64, unreadable: &impl Fn(io::Error) -> Error) -> Result<File> {
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    let mut source = BufReader::with_capacity(1 << 18, source.take(most.saturating_add(1)));
    loop {
        let piece = source.fill_buf().map_err(unreadable)?;
        if piece.is_empty() {
            return Ok(file);
        }
        file.write_all(piece).map_err(unwritable)?;
        let length = piece.len();
        source.consume(length);
    }
}

fn unwritable(error: io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::new(ErrorKind::Unavailable, format!("copying the input to {}: {error}", folder.display()))
        .path(folder.display().to_string())
        .hint("free some space there, set TMPDIR to another folder, or write the input to a file and name that")
}

fn failed(what: &str, shown: &str, error: &io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Unavailable };
    Error::new(kind, format!("reading {what} in {shown}: {error}"))
        .path(shown)
        .hint("check the path and its permissions; `-` is standard input")
}
