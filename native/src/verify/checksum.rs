//! `<v>.crc`: what it says of the state (protocol section "Version Checksum File"). Those of older writers say less than
//! the protocol now asks for; what they do not say cannot be wrong.

use std::collections::BTreeMap;

use deltalakedb_core::Result;
use deltalakedb_core::action::{Action, Add, CommitInfo, Json};
use deltalakedb_core::diff::{CatalogVersion, Counts, FileComparison, LogState, Source, rule_differences};
use deltalakedb_core::snapshot::{FileCursor, Snapshot, files};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::in_commit_timestamps_enabled;
use serde::de::DeserializeOwned;

use super::{Problem, read_json};
use crate::store::LogStore;

const PAGE: usize = 4096;

/// What is wrong in the checksum of a version; none when there is no checksum.
pub(super) async fn check_checksum(
    database: &impl Database,
    log: &LogStore,
    at: &Snapshot,
    catalog: &CatalogVersion,
    now_ms: i64,
) -> Result<Option<Vec<Problem>>> {
    let name = format!("{:020}.crc", at.version);
    let fields: BTreeMap<String, Json> = match read_json(log, &name).await? {
        Some(Ok(fields)) => fields,
        Some(Err(problem)) => return Ok(Some(vec![problem])),
        None => return Ok(None),
    };
    let mut found = Checked { name, fields, problems: Vec::new() };
    found.numbers(at, catalog);
    found.histogram(catalog);
    let (state, all_files) = found.state(at);
    let mut counts = Counts::default();
    rule_differences(at, &state, now_ms).iter().for_each(|difference| counts.count(difference));
    if let Some(all_files) = all_files {
        count_files(database, at, state, all_files, &mut counts).await?;
    }
    found.problems.extend(Problem::of_counts(Some(&found.name), &counts));
    Ok(Some(found.problems))
}

struct Checked {
    name: String,
    fields: BTreeMap<String, Json>,
    problems: Vec<Problem>,
}

impl Checked {
    /// A field that is there and not null; one that is not what it must be is a problem.
    fn field<T: DeserializeOwned>(&mut self, field: &str) -> Option<T> {
        let json = self.fields.get(field).filter(|json| json.text() != "null")?;
        let value = json.read();
        if value.is_none() {
            self.problems.push(Problem::of(&self.name, format!("`{field}` is not what the protocol has there")));
        }
        value
    }

    fn numbers(&mut self, at: &Snapshot, catalog: &CatalogVersion) {
        // The commit's own, which the catalog's time is not where it would go back.
        let timestamp_ms = at.commit_info.as_ref().and_then(CommitInfo::in_commit_timestamp);
        let timestamp_ms = timestamp_ms.filter(|_| in_commit_timestamps_enabled(&at.metadata, &at.protocol));
        for (field, expected) in [
            ("numFiles", Some(catalog.files.file_count)),
            ("tableSizeBytes", Some(catalog.size_bytes)),
            ("numMetadata", Some(1)),
            ("numProtocol", Some(1)),
            ("numDeletionVectorsOpt", Some(catalog.deletion_vectors)),
            ("numDeletedRecordsOpt", Some(catalog.deleted_rows)),
            ("inCommitTimestampOpt", timestamp_ms),
        ] {
            if let (Some(told), Some(expected)) = (self.field::<i64>(field), expected)
                && told != expected
            {
                let message = format!("`{field}` is {told}, in the catalog it is {expected}");
                self.problems.push(Problem::of(&self.name, message));
            }
        }
    }

    /// Its bins must hold all files.
    fn histogram(&mut self, catalog: &CatalogVersion) {
        let Some(histogram) = self.field::<BTreeMap<String, Json>>("fileSizeHistogram") else { return };
        let list = |field: &str| histogram.get(field).and_then(Json::read::<Vec<i64>>).unwrap_or_default();
        let (bounds, counts, bytes) = (list("sortedBinBoundaries"), list("fileCounts"), list("totalBytes"));
        let sum = |list: &[i64]| list.iter().fold(0_i64, |sum, number| sum.saturating_add(*number));
        let is_well_formed = bounds.first() == Some(&0)
            && bounds.is_sorted()
            && bounds.len() == counts.len()
            && bounds.len() == bytes.len();
        if !is_well_formed || sum(&counts) != catalog.files.file_count || sum(&bytes) != catalog.size_bytes {
            self.problems.push(Problem::of(
                &self.name,
                format!(
                    "`fileSizeHistogram` has {} files of {} bytes, the catalog {} of {}",
                    sum(&counts),
                    sum(&bytes),
                    catalog.files.file_count,
                    catalog.size_bytes
                ),
            ));
        }
    }

    /// What it says beside numbers; where it says nothing, what the catalog says.
    fn state(&mut self, at: &Snapshot) -> (LogState, Option<Vec<Action>>) {
        let mut actions = vec![
            Action::Protocol(self.field("protocol").unwrap_or_else(|| at.protocol.clone())),
            Action::Metadata(self.field("metadata").unwrap_or_else(|| at.metadata.clone())),
        ];
        let transactions = self.field("setTransactions").unwrap_or_else(|| at.transactions.clone());
        actions.extend(transactions.into_iter().map(Action::Txn));
        let domains = self.field("domainMetadata").unwrap_or_else(|| at.domain_metadata.clone());
        actions.extend(domains.into_iter().map(Action::DomainMetadata));
        let all_files = self.field::<Vec<Add>>("allFiles");
        let all_files: Option<Vec<Action>> = all_files.map(|adds| adds.into_iter().map(Action::Add).collect());
        actions.extend(all_files.iter().flatten().cloned());
        let mut state = LogState::default();
        // It may leave out what the protocol does not name.
        state.apply(at.version, &actions, Source::Checkpoint);
        (state, all_files)
    }
}

async fn count_files(
    database: &impl Database,
    at: &Snapshot,
    state: LogState,
    all_files: Vec<Action>,
    counts: &mut Counts,
) -> Result<()> {
    let mut comparison = FileComparison::new(state, at);
    let mut cursor = Some(FileCursor::start(at));
    while let Some(from) = cursor {
        let page = files(database, at, from, PAGE).await?;
        comparison.take_catalog(&page.files).iter().for_each(|difference| counts.count(difference));
        cursor = page.next;
    }
    let found = comparison.take_log(database, at, all_files, Source::Checkpoint).await?;
    let rest = comparison.finish(database, at).await?;
    found.iter().chain(&rest).for_each(|difference| counts.count(difference));
    Ok(())
}
