//! A commit as the conflict rules see it.

use std::collections::BTreeMap;

use crate::action::{Action, Metadata};
use crate::catalog::quoted;
use crate::predicate::Predicate;
use crate::snapshot::Snapshot;
use crate::sql::{Rows, Value};
use crate::table_features::{CLUSTERING_DOMAIN, ROW_TRACKING_DOMAIN, assigns_row_ids, has_writer_feature};
use crate::{Error, Result};

use super::check::{Assumptions, Past, assumptions, ends_column_mapping, operation_of};
use super::large::Staged;
use super::request::{CommitRequest, Isolation};

/// Operations that write rows' ids into files and change nothing else (Delta-Spark's names).
pub(super) const ROW_TRACKING_OPERATIONS: [&str; 2] = ["ROW TRACKING BACKFILL", "ROW TRACKING UNBACKFILL"];

/// Operations that change data, whatever their actions show: a MERGE that finds nothing to do (Delta-Spark's names).
const DATA_OPERATIONS: [&str; 14] = [
    "CLONE",
    "CONVERT",
    "CREATE OR REPLACE TABLE",
    "CREATE OR REPLACE TABLE AS SELECT",
    "CREATE TABLE AS SELECT",
    "DELETE",
    "MERGE",
    "REPLACE TABLE",
    "REPLACE TABLE AS SELECT",
    "RESTORE",
    "STREAMING UPDATE",
    "TRUNCATE",
    "UPDATE",
    "WRITE",
];

/// What one commit read and what it is about to do.
#[derive(Clone, Debug)]
pub(super) struct Intent {
    /// The version that was read.
    pub read_version: i64,
    /// All versions up to this one were looked at and do not conflict.
    pub examined_version: i64,
    pub isolation: Isolation,
    pub is_blind_append: bool,
    pub whole_table: bool,
    /// Conditions with their text.
    pub predicates: Vec<(String, Predicate)>,
    /// Paths.
    files: Vec<String>,
    /// Applications that were read, each with the version that the commit moves it to.
    apps: BTreeMap<String, Option<i64>>,
    /// Those that must not have changed.
    domains: Vec<String>,
    pub has_metadata: bool,
    /// The table must have had the commit's schema before.
    pub had_schema: bool,
    /// Physical paths that no column of the table must have had.
    pub new_columns: Vec<String>,
    pub has_protocol: bool,
    /// It adds files again as they are, and nothing else.
    pub rewrites_row_ids: bool,
}

impl Intent {
    /// What a request means for a table whose latest known state is `state`. `examined_version`: versions up to it were
    /// looked at in an earlier try.
    pub(super) fn of(
        state: &Snapshot,
        request: &CommitRequest,
        staged: Option<&Staged>,
        examined_version: Option<i64>,
    ) -> Result<Self> {
        let read = &request.read;
        let read_version = read_version(state, read.version)?;
        let examined_version = examined_version.unwrap_or(read_version);
        let actions = &request.actions;
        let removes_data = staged.is_some_and(|staged| staged.removes_data)
            || actions.iter().any(|action| matches!(action, Action::Remove(remove) if remove.data_change));
        let only_adds = staged.is_none_or(|staged| staged.count() == staged.totals.added_count)
            && !actions.iter().any(|action| matches!(action, Action::Remove(_) | Action::Cdc(_)));
        let keeps_data = staged.is_none_or(|staged| !staged.changes_data) && keeps_data(actions);
        let operation = operation_of(actions, request.operation.as_deref());
        let new_metadata = new_metadata(actions);
        let has_metadata = new_metadata.is_some();
        // Who removes data on the ground of a version looked at it as a whole, if nothing else is said.
        let looked_at_all = removes_data && !read.has_files() && read.version.is_some();
        let assumed = match has_metadata {
            true => assumptions(state, actions, request.operation.as_deref(), past_of(state, actions, staged)),
            false => Assumptions::default(),
        };
        let mut whole_table = read.whole_table || looked_at_all || assumed.no_new_files;
        let predicates = match parse_predicates(state, &read.predicates) {
            Ok(predicates) => predicates,
            // It was written for a schema that is no more: that, and not the text, is what is wrong.
            Err(_) if state.metadata_version > examined_version => {
                whole_table = true;
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let mut intent = Intent {
            read_version,
            examined_version,
            isolation: request.isolation.unwrap_or_else(|| match Isolation::of_table(&state.metadata) {
                // Delta-Spark lets a table that asks for more go by the actions alone.
                Isolation::WriteSerializable if DATA_OPERATIONS.contains(&operation.as_str()) => {
                    Isolation::WriteSerializable
                }
                _ if keeps_data => Isolation::Snapshot,
                of_table => of_table,
            }),
            is_blind_append: !read.has_files() && only_adds,
            whole_table,
            predicates,
            files: read.files.clone(),
            apps: read.app_ids.iter().map(|app_id| (app_id.clone(), None)).collect(),
            domains: Vec::new(),
            has_metadata,
            had_schema: assumed.had_schema,
            new_columns: assumed.new_columns,
            has_protocol: false,
            rewrites_row_ids: ROW_TRACKING_OPERATIONS.contains(&operation.as_str())
                && has_writer_feature(&state.protocol, "rowTracking")
                && keeps_data,
        };
        let metadata = new_metadata.unwrap_or(&state.metadata);
        for action in actions {
            match action {
                Action::Txn(txn) => _ = intent.apps.insert(txn.app_id.clone(), Some(txn.version)),
                // Where row ids are assigned, they are when the commit happens; no two commits can want the same ones.
                Action::DomainMetadata(domain)
                    if domain.domain != ROW_TRACKING_DOMAIN || !assigns_row_ids(metadata, &state.protocol) =>
                {
                    intent.domains.push(domain.domain.clone());
                }
                Action::Protocol(_) => intent.has_protocol = true,
                _ => {}
            }
        }
        // The columns by which a table is clustered are those of the schema that the commit changes.
        let changes_columns = metadata.schema_string != state.metadata.schema_string
            || metadata.partition_columns != state.metadata.partition_columns;
        if (assumed.no_new_files || changes_columns) && !intent.domains.iter().any(|domain| domain == CLUSTERING_DOMAIN)
        {
            intent.domains.push(CLUSTERING_DOMAIN.to_owned());
        }
        Ok(intent)
    }

    /// Whether files that others added can conflict.
    pub(super) fn minds_appends(&self) -> bool {
        // Snapshot isolation is for what leaves rows and metadata as they are, whatever the commit asks for.
        let may_ignore = self.isolation == Isolation::Snapshot || self.rewrites_row_ids;
        self.reads_any_file() && (self.has_metadata || !may_ignore)
    }

    /// Whether they can even if their commit read nothing.
    pub(super) fn minds_blind_appends(&self) -> bool {
        self.isolation == Isolation::Serializable || self.has_metadata
    }

    /// Whether files were read that the commit does not name one by one.
    pub(super) fn reads_any_file(&self) -> bool {
        self.whole_table || !self.predicates.is_empty()
    }

    /// The version at which the files are that were read. When it was not said, it is the latest one of each try, and what
    /// was looked at before is no older.
    pub(super) fn known_version(&self) -> i64 {
        self.read_version.min(self.examined_version)
    }

    /// The paths that were read.
    pub(super) fn read_files(&self) -> Rows {
        rows(self.files.iter().map(|path| [path.as_str().into()]))
    }

    /// Applications that were read, with the version that they are moved to or NULL.
    pub(super) fn txns(&self) -> Rows {
        rows(self.apps.iter().map(|(app_id, version)| [app_id.as_str().into(), (*version).into()]))
    }

    /// Domains that are changed, or that what is changed rests on.
    pub(super) fn domains(&self) -> Rows {
        rows(self.domains.iter().map(|domain| [domain.as_str().into()]))
    }
}

pub(super) fn rows<const N: usize>(values: impl Iterator<Item = [Value; N]>) -> Rows {
    let mut rows = Rows::new(N);
    values.for_each(|row| rows.push(row));
    rows
}

/// What a large commit does to the table's files.
pub(super) fn past_of(state: &Snapshot, actions: &[Action], staged: Option<&Staged>) -> Past {
    let metadata = new_metadata(actions).unwrap_or(&state.metadata);
    let removes_all = |staged: &Staged| staged.count() > 0 && staged.totals.removed_count == state.file_count;
    match staged.filter(|staged| removes_all(staged)) {
        Some(staged) if staged.removes_only_data || ends_column_mapping(&state.metadata, metadata) => Past::Replaced,
        _ => Past::Stays,
    }
}

fn new_metadata(actions: &[Action]) -> Option<&Metadata> {
    actions.iter().find_map(|action| match action {
        Action::Metadata(metadata) => Some(metadata),
        _ => None,
    })
}

/// Whether actions only rearrange rows, as a compaction does.
fn keeps_data(actions: &[Action]) -> bool {
    actions.iter().all(|action| match action {
        Action::Add(add) => !add.data_change,
        Action::Remove(remove) => !remove.data_change,
        Action::Cdc(cdc) => !cdc.data_change,
        Action::DomainMetadata(domain) => domain.domain == ROW_TRACKING_DOMAIN,
        Action::CommitInfo(_) => true,
        _ => false,
    })
}

fn read_version(state: &Snapshot, given: Option<i64>) -> Result<i64> {
    let version = given.unwrap_or(state.version);
    if version > state.version || version < state.table.earliest_version {
        return Err(Error::invalid(format!(
            "the read version is {version}; the table has versions {} to {}",
            state.table.earliest_version, state.version
        ))
        .hint("write down the version when you read the table")
        .version(version));
    }
    Ok(version)
}

fn parse_predicates(state: &Snapshot, texts: &[String]) -> Result<Vec<(String, Predicate)>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let schema = state.schema()?;
    texts
        .iter()
        .map(|text| {
            let parsed =
                Predicate::parse(text, schema).map_err(|error| error.context(format!("reading {}", quoted(text))))?;
            Ok((text.clone(), parsed))
        })
        .collect()
}
