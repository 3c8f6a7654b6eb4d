//! Local folders and object stores keep one contract. The object store is a real S3 server, which `cargo xtask setup`
//! installs; a proxy before it makes the faults of networks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by them

mod contract;
mod errors;
mod faults;
mod latency;
mod memory;
mod overwriting;
#[allow(dead_code)] // the daemon's tests use it, too
mod proxy;
mod server;
mod support;
mod sweeping;
