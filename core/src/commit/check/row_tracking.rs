//! What row tracking asks of a commit (protocol section "Writer Requirements for Row Tracking").

use crate::action::{Action, Add};
use crate::catalog::quoted;
use crate::schema::Schema;
use crate::table_features::{assigns_row_ids, row_tracking_enabled};
use crate::{Error, Result};

use super::change::{Change, Past};

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
    let (metadata, state) = (change.metadata, change.state);
    if metadata.is_enabled("delta.rowTrackingSuspended") {
        return Err(Error::invalid("delta.enableRowTracking and delta.rowTrackingSuspended are both true")
            .hint("take delta.rowTrackingSuspended out of the properties"));
    }
    let [row_ids, versions] = MATERIALIZED_COLUMNS.map(|property| metadata.configuration.value(property));
    let is_same = |(row_ids, versions): (&str, &str)| !row_ids.is_empty() && row_ids.eq_ignore_ascii_case(versions);
    if row_ids.zip(versions).is_some_and(is_same) {
        return Err(Error::invalid(format!(
            "the properties {} and {} name one column",
            MATERIALIZED_COLUMNS[0], MATERIALIZED_COLUMNS[1]
        ))
        .hint("rows' ids and their versions are kept in columns of their own"));
    }
    let schema = Schema::of(metadata)?;
    for property in MATERIALIZED_COLUMNS {
        let Some(name) = metadata.configuration.value(property).filter(|name| !name.is_empty()) else {
            return Err(Error::invalid(format!("delta.enableRowTracking needs the property {property}"))
                .hint("name a column that the table has not and will not have, such as `_row-id-` and a UUID"));
        };
        let former = state.metadata.configuration.value(property);
        let was_enabled = row_tracking_enabled(&state.metadata, &state.protocol);
        if was_enabled && former != Some(name) && change.past == Past::Stays {
            return Err(Error::invalid(format!(
                "the property {property} may not change from {} to {} while row tracking is enabled",
                quoted(former.unwrap_or_default()),
                quoted(name)
            ))
            .hint("the files that are there keep their rows' ids and versions in a column of the former name"));
        }
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
