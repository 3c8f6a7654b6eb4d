//! `<v>.crc`: what a version's state sums up to (protocol section "Version Checksum File").

mod file_totals;
mod histogram;

pub use file_totals::FileTotals;
pub use histogram::{DeletedRecordCountsHistogram, FileSizeHistogram};

use serde::{Deserialize, Serialize};

use crate::action::{CommitInfo, DomainMetadata, Metadata, Protocol, Txn};
use crate::snapshot::Snapshot;
use crate::table_features::{has_writer_feature, in_commit_timestamps_enabled};
use crate::{Error, ErrorKind, Result};

use file_totals::DeletedRecords;

/// More of them than this are left out, as Delta-Spark does it: the file is read with every snapshot.
const MAX_TRANSACTIONS: usize = 100;
/// As [`MAX_TRANSACTIONS`].
const MAX_DOMAINS: usize = 10;

/// A version's checksum. `allFiles`, which is optional, is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checksum {
    /// The version, which is in the file's name.
    #[serde(skip)]
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    txn_id: Option<String>,
    table_size_bytes: i64,
    num_files: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_deleted_records_opt: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_deletion_vectors_opt: Option<i64>,
    num_metadata: i64,
    num_protocol: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_commit_timestamp_opt: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_transactions: Option<Vec<Txn>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_metadata: Option<Vec<DomainMetadata>>,
    metadata: Metadata,
    protocol: Protocol,
    /// Delta-Spark wrote it by its other name once.
    #[serde(alias = "histogramOpt", skip_serializing_if = "Option::is_none")]
    file_size_histogram: Option<FileSizeHistogram>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_record_counts_histogram_opt: Option<DeletedRecordCountsHistogram>,
}

impl Checksum {
    /// Of a snapshot and the totals of its files. Deletion vectors are counted where the table has the feature; transactions
    /// are left out where they expire, for then they depend on when one looks.
    pub fn new(snapshot: &Snapshot, totals: FileTotals) -> Self {
        let Snapshot { metadata, protocol, .. } = snapshot;
        let info = snapshot.commit_info.as_ref();
        let has_timestamp = in_commit_timestamps_enabled(metadata, protocol);
        let deleted = totals.deleted_records.filter(|_| has_writer_feature(protocol, "deletionVectors"));
        let expire = snapshot.transactions_expired_until_ms(0).is_some();
        let set_transactions = Some(&snapshot.transactions).filter(|all| !expire && all.len() <= MAX_TRANSACTIONS);
        let domain_metadata = Some(&snapshot.domain_metadata).filter(|all| all.len() <= MAX_DOMAINS);
        Checksum {
            version: snapshot.version,
            txn_id: info.and_then(CommitInfo::txn_id),
            table_size_bytes: snapshot.size_bytes,
            num_files: snapshot.file_count,
            num_deleted_records_opt: deleted.as_ref().map(|deleted| deleted.records),
            num_deletion_vectors_opt: deleted.as_ref().map(|deleted| deleted.vectors),
            num_metadata: 1,
            num_protocol: 1,
            in_commit_timestamp_opt: info.filter(|_| has_timestamp).and_then(CommitInfo::in_commit_timestamp),
            set_transactions: set_transactions.cloned(),
            domain_metadata: domain_metadata.cloned(),
            metadata: metadata.clone(),
            protocol: protocol.clone(),
            file_size_histogram: Some(totals.file_sizes),
            deleted_record_counts_histogram_opt: deleted.map(|deleted| deleted.histogram),
        }
    }

    /// Reads the file of a version; what is in it besides is passed over.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) when it is none, or not complete.
    pub fn read(version: i64, content: &[u8]) -> Result<Self> {
        let checksum: Checksum = serde_json::from_slice(content)
            .map_err(|error| Error::corrupt(format!("the checksum of version {version}: {error}")).version(version))?;
        Ok(Checksum { version, ..checksum })
    }

    /// The version.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The file's content.
    ///
    /// # Errors
    /// None that a caller could meet.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok(text + "\n")
    }

    /// The totals to count on from; `None` where it does not have them, or they cannot be right.
    pub fn file_totals(&self) -> Option<FileTotals> {
        let deleted = (
            self.num_deleted_records_opt,
            self.num_deletion_vectors_opt,
            self.deleted_record_counts_histogram_opt.clone(),
        );
        let deleted_records = match deleted {
            (Some(records), Some(vectors), Some(histogram)) => Some(DeletedRecords { records, vectors, histogram }),
            _ => None,
        };
        let file_sizes = self.file_size_histogram.clone()?;
        let totals = FileTotals { version: self.version, file_sizes, deleted_records };
        totals.fit(self.num_files, self.table_size_bytes).then_some(totals)
    }
}
