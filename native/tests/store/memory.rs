//! Memory does not grow with objects.
#![cfg(target_os = "linux")]

use std::process::Command;

use deltalakedb_native::store::{Fetched, Put};

use crate::support::everywhere;

const SIZE: u64 = 300 << 20;
const MOST_KIB: u64 = 150 << 10;
/// Tells the process that it is the one to measure.
const MEASURED: &str = "STORE_MEMORY_MEASURED";
const NAME: &str = "memory::large_objects_are_put_and_read_in_little_memory";

#[test]
fn large_objects_are_put_and_read_in_little_memory() {
    if std::env::var_os(MEASURED).is_some() {
        return put_and_read();
    }
    // In a process of its own: others of these tests hold large objects.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(MEASURED, "yes")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    println!("{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("peak of"), "{told}");
}

fn put_and_read() {
    everywhere(async |place| {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SIZE).unwrap();
        assert_eq!(place.log.put_if_absent("large", Fetched::File(file), 0).await.unwrap(), Put::Written);
        let Fetched::File(file) = place.log.fetch("large").await.unwrap() else { panic!("it is in memory") };
        assert_eq!(file.metadata().unwrap().len(), SIZE);
        let peak_kib = peak_kib();
        println!("{}: a peak of {peak_kib} KiB", place.name);
        // What stands for Google Cloud Storage is in this process, too, and holds whole requests.
        let of_server_kib = if place.name == "Google Cloud Storage" { 50 << 10 } else { 0 };
        assert!(peak_kib < MOST_KIB + of_server_kib, "{peak_kib} KiB");
    });
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
