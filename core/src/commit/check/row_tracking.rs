//! What row tracking asks of a commit (protocol section "Writer Requirements for Row Tracking").

use crate::action::{Action, Add};
use crate::catalog::quoted;
use crate::schema::Schema;
use crate::table_features::{assigns_row_ids, row_tracking_enabled};
use crate::{Error, Result};

use super::change::Change;

/// No file has more rows.
const MOST_ROWS: i64 = 1 << 53;

const MATERIALIZED_COLUMNS: [&str; 2] =
    ["delta.rowTracking.materializedRowIdColumnName", "delta.rowTracking.materializedRowCommitVersionColumnName"];

pub(super) fn check_row_tracking(change: &Change) -> Result<()> {
    let metadata = change.metadata;
    let is_changed = metadata != &change.state.metadata;
    if is_changed && row_tracking_enabled(metadata, change.protocol) { check_enabled(change) } else { Ok(()) }
}

/// Files get ids for their rows, which must be counted for that.
pub(super) fn check_row_counts(change: &Change, actions: &[Action]) -> Result<()> {
    if !assigns_row_ids(change.metadata, change.protocol) {
        return Ok(());
    }
    let unknown = actions.iter().find_map(|action| match action {
        Action::Add(add) if !add.num_records().is_some_and(|rows| (0..=MOST_ROWS).contains(&rows)) => Some(add),
        _ => None,
    });
    unknown.map_or(Ok(()), |Add { path, .. }| {
        Err(Error::invalid(format!(
            "{} has no usable `numRecords`: the table's rows are tracked, and it gets their ids",
            quoted(path)
        ))
        .path(path)
        .hint("write the number of rows into the statistics of each added file"))
    })
}

fn check_enabled(change: &Change) -> Result<()> {
    let metadata = change.metadata;
    if metadata.is_enabled("delta.rowTrackingSuspended") {
        return Err(Error::invalid("delta.enableRowTracking and delta.rowTrackingSuspended are both true")
            .hint("take delta.rowTrackingSuspended out of the properties"));
    }
    let schema = Schema::of(metadata)?;
    for property in MATERIALIZED_COLUMNS {
        let Some(name) = metadata.configuration.value(property).filter(|name| !name.is_empty()) else {
            return Err(Error::invalid(format!("delta.enableRowTracking needs the property {property}"))
                .hint("name a column that the table has not and will not have, such as `_row-id-` and a UUID"));
        };
        let mode = schema.column_mapping();
        let is_taken = |field: &crate::schema::Field| {
            field.name.eq_ignore_ascii_case(name) || field.physical_name(mode).eq_ignore_ascii_case(name)
        };
        if schema.fields().iter().any(is_taken) {
            return Err(Error::invalid(format!("the property {property} names the column {}", quoted(name)))
                .hint("rows' ids are kept in a column that is not in the schema; choose another name"));
        }
    }
    Ok(())
}
