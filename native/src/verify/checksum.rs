//! `<v>.crc`: what it says of the state (protocol section "Version Checksum File"). What is optional and not there cannot be
//! wrong.

use std::collections::BTreeMap;

use deltalakedb_core::action::{Action, Add, CommitInfo, Json};
use deltalakedb_core::diff::{CatalogVersion, Counts, FileComparison, LogState, Source, rule_differences};
use deltalakedb_core::mirror::FileTotals;
use deltalakedb_core::snapshot::{FileCursor, Snapshot, files};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::in_commit_timestamps_enabled;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Problem, read_json};
use crate::store::LogStore;

const PAGE: usize = 4096;
/// The protocol's name, and the one by which Delta-Spark wrote it.
const FILE_SIZES: [&str; 2] = ["fileSizeHistogram", "histogramOpt"];
const DELETED_RECORDS: &str = "deletedRecordCountsHistogramOpt";
/// What all writers have told ever since.
const REQUIRED: [&str; 4] = ["tableSizeBytes", "numFiles", "numMetadata", "numProtocol"];
/// Required, too, since the protocol tells of checksums at all.
const ACTIONS: [&str; 2] = ["metadata", "protocol"];
/// Writers from before that told the number of transactions, and none of the actions.
const OF_OLDER_WRITERS: &str = "numTransactions";
const TXN_ID: &str = "txnId";
const TIMESTAMP: &str = "inCommitTimestampOpt";

/// What is wrong in the checksum of a version; none when there is no checksum. `totals` are those of an earlier version's
/// files, from which those of this one are counted on.
pub(super) async fn check_checksum(
    database: &impl Database,
    log: &LogStore,
    at: &Snapshot,
    catalog: &CatalogVersion,
    totals: &mut Option<FileTotals>,
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
    found.transaction_id(at);
    if found.has_histogram() {
        let counted = FileTotals::of(database, at, totals.take(), PAGE).await?;
        found.histograms(catalog, &counted)?;
        *totals = Some(counted);
    }
    let (state, all_files) = found.state(at);
    let mut counts = Counts::default();
    rule_differences(at, &state, now_ms).iter().for_each(|difference| counts.count(difference));
    if let Some(all_files) = all_files {
        count_files(database, at, state, all_files, &mut counts).await?;
    }
    found.problems.extend(Problem::of_counts(Some(&found.name), &counts));
    Ok(Some(found.problems))
}

/// A histogram of file sizes.
struct Bins {
    bounds: Vec<i64>,
    counts: Vec<i64>,
    bytes: Vec<i64>,
}

impl Bins {
    fn of(histogram: &Json) -> Self {
        let list = |field: &str| list(histogram, field);
        Bins { bounds: list("sortedBinBoundaries"), counts: list("fileCounts"), bytes: list("totalBytes") }
    }

    fn is_well_formed(&self) -> bool {
        self.bounds.first() == Some(&0)
            && self.bounds.is_sorted()
            && self.bounds.len() == self.counts.len()
            && self.bounds.len() == self.bytes.len()
    }
}

fn json(value: &impl Serialize) -> Result<Json> {
    Json::of(value).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

fn list(histogram: &Json, field: &str) -> Vec<i64> {
    let fields: Option<BTreeMap<String, Json>> = histogram.read();
    fields.and_then(|fields| fields.get(field)?.read()).unwrap_or_default()
}

fn sum(list: &[i64]) -> i64 {
    list.iter().fold(0, |sum, number| sum.saturating_add(*number))
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
        let has_timestamps = in_commit_timestamps_enabled(&at.metadata, &at.protocol);
        let timestamp_ms = timestamp_ms.filter(|_| has_timestamps);
        let actions = ACTIONS.into_iter().filter(|_| !self.has(OF_OLDER_WRITERS)).collect::<Vec<_>>();
        for field in REQUIRED.into_iter().chain(actions).chain(timestamp_ms.map(|_| TIMESTAMP)) {
            if !self.has(field) {
                self.problems.push(Problem::of(&self.name, format!("it has no `{field}`")));
            }
        }
        if !has_timestamps && self.has(TIMESTAMP) {
            let message = format!("it has `{TIMESTAMP}`, but the table has no in-commit timestamps");
            self.problems.push(Problem::of(&self.name, message));
        }
        for (field, expected) in [
            ("numFiles", Some(catalog.files.file_count)),
            ("tableSizeBytes", Some(catalog.size_bytes)),
            ("numMetadata", Some(1)),
            ("numProtocol", Some(1)),
            ("numDeletionVectorsOpt", Some(catalog.deletion_vectors)),
            ("numDeletedRecordsOpt", Some(catalog.deleted_rows)),
            (TIMESTAMP, timestamp_ms),
        ] {
            if let (Some(told), Some(expected)) = (self.field::<i64>(field), expected)
                && told != expected
            {
                let message = format!("`{field}` is {told}, in the catalog it is {expected}");
                self.problems.push(Problem::of(&self.name, message));
            }
        }
    }

    /// The transaction's id must be that of the commit, where both tell it.
    fn transaction_id(&mut self, at: &Snapshot) {
        let expected = at.commit_info.as_ref().and_then(CommitInfo::txn_id);
        if let (Some(told), Some(expected)) = (self.field::<String>(TXN_ID), expected)
            && told != expected
        {
            let message = format!("`{TXN_ID}` is {told}, in the `commitInfo` of its version it is {expected}");
            self.problems.push(Problem::of(&self.name, message));
        }
    }

    fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|json| json.text() != "null")
    }

    fn has_histogram(&self) -> bool {
        FILE_SIZES.iter().chain(&[DELETED_RECORDS]).any(|field| self.has(field))
    }

    /// Their bins must hold the table's files, each its own; where there are other bins than ours, all together.
    fn histograms(&mut self, catalog: &CatalogVersion, totals: &FileTotals) -> Result<()> {
        let ours = Bins::of(&json(totals.file_sizes())?);
        for field in FILE_SIZES {
            let Some(told) = self.field::<Json>(field) else { continue };
            let told = Bins::of(&told);
            if told.bounds == ours.bounds
                && (told.counts.len(), told.bytes.len()) == (ours.counts.len(), ours.bytes.len())
            {
                if let Some(bin) = (0..ours.bounds.len())
                    .find(|&bin| (told.counts[bin], told.bytes[bin]) != (ours.counts[bin], ours.bytes[bin]))
                {
                    let message = format!(
                        "`{field}` has {} files of {} bytes in the bin that begins at {}, the catalog {} of {}",
                        told.counts[bin], told.bytes[bin], ours.bounds[bin], ours.counts[bin], ours.bytes[bin]
                    );
                    self.problems.push(Problem::of(&self.name, message));
                }
            } else if !told.is_well_formed()
                || sum(&told.counts) != catalog.files.file_count
                || sum(&told.bytes) != catalog.size_bytes
            {
                let message = format!(
                    "`{field}` has {} files of {} bytes, the catalog {} of {}",
                    sum(&told.counts),
                    sum(&told.bytes),
                    catalog.files.file_count,
                    catalog.size_bytes
                );
                self.problems.push(Problem::of(&self.name, message));
            }
        }
        let Some(counted) = totals.deleted_record_counts() else { return Ok(()) };
        let ours = list(&json(counted)?, "deletedRecordCounts");
        if let Some(told) = self.field::<Json>(DELETED_RECORDS) {
            let told = list(&told, "deletedRecordCounts");
            if told != ours {
                let message = format!("`{DELETED_RECORDS}` is {told:?}, in the catalog it is {ours:?}");
                self.problems.push(Problem::of(&self.name, message));
            }
        }
        Ok(())
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
