//! What may change in a table's column mapping (protocol section "Writer Requirements for Column Mapping").

use std::collections::{HashMap, HashSet};

use crate::action::Metadata;
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, Schema};
use crate::{Error, Result};

use super::change::Past;
use super::placed::{Placed, placed_fields};
use crate::commit::physical_names;

pub(in crate::commit) const A_NAME: &str =
    "a new column takes a physical name that no column has or had, such as `col-` and a UUID";

/// Checks mode, ids and physical names.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming the column or property.
pub(super) fn check_mapping(current: &Metadata, new: &Metadata, past: Past) -> Result<()> {
    let (current_schema, new_schema) = (Schema::of(current)?, Schema::of(new)?);
    let (from, to) = (current_schema.column_mapping(), new_schema.column_mapping());
    let turns_on = (from, to) == (ColumnMapping::None, ColumnMapping::Name);
    if from != to && !turns_on && past != Past::Replaced {
        return Err(Error::invalid(format!("{} may not change from {from} to {to}", ColumnMapping::PROPERTY))
            .hint("it may become `name` where it was none; for another mode replace the table"));
    }
    let max_id = new.configuration.value(ColumnMapping::MAX_ID_PROPERTY);
    new_schema.check_column_mapping(max_id).map_err(|error| {
        error.hint(format!(
            "give each new column an id of its own, the next after {0}, with a physical name, and raise {0} to the last",
            ColumnMapping::MAX_ID_PROPERTY
        ))
    })?;
    if to == ColumnMapping::None {
        return Ok(());
    }
    let new_fields = placed_fields(&new_schema);
    let current_fields = placed_fields(&current_schema);
    check_unique(&current_fields, &new_fields)?;
    let last_id = max_column_id(current);
    check_max_id(last_id, max_column_id(new))?;
    if from != ColumnMapping::None {
        check_reuse(&current_fields, &new_fields, last_id.unwrap_or(0), past)
    } else if past == Past::Replaced {
        Ok(())
    } else {
        check_turned_on(&current_fields, &new_fields)
    }
}

/// The physical paths of columns that come to a table which has column mapping already.
pub(super) fn new_physical_paths(current: &Metadata, new: &Metadata) -> Result<Vec<String>> {
    let (current_schema, new_schema) = (Schema::of(current)?, Schema::of(new)?);
    if current_schema.column_mapping() == ColumnMapping::None {
        return Ok(Vec::new());
    }
    let current = placed_fields(&current_schema);
    let ids: HashSet<Option<i64>> = current.iter().map(|placed| placed.field.column_id()).collect();
    let paths: HashSet<&[&str]> = current.iter().map(|placed| placed.physical.as_slice()).collect();
    let is_new = |is: &&Placed<'_>| !ids.contains(&is.field.column_id()) && !paths.contains(is.physical.as_slice());
    Ok(placed_fields(&new_schema).iter().filter(is_new).map(|is| physical_names::joined(&is.physical)).collect())
}

fn max_column_id(metadata: &Metadata) -> Option<i64> {
    metadata.configuration.value(ColumnMapping::MAX_ID_PROPERTY)?.parse().ok()
}

fn check_max_id(current: Option<i64>, new: Option<i64>) -> Result<()> {
    match (current, new) {
        (Some(current), Some(new)) if new < current => {
            Err(Error::invalid(format!("{} goes down from {current} to {new}", ColumnMapping::MAX_ID_PROPERTY))
                .hint("it counts dropped columns, too; it never goes down"))
        }
        _ => Ok(()),
    }
}

/// Engines find columns in files whatever their case; what differs by case alone and is there is left alone.
fn check_unique(current: &[Placed], new: &[Placed]) -> Result<()> {
    let known: HashSet<&[&str]> = current.iter().map(|placed| placed.physical.as_slice()).collect();
    let mut paths: HashMap<Vec<String>, &Placed> = HashMap::new();
    for placed in new {
        let id = placed.field.column_id().unwrap_or_default();
        if !(1..=i64::from(i32::MAX)).contains(&id) {
            return Err(Error::invalid(format!(
                "the column {} has the id {id}; ids are positive and have 32 bits",
                quoted(&placed.name())
            ))
            .hint(format!("take the next after {}, and raise that to it", ColumnMapping::MAX_ID_PROPERTY)));
        }
        if placed.physical.last().is_some_and(|name| name.is_empty()) {
            return Err(Error::invalid(format!("the column {} has an empty physical name", quoted(&placed.name())))
                .hint(A_NAME));
        }
        let path = placed.physical.iter().map(|name| name.to_lowercase()).collect();
        let Some(other) = paths.insert(path, placed) else { continue };
        let is_same = other.physical == placed.physical;
        if is_same || ![other, placed].iter().all(|placed| known.contains(placed.physical.as_slice())) {
            return Err(Error::invalid(format!(
                "the column {} has the physical name {} of another column{}",
                quoted(&placed.name()),
                quoted(&placed.physical.join(".")),
                if is_same { "" } else { ", but for its case" }
            ))
            .hint(A_NAME));
        }
    }
    Ok(())
}

/// The files that are there know their columns by the names that they had.
fn check_turned_on(current: &[Placed], new: &[Placed]) -> Result<()> {
    let by_name: HashMap<&[&str], &Placed> = new.iter().map(|placed| (placed.logical.as_slice(), placed)).collect();
    for was in current {
        let is = by_name.get(was.logical.as_slice()).filter(|is| is.physical.last() != was.logical.last());
        if let Some(is) = is {
            return Err(Error::invalid(format!(
                "the column {} gets the physical name {}, but files know it by its name",
                quoted(&is.name()),
                quoted(is.physical.last().unwrap_or(&""))
            ))
            .hint("where column mapping begins, physical names are the columns' names"));
        }
    }
    Ok(())
}

/// An id and a physical path belong to one column forever.
fn check_reuse(current: &[Placed], new: &[Placed], last_id: i64, past: Past) -> Result<()> {
    let by_id: HashMap<i64, &Placed> =
        current.iter().filter_map(|placed| Some((placed.field.column_id()?, placed))).collect();
    let by_path: HashMap<&[&str], &Placed> =
        current.iter().map(|placed| (placed.physical.as_slice(), placed)).collect();
    let by_name: HashMap<&[&str], &Placed> = current.iter().map(|placed| (placed.logical.as_slice(), placed)).collect();
    let kept: HashSet<i64> = new.iter().filter_map(|placed| placed.field.column_id()).collect();
    for is in new {
        let (name, id) = (quoted(&is.name()), is.field.column_id().unwrap_or_default());
        if let Some(was) = by_id.get(&id) {
            if was.physical != is.physical {
                return Err(Error::invalid(format!(
                    "the column {name} has the id {id}, which belongs to {} with the physical name {}; it has {}",
                    quoted(&was.name()),
                    quoted(&was.physical.join(".")),
                    quoted(&is.physical.join("."))
                ))
                .hint("a column keeps its id and physical name; a new one takes a new id"));
            }
            continue;
        }
        if let Some(was) = by_path.get(is.physical.as_slice()).and_then(|was| was.field.column_id()) {
            return Err(Error::invalid(format!(
                "the physical name {} of the column {name} belongs to the id {was}; the column has {id}",
                quoted(&is.physical.join("."))
            ))
            .hint(A_NAME));
        }
        if by_path.contains_key(is.physical.as_slice()) {
            continue; // it had no id
        }
        let was = by_name.get(is.logical.as_slice()).and_then(|was| was.field.column_id());
        if let Some(was) = was.filter(|was| past == Past::Stays && !kept.contains(was)) {
            return Err(Error::invalid(format!("the id of the column {name} may not change from {was} to {id}"))
                .hint("files know the column by what it has; drop it in one commit and add it in another"));
        }
        if id <= last_id && past != Past::Restored {
            return Err(Error::invalid(format!(
                "the new column {name} has the id {id}, which a column had before: {} is {last_id}",
                ColumnMapping::MAX_ID_PROPERTY
            ))
            .hint(format!("take {} and raise the property to it", last_id + 1)));
        }
    }
    Ok(())
}
