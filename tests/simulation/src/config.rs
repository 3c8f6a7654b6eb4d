//! What a run is a function of.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::mutation::Mutation;

macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident = $name:literal,)*) => {
        /// Something of the simulated world that can be left out, to find what a failure needs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Part {
            $($(#[$doc])* $part,)*
        }

        impl Part {
            /// All of them.
            pub const ALL: &[Part] = &[$(Part::$part,)*];

            /// As the command line has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Part::$part => $name,)*
                }
            }
        }
    };
}

parts! {
    /// Batches and requests that fail before anything happens.
    FailBefore = "faults.fail_before",
    /// Batches and requests that happen, and whose answer is lost.
    LostAnswers = "faults.lost_answers",
    /// Requests and answers that take long.
    Delays = "faults.delays",
    /// Batches that are delivered a second time.
    Repeats = "faults.repeats",
    /// Batches that arrive after their client has given them up.
    LateArrivals = "faults.late_arrivals",
    /// Clients that die and start again.
    Crashes = "faults.crashes",
    /// Uploads that are cut off and never become an object.
    TornWrites = "faults.torn_writes",
    /// Blind appends.
    Appends = "writers.appends",
    /// Deletes and updates of files that were read, and removals by name.
    Deletes = "writers.deletes",
    /// Overwrites of all or of a partition.
    Overwrites = "writers.overwrites",
    /// Compactions.
    Compactions = "writers.compactions",
    /// New statistics of live files.
    Statistics = "writers.statistics",
    /// Row ids for live files.
    Backfills = "writers.backfills",
    /// Deletion vectors.
    Vectors = "writers.vectors",
    /// Changes of metadata.
    Metadata = "writers.metadata",
    /// Upgrades of the protocol.
    Protocol = "writers.protocol",
    /// Applications that write each of their batches once.
    Streams = "writers.streams",
    /// Domain metadata.
    Domains = "writers.domains",
    /// Commits that must be refused.
    Invalid = "writers.invalid",
    /// Transactions over several tables.
    Transactions = "writers.transactions",
    /// Commits that come by pages.
    LargeCommits = "writers.large_commits",
    /// Sweeps of what such commits leave behind, some of them too early.
    Sweeps = "sweeps",
    /// Tables whose rows are tracked.
    RowTracking = "tables.row_tracking",
    /// Tables with in-commit timestamps, from the first version or later.
    InCommitTimestamps = "tables.in_commit_timestamps",
    /// Tables that are made and dropped while others work.
    Drops = "drops",
    /// Readers.
    Readers = "readers",
    /// Mirrors, and the importers that read what they write.
    Mirrors = "mirrors",
    /// Imports.
    Importers = "importers",
}

impl FromStr for Part {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Part::ALL.iter().copied().find(|part| part.name() == name).ok_or_else(|| {
            let names: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
            format!("there is no part `{name}`; the parts are {}", names.join(", "))
        })
    }
}

/// What a run is a function of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Decides all else.
    pub seed: u64,
    /// How often a task is polled before the faults end and the checkers look.
    pub steps: u64,
    /// What is left out.
    pub without: BTreeSet<Part>,
    /// A guard that is taken away, to see whether the checkers notice.
    pub mutation: Option<Mutation>,
}

impl Config {
    /// All parts, no mutation.
    pub fn new(seed: u64, steps: u64) -> Self {
        Config { seed, steps, without: BTreeSet::new(), mutation: None }
    }

    /// Whether a part takes part.
    pub fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }

    /// The command line that does the run again.
    pub fn command_line(&self) -> String {
        let mut text = format!("cargo xtask sim --seed {} --steps {}", self.seed, self.steps);
        for part in &self.without {
            text.push_str(" --without ");
            text.push_str(part.name());
        }
        if let Some(mutation) = self.mutation {
            text.push_str(" --mutate ");
            text.push_str(mutation.name());
        }
        text
    }
}
