//! Committing: one batch that happens wholly or not at all, to one table ([`Writer`], [`commit`]) or to several
//! ([`Transaction`]). What is larger than a batch may be comes by pieces that nobody sees, and one batch that makes them
//! visible ([`LargeCommit`]).
//!
//! A commit says what it read ([`ReadSet`]). Its version is allocated inside the batch, together with guards: nothing
//! that it read has changed since. So appends of new files that read nothing never lose a race. When a guard does not
//! hold, what others committed is looked at, by Delta-Spark's rules and file by file: either the commit does not mind and
//! is tried again on top of it, or it is [`Conflicted`](Outcome::Conflicted), and the answer names the version that won.
//!
//! | others did | the commit conflicts when |
//! |---|---|
//! | add files | it read the whole table, or a condition that they may match; under [`Isolation::WriteSerializable`] only if their commit read, too, or the commit changes metadata; under [`Isolation::Snapshot`] never |
//! | add files again | it adds one of them again, too, and only gives them row ids |
//! | remove files | it reads, removes or adds again one of them |
//! | change the metadata | it changes it, too, or the change is more than one that it may have been prepared without |
//! | change the protocol | it changes it, too, or a feature was dropped |
//! | move an application on (`txn`) | it read that application's version or moves it, too; a version that was there before counts until it expires |
//! | change a metadata domain | it changes it, too; or it replaces the table, and the domain is `delta.clustering` |
//!
//! A commit is done as it was sent or not at all: nothing is left out of it, and nothing added for what others did, but
//! row ids, the high-water mark and times.

mod added_files;
mod attempts;
mod backlog;
mod check;
mod conflict;
mod digest;
mod guards;
mod host;
mod info;
mod intent;
mod large;
mod metadata_rules;
mod named_files;
mod outcome;
mod physical_names;
mod plan;
mod request;
mod restored;
mod row_tracking;
mod statements;
mod totals;
mod transaction;
mod winners;
pub(crate) mod write;
mod writer;

pub use check::check_commit;
pub use conflict::{Conflict, ConflictKind, Subject};
pub use host::{Host, RetryPolicy};
pub use large::{LargeCommit, SweptCommits, sweep_large_commits};
pub use outcome::{Committed, Outcome, TransactionOutcome};
pub use plan::plan_commit;
pub use request::{CommitRequest, Isolation, ReadSet};
pub use transaction::{Transaction, TransactionLimits};
pub use writer::{Writer, commit};
