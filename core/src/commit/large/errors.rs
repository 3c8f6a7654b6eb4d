//! Why a large commit does not go on.

use crate::catalog::{Table, quoted};
use crate::sql::{Database, DatabaseError};
use crate::{Error, ErrorKind};

use crate::commit::attempts::{latest, nothing_committed};

/// Why what comes before the last batch was not written, as far as is known.
pub(super) fn unwritten(table: &Table, error: DatabaseError) -> Error {
    let error = match error {
        DatabaseError::AnswerLost(lost) => Error::new(ErrorKind::Unavailable, lost)
            .hint("write the same page again, or begin anew with the same commit id"),
        DatabaseError::Full(_) => nothing_committed(error),
        error => error.into(),
    };
    error
        .context(format!("committing to table {}: writing its files, which nobody sees yet", quoted(&table.name)))
        .table(&table.name)
}

/// Why a large commit that has not happened can go on no more.
pub(in crate::commit) async fn gone(database: &impl Database, table: &Table) -> Error {
    let name = &table.name;
    if let Err(error) = latest(database, table).await {
        return match error.kind() {
            ErrorKind::NotFound => {
                error.context(format!("committing to table {}: nothing was committed", quoted(name)))
            }
            _ => error,
        };
    }
    Error::new(
        ErrorKind::NotFound,
        format!(
            "committing to table {}: the large commit was swept, or begun anew by another client; nothing was committed \
             with its id so far",
            quoted(name)
        ),
    )
    .table(name)
    .hint("begin again with the same commit id: it happens once")
}

/// Another client committed it, while a page here was not written and could not be compared.
pub(super) fn overtaken(table: &Table, version: i64) -> Error {
    let name = &table.name;
    Error::new(
        ErrorKind::NotFound,
        format!(
            "committing to table {}: a page of the large commit was not written here, and another client committed it, as \
             version {version}",
            quoted(name)
        ),
    )
    .table(name)
    .version(version)
    .hint("write that page again and finalize: then it is known whether both are the same commit")
}
