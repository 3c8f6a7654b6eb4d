//! Pages of a database: which of them a backup holds, and all of them from a chain of backups.
//!
//! A file of pages has for each its number from 0, as four bytes, and the page; the numbers increase.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use deltalakedb_core::{Error, ErrorKind, Result};
use twox_hash::{XxHash3_128, xxhash3_128};

use super::manifest::{Image, Manifest, hex};

const BUFFER: usize = 1 << 18;
/// Where a database file has its page size, big-endian; 1 stands for 65,536.
const PAGE_SIZE_AT: u64 = 16;
const HASH_BYTES: usize = 16;

/// What a copy of the database comes to: the pages that differ from the base, and the hashes of all.
pub(super) struct Split {
    pub(super) image: Image,
    pub(super) pages: File,
    pub(super) hashes: File,
}

/// Reads a copy of a database. `base` are the hashes of the pages of the backup before, if there is one of this page size.
pub(super) fn split(mut copy: File, page_size: u32, base: Option<Box<dyn Read + Send>>) -> Result<Split> {
    copy.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut copy = BufReader::with_capacity(BUFFER, copy);
    let mut base = base.map(|base| BufReader::with_capacity(BUFFER, base));
    let mut pages = BufWriter::with_capacity(BUFFER, tempfile::tempfile().map_err(failed)?);
    let mut hashes = BufWriter::with_capacity(BUFFER, tempfile::tempfile().map_err(failed)?);
    let mut whole = xxhash3_128::Hasher::new();
    let mut page = vec![0; page_size as usize];
    let mut page_count = 0_u32;
    while read_full(&mut copy, &mut page)? {
        whole.write(&page);
        let hash = XxHash3_128::oneshot(&page).to_be_bytes();
        hashes.write_all(&hash).map_err(failed)?;
        let mut before = [0; HASH_BYTES];
        let is_known = match &mut base {
            Some(base) => read_full(base, &mut before)?,
            None => false,
        };
        if !is_known || before != hash {
            pages.write_all(&page_count.to_be_bytes()).and_then(|()| pages.write_all(&page)).map_err(failed)?;
        }
        page_count += 1;
    }
    let into_file = |writer: BufWriter<File>| writer.into_inner().map_err(|error| failed(error.into_error()));
    let image = Image { page_size, page_count, hash: hex(whole.finish_128()) };
    Ok(Split { image, pages: into_file(pages)?, hashes: into_file(hashes)? })
}

/// The page size that a database file tells.
pub(super) fn page_size(file: &mut File) -> Result<u32> {
    let mut bytes = [0; 2];
    file.seek(SeekFrom::Start(PAGE_SIZE_AT)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
    Ok(match u16::from_be_bytes(bytes) {
        1 => 65_536,
        size => u32::from(size),
    })
}

/// One backup of a chain, at its next page.
struct Source {
    reader: BufReader<Box<dyn Read + Send>>,
    next: Option<u32>,
    page: Vec<u8>,
}

impl Source {
    fn advance(&mut self) -> Result<()> {
        let mut number = [0; 4];
        self.next = match read_full(&mut self.reader, &mut number)? && read_full(&mut self.reader, &mut self.page)? {
            true => Some(u32::from_be_bytes(number)),
            false => None,
        };
        Ok(())
    }
}

/// Writes the database of a chain's last backup: each page from the newest backup that has it. `chain` begins with the
/// newest one.
pub(super) fn merge(last: &Manifest, chain: Vec<Box<dyn Read + Send>>, out: &mut impl Write) -> Result<()> {
    let mut sources = Vec::new();
    for reader in chain {
        let reader = BufReader::with_capacity(1 << 16, reader);
        let mut source = Source { reader, next: None, page: vec![0; last.page_size as usize] };
        source.advance()?;
        sources.push(source);
    }
    let mut whole = xxhash3_128::Hasher::new();
    for number in 0..last.page_count {
        let newest = sources.iter().find(|source| source.next == Some(number)).ok_or_else(|| {
            Error::corrupt(format!("backup {} lacks page {number} of the database", last.number))
                .hint("take an earlier backup (--backup)")
        })?;
        whole.write(&newest.page);
        out.write_all(&newest.page).map_err(failed)?;
        for source in sources.iter_mut().filter(|source| source.next == Some(number)) {
            source.advance()?;
        }
    }
    if hex(whole.finish_128()) != last.hash {
        return Err(Error::corrupt(format!("backup {} is damaged: its pages are not the database's", last.number))
            .hint("take an earlier backup (--backup)"));
    }
    Ok(())
}

/// The size and hash of what a file holds.
pub(super) fn measure(reader: impl Read) -> Result<(u64, String)> {
    let mut reader = reader;
    let mut hash = xxhash3_128::Hasher::new();
    let (mut buffer, mut size) = (vec![0; BUFFER], 0);
    loop {
        match reader.read(&mut buffer).map_err(failed)? {
            0 => return Ok((size, hex(hash.finish_128()))),
            count => {
                hash.write(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

/// Fills the buffer; false at the end.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

pub(super) fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("reading or writing a file of the backup: {error}"))
        .hint("check the disk and the temporary folder (TMPDIR): that they are there, and have space")
}
