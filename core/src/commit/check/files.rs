//! What a table asks of the actions on its files.

use std::collections::BTreeMap;

use crate::action::{Action, Add, Cdc, Json, Protocol, Remove};
use crate::catalog::quoted;
use crate::schema::Schema;
use crate::table_features::{has_writer_feature, is_append_only};
use crate::{Error, Result};

use super::change::Change;
use super::needed_features::lacks_feature;
use super::partition::PartitionColumns;
use super::path::{check_length, check_path};
use super::stats::check_stats;
use super::unusual_path::unusual_path;
use super::vector::check_vector;

const CHANGE_DATA_FEED: &str = "delta.enableChangeDataFeed";
const NOT_APPEND_ONLY: &str = "take the property away in a commit before this one";
const DELETION_VECTORS: &str = "delta.enableDeletionVectors";

/// What the table, as it is after the commit, asks of each action.
pub(super) struct FileRules<'a> {
    change: &'a Change<'a>,
    protocol: &'a Protocol,
    append_only: bool,
    partition_columns: PartitionColumns,
    /// Of the files that are there, if they are others.
    former_partition_columns: Option<PartitionColumns>,
}

impl<'a> FileRules<'a> {
    pub(super) fn of(change: &'a Change<'a>) -> Result<Self> {
        let state = change.state;
        let former_columns = PartitionColumns::of(state.schema()?);
        let (partition_columns, former_partition_columns) = match change.has_metadata() {
            true => (PartitionColumns::of(&Schema::of(change.metadata)?), Some(former_columns)),
            false => (former_columns, None),
        };
        Ok(FileRules {
            change,
            protocol: change.protocol,
            append_only: is_append_only(&state.metadata, &state.protocol),
            partition_columns,
            former_partition_columns,
        })
    }

    pub(super) fn check(&self, action: &Action) -> Result<()> {
        match action {
            Action::Add(add) => self.check_add(add).map_err(|error| error.path(&add.path)),
            Action::Remove(remove) => self.check_remove(remove).map_err(|error| error.path(&remove.path)),
            Action::Cdc(cdc) => self.check_cdc(cdc).map_err(|error| error.path(&cdc.path)),
            _ => Ok(()),
        }
    }

    fn check_add(&self, add: &Add) -> Result<()> {
        let file = || quoted(&add.path);
        check_length(&add.path)?;
        // What the table has already under an odd path may get other statistics or another vector.
        if !self.change.removed.contains(add.path.as_str()) {
            check_path(&add.path)?;
        }
        check_size(add.size, file)?;
        if add.modification_time < 0 {
            return Err(Error::invalid(format!("the `modificationTime` of {} is {}", file(), add.modification_time))
                .hint("it is in milliseconds since 1970"));
        }
        if let Some(stats) = &add.stats {
            check_stats(stats).map_err(|wrong| {
                Error::invalid(format!("the statistics of {} {wrong}", file()))
                    .hint("write them as the protocol's section \"Per-file Statistics\" has them, or leave them out")
            })?;
        }
        check_tags(add.tags.as_ref(), file)?;
        if add.deletion_vector.is_some() {
            self.check_vector(add)?;
        }
        // Spark wrote `defaultRowCommitVersion` without the feature for a while; alone it means nothing.
        if add.base_row_id.is_some() {
            self.needs("rowTracking", || format!("the row ids of {}", file()))?;
        }
        self.partition_columns.check_keys(&add.partition_values, file)?;
        self.partition_columns.check_values(&add.partition_values, file)
    }

    fn check_vector(&self, add: &Add) -> Result<()> {
        let Some(vector) = &add.deletion_vector else { return Ok(()) };
        let file = || quoted(&add.path);
        check_vector(vector).map_err(|error| error.context(format!("checking {}", file())))?;
        let Some(num_records) = add.num_records() else {
            return Err(Error::invalid(format!("{} has a deletion vector, but no `numRecords`", file()))
                .hint("the statistics of a file with a deletion vector must tell the file's rows"));
        };
        if vector.cardinality > num_records {
            return Err(Error::invalid(format!(
                "the deletion vector of {} deletes {} rows; the file has {num_records}",
                file(),
                vector.cardinality
            ))
            .hint("`numRecords` counts the deleted rows, too"));
        }
        self.needs("deletionVectors", || format!("the deletion vector of {}", file()))?;
        // A file that comes back as it is, to get other statistics or tags, changes no data.
        let is_new = add.data_change || self.change.removed.contains(add.path.as_str());
        if is_new && self.append_only {
            return Err(Error::invalid(format!(
                "the table is append-only (delta.appendOnly): the deletion vector of {} deletes rows",
                file()
            ))
            .hint(NOT_APPEND_ONLY));
        }
        if is_new && !self.change.metadata.is_enabled(DELETION_VECTORS) {
            return Err(Error::invalid(format!(
                "the deletion vector of {} is new, but the table's property {DELETION_VECTORS} is not true",
                file()
            ))
            .hint("set the property, at the latest in the same commit, or rewrite the file without the deleted rows"));
        }
        Ok(())
    }

    fn check_remove(&self, remove: &Remove) -> Result<()> {
        let file = || format!("the removed {}", quoted(&remove.path));
        // Whatever path the table has may be removed from it.
        check_length(&remove.path)?;
        check_tags(remove.tags.as_ref(), file)?;
        check_size(remove.size.unwrap_or(0), file)?;
        if let Some(deletion_timestamp) = remove.deletion_timestamp.filter(|time| *time < 0) {
            return Err(Error::invalid(format!("the `deletionTimestamp` of {} is {deletion_timestamp}", file()))
                .hint("it is in milliseconds since 1970"));
        }
        if let Some(stats) = &remove.stats {
            check_stats(stats).map_err(|wrong| {
                Error::invalid(format!("the statistics of {} {wrong}", file())).hint("a `remove` needs no statistics")
            })?;
        }
        if let Some(values) = remove.partition_values.as_ref().filter(|values| !values.0.is_empty()) {
            let columns = self.former_partition_columns.as_ref().unwrap_or(&self.partition_columns);
            columns.check_keys(values, file)?;
        }
        if self.append_only && remove.data_change {
            return Err(Error::invalid(format!(
                "the table is append-only (delta.appendOnly): {} may not be removed",
                quoted(&remove.path)
            ))
            .hint(format!("say `dataChange` false if no rows go, as in a compaction; else {NOT_APPEND_ONLY}")));
        }
        Ok(())
    }

    fn check_cdc(&self, cdc: &Cdc) -> Result<()> {
        let file = || format!("the change data file {}", quoted(&cdc.path));
        check_path(&cdc.path)?;
        if let Some(error) = unusual_path(&cdc.path, &self.change.state.table.location, "") {
            return Err(error);
        }
        check_size(cdc.size, file)?;
        check_tags(cdc.tags.as_ref(), file)?;
        self.needs("changeDataFeed", file)?;
        if !self.change.metadata.is_enabled(CHANGE_DATA_FEED) {
            return Err(Error::invalid(format!("{} needs the table property {CHANGE_DATA_FEED}", file()))
                .hint("set it to true, at the latest in the same commit, or leave the file out"));
        }
        if cdc.data_change {
            return Err(Error::invalid(format!("{} has `dataChange` true; the rows are in other files", file()))
                .hint("write it with `dataChange` false"));
        }
        self.partition_columns.check_keys(&cdc.partition_values, file)?;
        self.partition_columns.check_values(&cdc.partition_values, file)
    }

    fn needs(&self, feature: &str, what: impl FnOnce() -> String) -> Result<()> {
        if has_writer_feature(self.protocol, feature) { Ok(()) } else { Err(lacks_feature(&what(), feature)) }
    }
}

fn check_size(size: i64, file: impl FnOnce() -> String) -> Result<()> {
    match size {
        0.. => Ok(()),
        _ => Err(Error::invalid(format!("the size of {} is {size}", file())).hint("it is in bytes")),
    }
}

fn check_tags(tags: Option<&Json>, file: impl FnOnce() -> String) -> Result<()> {
    match tags {
        Some(tags) if tags.read::<BTreeMap<String, Option<String>>>().is_none() => {
            Err(Error::invalid(format!("the `tags` of {} must be an object of strings", file()))
                .hint("write them as {\"name\":\"value\"}, or leave them out"))
        }
        _ => Ok(()),
    }
}
