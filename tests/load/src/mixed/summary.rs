//! What a run of `mixed` prints.

use serde_json::json;

use super::verdict::{Endings, Verdict};
use crate::Result;
use crate::report::{Format, print_table};

/// Violations that are printed to people.
const SHOWN: usize = 20;

pub(crate) fn print(verdict: &Verdict, seed: u64, deaths: usize, format: Format) -> Result<()> {
    if format == Format::Json {
        let document = json!({
            "seed": seed,
            "killed_count": deaths,
            "commits": verdict.endings,
            "untold_there_count": verdict.untold_there,
            "sent_again_count": verdict.sent_again,
            "failures": verdict.failures,
            "snapshot_count": verdict.snapshots,
            "versions": verdict.versions,
            "violations": verdict.wrong,
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    let row = |name: &str, endings: &Endings| {
        let Endings { committed, conflicted, refused, untold } = *endings;
        let counts = [committed, conflicted, refused, untold].map(|count| count.to_string());
        [vec![name.to_owned()], counts.to_vec()].concat()
    };
    let mut rows: Vec<Vec<String>> = verdict.endings.iter().map(|(kind, endings)| row(kind, endings)).collect();
    let total = verdict.endings.values().fold(Endings::default(), |sum, one| Endings {
        committed: sum.committed + one.committed,
        conflicted: sum.conflicted + one.conflicted,
        refused: sum.refused + one.refused,
        untold: sum.untold + one.untold,
    });
    rows.push(row("all", &total));
    print_table(&["commits", "committed", "conflicted", "refused", "untold"], &rows);
    println!();
    println!("seed {seed}; {deaths} processes killed; {} commits were sent more than once", verdict.sent_again);
    println!("of {} commits whose answer was not heard, {} are there", total.untold, verdict.untold_there);
    println!("{} snapshots were compared with the replay; versions {:?}", verdict.snapshots, verdict.versions);
    verdict.failures.iter().take(3).for_each(|failure| println!("did not happen the first time: {failure}"));
    if verdict.wrong.is_empty() {
        println!("all holds");
    } else {
        println!("{} VIOLATIONS", verdict.wrong.len());
        verdict.wrong.iter().take(SHOWN).for_each(|wrong| println!("  {wrong}"));
    }
    Ok(())
}
