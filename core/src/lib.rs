//! Delta Lake's metadata plane in SQL.
#![warn(missing_docs)]
// What only segments use.
#![cfg_attr(not(feature = "parquet"), allow(dead_code, unused_imports))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))] // a test fails by them

pub mod action;
pub mod catalog;
pub mod commit;
pub mod diff;
mod error;
pub mod import;
pub mod log;
pub mod mirror;
pub mod partition_values;
pub mod predicate;
pub mod scalar;
pub mod schema;
#[cfg(feature = "parquet")]
pub mod segment;
pub mod snapshot;
pub mod sql;
pub mod stats;
mod stats_value;
pub mod table_features;
pub mod time;

pub use error::{Error, ErrorKind, Result};
