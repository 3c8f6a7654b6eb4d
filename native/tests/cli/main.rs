//! The binary `dl`, from outside: what it answers, what it refuses, and what it leaves behind.
// One binary, so that what the tests share is built once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by them

mod backup;
mod bad_input;
mod checkpoint_forms;
mod commit_infos;
mod commit_refusals;
mod daemon;
mod damaged_checkpoints;
mod database_forms;
mod diff;
mod disk_full;
mod examples;
mod exit_codes;
mod export;
mod failing_sync;
mod killed;
mod large_files;
mod mirror_targets;
mod names;
mod odd_clocks;
mod overflow;
mod printed;
mod races;
mod resolve;
mod support;
mod transactions;
mod unfolding_checkpoints;
mod upkeep;
mod verify;
mod verify_checkpoints;
mod verify_damage;
mod watch;
