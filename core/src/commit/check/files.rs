//! What a table asks of the actions on its files.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Action, Add, Cdc, DeletionVector, Json, Metadata, Protocol, Remove};
use crate::catalog::quoted;
use crate::schema::Schema;
use crate::snapshot::Snapshot;
use crate::table_features::{has_writer_feature, is_append_only};
use crate::{Error, Result};

use super::joined;
use super::needed_features::lacks_feature;

const CHANGE_DATA_FEED: &str = "delta.enableChangeDataFeed";

/// What the table, as it is after the commit, asks of each action.
pub(super) struct FileRules<'a> {
    protocol: &'a Protocol,
    change_data_feed: bool,
    append_only: bool,
    /// Physical names.
    partition_columns: BTreeSet<String>,
}

impl<'a> FileRules<'a> {
    pub(super) fn of(state: &Snapshot, metadata: &Metadata, protocol: &'a Protocol) -> Result<Self> {
        Ok(FileRules {
            protocol,
            change_data_feed: metadata.is_enabled(CHANGE_DATA_FEED),
            append_only: is_append_only(&state.metadata, &state.protocol),
            partition_columns: partition_columns(metadata)?,
        })
    }

    pub(super) fn check(&self, action: &Action) -> Result<()> {
        match action {
            Action::Add(add) => self.check_add(add).map_err(|error| error.path(&add.path)),
            Action::Remove(remove) => self.check_remove(remove).map_err(|error| error.path(&remove.path)),
            Action::Cdc(cdc) => self.check_cdc(cdc).map_err(|error| error.path(&cdc.path)),
            Action::DomainMetadata(domain) => {
                self.needs("domainMetadata", || format!("the domain {}", quoted(&domain.domain)))
            }
            Action::Sidecar(_) | Action::CheckpointMetadata(_) => {
                Err(Error::invalid(format!("`{}` belongs to checkpoints, not to commits", action.name())))
            }
            _ => Ok(()),
        }
    }

    fn check_add(&self, add: &Add) -> Result<()> {
        check_path(&add.path)?;
        let file = || quoted(&add.path);
        if add.size < 0 {
            return Err(Error::invalid(format!("the size of {} is {}", file(), add.size)));
        }
        if let Some(stats) = &add.stats {
            check_stats(stats).map_err(|wrong| Error::invalid(format!("the statistics of {} {wrong}", file())))?;
        }
        check_tags(add.tags.as_ref())?;
        if let Some(vector) = &add.deletion_vector {
            check_vector(vector)?;
            if add.num_records().is_none() {
                return Err(Error::invalid(format!("{} has a deletion vector, but no `numRecords`", file()))
                    .hint("the statistics of a file with a deletion vector must tell the file's rows"));
            }
            self.needs("deletionVectors", || format!("the deletion vector of {}", file()))?;
        }
        if add.base_row_id.is_some() || add.default_row_commit_version.is_some() {
            self.needs("rowTracking", || format!("the row ids of {}", file()))?;
        }
        if !add.partition_values.0.keys().eq(&self.partition_columns) {
            return Err(Error::invalid(format!(
                "{} has values for the partition columns [{}]; the table's are [{}]",
                file(),
                joined(add.partition_values.0.keys()),
                joined(&self.partition_columns)
            )));
        }
        Ok(())
    }

    fn check_remove(&self, remove: &Remove) -> Result<()> {
        check_path(&remove.path)?;
        check_tags(remove.tags.as_ref())?;
        if self.append_only && remove.data_change {
            return Err(Error::invalid(format!(
                "the table is append-only (delta.appendOnly): {} may not be removed",
                quoted(&remove.path)
            )));
        }
        Ok(())
    }

    fn check_cdc(&self, cdc: &Cdc) -> Result<()> {
        check_path(&cdc.path)?;
        check_tags(cdc.tags.as_ref())?;
        let file = || format!("the change data file {}", quoted(&cdc.path));
        self.needs("changeDataFeed", file)?;
        if !self.change_data_feed {
            return Err(Error::invalid(format!("{} needs the table property {CHANGE_DATA_FEED}", file())));
        }
        if cdc.data_change {
            return Err(Error::invalid(format!("{} has `dataChange` true; the rows are in other files", file())));
        }
        Ok(())
    }

    fn needs(&self, feature: &str, what: impl FnOnce() -> String) -> Result<()> {
        if has_writer_feature(self.protocol, feature) { Ok(()) } else { Err(lacks_feature(&what(), feature)) }
    }
}

fn partition_columns(metadata: &Metadata) -> Result<BTreeSet<String>> {
    let schema = Schema::of(metadata)?;
    metadata.partition_columns.iter().map(|name| Ok(schema.column(&[name.as_str()])?.physical.concat())).collect()
}

fn check_stats(stats: &str) -> std::result::Result<(), &'static str> {
    let stats: BTreeMap<String, Json> = serde_json::from_str(stats).map_err(|_| "are not a JSON object")?;
    match stats.get("numRecords").and_then(Json::read::<i64>) {
        Some(..0) => Err("have less than no rows"),
        _ => Ok(()),
    }
}

fn check_tags(tags: Option<&Json>) -> Result<()> {
    match tags {
        Some(tags) if tags.read::<BTreeMap<String, Option<String>>>().is_none() => {
            Err(Error::invalid("`tags` must be an object of strings"))
        }
        _ => Ok(()),
    }
}

/// The protocol's integers have 32 bits; `cardinality` is a long.
fn check_vector(vector: &DeletionVector) -> Result<()> {
    if !["u", "i", "p"].contains(&vector.storage_type.as_str()) {
        return Err(Error::invalid(format!(
            "a deletion vector's `storageType` is {}; it may be u, i or p",
            quoted(&vector.storage_type)
        )));
    }
    let range = 0..=i64::from(i32::MAX);
    if !range.contains(&vector.offset.unwrap_or(0)) || !range.contains(&vector.size_in_bytes) || vector.cardinality < 0
    {
        return Err(Error::invalid("a deletion vector's `offset`, `sizeInBytes` or `cardinality` is out of range"));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<()> {
    if path.is_empty() {
        return Err(Error::invalid("a file action has an empty path"));
    }
    Ok(())
}
