use deltalakedb_core::Error;
use deltalakedb_core::diff::Counts;
use serde::Serialize;

/// Something in a log that is not as in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The object concerned; none: what several together lead to.
    pub(crate) object: Option<String>,
    /// What is wrong.
    pub(crate) message: String,
}

impl Problem {
    pub(super) fn of(object: &str, message: impl Into<String>) -> Self {
        Problem { object: Some(object.to_owned()), message: message.into() }
    }

    pub(super) fn of_log(message: impl Into<String>) -> Self {
        Problem { object: None, message: message.into() }
    }

    pub(super) fn unreadable(object: &str, error: &Error) -> Self {
        Problem::of(object, error.to_string())
    }

    /// Nothing when nothing differs.
    pub(super) fn of_counts(object: Option<&str>, counts: &Counts) -> Option<Self> {
        let told = [
            (counts.files_in_catalog_only, "files in the catalog only"),
            (counts.files_in_log_only, "files in the log only"),
            (counts.files_different, "files differ"),
            (counts.protocol, "protocol differs"),
            (counts.metadata, "metadata differs"),
            (counts.transactions, "transactions differ"),
            (counts.domains, "domains differ"),
        ];
        let told: Vec<String> =
            told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        (!told.is_empty()).then(|| Problem { object: object.map(str::to_owned), message: told.join(", ") })
    }
}
