//! Turning the actions of a log into batches for the catalog.
//!
//! A host reads the files of a [`LogPlan`](crate::log::LogPlan) in order and tells the planner what is in
//! them; the planner answers with batches to run, in order. It holds no table in memory: only the actions
//! that the next batch will carry (where readers watch the table, those of whole commits), and eight bytes a file.

mod digest;
mod planner;
mod statements;
mod timestamps;

pub use digest::{CommitDigest, CommitSummary, catalog_digest};
pub use planner::ImportPlanner;
pub use statements::sign_of_life;
