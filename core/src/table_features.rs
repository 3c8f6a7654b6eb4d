//! Table features (protocol section "Table Features"): what a table asks of those who read and write it.

use std::collections::BTreeSet;

use crate::action::{Metadata, Protocol};
use crate::{Error, ErrorKind, Result};

/// The highest reader version that the protocol defines.
pub const MAX_READER_VERSION: i64 = 3;
/// The highest writer version that the protocol defines.
pub const MAX_WRITER_VERSION: i64 = 7;

/// Who must know a feature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KnownBy {
    Writers,
    /// The protocol lists it twice.
    ReadersAndWriters,
}
use KnownBy::{ReadersAndWriters, Writers};

/// Features whose rules a commit through the catalog keeps, or that ask nothing of the metadata plane: whoever writes
/// the data files keeps them.
const FEATURES: &[(&str, KnownBy)] = &[
    ("allowColumnDefaults", Writers),
    ("appendOnly", Writers),
    ("changeDataFeed", Writers),
    ("checkConstraints", Writers),
    ("clustering", Writers),
    ("columnMapping", ReadersAndWriters),
    ("deletionVectors", ReadersAndWriters),
    ("domainMetadata", Writers),
    ("generatedColumns", Writers),
    ("identityColumns", Writers),
    ("inCommitTimestamp", Writers),
    ("invariants", Writers),
    ("rowTracking", Writers),
    ("timestampNtz", ReadersAndWriters),
    ("typeWidening", ReadersAndWriters),
    ("typeWidening-preview", ReadersAndWriters),
    ("v2Checkpoint", ReadersAndWriters),
    ("vacuumProtocolCheck", ReadersAndWriters),
    ("variantShredding", ReadersAndWriters),
    ("variantShredding-preview", ReadersAndWriters),
    ("variantType", ReadersAndWriters),
    ("variantType-preview", ReadersAndWriters),
];

/// Features of tables whose commits leave files to manifests beside the log (the RFC "Iceberg V4 Adaptive Metadata Tree"):
/// their logs alone say too little.
const UNREADABLE_FEATURES: &[&str] = &["adaptiveMetadata", "adaptiveMetadata-preview"];

fn known_by(feature: &str) -> Option<KnownBy> {
    FEATURES.iter().find(|(name, _)| *name == feature).map(|(_, known_by)| *known_by)
}

/// Whether a feature is none that readers must know, so that a protocol may not list it for them.
pub(crate) fn is_for_writers_only(feature: &str) -> bool {
    known_by(feature) == Some(Writers)
}

/// The features that writer versions before 7 have without naming them, each with the first such version.
pub(crate) const IMPLIED_FEATURES: &[(&str, i64)] = &[
    ("appendOnly", 2),
    ("invariants", 2),
    ("checkConstraints", 3),
    ("changeDataFeed", 4),
    ("generatedColumns", 4),
    ("columnMapping", 5),
    ("identityColumns", 6),
];

/// Checks that a protocol is well-formed and that the log of a table with it can be read. Few table features matter here:
/// the others do not change which files a snapshot has.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) for a newer reader version and for a feature that keeps files out of the log,
/// [`Corrupt`](ErrorKind::Corrupt) when table features are missing that the versions demand.
pub fn check_readable(protocol: &Protocol) -> Result<()> {
    let reader = protocol.min_reader_version;
    if reader > MAX_READER_VERSION {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the table needs reader version {reader}, this release knows versions up to {MAX_READER_VERSION}"),
        )
        .hint("use a newer release"));
    }
    if reader < 1 || protocol.min_writer_version < 1 {
        return Err(Error::corrupt(format!(
            "the protocol action names reader version {reader} and writer version {}; both begin at 1",
            protocol.min_writer_version
        )));
    }
    if reader == MAX_READER_VERSION && protocol.reader_features.is_none() {
        return Err(Error::corrupt("the protocol action has reader version 3 but no `readerFeatures`"));
    }
    let mut features = protocol.reader_features.iter().flatten();
    match features.find(|feature| UNREADABLE_FEATURES.contains(&feature.as_str())) {
        None => Ok(()),
        Some(feature) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the table has the feature `{feature}`: files of it are in manifests, which this release does not read"
            ),
        )
        .hint("drop the feature with the engine that made the table")),
    }
}

/// Checks that this release can commit to a table with `protocol`.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported), naming the features or version that stand in the way.
pub fn check_writable(protocol: &Protocol) -> Result<()> {
    check_readable(protocol)?;
    if protocol.min_writer_version > MAX_WRITER_VERSION {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the table needs writer version {}, this release knows versions up to {MAX_WRITER_VERSION}",
                protocol.min_writer_version
            ),
        )
        .hint("use a newer release"));
    }
    let unknown = unknown_features(protocol);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "the table has features that this release does not write: {}",
            unknown.into_iter().collect::<Vec<_>>().join(", ")
        ),
    )
    .hint("it can be read; commit with the engine that made it, then `dl import --incremental`"))
}

/// The features that this release does not write.
fn unknown_features(protocol: &Protocol) -> BTreeSet<&str> {
    let features = protocol.writer_features.iter().chain(&protocol.reader_features).flatten();
    features.map(String::as_str).filter(|feature| known_by(feature).is_none()).collect()
}

/// Old versions of tables with it are kept until all before a certain one can go at once (the RFC "Checkpoint Protection").
const CHECKPOINT_PROTECTION: &str = "checkpointProtection";
const PROTECTED_BEFORE: &str = "delta.requireCheckpointProtectionBeforeVersion";

/// The version that must remain reachable without any before it for a log to be cleaned up: its clean-up keeps this one or
/// a later one as the first. `None` when the log may not be cleaned up at all: features may ask for its old files that this
/// release does not know.
pub fn cleanup_floor(metadata: &Metadata, protocol: &Protocol) -> Option<i64> {
    let is_known = protocol.min_writer_version <= MAX_WRITER_VERSION
        && unknown_features(protocol).iter().all(|name| *name == CHECKPOINT_PROTECTION);
    if !is_known {
        return None;
    }
    match metadata.configuration.value(PROTECTED_BEFORE).filter(|_| has_writer_feature(protocol, CHECKPOINT_PROTECTION))
    {
        Some(version) => version.trim().parse().ok(),
        None => Some(0),
    }
}

/// The feature by which a catalog manages the table's commits, if one does: then its log alone may not be up to date
/// (section "Catalog-managed tables").
pub fn managing_feature(protocol: &Protocol) -> Option<&str> {
    protocol.writer_features.iter().flatten().map(String::as_str).find(|name| name.starts_with("catalog"))
}

/// Checks that a log of the table may lie where engines read it by its path: one that a catalog manages may not
/// (section "Catalog-managed tables").
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported).
pub fn check_publishable(protocol: &Protocol) -> Result<()> {
    managing_feature(protocol).map_or(Ok(()), |feature| {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("the table has the feature `{feature}`: its log may not be read by path, so it is not written"),
        )
        .hint("drop the feature with the engine that made the table"))
    })
}

/// Checks what the protocol asks of a `protocol` action that is written (section "Table Features").
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid), with the rule that it breaks.
pub fn check_well_formed(protocol: &Protocol) -> Result<()> {
    let features = protocol.writer_features.as_deref();
    let lists = [
        ("writer", protocol.min_writer_version, MAX_WRITER_VERSION, &protocol.writer_features),
        ("reader", protocol.min_reader_version, MAX_READER_VERSION, &protocol.reader_features),
    ];
    for (who, version, with_features, features) in lists {
        match features {
            None if version == with_features => {
                return Err(Error::invalid(format!("{who} version {version} needs a list `{who}Features`"))
                    .hint("list the table's features, and those that the old versions imply"));
            }
            Some(_) if version != with_features => {
                return Err(Error::invalid(format!(
                    "`{who}Features` goes with {who} version {with_features}; the version is {version}"
                ))
                .hint("leave the list out, or raise the version"));
            }
            _ => {}
        }
    }
    let missing = protocol.reader_features.iter().flatten().find(|name| !features.unwrap_or_default().contains(name));
    if let Some(missing) = missing {
        return Err(Error::invalid(format!("the reader feature `{missing}` must be among `writerFeatures`, too"))
            .hint("list it in both"));
    }
    let readers = protocol.reader_features.as_deref().unwrap_or_default();
    let missing = features.unwrap_or_default().iter().find(|name| {
        // Reader version 2 has column mapping without naming it.
        let implied = *name == "columnMapping" && protocol.min_reader_version == 2;
        known_by(name) == Some(ReadersAndWriters) && !readers.contains(name) && !implied
    });
    if let Some(missing) = missing {
        return Err(Error::invalid(format!("the feature `{missing}` must be among `readerFeatures`, too"))
            .hint("list it in both"));
    }
    Ok(())
}

/// Whether a table has a writer feature: listed, or implied by a writer version before table features.
pub fn has_writer_feature(protocol: &Protocol, feature: &str) -> bool {
    let listed = protocol.writer_features.iter().flatten().any(|name| name == feature);
    let implied = IMPLIED_FEATURES.iter().find(|(name, _)| *name == feature);
    let implied_from = implied.map_or(MAX_WRITER_VERSION, |(_, version)| *version);
    listed || (implied_from..MAX_WRITER_VERSION).contains(&protocol.min_writer_version)
}

/// All features of a table, listed or implied by its versions.
pub(crate) fn features(protocol: &Protocol) -> impl Iterator<Item = &str> {
    let listed = protocol.writer_features.iter().chain(&protocol.reader_features).flatten().map(String::as_str);
    let implied = IMPLIED_FEATURES.iter().map(|(name, _)| *name).filter(|name| has_writer_feature(protocol, name));
    listed.chain(implied)
}

/// The metadata domain that says by what a table is clustered (section "Clustered Table").
pub(crate) const CLUSTERING_DOMAIN: &str = "delta.clustering";

/// The metadata domain that holds the highest row id that was assigned (section "Row Tracking").
pub(crate) const ROW_TRACKING_DOMAIN: &str = "delta.rowTracking";

/// Whether writers assign row ids to the files that they add: row tracking is supported and not suspended.
pub fn assigns_row_ids(metadata: &Metadata, protocol: &Protocol) -> bool {
    has_writer_feature(protocol, "rowTracking") && !metadata.is_enabled("delta.rowTrackingSuspended")
}

/// Whether rows can be tracked by their ids in every file of the table.
pub fn row_tracking_enabled(metadata: &Metadata, protocol: &Protocol) -> bool {
    has_writer_feature(protocol, "rowTracking") && metadata.is_enabled("delta.enableRowTracking")
}

/// Whether commits of the table carry in-commit timestamps.
pub fn in_commit_timestamps_enabled(metadata: &Metadata, protocol: &Protocol) -> bool {
    has_writer_feature(protocol, "inCommitTimestamp") && metadata.is_enabled("delta.enableInCommitTimestamps")
}

/// Whether the table refuses commits that remove rows.
pub fn is_append_only(metadata: &Metadata, protocol: &Protocol) -> bool {
    has_writer_feature(protocol, "appendOnly") && metadata.is_enabled("delta.appendOnly")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// README's rows: the features that each names, and whether their tables are read, committed to and mirrored.
    fn told() -> Vec<(Vec<&'static str>, [bool; 3])> {
        let readme = include_str!("../../README.md");
        let rows = readme.lines().skip_while(|line| *line != "| table features | read | commit | mirror |").skip(2);
        rows.map_while(|line| {
            let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let answer = |index: usize| cells.get(index).is_some_and(|cell| cell.starts_with("yes"));
            Some((cells[0].split('`').skip(1).step_by(2).collect(), [answer(1), answer(2), answer(3)]))
        })
        .collect()
    }

    fn found(feature: &str) -> [bool; 3] {
        let features = Some(vec![feature.to_owned()]);
        let protocol = Protocol {
            min_reader_version: MAX_READER_VERSION,
            min_writer_version: MAX_WRITER_VERSION,
            reader_features: features.clone(),
            writer_features: features,
            extra: crate::action::Extra::default(),
        };
        let is_read = check_readable(&protocol).is_ok();
        [is_read, check_writable(&protocol).is_ok(), is_read && check_publishable(&protocol).is_ok()]
    }

    #[test]
    fn readme_tells_what_is_done_with_each_feature() {
        let rows = told();
        for (feature, told) in rows.iter().flat_map(|(names, told)| names.iter().map(move |name| (name, told))) {
            assert_eq!(found(feature), *told, "`{feature}` is read, committed to, mirrored");
        }
        let named: BTreeSet<_> = rows.iter().flat_map(|(names, _)| names).copied().collect();
        let known = FEATURES.iter().map(|(name, _)| name).chain(UNREADABLE_FEATURES);
        assert_eq!(known.copied().filter(|name| !named.contains(name)).collect::<Vec<_>>(), [""; 0]);
        let (others, told) = rows.last().expect("README has the table");
        assert!(others.is_empty(), "the last row is of features that are not named: {others:?}");
        assert_eq!(found("featureOfAnotherDay"), *told);
    }

    #[test]
    fn readme_tells_the_versions() {
        let told = format!("reader versions up to {MAX_READER_VERSION} and writer versions up to {MAX_WRITER_VERSION}");
        assert!(include_str!("../../README.md").contains(&told), "README does not say `{told}`");
    }
}
