//! Guards that can be taken away, to see that the checkers notice.

use std::borrow::Cow;
use std::str::FromStr;

use deltalakedb_core::sql::{Batch, Statement};

/// A guard that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A guard statement of commits or imports, by the name that it gives to `dl_guard`.
    WithoutGuard(&'static str),
    /// Metadata and protocol may have changed meanwhile.
    WithoutRulesVersion,
    /// Nobody notes which row ids were given.
    WithoutHighWaterMark,
    /// A removed file is known by its last entry, and not by its path.
    RemovedByEntry,
    /// A backfill may take back what was said of a file meanwhile.
    WithoutAddedAgain,
    /// Commit ids need not be unique.
    WithoutUniqueCommitIds,
    /// A transaction is sent as a batch for each of its tables.
    SplitTransactions,
    /// The store lets a put-if-absent replace what is there.
    OverwritingStore,
}

/// What each part of a commit begins with.
const TAKE_VERSION: &str = "SELECT p.version_id + 1";

/// The condition by which a commit moves a table's version.
const RULES_VERSION: &str = "AND t.rules_version <= ?12";

const GUARDS: [&str; 8] = [
    "removed_file_not_live",
    "concurrent_delete_read",
    "concurrent_append",
    "concurrent_transaction",
    "path_added_again",
    "import_superseded",
    "large_commit_not_found",
    "added_and_removed",
];

/// The guard that shares its statement with another one, with its condition.
const PATH_ADDED_AGAIN: (&str, &str) = ("path_added_again", "OR (f.removed_version IS NULL AND f.dv_id <> r.dv_id)");

/// How files that were removed are found among those that a commit read.
const REMOVED_BY_PATH: &str = "AND (?4 IS NULL OR f.version <= ?4 AND";

/// How files are found that were added again.
const ADDED_AGAIN: &str = "f.path = r.path AND f.version > ?2 AND f.version <= ?3";

/// What sets the high-water mark of row ids.
const HIGH_WATER_MARK: &str = "INSERT INTO dl_domain_metadata (table_id, domain, version, removed, domain_metadata)
     SELECT v.table_id, 'delta.rowTracking'";

impl Mutation {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Mutation> {
        let guards = GUARDS.into_iter().map(Mutation::WithoutGuard);
        guards.chain([
            Mutation::WithoutRulesVersion,
            Mutation::WithoutHighWaterMark,
            Mutation::RemovedByEntry,
            Mutation::WithoutAddedAgain,
            Mutation::WithoutUniqueCommitIds,
            Mutation::SplitTransactions,
            Mutation::OverwritingStore,
        ])
    }

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Mutation::WithoutGuard(guard) => guard,
            Mutation::WithoutRulesVersion => "rules_changed",
            Mutation::WithoutHighWaterMark => "row_id_high_water_mark",
            Mutation::RemovedByEntry => "removed_by_path",
            Mutation::WithoutAddedAgain => "added_again",
            Mutation::WithoutUniqueCommitIds => "unique_commit_ids",
            Mutation::SplitTransactions => "split_transactions",
            Mutation::OverwritingStore => "overwriting_store",
        }
    }

    /// What is done to the catalog's tables.
    pub(crate) fn migration(self) -> Option<&'static str> {
        (self == Mutation::WithoutUniqueCommitIds).then_some("DROP INDEX dl_table_versions_commit_id")
    }

    /// The batches that are run in the place of one.
    pub(crate) fn split(self, batch: Batch) -> Vec<Batch> {
        let mut parts = vec![Batch { access: batch.access, statements: Vec::new() }];
        for statement in batch.statements {
            let begins = self == Mutation::SplitTransactions && statement.sql.contains(TAKE_VERSION);
            match parts.last_mut() {
                Some(part) if !begins || part.statements.is_empty() => part.statements.push(statement),
                _ => parts.push(Batch { access: batch.access, statements: vec![statement] }),
            }
        }
        parts
    }

    /// Makes what is taken away do nothing; there is still a result set for each statement.
    pub(crate) fn apply(self, batch: &mut Batch) {
        let (text, instead) = match self {
            Mutation::WithoutGuard(guard) if guard == PATH_ADDED_AGAIN.0 => {
                (PATH_ADDED_AGAIN.1.to_owned(), "OR 0".into())
            }
            // A statement may have several guards.
            Mutation::WithoutGuard(guard) => {
                (format!("SELECT '{guard}' WHERE "), format!("SELECT '{guard}' WHERE 0 AND "))
            }
            // The parameter stays.
            Mutation::WithoutRulesVersion => (RULES_VERSION.to_owned(), "AND ?12 IS NOT NULL".to_owned()),
            Mutation::WithoutHighWaterMark => (HIGH_WATER_MARK.to_owned(), String::new()),
            Mutation::RemovedByEntry => (
                REMOVED_BY_PATH.to_owned(),
                format!("AND f.dv_id = r.dv_id AND f.removed_version = r.version {REMOVED_BY_PATH}"),
            ),
            Mutation::WithoutAddedAgain => (ADDED_AGAIN.to_owned(), format!("{ADDED_AGAIN} AND 0")),
            _ => return,
        };
        for statement in &mut batch.statements {
            if !statement.sql.contains(&text) {
                continue;
            }
            if instead.is_empty() {
                *statement = Statement::new("SELECT 1 WHERE 0", []);
            } else {
                statement.sql = Cow::Owned(statement.sql.replace(&text, &instead));
            }
        }
    }
}

impl FromStr for Mutation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Mutation::all().find(|mutation| mutation.name() == name).ok_or_else(|| {
            let names: Vec<_> = Mutation::all().map(Mutation::name).collect();
            format!("there is no mutation `{name}`; there are {}", names.join(", "))
        })
    }
}
