use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use deltalakedb_core::log::CheckpointReader;
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use object_store::GetResult;

use super::collect;

/// Larger objects go to a temporary file, so that memory does not grow with them.
const MEMORY_BYTES: u64 = 16 << 20;

/// The content of an object.
#[derive(Debug)]
pub(crate) enum Fetched {
    File(File),
    Bytes(Bytes),
}

pub(super) async fn download(result: GetResult) -> Result<Fetched> {
    let unavailable = super::store_error;
    let no_space = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("writing a temporary file: {error}"))
            .hint("check the temporary folder (TMPDIR): that it is there, and has space")
    };
    if result.meta.size <= MEMORY_BYTES {
        let bytes = collect(result.into_stream()).await.map_err(unavailable)?;
        return Ok(Fetched::Bytes(bytes.into()));
    }
    let mut file = tempfile::tempfile().map_err(no_space)?;
    let mut stream = result.into_stream();
    while let Some(chunk) = stream.next().await {
        file.write_all(&chunk.map_err(unavailable)?).map_err(no_space)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(no_space)?;
    Ok(Fetched::File(file))
}

/// Content in pieces.
pub(crate) struct Chunks {
    reader: Box<dyn Read + Send>,
    size: usize,
}

impl Chunks {
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = Vec::with_capacity(self.size);
        let read = self.reader.by_ref().take(self.size as u64).read_to_end(&mut chunk).map_err(reading)?;
        Ok((read > 0).then(|| chunk.into()))
    }
}

fn reading(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("reading a file: {error}"))
}

impl Fetched {
    /// Calls `each` with every line, without its end, and the line's number from 1.
    pub(crate) fn for_each_line(self, mut each: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        let mut reader: Box<dyn BufRead> = match self {
            Fetched::File(file) => Box::new(BufReader::with_capacity(1 << 18, file)),
            Fetched::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        };
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(reading)? == 0 {
                return Ok(());
            }
            number += 1;
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

    /// Whether both hold the same bytes.
    pub(crate) fn equals(self, other: Self) -> Result<bool> {
        let (mut one, mut other) = (self.into_chunks(1 << 20), other.into_chunks(1 << 20));
        loop {
            match (one.next()?, other.next()?) {
                (None, None) => return Ok(true),
                (one, other) if one != other => return Ok(false),
                _ => {}
            }
        }
    }

    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Fetched::File(file) => Box::new(file),
            Fetched::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        }
    }

    pub(super) fn into_bytes(self) -> Result<Bytes> {
        match self {
            Fetched::Bytes(bytes) => Ok(bytes),
            Fetched::File(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(reading)?;
                Ok(bytes.into())
            }
        }
    }

    pub(super) fn into_chunks(self, size: usize) -> Chunks {
        Chunks { reader: self.into_reader(), size }
    }
}
