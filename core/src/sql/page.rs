use super::Row;
use crate::Result;

/// Rows of the first page of many.
const FIRST_ROWS: usize = 256;
/// What the rows of a page are to come to, at the most, as far as the page before tells.
const PAGE_BYTES: usize = 4 << 20;

/// Where a page of rows begins, and how many it may have: statistics or tags can make a row large, so that pages begin
/// small and grow as long as their bytes allow it. The rows' first column is the id that they are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageStart {
    /// The page begins after the row with this id.
    pub(crate) id: i64,
    rows: usize,
}

impl PageStart {
    /// The first page.
    pub(crate) fn after(id: i64) -> Self {
        PageStart { id, rows: FIRST_ROWS }
    }

    /// How many rows to ask for.
    pub(crate) fn limit(self, at_most: usize) -> usize {
        self.rows.min(at_most)
    }

    /// The page after these rows; none when fewer came than were asked for.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the first column is no integer.
    pub(crate) fn next(self, rows: &[Row], at_most: usize) -> Result<Option<Self>> {
        let Some(last) = rows.last().filter(|_| rows.len() == self.limit(at_most)) else { return Ok(None) };
        let bytes: usize = rows.iter().map(Row::text_bytes).sum();
        let fitting = rows.len().saturating_mul(PAGE_BYTES) / bytes.max(1);
        Ok(Some(PageStart { id: last.integer(0)?, rows: fitting.clamp(1, self.rows.saturating_mul(4)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    fn rows(count: i64, bytes: usize) -> Vec<Row> {
        (1..=count).map(|id| Row(vec![id.into(), Value::Text("x".repeat(bytes))])).collect()
    }

    #[test]
    fn pages_of_small_rows_grow_and_those_of_large_ones_do_not() {
        let first = PageStart::after(0);
        assert_eq!(first.limit(4096), 256);
        let second = first.next(&rows(256, 500), 4096).unwrap().unwrap();
        assert_eq!((second.id, second.limit(4096)), (256, 1024));
        assert_eq!(second.next(&rows(1024, 500), 4096).unwrap().unwrap().limit(10_000), 4096);
        let large = first.next(&rows(256, 100_000), 4096).unwrap().unwrap();
        assert_eq!(large.limit(4096), 41);
        assert_eq!(large.next(&rows(41, 100), 4096).unwrap().unwrap().limit(4096), 164);
        // A row that is larger than a page comes alone.
        assert_eq!(first.next(&rows(256, 5 << 20), 4096).unwrap().unwrap().limit(4096), 1);
        assert_eq!(first.next(&rows(255, 1), 4096).unwrap(), None);
        assert_eq!(first.next(&rows(3, 1), 3).unwrap().unwrap().id, 3);
    }
}
