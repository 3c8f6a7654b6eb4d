//! A process's choices, by its seed, and numbers that no other process has.

use fastrand::Rng;

/// One life of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Which process.
    pub(crate) process: u64,
    /// How often it was started before.
    pub(crate) number: u64,
}

/// The choices of one life.
pub(crate) struct Chance {
    rng: Rng,
    next: u64,
}

impl Chance {
    /// A function of the seed and the life; what the processes do to each other is not.
    pub(crate) fn new(seed: u64, life: Life) -> Self {
        let rng = Rng::with_seed(seed ^ (life.process << 48) ^ (life.number << 32));
        Chance { rng, next: ((life.process + 1) << 40) + (life.number << 28) }
    }

    /// A choice below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.usize(..end.max(1))
    }

    /// True once in `every` times.
    pub(crate) fn once_in(&mut self, every: usize) -> bool {
        self.below(every) == 0
    }

    /// A number that is nobody else's.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Such a number as a UUID.
    pub(crate) fn uuid(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.number())
    }
}
