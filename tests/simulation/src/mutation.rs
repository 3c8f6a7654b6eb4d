//! Guards that can be taken away, to see that the checkers notice.

use std::borrow::Cow;
use std::str::FromStr;

use deltalakedb_core::sql::{Batch, Statement};

/// A guard that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// One in the statements of commits or imports.
    WithoutGuard(&'static Guard),
    /// Commit ids need not be unique.
    WithoutUniqueCommitIds,
    /// A transaction is sent as a batch for each of its tables.
    SplitTransactions,
    /// The store lets a put-if-absent replace what is there.
    OverwritingStore,
}

/// A guard in the text of statements, and what makes it do nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Guard {
    name: &'static str,
    text: &'static str,
    /// With the same parameters. Empty: the statement as a whole does nothing.
    instead: &'static str,
}

/// What each part of a commit begins with.
const TAKE_VERSION: &str = "SELECT p.version_id + 1";

/// The only guard of a statement, by the name that it gives to `dl_guard`.
macro_rules! named {
    ($name:literal) => {
        Guard {
            name: $name,
            text: concat!("SELECT '", $name, "' WHERE "),
            instead: concat!("SELECT '", $name, "' WHERE 0 AND "),
        }
    };
}

/// Where several guards give one name to `dl_guard`, as `concurrent_delete_read`, each has a name of its own here.
static GUARDS: [Guard; 21] = [
    named!("removed_file_not_live"),
    named!("concurrent_append"),
    named!("unusual_path"),
    named!("segments_moved"),
    named!("more_rows"),
    named!("added_and_removed"),
    // A page is written to a large commit that is under way.
    Guard {
        name: "large_commit_over",
        text: "SELECT 'large_commit_not_found' WHERE changes()",
        instead: "SELECT 'large_commit_not_found' WHERE 0 AND changes()",
    },
    // All pages are there when it happens.
    Guard {
        name: "large_commit_incomplete",
        text: "SELECT 'large_commit_not_found' WHERE NOT",
        instead: "SELECT 'large_commit_not_found' WHERE 0 AND NOT",
    },
    // A schema that is restored is one that the table had.
    Guard {
        name: "schema_not_restored",
        text: "INSERT INTO dl_guard (guard) SELECT 'schema_not_restored' WHERE",
        instead: "INSERT INTO dl_guard (guard) SELECT 'schema_not_restored' WHERE 0 AND",
    },
    // A file that was read by its path is still live.
    Guard {
        name: "read_file_removed",
        text: "f.path = r.path AND f.version <= ?2 AND f.removed_version IS NULL",
        instead: "f.path = r.path AND f.version <= ?2",
    },
    // Nothing was removed beside a commit that read the table, or by a condition.
    Guard { name: "any_file_removed", text: "AND v.removed_files > 0)", instead: "AND 0)" },
    // A file that is added again was not removed meanwhile.
    Guard {
        name: "added_file_removed",
        text: "WHERE f.removed_version > ?2 OR",
        instead: "WHERE f.removed_version > ?2 AND 0 OR",
    },
    // What is taken for a new file is one.
    Guard {
        name: "path_known",
        text: "ON f.table_id = ?1 AND f.path = r.path",
        instead: "ON 0 AND f.table_id = ?1 AND f.path = r.path",
    },
    Guard { name: "path_added_again", text: "OR (f.removed_version IS NULL AND f.dv_id <> r.dv_id)", instead: "OR 0" },
    // An application that was read has not moved.
    Guard {
        name: "application_moved",
        text: "a.app_id = r.app_id AND a.version > ?2)",
        instead: "a.app_id = r.app_id AND a.version > ?2 AND 0)",
    },
    // An application has not come so far before.
    Guard {
        name: "application_done",
        text: "OR r.txn_version <= (SELECT CASE",
        instead: "OR 0 AND r.txn_version <= (SELECT CASE",
    },
    // A domain that is changed has not been changed meanwhile.
    Guard {
        name: "domain_changed",
        text: "d.domain = r.domain AND d.version > ?2)",
        instead: "d.domain = r.domain AND d.version > ?2 AND 0)",
    },
    // Metadata and protocol are those that are known.
    Guard { name: "rules_changed", text: "AND t.rules_version <= ?12", instead: "AND ?12 IS NOT NULL" },
    // It is noted which row ids were given.
    Guard {
        name: "row_id_high_water_mark",
        text: "INSERT INTO dl_domain_metadata (table_id, domain, version, removed, domain_metadata)
     SELECT v.table_id, 'delta.rowTracking'",
        instead: "",
    },
    // A removed file is known by its path, and not by its last entry.
    Guard {
        name: "removed_by_path",
        text: "AND (?4 IS NULL OR f.version <= ?4 AND",
        instead: "AND f.dv_id = r.dv_id AND f.removed_version = r.version AND (?4 IS NULL OR f.version <= ?4 AND",
    },
    // A backfill takes nothing back that was said of a file meanwhile.
    Guard {
        name: "added_again",
        text: "f.path = r.path AND f.version > ?2 AND f.version <= ?3",
        instead: "f.path = r.path AND f.version > ?2 AND f.version <= ?3 AND 0",
    },
];

impl Mutation {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Mutation> {
        let others = [Mutation::WithoutUniqueCommitIds, Mutation::SplitTransactions, Mutation::OverwritingStore];
        GUARDS.iter().map(Mutation::WithoutGuard).chain(others)
    }

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Mutation::WithoutGuard(guard) => guard.name,
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
        let Mutation::WithoutGuard(guard) = self else { return };
        for statement in batch.statements.iter_mut().filter(|statement| statement.sql.contains(guard.text)) {
            if guard.instead.is_empty() {
                *statement = Statement::new("SELECT 1 WHERE 0", []);
            } else {
                statement.sql = Cow::Owned(statement.sql.replace(guard.text, guard.instead));
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
