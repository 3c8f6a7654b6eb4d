//! A commit to two tables.

use super::command::Dl;
use super::{Places, Steps, new_file, written};
use crate::tools::Result;

pub(super) fn show(dl: &Dl, places: &Places, steps: &mut Steps) -> Result<()> {
    steps.begin(
        "Commit to two tables at once",
        "A new person and her first visit: both are there afterwards, or neither. First the second table:",
    );
    let log = places.second_table.join("_delta_log");
    dl.show(&["import", "--log-dir", &log.to_string_lossy(), "--name", "visits"])?;

    let part = |table: &str, folder| -> Result<String> {
        let append = new_file(dl, table, folder, "part-00000-both.snappy.parquet")?;
        Ok(format!(r#"{{"table": "{table}", "actions": [{}]}}"#, append.action))
    };
    let (people, visits) = (part("people", &places.table)?, part("visits", &places.second_table)?);
    let text = format!("{{\"tables\": [\n  {people},\n  {visits}\n]}}");
    let file = written(&places.dir.join("txn.json"), &text)?;
    dl.show(&["transaction", "--file", &file])?;
    dl.show(&["tables"])
}
