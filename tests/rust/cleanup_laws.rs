//! A log can be read whenever its clean-up ends.

use std::collections::BTreeSet;

use deltalakedb_core::log::{
    HistoryMode, LogFileKind, LogListing, checkpoint_file_name, checksum_file_name, commit_file_name,
    compacted_file_name, parse_checksum_name, parse_file_name,
};
use deltalakedb_core::mirror::plan_cleanup;
use proptest::prelude::*;

type Objects = Vec<(String, u64, i64)>;

/// Logs of versions 0 to at most 30, from which some checkpoints, checksums and compacted logs were made.
fn logs() -> impl Strategy<Value = Objects> {
    let which = || prop::collection::btree_set(0..30i64, 0..8);
    (0..30i64, which(), which(), which(), which(), 0..4i64).prop_map(
        |(latest, classic, parts, checksums, compacted, lacking)| {
            let upto = |versions: &BTreeSet<i64>| versions.iter().copied().filter(|&v| v <= latest).collect::<Vec<_>>();
            let mut names: Vec<String> = (0..=latest).map(commit_file_name).collect();
            names.extend(upto(&classic).into_iter().map(checkpoint_file_name));
            for version in upto(&parts) {
                // One of four is not complete.
                let there = (1..=3).filter(|part| version % 4 != lacking || *part != 2);
                names.extend(there.map(|part| format!("{version:020}.checkpoint.{part:010}.{:010}.parquet", 3)));
                names.push(format!("{version:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a{version:02}.json"));
            }
            names.extend(upto(&checksums).into_iter().map(checksum_file_name));
            names.extend(upto(&compacted).into_iter().filter(|to| *to >= 3).map(|to| compacted_file_name(to - 3, to)));
            names.extend(["_last_checkpoint".to_owned(), "notes.txt".to_owned(), ".0.json.crc".to_owned()]);
            names.into_iter().map(|name| (name, 1, 1)).collect()
        },
    )
}

fn version_of(name: &str) -> Option<i64> {
    parse_file_name(name).map(|(version, _)| version).or_else(|| parse_checksum_name(name))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_left_can_be_read(objects in logs(), cutoff in -1..32i64, floor in 0..12i64) {
        let before = LogListing::new(objects.clone());
        let latest = before.latest_version().unwrap();
        let Some(cleanup) = plan_cleanup(&objects, cutoff, floor) else {
            let covered = before.newest_checkpoint(cutoff).filter(|kept| kept.version >= floor.max(1));
            prop_assert!(covered.is_none(), "what {covered:?} covers stays");
            return Ok(());
        };
        let first = cleanup.checkpoint.version;
        prop_assert!(first <= cutoff && first >= floor);
        prop_assert_eq!(before.newest_checkpoint(cutoff).map(|newest| newest.version), Some(first));
        let mut left = objects.clone();
        for name in &cleanup.deletions {
            let goes = match parse_file_name(name) {
                Some((version, LogFileKind::CompactedTo(_))) => version <= first,
                _ => version_of(name).unwrap() < first,
            };
            prop_assert!(goes, "{} stays", name);
            left.retain(|(there, ..)| there != name);
            let listing = LogListing::new(left.clone());
            for mode in [HistoryMode::Latest, HistoryMode::Full] {
                let plan = listing.plan(mode).unwrap();
                prop_assert_eq!(plan.latest_version, latest);
                prop_assert!(plan.earliest_version <= first || mode == HistoryMode::Latest);
            }
            // A commit is not missed where an older one is there.
            let commits: Vec<i64> = (0..=latest).filter(|&version| listing.commit(version).is_some()).collect();
            prop_assert!(commits.iter().copied().eq(latest + 1 - commits.len() as i64..=latest), "{:?}", commits);
            // Another run ends where this one would have.
            let again = plan_cleanup(&left, cutoff, floor).map_or(Vec::new(), |again| again.deletions);
            let rest: BTreeSet<_> = objects.iter().map(|(name, ..)| name).filter(|name| cleanup.deletions.contains(name)).filter(|name| left.iter().any(|(there, ..)| there == *name)).collect();
            prop_assert_eq!(again.iter().collect::<BTreeSet<_>>(), rest);
        }
        prop_assert_eq!(plan_cleanup(&left, cutoff, floor), None);
        let older = left.iter().filter_map(|(name, ..)| version_of(name)).filter(|&version| version < first).count();
        prop_assert_eq!(older, 0);
    }

    /// What would have to be read without a commit stays as it is.
    #[test]
    fn a_log_with_a_hole_is_left_alone(objects in logs(), hole in 0..30i64, cutoff in 0..30i64) {
        let mut objects = objects;
        let latest = LogListing::new(objects.clone()).latest_version().unwrap();
        objects.retain(|(name, ..)| *name != commit_file_name(hole));
        let kept = LogListing::new(objects.clone()).newest_checkpoint(cutoff).map(|kept| kept.version);
        if kept.is_some_and(|kept| kept < hole && hole < latest) {
            prop_assert_eq!(plan_cleanup(&objects, cutoff, 0), None);
        }
    }
}
