use crate::catalog::quoted;
use crate::{Error, ErrorKind};

/// Delta's kinds of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// Files were added that the commit should have read.
    ConcurrentAppend,
    /// A file that the commit read was removed.
    ConcurrentDeleteRead,
    /// A file that the commit removes was removed.
    ConcurrentDeleteDelete,
    /// The table's metadata changed.
    MetadataChanged,
    /// The table's protocol changed.
    ProtocolChanged,
    /// The same application committed, or the same metadata domain was changed.
    ConcurrentTransaction,
}

impl ConflictKind {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            ConflictKind::ConcurrentAppend => "concurrentAppend",
            ConflictKind::ConcurrentDeleteRead => "concurrentDeleteRead",
            ConflictKind::ConcurrentDeleteDelete => "concurrentDeleteDelete",
            ConflictKind::MetadataChanged => "metadataChanged",
            ConflictKind::ProtocolChanged => "protocolChanged",
            ConflictKind::ConcurrentTransaction => "concurrentTransaction",
        }
    }
}

/// What both commits are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A file, by its path.
    File(String),
    /// An application's progress.
    Application {
        /// Its `appId`.
        app_id: String,
        /// The version of the application that the winner holds.
        txn_version: i64,
        /// Whether that is the commit's own version or a later one: what the commit would do was done.
        is_done: bool,
    },
    /// A metadata domain, by its name.
    Domain(String),
}

/// A commit that lost, and the one that won.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The table's name.
    pub table: String,
    /// Why both cannot be.
    pub kind: ConflictKind,
    /// The version that won.
    pub winner: i64,
    /// What that version did, in its writer's word.
    pub winner_operation: Option<String>,
    /// What both are about, where it is one thing.
    pub subject: Option<Subject>,
    /// The condition by which the commit read the file, where it is one.
    pub predicate: Option<String>,
    /// Whether that file was in the table at the version that the commit read.
    pub(super) was_there: bool,
    /// Whether an application has the version in this table, which is one of several.
    pub(super) is_done_here: bool,
}

impl Conflict {
    /// Whether the application's version was committed before: a stream that sends a batch again may go on with the next.
    pub fn is_done(&self) -> bool {
        matches!(self.subject, Some(Subject::Application { is_done: true, .. }))
    }

    /// Of one table of a transaction: what is done there says nothing of the others.
    pub(super) fn of_one_of_several(mut self) -> Self {
        if let Some(Subject::Application { is_done, .. }) = &mut self.subject {
            self.is_done_here = std::mem::take(is_done);
        }
        self
    }

    /// What the winner did, from its table's point of view.
    fn what(&self) -> String {
        let predicate = self.predicate.as_deref();
        let by = predicate.map_or(String::new(), |predicate| format!(", by {}", quoted(predicate)));
        match (self.kind, &self.subject) {
            (ConflictKind::ConcurrentAppend, Some(Subject::File(path))) => {
                format!("added {}, which this commit should have read{by}", quoted(path))
            }
            (ConflictKind::ConcurrentAppend, _) => "added files that this commit should have read".into(),
            (ConflictKind::ConcurrentDeleteRead, Some(Subject::File(path))) if !self.was_there => {
                format!("removed {}, which had come after this commit read the table", quoted(path))
            }
            (ConflictKind::ConcurrentDeleteRead, Some(Subject::File(path))) => {
                format!("removed {}, which this commit read{by}", quoted(path))
            }
            (ConflictKind::ConcurrentDeleteRead, _) => "removed files that this commit read".into(),
            (ConflictKind::ConcurrentDeleteDelete, Some(Subject::File(path))) => {
                format!("removed {}, which this commit removes, too", quoted(path))
            }
            (ConflictKind::ConcurrentDeleteDelete, _) => "removed a file that this commit removes, too".into(),
            (ConflictKind::MetadataChanged, _) => "changed the table's metadata".into(),
            (ConflictKind::ProtocolChanged, _) => "changed the table's protocol".into(),
            (_, Some(Subject::Application { app_id, txn_version, is_done: true })) => {
                format!("holds version {txn_version} of the application {}: this was committed before", quoted(app_id))
            }
            (_, Some(Subject::Application { app_id, txn_version, .. })) if self.is_done_here => {
                format!("holds version {txn_version} of the application {} already", quoted(app_id))
            }
            (_, Some(Subject::Application { app_id, txn_version, .. })) => {
                format!("moved the application {} to version {txn_version}", quoted(app_id))
            }
            (_, Some(Subject::Domain(domain))) => format!("changed the metadata domain {}", quoted(domain)),
            (ConflictKind::ConcurrentTransaction, _) => "is of the same application".into(),
        }
    }

    fn hint(&self) -> String {
        let winner = self.winner;
        match (self.kind, &self.subject) {
            (_, Some(Subject::Application { is_done: true, .. })) => {
                "nothing is left to do for this version of the application; go on with its next one".into()
            }
            (_, Some(Subject::Application { .. })) if self.is_done_here => {
                "look what the transaction's other tables have: what is there already is not sent again".into()
            }
            (_, Some(Subject::Application { app_id, .. })) => {
                format!("run one instance of {} at a time; go on from the version that it has now", quoted(app_id))
            }
            (ConflictKind::ConcurrentAppend, _) => format!(
                "read the table again at version {winner} or later, decide anew and commit; fewer others meet a condition on \
                 partition columns, or on columns of which all files have statistics"
            ),
            (ConflictKind::MetadataChanged | ConflictKind::ProtocolChanged, _) => {
                format!("look at the table as of version {winner}, prepare the commit for it and commit again")
            }
            _ => format!("read the table again at version {winner} or later, decide anew and commit"),
        }
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        let operation = conflict.winner_operation.as_deref().map_or(String::new(), |name| format!(" ({name})"));
        let error = Error::new(
            ErrorKind::Conflict,
            format!(
                "committing to table {}: version {}{operation} {}; nothing was committed",
                quoted(&conflict.table),
                conflict.winner,
                conflict.what()
            ),
        )
        .hint(conflict.hint())
        .table(&conflict.table)
        .version(conflict.winner)
        .detail("conflict_kind", conflict.kind.as_str())
        .detail("winner_operation", conflict.winner_operation)
        .detail("predicate", conflict.predicate);
        match conflict.subject {
            Some(Subject::File(path)) => error.path(path),
            Some(Subject::Domain(domain)) => error.detail("domain", domain),
            Some(Subject::Application { app_id, txn_version, is_done }) => {
                error.detail("app_id", app_id).detail("txn_version", txn_version).detail("is_done", is_done)
            }
            None => error,
        }
    }
}
