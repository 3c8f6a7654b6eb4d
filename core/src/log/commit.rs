use crate::action::{Action, parse_line_into};
use crate::{Error, Result};

/// Adds the actions of one line of a commit file, a compacted log or a JSON checkpoint to `actions`;
/// `number` is the line's, from 1. An empty line holds none.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt), naming the file and the line.
pub fn read_commit_line(file: &str, number: usize, line: &[u8], actions: &mut Vec<Action>) -> Result<()> {
    let at = || format!("line {number} of {file}");
    let text = std::str::from_utf8(line).map_err(|error| {
        Error::corrupt(format!("not UTF-8 after {} bytes", error.valid_up_to())).context(at()).path(file)
    })?;
    let text = text.trim_matches(['\r', '\n', ' ', '\t', '\u{feff}']);
    if text.is_empty() {
        return Ok(());
    }
    parse_line_into(text, actions).map_err(|error| {
        error.context(at()).path(file).hint("the log is damaged there; restore the file from a backup")
    })
}
