use crate::action::Action;
use crate::sql::Value;
use crate::{Error, Result};

/// What a commit's files add to a table's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub added_count: i64,
    pub removed_count: i64,
    // Wider than what is stored, so that any number of files can be summed up.
    size_bytes: i128,
    row_count: i128,
    without_row_count: i64,
}

impl Totals {
    pub(super) fn of(actions: &[Action]) -> Self {
        let mut totals = Totals::default();
        actions.iter().for_each(|action| totals.note(action));
        totals
    }

    pub(super) fn note(&mut self, action: &Action) {
        match action {
            Action::Add(add) => {
                self.added_count += 1;
                self.size_bytes += i128::from(add.size);
                let row_count = add.row_count();
                self.row_count += i128::from(row_count.unwrap_or(0));
                self.without_row_count += i64::from(row_count.is_none());
            }
            Action::Remove(_) => self.removed_count += 1,
            _ => {}
        }
    }

    /// Added and removed files; bytes and rows of the added ones, and those of them whose rows are not known.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the bytes or rows are more than 64 bits hold.
    pub(super) fn params(&self) -> Result<[Value; 5]> {
        let size_bytes = i64::try_from(self.size_bytes).map_err(|_| out_of_range())?;
        let row_count = i64::try_from(self.row_count).map_err(|_| out_of_range())?;
        Ok([
            self.added_count.into(),
            self.removed_count.into(),
            size_bytes.into(),
            row_count.into(),
            self.without_row_count.into(),
        ])
    }
}

/// The error of a commit whose files are too large together.
pub(super) fn out_of_range() -> Error {
    Error::invalid("the sizes or row counts of the table's files, or its times, would go beyond what 64 bits hold")
        .hint("look at `size` and `numRecords` of the added files, and at the clock")
}
