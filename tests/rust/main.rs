//! What crosses crates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by them

mod catalog;
mod checksum_corpus;
mod checksum_laws;
mod cleanup_laws;
mod commit_law;
mod commit_plans;
mod compaction_laws;
mod conflict_matrix;
mod contract;
mod domain_races;
mod history;
mod in_commit_timestamps;
mod incremental_imports;
mod int96_statistics;
mod large_commits;
mod large_kept_paths;
mod large_pages;
mod leases;
mod log_corpus;
mod model;
mod replay_laws;
mod restored_tables;
mod row_tracking;
mod segments;
mod transactions;
