//! How much memory the pages of a row group may take at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pages have about a megabyte, and dictionaries, too: room for a thousand columns.
pub(super) const LIMIT_BYTES: u64 = 1 << 30;

/// Counts the pages of a row group that are in memory.
pub(super) struct Budget(Mutex<Held>);

#[derive(Default)]
struct Held {
    columns: Vec<Column>,
    bytes: u64,
    refused: bool,
}

/// The bytes of a column's pages that are in memory.
#[derive(Clone, Copy, Default)]
struct Column {
    dictionary: u64,
    page: u64,
    /// Pages that the rows being read were in, before that one.
    earlier: u64,
}

impl Budget {
    pub(super) fn new(columns: usize) -> Self {
        Budget(Mutex::new(Held { columns: vec![Column::default(); columns], ..Held::default() }))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that were read before are done with.
    pub(super) fn begin_batch(&self) {
        let held = &mut *self.held();
        for column in &mut held.columns {
            held.bytes -= std::mem::take(&mut column.earlier);
        }
    }

    /// Whether there is room for so many bytes; if not, that is remembered.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let held = &mut *self.held();
        let has_room = held.bytes.saturating_add(bytes) <= LIMIT_BYTES;
        held.refused |= !has_room;
        has_room
    }

    /// Takes in a page for which there is room.
    pub(super) fn take(&self, column: usize, bytes: u64, is_dictionary: bool) {
        let held = &mut *self.held();
        held.bytes += bytes;
        let column = &mut held.columns[column];
        if is_dictionary {
            column.dictionary += bytes;
        } else {
            column.earlier += std::mem::replace(&mut column.page, bytes);
        }
    }

    /// Why reading was given up, if it was for want of room.
    pub(super) fn refusal(&self) -> Option<String> {
        let text = || format!("its pages unfold to more than {} MiB at once", LIMIT_BYTES >> 20);
        self.held().refused.then(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_as_long_as_their_rows_are_read() {
        let budget = Budget::new(2);
        let third = LIMIT_BYTES / 3;
        budget.take(0, third, true);
        budget.take(0, third, false);
        assert!(budget.has_room(third) && !budget.has_room(third + 2));
        budget.take(1, third, false);
        // Another page of the same rows, and of the next ones.
        assert!(!budget.has_room(third));
        budget.begin_batch();
        assert!(!budget.has_room(third));
        budget.take(1, 1, false);
        assert!(!budget.has_room(third));
        budget.begin_batch();
        assert!(budget.has_room(third));
        assert!(budget.refusal().unwrap().contains("1024 MiB"));
    }
}
