//! What may change in a table's protocol.

use std::collections::HashSet;

use crate::action::Protocol;
use crate::table_features::{
    IMPLIED_FEATURES, check_well_formed, check_writable, has_writer_feature, is_for_writers_only,
};
use crate::{Error, Result};

/// Features that another one needs, any of several (protocol sections of each feature).
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("clustering", &["domainMetadata"]),
    ("rowTracking", &["domainMetadata"]),
    ("icebergCompatV1", &["columnMapping"]),
    ("icebergCompatV2", &["columnMapping"]),
    ("icebergCompatV3", &["columnMapping"]),
    ("icebergCompatV3", &["rowTracking"]),
    ("variantShredding", &["variantType", "variantType-preview"]),
    ("variantShredding-preview", &["variantType", "variantType-preview"]),
    ("catalogManaged", &["inCommitTimestamp"]),
    ("catalogManaged", &["vacuumProtocolCheck"]),
];

pub(super) fn check_protocol(current: &Protocol, new: &Protocol) -> Result<()> {
    if new == current {
        return Ok(());
    }
    check_versions(new)?;
    check_lists(new)?;
    check_well_formed(new)?;
    check_writable(new)?;
    check_dependencies(current, new)?;
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
        ))
        .hint("leave the table's versions as they are, or raise them"));
    }
    let lost = |(feature, _): &&(&str, i64)| has_writer_feature(current, feature) && !has_writer_feature(new, feature);
    if let Some((lost, _)) = IMPLIED_FEATURES.iter().find(lost) {
        return Err(Error::invalid(format!("the protocol may not lose `{lost}`, which the old versions imply"))
            .hint("list the feature in `writerFeatures`"));
    }
    Ok(())
}

/// Versions that go together: reader version 2 is column mapping, which begins with writer version 5, and table features
/// are for readers only where they are for writers.
fn check_versions(new: &Protocol) -> Result<()> {
    let (reader, writer) = (new.min_reader_version, new.min_writer_version);
    if reader < 1 || writer < 1 {
        return Err(Error::invalid(format!("the protocol has the versions ({reader}, {writer}); both begin at 1"))
            .hint("leave the `protocol` action out, or give it the table's versions"));
    }
    let least = match reader {
        2 => 5,
        3 => 7,
        _ => 1,
    };
    if writer < least {
        return Err(Error::invalid(format!("reader version {reader} needs writer version {least}, not {writer}"))
            .hint(format!("raise `minWriterVersion` to {least}")));
    }
    Ok(())
}

fn check_lists(new: &Protocol) -> Result<()> {
    for (list, features) in [("readerFeatures", &new.reader_features), ("writerFeatures", &new.writer_features)] {
        let mut seen = HashSet::new();
        if let Some(twice) = features.iter().flatten().find(|feature| !seen.insert(*feature)) {
            return Err(Error::invalid(format!("the protocol lists `{twice}` twice in `{list}`")).hint("list it once"));
        }
    }
    match new.reader_features.iter().flatten().find(|feature| is_for_writers_only(feature)) {
        Some(feature) => Err(Error::invalid(format!("the protocol lists `{feature}` in `readerFeatures`"))
            .hint("it asks nothing of readers, who refuse what they do not know; list it in `writerFeatures` alone")),
        None => Ok(()),
    }
}

/// What a table lacked before is not asked.
fn check_dependencies(current: &Protocol, new: &Protocol) -> Result<()> {
    let is_missing = |(feature, needs): &&(&str, &[&str])| {
        has_writer_feature(new, feature)
            && !has_writer_feature(current, feature)
            && !needs.iter().any(|needed| has_writer_feature(new, needed))
    };
    match DEPENDENCIES.iter().find(is_missing) {
        Some((feature, needs)) => {
            Err(Error::invalid(format!("the feature `{feature}` needs the feature `{}`", needs[0]))
                .hint("list both in the protocol"))
        }
        None => Ok(()),
    }
}
