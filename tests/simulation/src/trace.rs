//! What happened, in order, for people and for comparing two runs.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::lock;

/// Events that are kept for a report.
const KEPT: usize = 60;

#[derive(Default)]
struct State {
    count: u64,
    hash: u64,
    last: VecDeque<String>,
}

/// The events of a run.
#[derive(Default)]
pub(crate) struct Trace(Mutex<State>);

impl Trace {
    pub(crate) fn push(&self, event: String) {
        let mut state = lock(&self.0);
        state.count += 1;
        state.hash = event.bytes().fold(state.hash ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a
        });
        if state.last.len() == KEPT {
            state.last.pop_front();
        }
        state.last.push_back(event);
    }

    /// How many events there were, and a hash of them all.
    pub(crate) fn digest(&self) -> (u64, u64) {
        let state = lock(&self.0);
        (state.count, state.hash)
    }

    pub(crate) fn last(&self) -> Vec<String> {
        lock(&self.0).last.iter().cloned().collect()
    }
}
