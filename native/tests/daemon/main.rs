//! `dl mirror --watch` and what else writes logs, as processes on a real S3 server behind a proxy that makes faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by them

mod apart;
mod bad_targets;
mod bucket;
mod commits;
mod ending;
mod leases;
mod rights;
mod secrets;
mod storm;
mod ways;

// What other tests have, of which not all is needed here.
#[allow(dead_code)]
#[path = "../cli/daemon.rs"]
mod daemon;
#[allow(dead_code)]
#[path = "../store/proxy.rs"]
mod proxy;
#[allow(dead_code)]
#[path = "../store/server.rs"]
mod server;
#[allow(dead_code)]
#[path = "../cli/support.rs"]
mod support;
