//! How long a small put takes; printed with `--nocapture`.

use std::time::{Duration, Instant};

use deltalakedb_native::store::Put;

use crate::support::{everywhere, put};

#[test]
fn a_small_put_takes_milliseconds() {
    everywhere(async |place| {
        let content = "x".repeat(1_000);
        let mut times = Vec::new();
        for version in 0..200 {
            let start = Instant::now();
            assert_eq!(put(&place.log, &format!("{version:020}.json"), content.clone()).await.unwrap(), Put::Written);
            times.push(start.elapsed());
        }
        times.sort();
        println!("{}: median {:?}, p99 {:?}", place.name, times[100], times[198]);
        assert!(times[100] < Duration::from_millis(100), "{:?}", times[100]);
    });
}
