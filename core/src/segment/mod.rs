//! Segments: the files of large tables by columns, kept beside their rows and brought up to date piece by piece.
//!
//! The rows of `dl_add_files` are what a table has; a segment repeats those of a range of file ids as Arrow columns, up to
//! some 16,000 of them, so that a list of a million files is read in a fraction of a second, and one that a condition
//! narrows without reading what cannot match. Nothing depends on segments: whatever is missing, in a form that is not known or
//! damaged is read from the rows instead, with the same result.
//!
//! A segment has three kinds of chunks: `keys` says of each file from which version to which it is there and what its
//! partition values are; `files`, in blocks, what a list has of it; and for each column one chunk what its statistics prove, as
//! bounds that are made ready to be compared. The *zone* of a column is what holds for all files of the segment at once. Within a
//! segment files that were there when it was written come first, and those of equal partition values side by side, so
//! that few blocks hold what is asked for.
//!
//! Files that were committed since are read from their rows: the tail. A commit that makes it long enough lets
//! [`refresh`] write the next segment, taking in the last ones if they are small; so each file is written a few times at
//! most, however small the commits are. Removing a file changes its row alone. A reader looks up what was removed since
//! the segments' common version, and when that is much, a refresh writes the `keys` anew.

mod bounds;
mod build;
mod chunk;
mod column;
mod keys;
mod refresh;
mod removed;
mod row;
mod scan;
mod zone;

pub use refresh::refresh;
pub use scan::{FileScan, ScanPart, scan};

/// The columns of the batches that a [`ScanPart`] gives.
pub mod columns {
    pub use super::chunk::{
        BASE_ROW_ID, DEFAULT_ROW_COMMIT_VERSION, DELETION_VECTOR, FILE_ID, MODIFICATION_TIME, PARTITION_VALUES, PATH,
        ROW_COUNT, SIZE,
    };
}
