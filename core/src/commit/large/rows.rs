//! File actions as rows of `dl_large_commit_files`.

use crate::action::Action;
use crate::sql::{Rows, Value};

use super::Staged;
use crate::commit::write::{ADD_COLUMNS, REMOVE_COLUMNS, add_row, json, remove_row};

/// Each row begins with the action's place among all of the commit's.
pub(super) struct StagedRows {
    pub adds: Rows,
    pub removes: Rows,
    pub cdc: Rows,
}

impl StagedRows {
    /// Actions that come after what is staged, which they are added to.
    pub(super) fn of(actions: &[Action], staged: &mut Staged) -> Self {
        let mut rows =
            StagedRows { adds: Rows::new(ADD_COLUMNS + 3), removes: Rows::new(REMOVE_COLUMNS + 1), cdc: Rows::new(3) };
        for action in actions {
            let place: Value = staged.count().into();
            match action {
                Action::Add(add) => {
                    rows.adds.push([place]);
                    rows.adds.push(add_row(staged.totals.added_count, add.clone(), add.dv_id()));
                    rows.adds.push_value(staged.row_count);
                    rows.adds.push_value(staged.other_spellings(&add.path));
                }
                Action::Remove(remove) => {
                    rows.removes.push([place]);
                    rows.removes.push(remove_row(staged.totals.removed_count, remove, remove.dv_id()));
                }
                Action::Cdc(cdc) => rows.cdc.push([place, staged.cdc_count.into(), json(cdc).into()]),
                _ => continue,
            }
            staged.note(action);
        }
        rows
    }
}

/// Place, action and path of each `add` and `remove`; `first` is the place of the first.
pub(super) fn names(actions: &[Action], first: i64) -> Rows {
    let mut rows = Rows::new(3);
    for (place, action) in (first..).zip(actions) {
        match action {
            Action::Add(add) => rows.push([place.into(), "add".into(), add.path.as_str().into()]),
            Action::Remove(remove) => rows.push([place.into(), "remove".into(), remove.path.as_str().into()]),
            _ => {}
        }
    }
    rows
}
