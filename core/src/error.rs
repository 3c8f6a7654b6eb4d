//! The crate's one error type.

use std::fmt;

/// What went wrong, chosen by what the caller can do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The table, version, file or catalog is not there.
    NotFound,
    /// Somebody else was first; read again and decide.
    Conflict,
    /// The request is wrong and stays wrong.
    Invalid,
    /// The table asks for something that this version does not know.
    Unsupported,
    /// Stored data breaks the Delta protocol or the catalog's rules.
    Corrupt,
    /// Not permitted.
    Denied,
    /// A store, disk or database does not answer, is full or busy; the same call may succeed later.
    Unavailable,
    /// A fault of this software.
    Internal,
}

impl ErrorKind {
    /// The stable name in JSON, HTTP and npm.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Denied => "denied",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Internal => "internal",
        }
    }
}

/// An error: its kind, what was being done to what, and what to do next.
///
/// ```
/// use deltalakedb_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "there is no table `events`")
///     .context("reading a snapshot")
///     .hint("`dl tables` lists the tables of a catalog");
/// assert_eq!(error.to_string(), "reading a snapshot: there is no table `events`");
/// assert_eq!(error.kind().as_str(), "not_found");
/// ```
#[derive(Clone, PartialEq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    table: Option<String>,
    version: Option<i64>,
    path: Option<String>,
    /// What a program may want to know of this kind of error besides, by name.
    details: serde_json::Map<String, serde_json::Value>,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says what is wrong.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            table: None,
            version: None,
            path: None,
            details: serde_json::Map::new(),
        }))
    }

    /// Short for [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Short for [`ErrorKind::Corrupt`].
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// What to do next; an earlier hint stays, as it knew more.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert(hint.into());
        self
    }

    /// The table concerned, by name or location.
    #[must_use]
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.0.table.get_or_insert(table.into());
        self
    }

    /// The table version concerned; for a conflict the version that won.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.0.version.get_or_insert(version);
        self
    }

    /// The file or object concerned.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.0.path.get_or_insert(path.into());
        self
    }

    /// What a program may want to know besides, such as `conflict_kind`: a field of the error's JSON.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// The error's kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do next, if that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The error as the JSON object that CLI, HTTP and npm share:
    /// `{kind, message, hint, table, version, path}`, and the details that it has.
    pub fn to_json(&self) -> serde_json::Value {
        let inner = &self.0;
        let mut json = serde_json::json!({
            "kind": inner.kind.as_str(),
            "message": inner.message,
            "hint": inner.hint,
            "table": inner.table,
            "version": inner.version,
            "path": inner.path,
        });
        for (name, value) in &inner.details {
            json[name] = value.clone();
        }
        json
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// For people, too: it is what a `main` prints that returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.message, self.0.kind.as_str())?;
        self.0.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for Error {}
