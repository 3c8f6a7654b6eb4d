//! What a commit may not do, found before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::action::{Action, Add, Cdc, DeletionVector, Json, Metadata, Protocol, Remove};
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, DataType, Field, Primitive, Schema};
use crate::snapshot::Snapshot;
use crate::table_features::{
    IMPLIED_FEATURES, check_well_formed, check_writable, has_writer_feature, in_commit_timestamps_enabled,
    is_append_only,
};
use crate::{Error, ErrorKind, Result};

use super::needed_features::{check_needed_features, lacks_feature};

const CHANGE_DATA_FEED: &str = "delta.enableChangeDataFeed";

pub(super) fn check(state: &Snapshot, actions: &[Action]) -> Result<()> {
    check_writable(&state.protocol)?;
    if actions.is_empty() {
        return Err(Error::invalid("there is nothing to commit: no actions were given"));
    }
    one_of_a_kind(actions)?;
    not_added_and_removed(actions)?;
    let (mut metadata, mut protocol) = (&state.metadata, &state.protocol);
    for action in actions {
        match action {
            Action::Metadata(new) => metadata = new,
            Action::Protocol(new) => protocol = new,
            _ => {}
        }
    }
    check_protocol(&state.protocol, protocol)?;
    check_metadata(&state.metadata, metadata)?;
    check_needed_features(&state.metadata, metadata, protocol)?;
    check_in_commit_timestamps(state, metadata, protocol)?;
    let rules = Rules {
        protocol,
        change_data_feed: metadata.is_enabled(CHANGE_DATA_FEED),
        append_only: is_append_only(&state.metadata, &state.protocol),
        partition_columns: partition_columns(metadata)?,
    };
    actions.iter().try_for_each(|action| rules.check(action))
}

/// A commit has at most one metadata, protocol and commit info, and one action of a kind for a path
/// (protocol section "Add File and Remove File"), an application or a domain.
fn one_of_a_kind(actions: &[Action]) -> Result<()> {
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for action in actions {
        let key = match action {
            Action::Add(add) => add.path.as_str(),
            Action::Remove(remove) => remove.path.as_str(),
            Action::Txn(txn) => txn.app_id.as_str(),
            Action::DomainMetadata(domain) => domain.domain.as_str(),
            Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) => "",
            _ => continue,
        };
        if !seen.insert((action.name(), key)) {
            let of = if key.is_empty() { String::new() } else { format!(" of {}", quoted(key)) };
            return Err(Error::invalid(format!("the commit has two `{}` actions{of}; one is allowed", action.name())));
        }
    }
    Ok(())
}

fn not_added_and_removed(actions: &[Action]) -> Result<()> {
    let removed: HashSet<(&str, String)> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Remove(remove) => Some((remove.path.as_str(), remove.dv_id())),
            _ => None,
        })
        .collect();
    for action in actions {
        if let Action::Add(add) = action
            && removed.contains(&(add.path.as_str(), add.dv_id()))
        {
            return Err(Error::invalid(format!(
                "the commit both adds and removes {} with the same deletion vector",
                quoted(&add.path)
            ))
            .path(&add.path)
            .hint("an `add` alone replaces the file's entry"));
        }
    }
    Ok(())
}

/// What the table, as it is after the commit, asks of each action.
struct Rules<'a> {
    protocol: &'a Protocol,
    change_data_feed: bool,
    append_only: bool,
    /// Physical names.
    partition_columns: BTreeSet<String>,
}

impl Rules<'_> {
    fn check(&self, action: &Action) -> Result<()> {
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

fn joined<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
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

fn check_metadata(current: &Metadata, new: &Metadata) -> Result<()> {
    if new == current {
        return Ok(());
    }
    if new.id != current.id {
        return Err(Error::invalid(format!(
            "the table's id is {} and may not change; the new metadata has {}",
            quoted(&current.id),
            quoted(&new.id)
        )));
    }
    if new.partition_columns != current.partition_columns {
        return Err(Error::invalid(format!(
            "the partition columns are [{}] and may not change; the new metadata has [{}]",
            joined(&current.partition_columns),
            joined(&new.partition_columns)
        )));
    }
    if new.format.provider != "parquet" {
        return Err(Error::invalid(format!("the format is {}; it may be parquet", quoted(&new.format.provider))));
    }
    let schema = new.schema_string.as_deref();
    let schema = schema.ok_or_else(|| Error::invalid("the new metadata has no `schemaString`"))?;
    check_fields(schema)?;
    let schema = Schema::parse(schema).map_err(|error| Error::invalid(error.to_string()))?;
    check_columns(&schema)?;
    if let Some((property, _)) = new.configuration.0.iter().find(|(_, value)| value.is_none()) {
        return Err(Error::invalid(format!("the property {} is null; a value is a text", quoted(property))));
    }
    Schema::of(new)?.check_column_mapping(new.configuration.value(ColumnMapping::MAX_ID_PROPERTY))
}

/// Every field of a struct has `nullable` and `metadata` (protocol section "Struct Field").
fn check_fields(schema: &str) -> Result<()> {
    fn check(data_type: &serde_json::Value) -> Result<()> {
        if !data_type.is_object() {
            return Ok(());
        }
        for field in data_type["fields"].as_array().into_iter().flatten() {
            if !field["nullable"].is_boolean() || !field["metadata"].is_object() {
                let name = quoted(field["name"].as_str().unwrap_or_default());
                return Err(Error::invalid(format!(
                    "the column {name} needs `nullable`, a boolean, and `metadata`, an object"
                )));
            }
            check(&field["type"])?;
        }
        ["elementType", "keyType", "valueType"].iter().try_for_each(|part| check(&data_type[part]))
    }
    let parsed = serde_json::from_str(schema);
    check(&parsed.map_err(|error| Error::invalid(format!("reading the schema: {error}")))?)
}

/// What engines cannot open: types that no protocol knows, and columns that differ in case alone.
fn check_columns(schema: &Schema) -> Result<()> {
    let mut names = HashSet::new();
    if let Some(field) = schema.fields().iter().find(|field| !names.insert(field.name.to_lowercase())) {
        return Err(Error::invalid(format!("two columns are named {}, in one case or another", quoted(&field.name))));
    }
    let odd = |field: &&Field| matches!(&field.data_type, DataType::Primitive(Primitive::Other(_)));
    match schema.all_fields().into_iter().find(odd) {
        Some(field) => Err(Error::invalid(format!(
            "the column {} has the type `{}`, which is none of Delta's",
            quoted(&field.name),
            field.data_type
        ))),
        None => Ok(()),
    }
}

fn check_in_commit_timestamps(state: &Snapshot, metadata: &Metadata, protocol: &Protocol) -> Result<()> {
    if !in_commit_timestamps_enabled(metadata, protocol)
        || in_commit_timestamps_enabled(&state.metadata, &state.protocol)
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "this release does not switch in-commit timestamps on (delta.enableInCommitTimestamps)",
    )
    .hint("switch them on with the engine that made the table, then `dl import --incremental`"))
}

fn check_protocol(current: &Protocol, new: &Protocol) -> Result<()> {
    if new == current {
        return Ok(());
    }
    check_well_formed(new)?;
    check_writable(new)?;
    for (old, new) in
        [(&current.reader_features, &new.reader_features), (&current.writer_features, &new.writer_features)]
    {
        let kept = new.as_deref().unwrap_or_default();
        if let Some(lost) = old.iter().flatten().find(|feature| !kept.contains(feature)) {
            return Err(Error::invalid(format!("the protocol may not lose the table feature `{lost}`"))
                .hint("drop features with the engine that made the table"));
        }
    }
    if new.min_reader_version < current.min_reader_version || new.min_writer_version < current.min_writer_version {
        return Err(Error::invalid(format!(
            "the protocol may not go down from ({}, {}) to ({}, {})",
            current.min_reader_version, current.min_writer_version, new.min_reader_version, new.min_writer_version
        )));
    }
    let lost = |(feature, _): &&(&str, i64)| has_writer_feature(current, feature) && !has_writer_feature(new, feature);
    if let Some((lost, _)) = IMPLIED_FEATURES.iter().find(lost) {
        return Err(Error::invalid(format!("the protocol may not lose `{lost}`, which the old versions imply"))
            .hint("list the feature in `writerFeatures`"));
    }
    Ok(())
}
