//! What a run of `mirror` prints.

use serde_json::json;

use super::Found;
use crate::Result;
use crate::percentiles::Percentiles;
use crate::report::{Columns, Format, load_average, print_table};

pub(crate) const ROWS: &str = "\
Processes commit to the tables on the beat; `dl mirror --watch` publishes. In
the end each log is held against the catalog, version by version, byte by byte;
each file against what it was when it first appeared; and no temporary file may
be left. With --kill-every any of the processes dies that often.";

pub(crate) const COLUMNS: Columns = Columns {
    header: &["lag", "p50 ms", "p95 ms", "p99 ms", "max ms"],
    legend: "\
lag                 from the acknowledgement of a commit until its file can be read
p50 p95 p99 max ms  what half, 95 %, 99 % and all of them took at the most",
};

const SHOWN: usize = 20;

pub(crate) fn print(found: &Found, per_second: f64, seed: u64, format: Format) -> Result<()> {
    let lags = Percentiles::of(found.lags_us.clone());
    if format == Format::Json {
        let document = json!({
            "seed": seed,
            "commit_count": found.lags_us.len(),
            "commits_per_s": per_second,
            "lag": lags,
            "daemon": found.usage,
            "killed_count": found.deaths,
            "version_count": found.versions,
            "violations": found.wrong,
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    print_table(&COLUMNS, &[[vec!["commit to log".to_owned()], lags.cells().collect()].concat()]);
    println!("{} commits, {per_second} a second; seed {seed}; {} processes killed", found.lags_us.len(), found.deaths);
    if let Some(usage) = found.usage {
        let percent = usage.core_share * 100.0;
        println!("the daemon took {percent:.1} % of a core and at the most {:.0} MiB", usage.peak_mib);
    }
    if let Some(load) = load_average() {
        println!("load average of the machine {load}");
    }
    match found.wrong.as_slice() {
        [] => println!("all {} versions are in the logs as in the catalog", found.versions),
        wrong => {
            println!("{} VIOLATIONS", wrong.len());
            wrong.iter().take(SHOWN).for_each(|wrong| println!("  {wrong}"));
        }
    }
    Ok(())
}
