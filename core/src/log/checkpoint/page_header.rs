//! The header of a Parquet page, read before the page: `parquet` makes room for what a header promises, whatever that is.

use std::io::{Error, ErrorKind, Read, Result};

/// Deeper structs are in no page header.
const DEEPEST: usize = 16;
const INDEX_PAGE: u64 = 1;

/// What of a page's header says how much memory the page takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the header itself.
    pub(super) header_bytes: u64,
    /// Bytes of the page in the file, after the header.
    pub(super) compressed_bytes: u64,
    /// Bytes of the page in memory.
    pub(super) uncompressed_bytes: u64,
    /// Whether it is a page that is passed over.
    pub(super) is_index: bool,
}

impl PageHeader {
    /// Reads a header where a page begins.
    pub(super) fn read(source: impl Read) -> Result<Self> {
        let mut compact = Compact { source, read_bytes: 0 };
        let mut header = PageHeader::default();
        compact.fields(|compact, id, kind| {
            let number = |compact: &mut Compact<_>| {
                if kind != INTEGER { Err(damaged()) } else { u64::try_from(compact.zigzag()?).map_err(|_| damaged()) }
            };
            match id {
                1 => header.is_index = number(compact)? == INDEX_PAGE,
                2 => header.uncompressed_bytes = number(compact)?,
                3 => header.compressed_bytes = number(compact)?,
                _ => compact.skip(kind, DEEPEST)?,
            }
            Ok(())
        })?;
        header.header_bytes = compact.read_bytes;
        Ok(header)
    }
}

const INTEGER: u8 = 5;

/// Thrift's compact protocol, as far as a page header needs it.
struct Compact<R> {
    source: R,
    read_bytes: u64,
}

impl<R: Read> Compact<R> {
    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.source.read_exact(&mut byte)?;
        self.read_bytes += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged())
    }

    fn zigzag(&mut self) -> Result<i64> {
        self.varint().map(|value| (value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Calls `field` with the id and type of each field of a struct; it reads the value.
    fn fields(&mut self, mut field: impl FnMut(&mut Self, i64, u8) -> Result<()>) -> Result<()> {
        let mut id = 0;
        loop {
            let begin = self.byte()?;
            if begin == 0 {
                return Ok(());
            }
            id = if begin >> 4 == 0 { self.zigzag()? } else { id + i64::from(begin >> 4) };
            field(self, id, begin & 15)?;
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<()> {
        let Some(below) = depth.checked_sub(1) else { return Err(damaged()) };
        match kind {
            1 | 2 => Ok(()), // the type is the value
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => self.varint().and_then(|bytes| self.pass(bytes)),
            9 | 10 => {
                let begin = self.byte()?;
                let items = if begin >> 4 == 15 { self.varint()? } else { u64::from(begin >> 4) };
                (0..items).try_for_each(|_| self.skip_item(begin & 15, below))
            }
            11 => match self.varint()? {
                0 => Ok(()),
                items => {
                    let kinds = self.byte()?;
                    (0..items).try_for_each(|_| {
                        self.skip_item(kinds >> 4, below).and_then(|()| self.skip_item(kinds & 15, below))
                    })
                }
            },
            12 => self.fields(|compact, _, kind| compact.skip(kind, below)),
            _ => Err(damaged()),
        }
    }

    /// In a collection a boolean is a byte.
    fn skip_item(&mut self, kind: u8, depth: usize) -> Result<()> {
        if kind <= 2 { self.byte().map(drop) } else { self.skip(kind, depth) }
    }

    fn pass(&mut self, bytes: u64) -> Result<()> {
        let passed = std::io::copy(&mut self.source.by_ref().take(bytes), &mut std::io::sink())?;
        self.read_bytes += passed;
        if passed == bytes { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::InvalidData, "a page header is damaged")
}

#[cfg(test)]
mod tests {
    use super::PageHeader;

    #[test]
    fn headers() {
        // Of a dictionary page: type 2, 300 bytes, 20 in the file, a checksum, a struct with a boolean.
        let dictionary = [0x15, 4, 0x15, 0xd8, 4, 0x15, 40, 0x15, 1, 0x3c, 0x15, 2, 0x15, 0, 0x11, 0, 0];
        let header = PageHeader { header_bytes: 17, compressed_bytes: 20, uncompressed_bytes: 300, is_index: false };
        assert_eq!(PageHeader::read(&dictionary[..]).unwrap(), header);
        let index = [0x15, 2, 0x15, 2, 0x15, 2, 0];
        assert!(PageHeader::read(&index[..]).unwrap().is_index);
        for end in 0..dictionary.len() {
            PageHeader::read(&dictionary[..end]).unwrap_err();
        }
        // Fewer bytes than none; structs in structs without end.
        PageHeader::read(&[0x15, 4, 0x15, 1, 0][..]).unwrap_err();
        PageHeader::read(&[0x9c; 64][..]).unwrap_err();
    }
}
