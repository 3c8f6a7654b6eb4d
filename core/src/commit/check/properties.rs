//! Table properties (protocol section "Table Properties", and the properties of the engines that interpret them). Only
//! what a commit sets or changes is asked.

use crate::action::{Metadata, Protocol};
use crate::catalog::quoted;
use crate::table_features::has_writer_feature;
use crate::time::parse_interval_ms;
use crate::{Error, ErrorKind, Result};

/// What the value of a property is.
#[derive(Clone, Copy)]
enum Kind {
    Boolean,
    /// This or more, with 32 bits.
    Integer(i32),
    /// This or more.
    Long(i64),
    Interval,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// Checked elsewhere, or free.
    Text,
}
use Kind::{Boolean, Integer, Interval, Long, OneOf, Text};

const PROPERTIES: &[(&str, Kind)] = &[
    ("delta.appendOnly", Boolean),
    ("delta.autoOptimize", Boolean),
    ("delta.autoOptimize.autoCompact", OneOf(&["true", "false", "auto", "legacy"])),
    ("delta.autoOptimize.optimizeWrite", Boolean),
    ("delta.castIcebergTimeType", Boolean),
    ("delta.checkpoint.writeStatsAsJson", Boolean),
    ("delta.checkpoint.writeStatsAsStruct", Boolean),
    ("delta.checkpointInterval", Integer(1)),
    ("delta.checkpointPolicy", OneOf(&["classic", "v2"])),
    ("delta.checkpointRetentionDuration", Interval),
    ("delta.columnMapping.maxColumnId", Long(0)),
    ("delta.columnMapping.mode", Text),
    ("delta.compatibility.symlinkFormatManifest.enabled", Boolean),
    ("delta.coordinatedCommits.commitCoordinator-preview", Text),
    ("delta.coordinatedCommits.commitCoordinatorConf-preview", Text),
    ("delta.coordinatedCommits.tableConf-preview", Text),
    ("delta.dataSkippingNumIndexedCols", Integer(-1)),
    ("delta.dataSkippingStatsColumns", Text),
    ("delta.dataSkippingStringPrefixLength", Integer(0)),
    ("delta.deletedFileRetentionDuration", Interval),
    ("delta.dropFeatureTruncateHistory.retentionDuration", Interval),
    ("delta.enableChangeDataCapture", Boolean),
    ("delta.enableChangeDataFeed", Boolean),
    ("delta.enableDeletionVectors", Boolean),
    ("delta.enableExpiredLogCleanup", Boolean),
    ("delta.enableFullRetentionRollback", Boolean),
    ("delta.enableIcebergCompatV1", Boolean),
    ("delta.enableIcebergCompatV2", Boolean),
    ("delta.enableIcebergCompatV3", Boolean),
    ("delta.enableIcebergWriterCompatV1", OneOf(&["false"])),
    ("delta.enableIcebergWriterCompatV3", OneOf(&["false"])),
    ("delta.enableInCommitTimestamps", Boolean),
    ("delta.enableMaterializePartitionColumnsFeature", Boolean),
    ("delta.enableRowTracking", Boolean),
    ("delta.enableTypeWidening", Boolean),
    ("delta.enableVariantShredding", Boolean),
    ("delta.ignoreIcebergBucketPartition", Boolean),
    ("delta.ignoreProtocolDefaults", Boolean),
    ("delta.inCommitTimestampEnablementTimestamp", Long(0)),
    ("delta.inCommitTimestampEnablementVersion", Long(0)),
    ("delta.isolationLevel", OneOf(&["Serializable", "WriteSerializable"])),
    ("delta.lastCommitTimestamp", Long(0)),
    ("delta.lastUpdateVersion", Long(0)),
    ("delta.liquid.clusteringColumns", Text),
    ("delta.logRetentionDuration", Interval),
    ("delta.minReaderVersion", Integer(1)),
    ("delta.minWriterVersion", Integer(1)),
    ("delta.parquet.compression.codec", Text),
    ("delta.parquet.format.version", Text),
    ("delta.parquet.vorder.default", Boolean),
    ("delta.parquet.vorder.enabled", Boolean),
    ("delta.randomPrefixLength", Integer(1)),
    ("delta.randomizeFilePrefixes", Boolean),
    ("delta.redirectReaderWriter-preview", Text),
    ("delta.redirectWriterOnly-preview", Text),
    ("delta.requireCheckpointProtectionBeforeVersion", Long(0)),
    ("delta.rowTracking.materializedRowCommitVersionColumnName", Text),
    ("delta.rowTracking.materializedRowIdColumnName", Text),
    ("delta.rowTrackingSuspended", Boolean),
    ("delta.sampleRetentionDuration", Interval),
    ("delta.setTransactionRetentionDuration", Interval),
    ("delta.targetFileSize", Text),
    ("delta.tuneFileSizesForRewrites", Boolean),
    ("delta.universalFormat.enabledFormats", Text),
    ("delta.universalFormat.iceberg.atomicConversion.supported", Boolean),
    ("delta.workloadBasedColumns.optimizerStatistics", Text),
    ("delta.writePartitionColumnsToParquet", Boolean),
];

const CONSTRAINT: &str = "delta.constraints.";
const FEATURE: &str = "delta.feature.";
const UNIVERSAL_FORMAT: &str = "delta.universalformat.config.";

/// Checks the properties that a commit sets.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) for a value that is none; [`Unsupported`](ErrorKind::Unsupported) for a property
/// with Delta's prefix that nobody knows.
pub(super) fn check_properties(current: &Metadata, new: &Metadata, protocol: &Protocol) -> Result<()> {
    let changed = new.configuration.0.iter().filter(|(name, value)| current.configuration.0.get(*name) != Some(value));
    for (name, value) in changed {
        let Some(value) = value else {
            return Err(Error::invalid(format!("the property {} is null; a value is a text", quoted(name)))
                .hint("leave a property out to unset it"));
        };
        check_property(name, value, protocol)?;
    }
    Ok(())
}

fn check_property(name: &str, value: &str, protocol: &Protocol) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, kind)) = PROPERTIES.iter().find(|(known, _)| *known == name) {
        return check_value(name, value, *kind);
    }
    if lower.starts_with(CONSTRAINT) {
        return check_constraint(name, value);
    }
    if let Some(feature) = name.strip_prefix(FEATURE) {
        return check_feature(name, feature, protocol);
    }
    if !lower.starts_with("delta.") || lower.starts_with(UNIVERSAL_FORMAT) {
        return Ok(());
    }
    let unknown = format!("there is no property {}", quoted(name));
    Err(match PROPERTIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((known, _)) => Error::invalid(unknown).hint(format!("it is written {known}")),
        None => Error::new(ErrorKind::Unsupported, unknown)
            .hint("names that begin with `delta.` are Delta's; take another name for a property of your own"),
    })
}

fn check_value(name: &str, value: &str, kind: Kind) -> Result<()> {
    let (fine, expected) = match kind {
        Boolean => {
            (["true", "false"].iter().any(|known| value.eq_ignore_ascii_case(known)), "true or false".to_owned())
        }
        Integer(least) => {
            let fine = value.parse::<i32>().is_ok_and(|value| value >= least);
            (fine, format!("an integer of 32 bits, {least} or more"))
        }
        Long(least) => (value.parse::<i64>().is_ok_and(|value| value >= least), format!("an integer, {least} or more")),
        Interval => (is_interval(value), "an interval such as `interval 30 days`; no months, no years".to_owned()),
        OneOf(known) => (known.iter().any(|known| value.eq_ignore_ascii_case(known)), known.join(" or ")),
        Text => (true, String::new()),
    };
    if fine {
        return Ok(());
    }
    Err(Error::invalid(format!("the property {name} is {}; expected {expected}", quoted(value)))
        .hint("write such a value, or leave the property out"))
}

/// Spark knows microseconds, too.
fn is_interval(value: &str) -> bool {
    parse_interval_ms(&value.to_ascii_lowercase().replace("microsecond", "millisecond")).is_some()
}

fn check_constraint(name: &str, value: &str) -> Result<()> {
    if name.len() == CONSTRAINT.len() {
        return Err(Error::invalid(format!("the property {} names no constraint", quoted(name)))
            .hint(format!("write {CONSTRAINT}, the constraint's name, and as its value the condition")));
    }
    if value.trim().is_empty() {
        return Err(Error::invalid(format!("the constraint {} is empty", quoted(name)))
            .hint("leave the property out to drop the constraint"));
    }
    Ok(())
}

/// Engines take such a property as a wish, and write the protocol instead.
fn check_feature(name: &str, feature: &str, protocol: &Protocol) -> Result<()> {
    let writers = protocol.writer_features.iter().flatten();
    if has_writer_feature(protocol, feature) || writers.into_iter().any(|known| known.eq_ignore_ascii_case(feature)) {
        return Ok(());
    }
    Err(Error::invalid(format!("the property {} names a feature that the table lacks", quoted(name)))
        .hint("a table gets a feature by a `protocol` action in the same commit"))
}

#[cfg(test)]
mod tests {
    use super::check_property;
    use crate::action::Protocol;

    fn protocol() -> Protocol {
        let json = r#"{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["appendOnly"]}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn values_that_engines_write() {
        for (name, value) in [
            ("delta.appendOnly", "TRUE"),
            ("delta.checkpointInterval", "1"),
            ("delta.logRetentionDuration", "interval 30 days"),
            ("delta.logRetentionDuration", "2 weeks"),
            ("delta.deletedFileRetentionDuration", "interval 1 hour 30 minutes"),
            ("delta.setTransactionRetentionDuration", "INTERVAL 100 microseconds"),
            ("delta.isolationLevel", "WriteSerializable"),
            ("delta.dataSkippingNumIndexedCols", "-1"),
            ("delta.constraints.c1", "id > 0"),
            ("delta.feature.appendonly", "supported"),
            ("delta.universalFormat.config.iceberg.x", "y"),
            ("delta.checkpointPolicy", "v2"),
            ("delta.parquet.vorder.enabled", "true"),
            ("delta.enableIcebergWriterCompatV1", "false"),
            ("delta.enableIcebergWriterCompatV3", "false"),
            ("owner", ""),
            ("deltax", "1"),
        ] {
            assert_eq!(check_property(name, value, &protocol()), Ok(()), "{name}");
        }
    }

    #[test]
    fn hostile_values() {
        for (name, value, wrong) in [
            ("delta.appendOnly", "yes", "true or false"),
            ("delta.appendOnly", "", "true or false"),
            ("delta.checkpointInterval", "abc", "1 or more"),
            ("delta.checkpointInterval", "0", "1 or more"),
            ("delta.checkpointInterval", "-1", "1 or more"),
            ("delta.checkpointInterval", "99999999999", "32 bits"),
            ("delta.columnMapping.maxColumnId", "many", "an integer"),
            ("delta.logRetentionDuration", "soon", "an interval"),
            ("delta.logRetentionDuration", "interval 2 months", "an interval"),
            ("delta.logRetentionDuration", "interval -2 days", "an interval"),
            ("delta.isolationLevel", "Chaos", "Serializable or"),
            ("delta.checkpointPolicy", "v3", "classic or v2"),
            ("delta.enableIcebergWriterCompatV1", "true", "expected false"),
            ("delta.constraints.c1", " ", "is empty"),
            ("delta.constraints.", "id > 0", "names no constraint"),
            ("delta.appendonly", "true", "there is no property"),
            ("delta.unknown", "true", "there is no property"),
            ("delta.feature.deletionVectors", "supported", "the table lacks"),
        ] {
            let error = check_property(name, value, &protocol()).unwrap_err().to_string();
            assert!(error.contains(wrong), "{name}: {error}");
        }
    }
}
