//! What a list of times says.

use serde::Serialize;

/// Times in milliseconds, by rank.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Percentiles {
    /// Of times in microseconds; all 0 when there are none.
    pub(crate) fn of(mut times_us: Vec<u64>) -> Self {
        times_us.sort_unstable();
        let at = |share: f64| {
            let rank = (times_us.len() as f64 * share).ceil() as usize;
            times_us.get(rank.max(1) - 1).map_or(0.0, |&us| us as f64 / 1000.0)
        };
        Percentiles { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1.0) }
    }

    /// As cells of a table.
    pub(crate) fn cells(&self) -> impl Iterator<Item = String> {
        [self.p50_ms, self.p95_ms, self.p99_ms, self.max_ms].into_iter().map(|ms| format!("{ms:.2}"))
    }
}

/// The middle one; 0 when there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_list() {
        let found = Percentiles::of((1..=100).map(|ms| ms * 1000).collect());
        assert_eq!([found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms], [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(Percentiles::of(vec![]).max_ms, 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
