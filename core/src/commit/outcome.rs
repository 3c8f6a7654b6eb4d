use super::conflict::Conflict;

/// A version that a commit became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The table's name.
    pub table: String,
    /// The version.
    pub version: i64,
    /// Its time, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// What became of a commit to one table.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It happened; perhaps by an earlier sending of the same commit.
    Committed(Committed),
    /// Another commit was first; nothing happened.
    Conflicted(Conflict),
    /// The answer was lost: send the same request again to learn, or to commit.
    Unknown,
}

/// What became of a transaction over several tables.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionOutcome {
    /// It happened in all tables, in the order in which they were staged; perhaps by an earlier sending, and then without
    /// the tables that were dropped since.
    Committed(Vec<Committed>),
    /// Another commit to one of the tables was first; nothing happened in any.
    Conflicted(Conflict),
    /// The answer was lost: send the same transaction again to learn, or to commit.
    Unknown,
}
