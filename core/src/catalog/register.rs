//! Making a table while no reader sees it: its row is there, with `import_id` set, until the end.

use crate::sql::{Batch, Database, DatabaseError, Statement, Value};
use crate::{Error, ErrorKind, Result};

use super::quoted;
use super::table::plan_drop;

const REGISTER: &str = "
INSERT INTO dl_tables (table_uuid, name, location, import_id) VALUES (?1, ?2, ?3, ?4) RETURNING table_id";

const RIVALS: &str = "
SELECT table_id, name, location, import_id, import_batches FROM dl_tables WHERE name = ?1 OR location = ?2
ORDER BY table_id";

/// When an answer was lost.
const IMPORT_AGAIN: &str = "import again: it looks for what is there already";

/// A table that is to be made.
#[derive(Clone, Debug)]
pub struct Registration {
    /// UUID of the import: random, made by the host.
    pub import_id: String,
    /// UUID of the table: random, made by the host.
    pub table_id: String,
    /// Unique in the catalog.
    pub name: String,
    /// URL of the table's folder, without a slash at its end.
    pub location: String,
}

/// What became of a [`Registration`].
#[derive(Clone, Debug, PartialEq)]
pub enum Registered {
    /// The table's key. Nobody sees it before the import is finished.
    Begun(i64),
    /// An import, running or dead, holds the name or location.
    Held(UnfinishedImport),
}

/// An import that has not finished. Two equal ones a while apart: it is dead or stands still.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfinishedImport {
    key: i64,
    import_id: String,
    batches: i64,
}

/// Begins a table.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) when a table of that name or location is registered.
pub async fn register(database: &impl Database, table: &Registration) -> Result<Registered> {
    let rivals = Statement::new(RIVALS, vec![table.name.as_str().into(), table.location.as_str().into()]);
    let mut results = database.batch(Batch::read(vec![rivals])).await?;
    if let Some(mut row) = results.remove(0).rows.into_iter().next() {
        let (key, name, location) = (row.integer(0)?, row.text(1)?, row.text(2)?);
        return match row.optional_text(3)? {
            Some(import_id) => Ok(Registered::Held(UnfinishedImport { key, import_id, batches: row.integer(4)? })),
            None => Err(already_registered(table, &name, &location)),
        };
    }
    let params: Vec<Value> = vec![
        table.table_id.as_str().into(),
        table.name.as_str().into(),
        table.location.as_str().into(),
        table.import_id.as_str().into(),
    ];
    let batch = Batch::write(vec![Statement::new(REGISTER, params)]);
    match database.batch(batch).await {
        Ok(mut results) => {
            let row = results.pop().and_then(|result| result.rows.into_iter().next());
            let row = row.ok_or_else(|| Error::new(ErrorKind::Internal, "registering a table gave no key"))?;
            Ok(Registered::Begun(row.integer(0)?))
        }
        Err(DatabaseError::Unique(_)) => Err(Error::new(
            ErrorKind::Conflict,
            format!("another import of {} began at the same moment", quoted(&table.location)),
        )
        .hint("wait until it has ended; `dl tables` shows the table then")),
        Err(error) => Err(error.or_lost(IMPORT_AGAIN)),
    }
}

fn already_registered(table: &Registration, name: &str, location: &str) -> Error {
    let error = if location == table.location {
        Error::new(
            ErrorKind::Conflict,
            format!("{} is registered already, as table {}", quoted(location), quoted(name)),
        )
        .hint("`dl import --incremental` brings it up to date; `dl drop` forgets it")
    } else {
        Error::new(
            ErrorKind::Conflict,
            format!("the name {} is taken by the table at {}", quoted(name), quoted(location)),
        )
        .hint("choose another name with --name")
    };
    error.table(name)
}

const GUARD_DEAD: &str = "
INSERT INTO dl_guard (guard) SELECT 'import_superseded' WHERE NOT EXISTS (
  SELECT 1 FROM dl_tables WHERE table_id = ?1 AND import_id = ?2 AND import_batches = ?3)";

/// What became of [`take_over`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOver {
    /// The rows of the dead import are gone.
    Swept,
    /// The import has moved on or ended meanwhile: look again.
    Alive,
}

/// Deletes what a dead import left, so that its table can be registered anew; nothing when it shows a sign of life
/// after all. An import that was only slow finds its table gone and fails with that: keys are never used twice.
///
/// # Errors
/// Those of the database.
pub async fn take_over(database: &impl Database, import: &UnfinishedImport) -> Result<TakenOver> {
    let params: Vec<Value> = vec![import.key.into(), import.import_id.as_str().into(), import.batches.into()];
    let mut statements = vec![Statement::new(GUARD_DEAD, params)];
    statements.extend(plan_drop(import.key));
    match database.batch(Batch::write(statements)).await {
        Ok(_) => Ok(TakenOver::Swept),
        Err(DatabaseError::Guard(_)) => Ok(TakenOver::Alive),
        Err(error) => Err(error.or_lost(IMPORT_AGAIN)),
    }
}

impl UnfinishedImport {
    /// Whether it is the import with this id.
    pub fn is(&self, import_id: &str) -> bool {
        self.import_id == import_id
    }
}
