//! Rows of the catalog that nothing accounts for.

use std::collections::BTreeMap;

use deltalakedb_core::Result;
use deltalakedb_core::sql::{Batch, Database, Statement};

use crate::tables::Calm;

macro_rules! of_no_table {
    ($($table:literal)*) => {
        [$((
            $table,
            concat!("SELECT count(*) FROM ", $table, " WHERE table_id NOT IN (SELECT table_id FROM dl_tables)"),
        ),)*]
    };
}

/// Rows of tables that are no more.
const OF_NO_TABLE: [(&str, &str); 11] = of_no_table!("dl_table_versions" "dl_add_files" "dl_remove_files"
    "dl_metadata_updates" "dl_protocol_updates" "dl_txn_actions" "dl_domain_metadata" "dl_cdc_files"
    "dl_unknown_actions" "dl_mirror_status" "dl_segment_state");

/// What must be empty when all is over.
const EMPTY: [(&str, &str); 6] = [
    ("dl_segments", "SELECT count(*) FROM dl_segments WHERE segment_id >> 40 NOT IN (SELECT table_id FROM dl_tables)"),
    (
        "dl_segment_chunks",
        "SELECT count(*) FROM dl_segment_chunks WHERE segment_id NOT IN (SELECT segment_id FROM dl_segments)",
    ),
    (
        "dl_segments, whose files others have, too,",
        "SELECT count(*) FROM dl_segments a JOIN dl_segments b
           ON a.segment_id < b.segment_id AND a.first_file_id < b.end_file_id AND b.first_file_id < a.end_file_id",
    ),
    ("dl_large_commits", "SELECT count(*) FROM dl_large_commits"),
    ("dl_large_commit_files", "SELECT count(*) FROM dl_large_commit_files"),
    ("dl_guard", "SELECT count(*) FROM dl_guard"),
];

/// How many such rows there are, by table.
///
/// # Errors
/// Those of the database.
pub(crate) async fn count(catalog: &Calm) -> Result<BTreeMap<&'static str, i64>> {
    let queries: Vec<(&str, &str)> = OF_NO_TABLE.into_iter().chain(EMPTY).collect();
    let statements = queries.iter().map(|(_, sql)| Statement::new(sql, [])).collect();
    let results = catalog.batch(Batch::read(statements)).await?;
    let mut counts = BTreeMap::new();
    for ((table, _), result) in queries.into_iter().zip(results) {
        for row in result.rows {
            counts.insert(table, row.integer(0)?);
        }
    }
    Ok(counts)
}
