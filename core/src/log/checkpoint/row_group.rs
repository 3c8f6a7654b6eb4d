//! The pages of a row group, each looked at before it is unfolded.

use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

use super::budget::{Budget, LIMIT_BYTES};
use super::delta_lengths::unfolded_bytes;
use super::page_header::PageHeader;

/// What a dictionary's entry takes beside its bytes: where it is.
const BYTES_OF_AN_ENTRY: u64 = 16;
/// What a value of a list or map takes beside its bytes: where it is, and its levels. Rows say nothing of their number.
const BYTES_OF_AN_ITEM: u64 = 32;

/// One row group of a file.
pub(super) struct RowGroup<R> {
    pub(super) source: Arc<R>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) index: usize,
    pub(super) budget: Arc<Budget>,
}

impl<R: ChunkReader + 'static> RowGroups for RowGroup<R> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata.row_group(self.index).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let group = self.metadata.row_group(self.index);
        let chunk = group.columns().get(column).ok_or_else(|| damaged("a row group lacks a column"))?;
        let (start, bytes) = chunk.byte_range();
        let descriptor = chunk.column_descr();
        let pages = CheckedPages {
            inner: SerializedPageReader::new(self.source.clone(), chunk, self.num_rows(), None)?,
            source: self.source.clone(),
            next: start,
            end: start.saturating_add(bytes),
            column,
            is_binary: descriptor.physical_type() == Type::BYTE_ARRAY,
            has_repetitions: descriptor.max_rep_level() > 0,
            has_definitions: descriptor.max_def_level() > 0,
            budget: self.budget.clone(),
        };
        Ok(Box::new(OneChunk(Some(Box::new(pages)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pages of one column's only chunk.
struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}

/// The pages of a column's chunk.
struct CheckedPages<R: ChunkReader> {
    inner: SerializedPageReader<R>,
    source: Arc<R>,
    /// Where the next page's header is, and where the chunk ends.
    next: u64,
    end: u64,
    column: usize,
    is_binary: bool,
    has_repetitions: bool,
    has_definitions: bool,
    budget: Arc<Budget>,
}

impl<R: ChunkReader> CheckedPages<R> {
    /// The header of the next page that is read; none after the last one.
    fn next_header(&mut self) -> Result<Option<PageHeader>> {
        while self.next < self.end {
            let header = PageHeader::read(self.source.get_read(self.next)?)?;
            self.next = self.next.saturating_add(header.header_bytes).saturating_add(header.compressed_bytes);
            if !header.is_index {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn check_room(&self, bytes: u64) -> Result<()> {
        if self.budget.has_room(bytes) { Ok(()) } else { Err(damaged("the pages are too large")) }
    }

    /// The bytes that a page takes in memory when its values are read.
    fn unfolded_bytes(&self, page: &Page) -> Result<u64> {
        let bytes = page.buffer().len() as u64;
        let count = u64::from(page.num_values());
        if page.is_dictionary_page() {
            // Every entry takes some bits of the page; `parquet` makes room for as many as the header says.
            let is_possible = count <= bytes.saturating_mul(8);
            let entries = count.saturating_mul(BYTES_OF_AN_ENTRY);
            return if is_possible {
                Ok(bytes.saturating_add(entries))
            } else {
                Err(damaged("a dictionary is too short"))
            };
        }
        let items = if self.has_repetitions { count.saturating_mul(BYTES_OF_AN_ITEM) } else { 0 };
        let is_delta = matches!(page.encoding(), Encoding::DELTA_BYTE_ARRAY | Encoding::DELTA_LENGTH_BYTE_ARRAY);
        let texts = if is_delta && self.is_binary { self.delta_bytes(page)? } else { 0 };
        Ok(bytes.saturating_add(items).saturating_add(texts))
    }

    fn delta_bytes(&self, page: &Page) -> Result<u64> {
        let has_prefixes = page.encoding() == Encoding::DELTA_BYTE_ARRAY;
        let values = self.values(page).ok_or_else(|| damaged("the levels of a page are damaged"))?;
        unfolded_bytes(values, has_prefixes, LIMIT_BYTES).ok_or_else(|| damaged("the lengths of a page are damaged"))
    }

    /// The values of a page, after its levels.
    fn values<'p>(&self, page: &'p Page) -> Option<&'p [u8]> {
        match page {
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                buf.get((def_levels_byte_len.checked_add(*rep_levels_byte_len)?) as usize..)
            }
            Page::DataPage { buf, def_level_encoding, rep_level_encoding, .. } => {
                let mut rest = &buf[..];
                let levels = [(self.has_repetitions, rep_level_encoding), (self.has_definitions, def_level_encoding)];
                for (_, encoding) in levels.iter().filter(|(is_there, _)| *is_there) {
                    // The other one has not been written for ten years, and never with these values.
                    let (bytes, after) = rest.split_first_chunk().filter(|_| **encoding == Encoding::RLE)?;
                    rest = after.get(u32::from_le_bytes(*bytes) as usize..)?;
                }
                Some(rest)
            }
            Page::DictionaryPage { .. } => None,
        }
    }
}

impl<R: ChunkReader> PageReader for CheckedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if let Some(header) = self.next_header()? {
            self.check_room(header.uncompressed_bytes)?;
        }
        let Some(page) = self.inner.get_next_page()? else { return Ok(None) };
        let bytes = self.unfolded_bytes(&page)?;
        self.check_room(bytes)?;
        self.budget.take(self.column, bytes, page.is_dictionary_page());
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.next_header()?;
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

impl<R: ChunkReader> Iterator for CheckedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
