use uuid::Uuid;

use crate::action::{Action, Metadata};
use crate::catalog::quoted;
use crate::{Error, Result};

/// What a writer wants to commit to one table.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// The commit's actions. A `commitInfo` among them is kept, its missing fields filled in.
    pub actions: Vec<Action>,
    /// What the writer looked at before it decided on them.
    pub read: ReadSet,
    /// How strictly that is compared with what others committed meanwhile; `None`: as the table and the actions have it
    /// ([`Isolation`]).
    pub isolation: Option<Isolation>,
    /// Name of the operation, such as `WRITE`, of 1,000 bytes at the most; overrides the one in `commitInfo`.
    pub operation: Option<String>,
    /// A UUID, with hyphens and in lower case: one for each commit, another one for the next. Those of version 7 lie side
    /// by side in the catalog's index, as they come with time. Sent again with the same id, a commit happens once; for
    /// other actions, another operation or a transaction the id is refused then.
    pub commit_id: String,
}

impl CommitRequest {
    /// A commit that reads nothing: with new files only, it never conflicts with other files.
    ///
    /// ```
    /// use deltalakedb_core::action::parse_line;
    /// use deltalakedb_core::commit::{CommitRequest, ReadSet};
    /// let remove = parse_line(r#"{"remove":{"path":"a","dataChange":true}}"#)?;
    /// let request = CommitRequest {
    ///     read: ReadSet::of(7).predicate("day = '2024-01-31'"),
    ///     operation: Some("DELETE".into()),
    ///     ..CommitRequest::new("0d0d67ae-1b52-4bd4-9c2c-3c0f31d86c22", remove)
    /// };
    /// assert_eq!(request.read.version, Some(7));
    /// # Ok::<(), deltalakedb_core::Error>(())
    /// ```
    pub fn new(commit_id: impl Into<String>, actions: Vec<Action>) -> Self {
        CommitRequest {
            actions,
            read: ReadSet::default(),
            isolation: None,
            operation: None,
            commit_id: commit_id.into(),
        }
    }

    /// An id that two writers both come upon, as they may upon a word, would let one be answered with the other's commit.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the id is no UUID, or one in another spelling, and when the operation has
    /// no name.
    pub(super) fn check(&self) -> Result<()> {
        let id = self.commit_id.as_str();
        let is_canonical = |uuid: Uuid| uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == id;
        if !Uuid::try_parse(id).is_ok_and(|uuid| !uuid.is_nil() && is_canonical(uuid)) {
            return Err(Error::invalid(format!(
                "the commit id must be a UUID that is not all zeros, with hyphens and in lower case; it is {}",
                quoted(id)
            ))
            .hint("make a random one for each commit; a commit that is sent again keeps its own"));
        }
        if self.operation.as_deref().is_some_and(|operation| operation.trim().is_empty()) {
            return Err(Error::invalid("the name of the operation is empty").hint(AN_OPERATION));
        }
        if let Some(odd) = self.operation.as_deref().filter(|operation| !is_operation(operation)) {
            let what = format!("the name of the operation, {}, has a NUL character", quoted(odd));
            let what = format!("{what} or more than {LONGEST_OPERATION} bytes");
            return Err(Error::invalid(what).hint(AN_OPERATION));
        }
        Ok(())
    }
}

/// Those of engines are much shorter.
const LONGEST_OPERATION: usize = 1_000;

const AN_OPERATION: &str = "give one such as DELETE, or none: it is a WRITE then";

/// Whether a text can be the name of an operation.
pub(super) fn is_operation(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= LONGEST_OPERATION && !name.contains('\0')
}

/// What a writer read of a table before it decided what to commit: that, and nothing else, must not have changed
/// meanwhile.
///
/// The default read nothing. A commit that removes data and gives a version, but does not say what it read of it, is
/// taken to have read the whole table; so is one that changes the metadata and replaces all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// The version that was read; `None`: the latest one that is known when the commit is planned.
    pub version: Option<i64>,
    /// Every file.
    pub whole_table: bool,
    /// The files that can hold rows of one of these conditions ([`Predicate`](crate::predicate::Predicate)), by their
    /// partition values and statistics.
    pub predicates: Vec<String>,
    /// The files with these paths, as in their `add`.
    pub files: Vec<String>,
    /// How far these applications have come (`txn`); those that the commit itself has `txn` actions of are taken in.
    pub app_ids: Vec<String>,
}

impl ReadSet {
    /// Of this version; nothing of it yet.
    pub fn of(version: i64) -> Self {
        ReadSet { version: Some(version), ..ReadSet::default() }
    }

    /// And every file.
    #[must_use]
    pub fn whole_table(mut self) -> Self {
        self.whole_table = true;
        self
    }

    /// And the files that can hold rows of a condition.
    #[must_use]
    pub fn predicate(mut self, condition: impl Into<String>) -> Self {
        self.predicates.push(condition.into());
        self
    }

    /// And the files with these paths.
    #[must_use]
    pub fn files<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.files.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Whether files were read, of whatever kind.
    pub(super) fn has_files(&self) -> bool {
        self.whole_table || !self.predicates.is_empty() || !self.files.is_empty()
    }
}

/// How strictly what a commit read is compared with what others committed meanwhile: Delta-Spark's levels.
///
/// Without one in the request a commit has the table's `delta.isolationLevel`, else
/// [`WriteSerializable`](Self::WriteSerializable). One whose actions change no data, a compaction for one, has
/// [`Snapshot`](Self::Snapshot), unless the level is [`WriteSerializable`](Self::WriteSerializable) and its operation is
/// known as one that changes data (`MERGE`): what it found not to do rests on what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// The commits might have happened one after the other, as the versions have them.
    Serializable,
    /// As [`Serializable`](Self::Serializable), but appends that read nothing may be thought to come later than their
    /// version says.
    WriteSerializable,
    /// Files that others added do not matter; that read or removed files were removed does.
    Snapshot,
}

const ISOLATION_LEVEL: &str = "delta.isolationLevel";

impl Isolation {
    /// The name in `commitInfo.isolationLevel` and `delta.isolationLevel`.
    pub fn as_str(self) -> &'static str {
        match self {
            Isolation::Serializable => "Serializable",
            Isolation::WriteSerializable => "WriteSerializable",
            Isolation::Snapshot => "SnapshotIsolation",
        }
    }

    /// What commits have that change data and ask for none.
    pub(super) fn of_table(metadata: &Metadata) -> Self {
        match metadata.configuration.value(ISOLATION_LEVEL) {
            Some(level) if level.eq_ignore_ascii_case("Serializable") => Isolation::Serializable,
            _ => Isolation::WriteSerializable,
        }
    }
}
