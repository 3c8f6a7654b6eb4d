//! Local folders and object stores keep one contract. The object stores are a real S3 server and Azurite, which `cargo
//! xtask setup` installs, and what is made of the former for Google Cloud Storage (`google_cloud`); a proxy before them
//! makes the faults of networks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by them

mod azurite;
mod commands;
mod contract;
mod errors;
mod faults;
mod google_cloud;
mod latency;
mod memory;
mod overwriting;
#[allow(dead_code)] // the daemon's tests use it, too
mod proxy;
mod server;
mod support;
mod sweeping;
