//! What a run of `mixed` prints.

use serde_json::json;

use super::verdict::{Endings, Verdict};
use crate::Result;
use crate::report::{Columns, Format, print_table};

pub(crate) const ROWS: &str = "\
A row is a kind of commit. The processes read and commit whatever they like,
beside each other. --kill-every so often one is killed, mostly in the middle of
a commit, and begins anew. In the end the checkers of the simulator hold the
catalog against what each process wrote down. Exit code 0 when all holds.";

pub(crate) const COLUMNS: Columns = Columns {
    header: &["commits", "committed", "conflicted", "refused", "untold"],
    legend: "\
commits     by their kind; each ended in one of four ways:
committed   it was told that it is there
conflicted  it lost to another commit; an append only to a change of metadata
refused     by a rule of the table, such as that a removed file must be there
untold      the process was killed before it was told, or the answer was lost",
};

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
    print_table(&COLUMNS, &rows);
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
