//! Timed blocks.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::Result;

/// What one block took.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    task: &'static str,
    s: f64,
    cpu_s: f64,
    rss_mb: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) rows: Vec<Row>,
}

impl Recorder {
    /// Times a block that gives what it found, and with it something to go on with.
    pub(crate) async fn time<T>(
        &mut self,
        task: &'static str,
        expected: Option<i64>,
        block: impl AsyncFnOnce() -> Result<(i64, T)>,
    ) -> Result<T> {
        let (cpu, began) = (cpu_time(), Instant::now());
        let (count, value) = block().await?;
        let (s, cpu_s) = (began.elapsed().as_secs_f64(), (cpu_time() - cpu).as_secs_f64());
        let wrong = expected.filter(|expected| *expected != count);
        let wrong = wrong.map(|expected| format!("{count} found, {expected} expected"));
        self.rows.push(Row { task, s, cpu_s, rss_mb: peak_rss_mb(), count: Some(count), wrong });
        Ok(value)
    }
}

/// Of the process, all threads.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The highest resident memory so far (Linux; 0 elsewhere).
pub(crate) fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
