//! The table features that a table's metadata needs (protocol sections of each feature).

use std::collections::BTreeMap;

use crate::action::{Metadata, Protocol};
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, DataType, Primitive, Schema};
use crate::table_features::has_writer_feature;
use crate::{Error, Result};

/// Properties that take effect through a feature, when they are `true`.
const SWITCHES: &[(&str, Needs)] = &[
    ("delta.appendOnly", &["appendOnly"]),
    ("delta.enableChangeDataFeed", &["changeDataFeed"]),
    ("delta.enableDeletionVectors", &["deletionVectors"]),
    ("delta.enableIcebergCompatV1", &["icebergCompatV1"]),
    ("delta.enableIcebergCompatV2", &["icebergCompatV2"]),
    ("delta.enableIcebergCompatV3", &["icebergCompatV3"]),
    ("delta.enableInCommitTimestamps", &["inCommitTimestamp"]),
    ("delta.enableRowTracking", &["rowTracking"]),
    ("delta.enableTypeWidening", &["typeWidening", "typeWidening-preview"]),
    ("delta.enableVariantShredding", &["variantShredding", "variantShredding-preview"]),
];

/// What a column's metadata holds, and the feature that it belongs to.
const COLUMN_KEYS: &[(&str, Needs)] = &[
    ("CURRENT_DEFAULT", &["allowColumnDefaults"]),
    ("delta.generationExpression", &["generatedColumns"]),
    ("delta.identity.start", &["identityColumns"]),
    ("delta.invariants", &["invariants"]),
    ("delta.typeChanges", &["typeWidening", "typeWidening-preview"]),
];

const CHECKPOINT_POLICY: &str = "delta.checkpointPolicy";
const CONSTRAINT: &str = "delta.constraints.";

/// One of these features; the first is the one to name.
type Needs = &'static [&'static str];

/// Checks that the table, as it is after a commit, has the features that its metadata needs. What the metadata
/// needed before is not asked: some writers left it out.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming the feature and what needs it.
pub(super) fn check_needed_features(current: &Metadata, new: &Metadata, protocol: &Protocol) -> Result<()> {
    let before = needed(current)?;
    for (needs, what) in needed(new)? {
        if !before.contains_key(needs) && !needs.iter().any(|feature| has_writer_feature(protocol, feature)) {
            return Err(lacks_feature(&what, needs[0]));
        }
    }
    Ok(())
}

/// The error of a commit with something that a table without the feature cannot have.
pub(super) fn lacks_feature(what: &str, feature: &str) -> Error {
    Error::invalid(format!("the table lacks the feature `{feature}`, which is needed for {what}"))
        .hint("commit a `protocol` action with the feature, at the latest in the same commit")
}

/// Each need with what has it.
fn needed(metadata: &Metadata) -> Result<BTreeMap<Needs, String>> {
    let schema = Schema::of(metadata)?;
    let mut needed: BTreeMap<Needs, String> = BTreeMap::new();
    for (property, needs) in SWITCHES {
        if metadata.is_enabled(property) {
            needed.insert(needs, format!("the property {property}"));
        }
    }
    if schema.column_mapping() != ColumnMapping::None {
        needed.insert(&["columnMapping"], format!("the property {}", ColumnMapping::PROPERTY));
    }
    if metadata.configuration.value(CHECKPOINT_POLICY).is_some_and(|policy| policy.eq_ignore_ascii_case("v2")) {
        needed.insert(&["v2Checkpoint"], format!("the property {CHECKPOINT_POLICY}"));
    }
    if let Some(constraint) = metadata.configuration.0.keys().find(|key| key.starts_with(CONSTRAINT)) {
        needed.insert(&["checkConstraints"], format!("the property {constraint}"));
    }
    for field in schema.all_fields() {
        let keys = COLUMN_KEYS.iter().filter(|(key, _)| field.metadata.contains_key(*key)).map(|(_, needs)| *needs);
        let mut needs: Vec<Needs> = keys.collect();
        needs_of_type(&field.data_type, &mut needs);
        for needs in needs {
            needed.entry(needs).or_insert_with(|| format!("the column {}", quoted(&field.name)));
        }
    }
    Ok(needed)
}

/// The fields of a struct are asked themselves.
fn needs_of_type(data_type: &DataType, needs: &mut Vec<Needs>) {
    match data_type {
        DataType::Primitive(Primitive::TimestampNtz) => needs.push(&["timestampNtz"]),
        DataType::Primitive(Primitive::Variant) => needs.push(&["variantType", "variantType-preview"]),
        DataType::Primitive(_) | DataType::Struct(_) => {}
        DataType::Array { element, .. } => needs_of_type(element, needs),
        DataType::Map { key, value, .. } => {
            needs_of_type(key, needs);
            needs_of_type(value, needs);
        }
    }
}
