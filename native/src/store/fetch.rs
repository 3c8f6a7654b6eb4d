use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use deltalakedb_core::log::{CheckpointReader, wrong_structs};
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::{Stream, StreamExt};

use super::blocking::blocking;

/// A line holds one action, which commits are allowed 32 MiB for.
const LONGEST_LINE: u64 = 128 << 20;

/// The content of an object.
#[derive(Debug)]
pub enum Fetched {
    /// From its current place to its end.
    File(File),
    /// All of it.
    Bytes(Bytes),
}

/// Writes what a stream brings to a temporary file.
pub(super) async fn into_file(chunks: impl Stream<Item = Result<Bytes>>) -> Result<Fetched> {
    let mut file = blocking(|| tempfile::tempfile().map_err(no_space)).await?;
    let mut chunks = std::pin::pin!(chunks);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        file = blocking(move || file.write_all(&chunk).map(|()| file).map_err(no_space)).await?;
    }
    blocking(move || file.seek(SeekFrom::Start(0)).map(|_| Fetched::File(file)).map_err(no_space)).await
}

fn no_space(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("writing a temporary file: {error}"))
        .hint("check the temporary folder (TMPDIR): that it is there, and has space")
}

/// Content in pieces.
pub(super) struct Chunks {
    reader: Option<Box<dyn Read + Send>>,
    size: usize,
}

impl Chunks {
    /// The next piece, of the full size but for the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        let (reader, size) = (self.reader.take(), self.size);
        let read = blocking(move || {
            let Some(mut reader) = reader else { return Ok((None, Bytes::new())) };
            let mut chunk = Vec::with_capacity(size);
            reader.by_ref().take(size as u64).read_to_end(&mut chunk).map_err(reading)?;
            Ok((Some(reader), chunk.into()))
        });
        let (reader, chunk) = read.await?;
        self.reader = reader;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

fn reading(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("reading a file: {error}"))
}

impl Fetched {
    /// Bytes of the content.
    pub(super) fn size(&self) -> Result<u64> {
        match self {
            Fetched::File(file) => file.metadata().map(|metadata| metadata.len()).map_err(reading),
            Fetched::Bytes(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Calls `each` with every line of the content, an object called `file_name`, without its end, and the line's number
    /// from 1.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) for a line that is longer than any writer makes one; those of `each`.
    pub(crate) fn for_each_line(self, file_name: &str, mut each: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        let mut reader: Box<dyn BufRead> = match self {
            Fetched::File(file) => Box::new(BufReader::with_capacity(1 << 18, file)),
            Fetched::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        };
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            let read = reader.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line).map_err(reading)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            if read as u64 > LONGEST_LINE {
                return Err(Error::corrupt(format!(
                    "line {number} of {file_name} is longer than {LONGEST_LINE} bytes"
                ))
                .path(file_name)
                .hint("no action is as long; restore the file from a copy, or from the table's other mirrors"));
            }
            each(number, line.strip_suffix(b"\n").unwrap_or(&line))?;
        }
    }

    /// Reads the content as a Parquet checkpoint called `name`.
    pub(crate) fn checkpoint(self, name: &str) -> Result<CheckpointReader> {
        match self {
            Fetched::File(file) => CheckpointReader::new(name, file),
            Fetched::Bytes(bytes) => CheckpointReader::new(name, bytes),
        }
    }

    /// What is wrong with the structs of the content, a Parquet checkpoint called `name`.
    pub(crate) fn wrong_structs(&self, name: &str) -> Result<Vec<String>> {
        match self {
            Fetched::File(file) => wrong_structs(name, file.try_clone().map_err(reading)?),
            Fetched::Bytes(bytes) => wrong_structs(name, bytes.clone()),
        }
    }

    /// Whether both hold the same bytes.
    pub(crate) async fn equals(self, other: Self) -> Result<bool> {
        let (mut one, mut other) = (self.into_chunks(1 << 20), other.into_chunks(1 << 20));
        loop {
            match (one.next().await?, other.next().await?) {
                (None, None) => return Ok(true),
                (one, other) if one != other => return Ok(false),
                _ => {}
            }
        }
    }

    /// The sidecars that a Parquet checkpoint called `name` names.
    pub(crate) fn sidecars(self, name: &str) -> Result<CheckpointReader> {
        match self {
            Fetched::File(file) => CheckpointReader::sidecars(name, file),
            Fetched::Bytes(bytes) => CheckpointReader::sidecars(name, bytes),
        }
    }

    pub(crate) fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Fetched::File(file) => Box::new(file),
            Fetched::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        }
    }

    /// All of the content in memory.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the file cannot be read.
    pub async fn into_bytes(self) -> Result<Bytes> {
        match self {
            Fetched::Bytes(bytes) => Ok(bytes),
            Fetched::File(mut file) => {
                let read = move || {
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes).map_err(reading)?;
                    Ok(bytes.into())
                };
                blocking(read).await
            }
        }
    }

    pub(super) fn into_chunks(self, size: usize) -> Chunks {
        Chunks { reader: Some(self.into_reader()), size }
    }
}
