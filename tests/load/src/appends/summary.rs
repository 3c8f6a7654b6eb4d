//! What a run of `appends` prints.

use serde_json::json;

use super::group::Group;
use crate::Result;
use crate::report::{Columns, Format, load_average, print_table};

pub(crate) const ROWS: &str = "\
Each process does the same as fast as it can, one after the other, and each is
safe on the disk before the next begins:
  commits                   append a file to a table of the catalog, the same
  bare INSERT               of the same bytes into a plain SQLite table; it
                            waits for other processes as SQLite does
  bare INSERT, waits alike  the same; it waits as the catalog does
  DuckLake                  register a file with DuckLake on SQLite
The first three take turns, --rounds times; then comes DuckLake, once.";

pub(crate) const COLUMNS: Columns = Columns {
    header: &["", "per s", "rounds", "p50 ms", "p95 ms", "p99 ms", "max ms", "failures", "conflicts", "least", "most"],
    legend: "\
per s               successes of all processes a second: the middle round's
rounds              the same of each round
p50 p95 p99 max ms  what half, 95 %, 99 % and all of them took at the most
failures            errors, such as a database that stays busy
conflicts           commits that lost to another one; appends never should
least most          of the process with the fewest and the most, last round",
};

/// Of DuckLake where it cannot be measured.
const DUCKLAKE_ELSEWHERE: &str = "8.7 commits/s and 132 failures/s of 16 processes were measured on 2 cores \
     (DuckLake d8a1881e on DuckDB 1.5.5, SQLite in WAL mode)";

/// Throughput of the commits by that of the bare INSERT.
pub(crate) fn ratio(groups: &[Group]) -> Option<f64> {
    let bare = groups.get(1)?.median_per_s();
    (bare > 0.0).then(|| groups[0].median_per_s() / bare)
}

pub(crate) fn print(groups: &[Group], lake: Option<Result<Group>>, wrong: &[String], format: Format) -> Result<()> {
    let (lake, no_lake) = match lake {
        Some(Ok(group)) => (Some(group), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    let all = || groups.iter().chain(&lake);
    if format == Format::Json {
        let shown: Vec<_> = all()
            .map(|group| json!({"group": group, "median_per_s": group.median_per_s(), "times": group.percentiles()}))
            .collect();
        let document = json!({"groups": shown, "ratio": ratio(groups), "wrong": wrong,
            "ducklake_missing": no_lake, "load_average": load_average()});
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all().map(row).collect();
    print_table(&COLUMNS, &rows);
    if let Some(ratio) = ratio(groups) {
        println!(
            "commits: {ratio:.2} of the bare INSERT's throughput; load average {:.1}",
            load_average().unwrap_or(0.0)
        );
    }
    if let Some(why) = no_lake {
        println!("DuckLake was not measured ({why}); {DUCKLAKE_ELSEWHERE}");
    }
    for group in all() {
        let first = group.failures.first().or(group.conflicts.first());
        first.iter().for_each(|first| println!("{}: {first}", group.what));
    }
    match wrong {
        [] => println!("{} commits, no gap in the versions", groups[0].count),
        _ => wrong.iter().for_each(|wrong| println!("WRONG: {wrong}")),
    }
    Ok(())
}

fn row(group: &Group) -> Vec<String> {
    let rounds: Vec<String> = group.per_s.iter().map(|per_s| format!("{per_s:.0}")).collect();
    let mut row = vec![group.what.clone(), format!("{:.0}", group.median_per_s()), rounds.join(" ")];
    row.extend(group.percentiles().cells());
    let counts = [group.failures.len(), group.conflicts.len(), group.least_of_a_process, group.most_of_a_process];
    row.extend(counts.map(|count| count.to_string()));
    row
}
