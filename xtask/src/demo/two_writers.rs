//! Two writers at once: one removes what the other has read.

use serde_json::json;

use super::command::Dl;
use super::{FIRST_FILE, Places, Steps, new_file, written};
use crate::tools::Result;

/// The version that the first commit of the walk made.
const READ_VERSION: &str = "8";
/// The one of the delete.
const WINNER: &str = "9";

pub(super) fn show(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    steps.begin(
        "Let two writers work at once",
        "Ann reads version 8, the rows with an id below 5, and writes a file that rests on them. Before she\n\
         commits, Bob deletes a file that she has read:",
    );
    let remove = json!({ "remove": { "path": FIRST_FILE, "dataChange": true } });
    let bob = written(&places.dir.join("bob.ndjson"), &remove.to_string())?;
    dl.show(&["commit", "--table", "people", "--operation", "DELETE", "--actions", &bob])?;

    println!("\nAnn says what she read. The answer names the commit that won, and the file; nothing happened:");
    let append = new_file(dl, "people", &places.table, "part-00000-ann.snappy.parquet")?;
    let ann = written(&places.dir.join("ann.ndjson"), &append.action.to_string())?;
    let reading = |version| {
        ["commit", "--table", "people", "--actions", &ann, "--read-version", version, "--read-where", "id < 5"]
    };
    dl.show_conflict(&reading(READ_VERSION))?;

    println!("\nShe reads again, at version 9, and commits what rests on that:");
    dl.show(&reading(WINNER))?;
    dl.show(&["history", "--table", "people", "--limit", "3"])
}
