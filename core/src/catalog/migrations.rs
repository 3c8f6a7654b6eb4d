use crate::sql::{Batch, Database, DatabaseError, Statement};
use crate::{Error, ErrorKind, Result};

/// A numbered step from one form of the catalog to the next.
#[derive(Debug, PartialEq, Eq)]
pub struct Migration {
    /// 1 and up, without gaps.
    pub version: i64,
    /// From the file's name.
    pub name: &'static str,
    /// The file's text; it records itself in `dl_migrations`.
    pub sql: &'static str,
}

/// All migrations, oldest first: the files of `migrations/`.
pub const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "catalog", sql: include_str!("../../../migrations/0001_catalog.sql") }];

const VERSION: &str = "SELECT max(version) FROM dl_migrations";
const ID: &str = "SELECT catalog_id FROM dl_catalog";

/// Tells a catalog from others. A copy of the database has the same id.
///
/// # Errors
/// Those of the database.
pub async fn catalog_id(database: &impl Database) -> Result<String> {
    let mut results = database.batch(Batch::read(vec![Statement::new(ID, [])])).await?;
    let row = results.pop().and_then(|result| result.rows.into_iter().next());
    let row = row.ok_or_else(|| {
        Error::corrupt("the catalog has no id").hint("it was changed by other software; take a backup of it")
    });
    row?.text(0)
}

/// The version of the catalog in a database; 0 where there is none yet.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) for a catalog that a newer release made.
pub async fn catalog_version(database: &impl Database) -> Result<i64> {
    let version = match database.batch(Batch::read(vec![Statement::new(VERSION, [])])).await {
        Ok(results) => results[0].rows[0].optional_integer(0)?.unwrap_or(0),
        Err(DatabaseError::NoCatalog(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the catalog has version {version}, this release knows versions up to {known}"),
        )
        .hint("use the release that made the catalog, or a newer one"));
    }
    Ok(version)
}

/// The migrations that a catalog of `version` lacks.
pub fn plan_migrations(version: i64) -> &'static [Migration] {
    let applied = usize::try_from(version).unwrap_or(0).min(MIGRATIONS.len());
    &MIGRATIONS[applied..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_and_record_themselves() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version, index as i64 + 1);
            let record = format!(
                "INSERT INTO dl_migrations (version, name) VALUES ({}, '{}');",
                migration.version, migration.name
            );
            assert!(migration.sql.contains(&record), "{} lacks `{record}`", migration.name);
        }
        assert_eq!(plan_migrations(0).len(), MIGRATIONS.len());
        assert!(plan_migrations(MIGRATIONS.len() as i64).is_empty());
    }
}
