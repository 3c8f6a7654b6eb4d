//! Whether the catalog and a log tell the same of a table, and where they do not.
//!
//! A host reads the log and hands its actions over by pieces. [`LogState`] takes them in; [`rule_differences`] and
//! [`FileComparison`] compare the state that they lead to with a [snapshot](crate::snapshot::Snapshot).
//! [`NetChanges`] tells whether a compacted log says what its commits say.
//! [`catalog_versions`] has the sums of many versions' files, to be compared with [`LogState::files`] version by version.
//!
//! Compared is what is meant: two values of JSON are the same in any order of their fields, a null is as good as no field, 1
//! is 1.0 and nothing is rounded; bounds in statistics are compared as values of their column's type. Paths and partition
//! values are compared by their texts, as file keys and the names of folders, except that an empty partition value means null.
//! `dataChange`, tombstones and expired transactions are no part of a state; [`Tombstones`] are compared by themselves.
//! A checkpoint may leave out statistics, and fields that the protocol does not name, but not tell other ones.

mod compaction;
mod difference;
mod fields;
mod files;
mod form;
mod rules;
mod state;
mod tombstones;
mod value;
mod versions;

pub use compaction::NetChanges;
pub use difference::{Counts, Difference, FieldDifference, Found, Item};
pub use fields::StatsTypes;
pub use files::FileComparison;
pub use form::CheckpointRows;
pub use rules::rule_differences;
pub use state::{FileSum, LogState, Source};
pub use tombstones::{TombstoneDifferences, Tombstones};
pub use versions::{CatalogVersion, catalog_versions};
