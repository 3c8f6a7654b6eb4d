//! The commits of the demo: a data file that is really there, and its add action.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::tools::{Failure, Result, at};

pub(super) struct Append {
    /// The new data file.
    pub(super) file: PathBuf,
    /// `{"add": …}`
    pub(super) action: Value,
}

/// Copies one of the table's files under another name. Size, partition and number of rows are
/// those of the original, whose other statistics are left out, as the action is shown to people; `files` is what
/// `dl files --format ndjson` lists.
pub(super) fn prepare(table: &Path, files: &str, name: &str) -> Result<Append> {
    let original = files
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|add| add["path"].is_string() && add["deletionVector"].is_null())
        .ok_or_else(|| {
            Failure::new("choosing a file to append", "`dl files` lists none without a deletion vector")
                .hint(format!("it printed: {files}"))
        })?;
    let path = original["path"].as_str().unwrap_or_default();
    let file = table.join(name);
    let source = table.join(path);
    let size = fs::copy(&source, &file).map_err(at("copying", &source))?;
    let action = json!({ "add": {
        "path": name,
        "partitionValues": original["partitionValues"],
        "size": size,
        "modificationTime": now_ms(),
        "dataChange": true,
        "stats": row_count(&original),
    }});
    Ok(Append { file, action })
}

/// The statistics of an action without all but their number of rows.
fn row_count(add: &Value) -> Option<String> {
    let stats: Value = serde_json::from_str(add["stats"].as_str()?).ok()?;
    Some(json!({ "numRecords": stats["numRecords"] }).to_string())
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
