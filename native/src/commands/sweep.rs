//! `dl sweep`.

use deltalakedb_core::Result;
use deltalakedb_core::commit::{Host, sweep_large_commits};
use serde_json::json;

use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::host::SystemHost;
use crate::output::Output;

pub(super) async fn run(args: cli::Sweep, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    // All of them, those too whose writers' clocks are ahead.
    let expired_before_ms = match args.older_than {
        0 => i64::MAX,
        seconds => SystemHost.now_ms().saturating_sub(seconds.saturating_mul(1000)),
    };
    let swept = sweep_large_commits(&database, expired_before_ms).await?;
    if output.format != Format::Table {
        return output.json(&json!({ "commit_count": swept.commit_count, "row_count": swept.row_count }));
    }
    output.properties(&[("large commits", swept.commit_count.to_string()), ("rows", swept.row_count.to_string())])
}
