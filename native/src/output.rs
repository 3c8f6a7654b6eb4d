//! Data on standard output, messages on standard error.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{CellAlignment, Table, presets};
use deltalakedb_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::json;

use crate::cli::Format;

/// Prints what a command found.
pub(crate) struct Output {
    pub(crate) format: Format,
    pipe_closed: AtomicBool,
}

/// A column of a table for people.
pub(crate) enum Column {
    Left(&'static str),
    Right(&'static str),
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Output { format, pipe_closed: AtomicBool::new(false) }
    }

    /// Whether the reader of standard output has gone; the work ends then, without an error.
    pub(crate) fn is_pipe_closed(&self) -> bool {
        self.pipe_closed.load(Ordering::Relaxed)
    }

    /// Writes to standard output.
    pub(crate) fn write(&self, print: impl FnOnce(&mut BufWriter<StdoutLock<'_>>) -> io::Result<()>) -> Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        print(&mut out).and_then(|()| out.flush()).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.pipe_closed.store(true, Ordering::Relaxed);
            }
            Error::new(ErrorKind::Unavailable, format!("writing to standard output: {error}"))
        })
    }

    /// One JSON document, as the format asks for it.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<()> {
        self.write(|out| {
            if self.format == Format::Ndjson {
                serde_json::to_writer(&mut *out, value)
            } else {
                serde_json::to_writer_pretty(&mut *out, value)
            }?;
            out.write_all(b"\n")
        })
    }

    /// A list: one array, or a document a line.
    pub(crate) fn json_list(&self, values: &[impl Serialize]) -> Result<()> {
        if self.format == Format::Json {
            return self.json(&values);
        }
        self.write(|out| {
            for value in values {
                serde_json::to_writer(&mut *out, value)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })
    }

    /// A table for people.
    pub(crate) fn table(&self, columns: &[Column], rows: Vec<Vec<String>>) -> Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(columns.iter().map(|column| match column {
            Column::Left(name) | Column::Right(name) => *name,
        }));
        for row in rows {
            table.add_row(row.into_iter().map(|cell| printable(&cell)));
        }
        for (index, column) in columns.iter().enumerate() {
            if let Some(shown) = table.column_mut(index) {
                shown.set_padding((0, 2));
                if let Column::Right(_) = column {
                    shown.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        self.write(|out| {
            for line in table.lines() {
                writeln!(out, "{}", line.trim_end())?;
            }
            Ok(())
        })
    }

    /// Names and values, a line each.
    pub(crate) fn properties(&self, properties: &[(&str, String)]) -> Result<()> {
        let width = properties.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.write(|out| {
            for (name, value) in properties {
                writeln!(out, "{name:width$}  {}", printable(value))?;
            }
            Ok(())
        })
    }

    /// A message for people, on standard error; programs find nothing there but errors.
    pub(crate) fn note(&self, message: &str) {
        if self.format == Format::Table {
            message_line(&format!("dl: {message}"));
        }
    }

    /// An error, on standard error.
    pub(crate) fn error(&self, error: &Error) {
        if self.format == Format::Table {
            message_line(&format!("dl: {}", printable(&error.to_string())));
            if let Some(hint) = error.hint_text() {
                message_line(&format!("dl: {}", printable(hint)));
            }
        } else {
            message_line(&json!({ "error": error.to_json() }).to_string());
        }
    }
}

/// A line on standard error. Where nobody can read it, the exit code still tells.
fn message_line(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Text without what would move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// Bytes for people.
pub(crate) fn bytes(count: i64) -> String {
    u64::try_from(count).map_or(count.to_string(), |count| indicatif::HumanBytes(count).to_string())
}
