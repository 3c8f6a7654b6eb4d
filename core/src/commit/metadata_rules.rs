//! When a commit may follow one that changed the table's metadata or protocol, as Delta-Spark's conflict checker decides.

use serde_json::Value;

use crate::action::{CommitInfo, Metadata, Protocol};
use crate::schema::{ColumnMapping, Schema};
use crate::table_features::{features, has_writer_feature};

/// In the tags of a commit that only moves the high-water marks of identity columns on.
const IDENTITY_ONLY_TAG: &str = "delta.identity.schemaUpdate";

const HIGH_WATER_MARK: &str = "delta.identity.highWaterMark";

/// Properties that a commit may have been prepared without, as long as they are switched on, with the feature that each
/// needs. Delta-Spark has the same list.
const HARMLESS_PROPERTIES: &[(&str, &str)] = &[
    ("delta.checkpointPolicy", "v2Checkpoint"),
    ("delta.columnMapping.maxColumnId", "columnMapping"),
    ("delta.columnMapping.mode", "columnMapping"),
    ("delta.enableDeletionVectors", "deletionVectors"),
    ("delta.enableInCommitTimestamps", "inCommitTimestamp"),
    ("delta.enableRowTracking", "rowTracking"),
    ("delta.inCommitTimestampEnablementTimestamp", "inCommitTimestamp"),
    ("delta.inCommitTimestampEnablementVersion", "inCommitTimestamp"),
    ("delta.rowTracking.materializedRowCommitVersionColumnName", "rowTracking"),
    ("delta.rowTracking.materializedRowIdColumnName", "rowTracking"),
];

/// What a column may get when column mapping is switched on.
const COLUMN_MAPPING_KEYS: &[&str] = &[
    "delta.columnMapping.id",
    "delta.columnMapping.physicalName",
    "delta.columnMapping.nested.ids",
    "parquet.field.id",
    "parquet.field.nested.ids",
];

/// Whether a commit without a `metaData` action of its own may follow one that changed the metadata from `before` to
/// `after`, in a table with `protocol`.
pub(super) fn may_follow_metadata(
    before: &Metadata,
    after: &Metadata,
    commit_info: Option<&CommitInfo>,
    protocol: &Protocol,
) -> bool {
    if is_identity_only(commit_info) && moves_marks_only(before, after) {
        return true;
    }
    let rest =
        |metadata: &Metadata| Metadata { configuration: Default::default(), schema_string: None, ..metadata.clone() };
    rest(before) == rest(after) && may_follow_properties(before, after, protocol) && may_follow_schema(before, after)
}

fn is_identity_only(commit_info: Option<&CommitInfo>) -> bool {
    let tags = commit_info.and_then(|info| info.fields().get("tags")?.read::<serde_json::Map<String, Value>>());
    tags.and_then(|tags| tags.get(IDENTITY_ONLY_TAG)?.as_str().map(|text| text == "true")).unwrap_or(false)
}

/// What a commit says of itself is believed as far as it is so.
fn moves_marks_only(before: &Metadata, after: &Metadata) -> bool {
    let rest = |metadata: &Metadata| Metadata { schema_string: None, ..metadata.clone() };
    let fields = |metadata| fields_without(metadata, &[HIGH_WATER_MARK]);
    rest(before) == rest(after) && fields(before).is_some() && fields(before) == fields(after)
}

fn may_follow_properties(before: &Metadata, after: &Metadata, protocol: &Protocol) -> bool {
    let (old, new) = (&before.configuration.0, &after.configuration.0);
    if old.keys().any(|key| !new.contains_key(key)) {
        return false;
    }
    new.iter().filter(|(key, value)| old.get(*key) != Some(*value)).all(|(key, value)| {
        let known = HARMLESS_PROPERTIES.iter().find(|(name, _)| name == key);
        known.is_some_and(|(_, feature)| has_writer_feature(protocol, feature))
            && is_harmless(key, value.as_deref(), !old.contains_key(key), before, after)
    })
}

fn is_harmless(key: &str, value: Option<&str>, is_new: bool, before: &Metadata, after: &Metadata) -> bool {
    let is_true = value.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match key {
        "delta.enableDeletionVectors" | "delta.enableInCommitTimestamps" | "delta.enableRowTracking" => is_true,
        "delta.inCommitTimestampEnablementVersion" | "delta.inCommitTimestampEnablementTimestamp" => is_new,
        "delta.checkpointPolicy" => value == Some("v2"),
        "delta.columnMapping.mode" => switches_names_on(before, after),
        "delta.columnMapping.maxColumnId" => true,
        _ => after.is_enabled("delta.enableRowTracking"),
    }
}

fn switches_names_on(before: &Metadata, after: &Metadata) -> bool {
    let mode = |metadata: &Metadata| Schema::of(metadata).map(|schema| schema.column_mapping());
    matches!((mode(before), mode(after)), (Ok(ColumnMapping::None), Ok(ColumnMapping::Name)))
}

/// The schema may get the annotations of column mapping, and nothing else.
fn may_follow_schema(before: &Metadata, after: &Metadata) -> bool {
    if before.schema_string == after.schema_string {
        return true;
    }
    let fields = |metadata| fields_without(metadata, COLUMN_MAPPING_KEYS);
    switches_names_on(before, after) && fields(before).is_some() && fields(before) == fields(after)
}

/// The columns, without these keys of their metadata.
fn fields_without(metadata: &Metadata, keys: &[&str]) -> Option<Vec<Value>> {
    let schema: Option<Value> = serde_json::from_str(metadata.schema_string.as_deref()?).ok();
    let mut fields = schema?.get_mut("fields")?.as_array_mut().map(std::mem::take)?;
    for metadata in fields.iter_mut().filter_map(|field| field.get_mut("metadata")?.as_object_mut()) {
        metadata.retain(|key, _| !keys.contains(&key.as_str()));
    }
    Some(fields)
}

/// Whether a protocol took features away that the one before had.
pub(super) fn drops_features(before: &Protocol, after: &Protocol) -> bool {
    features(before).any(|feature| !has_feature(after, feature))
}

fn has_feature(protocol: &Protocol, feature: &str) -> bool {
    has_writer_feature(protocol, feature) || protocol.reader_features.iter().flatten().any(|name| name == feature)
}

/// Whether row tracking was switched on by the change.
pub(super) fn enables_row_tracking(before: &Metadata, after: &Metadata) -> bool {
    const PROPERTY: &str = "delta.enableRowTracking";
    after.is_enabled(PROPERTY) && !before.is_enabled(PROPERTY)
}
