//! Which files of a log to read for which versions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checkpoint, LogFile, LogListing, MAX_VERSION};
use crate::{Error, ErrorKind, Result};

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryMode {
    /// The state at the latest version.
    Latest,
    /// Every version that the log still holds the commits for.
    Full,
}

/// One commit file, or a compacted one in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The version after the step.
    pub version: i64,
    /// The file.
    pub file: LogFile,
    /// Whether the file stands for several commits.
    pub compacted: bool,
}

/// What to read: the checkpoint if any, then the steps in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlan {
    /// The state to begin with.
    pub checkpoint: Option<Checkpoint>,
    /// The commit of the checkpoint's own version comes first, where that version is the earliest one and
    /// its commit file is still there: it tells what the version did, its state is in the checkpoint.
    pub steps: Vec<Step>,
    /// The first version that can be read afterwards; what comes before is needed for its state only.
    pub earliest_version: i64,
    /// The last version.
    pub latest_version: i64,
}

impl LogListing {
    /// What to read to know the table's latest state, or all its versions.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no log, [`Corrupt`](ErrorKind::Corrupt) when the latest
    /// version cannot be reached, naming what is missing.
    pub fn plan(&self, mode: HistoryMode) -> Result<LogPlan> {
        let Some(latest) = self.latest_version() else {
            return Err(Error::new(ErrorKind::NotFound, "no Delta log: there are no commit files and no checkpoints")
                .hint("name the folder that holds 00000000000000000000.json, as a rule <table>/_delta_log"));
        };
        let plan = match mode {
            HistoryMode::Latest => self.plan_state(latest),
            HistoryMode::Full => self.plan_full(latest),
        };
        let mut plan = plan.ok_or_else(|| self.gap(latest))?;
        self.make_times_increase(&mut plan.steps);
        Ok(plan)
    }

    /// Each commit's time is later than that of the commit file before it, also where that one is no part of the plan:
    /// Delta-Spark counts from the oldest commit file of the log on (`DeltaHistoryManager.getCommits`).
    fn make_times_increase(&self, steps: &mut [Step]) {
        let mut times = BTreeMap::new();
        let mut time_ms = i64::MIN;
        for (&version, file) in &self.commits {
            time_ms = file.modified_ms.max(time_ms.saturating_add(1));
            times.insert(version, time_ms);
        }
        for step in steps.iter_mut().filter(|step| !step.compacted) {
            step.file.modified_ms = times.get(&step.version).copied().unwrap_or(step.file.modified_ms);
        }
    }

    /// What a reader reads to know the state at `version`: the newest checkpoint from which commits lead there, and those.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the log does not lead there, with the versions that it does lead to.
    pub fn plan_at(&self, version: i64) -> Result<LogPlan> {
        let is_known = (0..=self.latest_version().unwrap_or(-1)).contains(&version);
        let plan = if is_known { self.plan_state(version) } else { None };
        let mut plan = plan.ok_or_else(|| self.not_readable(version))?;
        // The checkpoint holds what its own commit did.
        let begins = plan.checkpoint.as_ref().map_or(-1, |checkpoint| checkpoint.version);
        plan.steps.retain(|step| step.version > begins);
        Ok(plan)
    }

    fn not_readable(&self, version: i64) -> Error {
        let range = match (self.oldest_readable(), self.newest_readable(MAX_VERSION)) {
            (Some(first), Some(last)) if (first..=last).contains(&version) => {
                let begin = self.newest_checkpoint(version).map_or(0, |checkpoint| checkpoint.version + 1);
                let missing = (begin..=version).find(|missing| !self.commits.contains_key(missing)).unwrap_or(version);
                format!("the commit file of version {missing} is missing")
            }
            (Some(first), Some(last)) => format!("it can be read from version {first} to {last}"),
            _ => "it can be read at none".to_owned(),
        };
        Error::new(ErrorKind::NotFound, format!("the log does not lead to version {version}; {range}")).version(version)
    }

    /// The oldest version that the log leads to.
    pub fn oldest_readable(&self) -> Option<i64> {
        let checkpoint = self.checkpoints.keys().next().copied();
        if self.commits.contains_key(&0) {
            return Some(0);
        }
        let compacted = self.compacted.get(&0).into_iter().flatten().map(|(end, _)| *end).min();
        [checkpoint, compacted].into_iter().flatten().min()
    }

    /// The newest version up to `at_most` that the log leads to.
    pub fn newest_readable(&self, at_most: i64) -> Option<i64> {
        let begin = self.checkpoints.range(..=at_most).next_back().map(|(&version, _)| version);
        let mut version = begin.unwrap_or(-1);
        while version < at_most {
            let compacted = self.compacted.get(&(version + 1)).into_iter().flatten();
            let commit = self.commits.get(&(version + 1)).map(|file| file.version);
            let step = commit.or(compacted.map(|(end, _)| *end).filter(|&end| end <= at_most).max());
            match step {
                Some(next) => version = next,
                None => break,
            }
        }
        (version >= 0).then_some(version)
    }

    /// The newest version up to `at_most` that commits lead to from the newest checkpoint, or from the beginning, without a
    /// compacted log in the place of one. Readers may pass compacted logs over (protocol section "Log Compaction Files"), and
    /// engines want each commit.
    pub fn newest_by_commits(&self, at_most: i64) -> Option<i64> {
        let begin = self.newest_checkpoint(at_most).map_or(-1, |checkpoint| checkpoint.version);
        let mut next = begin + 1;
        while next <= at_most && self.commits.contains_key(&next) {
            next += 1;
        }
        (next > 0).then_some(next - 1)
    }

    /// The commits after `version`, which the caller already has.
    ///
    /// # Errors
    /// When one is missing: [`Conflict`](ErrorKind::Conflict) where a checkpoint covers it, as after a clean-up, else
    /// [`Corrupt`](ErrorKind::Corrupt).
    pub fn plan_after(&self, version: i64) -> Result<Vec<Step>> {
        let latest = self.latest_version().unwrap_or(version);
        let mut steps = Vec::new();
        for next in version + 1..=latest {
            let file = self.commits.get(&next).ok_or_else(|| {
                // Where a checkpoint covers it, it was not needed any more.
                let was_cleaned_up = self.checkpoint_version() >= Some(next);
                let kind = if was_cleaned_up { ErrorKind::Conflict } else { ErrorKind::Corrupt };
                let message =
                    format!("the log goes on to version {latest}, but the commit file of version {next} is missing");
                Error::new(kind, message)
                    .version(next)
                    .hint("the log was cleaned up past the catalog's version: drop the table and import it again")
            })?;
            steps.push(Step { version: next, file: file.clone(), compacted: false });
        }
        Ok(steps)
    }

    fn plan_full(&self, latest: i64) -> Option<LogPlan> {
        let first_commit = self.first_of_chain(latest);
        if first_commit == 0 {
            return Some(self.with_own_commit(None, self.commit_steps(0, latest), 0, latest));
        }
        // The state that the first commit of the chain stands on, else the next one within the chain.
        let checkpoints = self.checkpoints.keys().copied();
        let states = checkpoints.chain(self.compacted.values().flatten().map(|(end, _)| *end));
        let within = states.filter(|version| (first_commit..=latest).contains(version));
        let states: BTreeSet<i64> = std::iter::once(first_commit - 1).chain(within).collect();
        states.into_iter().find_map(|version| {
            let mut plan = self.plan_state(version)?;
            plan.steps.extend(self.commit_steps(version + 1, latest));
            Some(LogPlan { latest_version: latest, ..plan })
        })
    }

    /// The state at `version`: the newest checkpoint from which the commits lead there.
    fn plan_state(&self, version: i64) -> Option<LogPlan> {
        for (&from, checkpoint) in self.checkpoints.range(..=version).rev() {
            if let Some(steps) = self.cover(from + 1, version) {
                return Some(self.with_own_commit(Some(checkpoint), steps, version, version));
            }
        }
        let steps = self.cover(0, version)?;
        Some(self.with_own_commit(None, steps, version, version))
    }

    fn with_own_commit(
        &self,
        checkpoint: Option<&Checkpoint>,
        mut steps: Vec<Step>,
        earliest_version: i64,
        latest_version: i64,
    ) -> LogPlan {
        let own = checkpoint.filter(|checkpoint| checkpoint.version == earliest_version);
        if let Some(file) = own.and_then(|checkpoint| self.commits.get(&checkpoint.version)) {
            steps.insert(0, Step { version: file.version, file: file.clone(), compacted: false });
        }
        LogPlan { checkpoint: checkpoint.cloned(), steps, earliest_version, latest_version }
    }

    /// The smallest version from which all commit files up to `latest` are there; `latest + 1` without its own.
    fn first_of_chain(&self, latest: i64) -> i64 {
        let mut first = latest + 1;
        for &version in self.commits.keys().rev() {
            if version + 1 != first {
                break;
            }
            first = version;
        }
        first
    }

    fn commit_steps(&self, from: i64, to: i64) -> Vec<Step> {
        let range = if from <= to { Some(self.commits.range(from..=to)) } else { None };
        range
            .into_iter()
            .flatten()
            .map(|(&version, file)| Step { version, file: file.clone(), compacted: false })
            .collect()
    }

    /// Steps that lead from before `from` to `to`, `None` when commits are missing. A compacted log stands in for
    /// commits that are gone, and for no others: a commit tells what its version did, and not every writer of
    /// compacted logs reconciles them.
    fn cover(&self, from: i64, to: i64) -> Option<Vec<Step>> {
        if from > to {
            return Some(Vec::new());
        }
        // Backwards: from which versions `to` can be reached, and by which step.
        let mut reachable: BTreeMap<i64, Step> = BTreeMap::new();
        let reaches = |map: &BTreeMap<i64, Step>, next: i64| next == to + 1 || map.contains_key(&next);
        let commits = self.commits.range(from..=to).map(|(&version, _)| version);
        let starts: BTreeSet<i64> =
            commits.chain(self.compacted.range(from..=to).map(|(&version, _)| version)).collect();
        for start in starts.into_iter().rev() {
            let commit = self.commits.get(&start).filter(|_| reaches(&reachable, start + 1));
            let commit = commit.map(|file| Step { version: start, file: file.clone(), compacted: false });
            let compacted = self.compacted.get(&start).into_iter().flatten();
            let compacted = compacted
                .filter(|(end, _)| *end <= to && reaches(&reachable, end + 1))
                .max_by_key(|(end, _)| *end)
                .map(|(end, file)| Step { version: *end, file: file.clone(), compacted: true });
            if let Some(step) = commit.or(compacted) {
                reachable.insert(start, step);
            }
        }
        let mut steps = Vec::new();
        let mut next = from;
        while next <= to {
            let step = reachable.remove(&next)?;
            next = step.version + 1;
            steps.push(step);
        }
        Some(steps)
    }

    fn gap(&self, latest: i64) -> Error {
        let first = self.first_of_chain(latest);
        let missing = (first - 1).max(0);
        let mut found = self
            .commits
            .keys()
            .next()
            .map_or("no commit files".into(), |&low| format!("commit files from version {low}"));
        if self.checkpoints.is_empty() {
            found.push_str(" and no complete checkpoint");
        }
        Error::corrupt(format!(
            "the log has a gap: the commit file of version {missing} is missing, and no complete checkpoint bridges it \
             to the latest version {latest} (found {found})"
        ))
        .version(missing)
        .hint("restore the missing file, or a checkpoint at or after that version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> LogListing {
        let full = names.iter().map(|name| {
            let padded: Vec<String> = name
                .split('.')
                .enumerate()
                .map(|(index, part)| match part.parse::<u64>() {
                    Ok(number) if index == 0 || name.contains("compacted") => format!("{number:020}"),
                    Ok(number) => format!("{number:010}"),
                    Err(_) => part.to_owned(),
                })
                .collect();
            (padded.join("."), 1, 1)
        });
        LogListing::new(full)
    }

    fn check(names: &[&str], mode: HistoryMode, expected: &str) {
        let shown = match listing(names).plan(mode) {
            Ok(plan) => {
                let checkpoint = plan.checkpoint.map_or("-".into(), |c| format!("c{}x{}", c.version, c.files.len()));
                let steps: Vec<_> =
                    plan.steps
                        .iter()
                        .map(|s| {
                            if s.compacted {
                                format!("{}..{}", s.file.version, s.version)
                            } else {
                                s.version.to_string()
                            }
                        })
                        .collect();
                format!("{checkpoint} [{}] {}..{}", steps.join(" "), plan.earliest_version, plan.latest_version)
            }
            Err(error) => format!("{}: {error}", error.kind().as_str()),
        };
        assert!(shown.starts_with(expected), "{names:?}: expected {expected}, found {shown}");
    }

    #[test]
    fn states_of_any_version() {
        let names = ["3.json", "4.json", "4.checkpoint.parquet", "5.json", "6.json", "8.json", "2.checkpoint.parquet"];
        let log = listing(&names);
        let shown = |version| match log.plan_at(version) {
            Ok(plan) => {
                let steps: Vec<_> = plan.steps.iter().map(|step| step.version).collect();
                format!("c{} {steps:?}", plan.checkpoint.map_or(-1, |checkpoint| checkpoint.version))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown(2), "c2 []");
        assert_eq!(shown(3), "c2 [3]");
        assert_eq!(shown(4), "c4 []");
        assert_eq!(shown(6), "c4 [5, 6]");
        for version in [-1, 0, 1, 7, 8, 9, i64::MAX] {
            let range = "it can be read from version 2 to 6";
            assert_eq!(shown(version), format!("the log does not lead to version {version}; {range}"));
        }
        let gap = listing(&["0.json", "1.json", "3.json", "4.json", "4.checkpoint.parquet"]).plan_at(3).unwrap_err();
        assert_eq!(gap.to_string(), "the log does not lead to version 3; the commit file of version 2 is missing");
        assert_eq!(log.newest_readable(5), Some(5));
        assert_eq!(log.newest_readable(1), None);
        assert_eq!(listing(&["0.json", "1.2.compacted.json", "3.json"]).newest_readable(9), Some(3));
        assert_eq!(listing(&["0.json", "1.2.compacted.json", "3.json"]).newest_readable(1), Some(0));
        assert_eq!(listing(&[]).oldest_readable(), None);
        // Engines want each commit since the newest checkpoint.
        let log = listing(&["0.json", "1.2.compacted.json", "3.json", "5.checkpoint.parquet", "6.json", "8.json"]);
        let by_commits: Vec<_> =
            [-1, 0, 2, 4, 5, 6, 9].into_iter().map(|at_most| log.newest_by_commits(at_most)).collect();
        assert_eq!(by_commits, [None, Some(0), Some(0), Some(0), Some(5), Some(6), Some(6)]);
        assert_eq!(listing(&["0.1.compacted.json"]).newest_by_commits(1), None);
    }

    #[test]
    fn times_increase_from_the_oldest_commit_file_on() {
        let files = [(1, "json", 7), (2, "json", 7), (2, "checkpoint.parquet", 9), (3, "json", 5), (4, "json", 20)];
        let log = LogListing::new(files.map(|(version, kind, time_ms)| (format!("{version:020}.{kind}"), 1, time_ms)));
        let times = |mode| -> Vec<_> {
            let plan = log.plan(mode).expect("a log that can be read");
            plan.steps.iter().map(|step| (step.version, step.file.modified_ms)).collect()
        };
        assert_eq!(times(HistoryMode::Full), [(2, 8), (3, 9), (4, 20)]);
        assert_eq!(times(HistoryMode::Latest), [(3, 9), (4, 20)]);
    }

    #[test]
    fn plans() {
        use HistoryMode::{Full, Latest};
        let commits = ["0.json", "1.json", "2.json"];
        check(&commits, Full, "- [0 1 2] 0..2");
        check(&commits, Latest, "- [0 1 2] 2..2");
        let with_checkpoint = ["0.json", "1.json", "1.checkpoint.parquet", "2.json"];
        check(&with_checkpoint, Full, "- [0 1 2] 0..2");
        check(&with_checkpoint, Latest, "c1x1 [2] 2..2");
        // Cleaned up: the history begins at the checkpoint, whose own commit is still there or not.
        check(&["1.json", "1.checkpoint.parquet", "2.json"], Full, "c1x1 [1 2] 1..2");
        check(&["1.checkpoint.parquet", "2.json"], Full, "c1x1 [2] 1..2");
        check(&["1.json", "2.json", "3.json", "2.checkpoint.parquet"], Full, "c2x1 [2 3] 2..3");
        check(&["2.checkpoint.parquet", "1.json"], Full, "c2x1 [] 2..2");
        check(&["2.checkpoint.parquet"], Full, "c2x1 [] 2..2");
        check(&["2.checkpoint.parquet"], Latest, "c2x1 [] 2..2");
        check(&["5.checkpoint.parquet", "5.json"], Latest, "c5x1 [5] 5..5");
        // Gaps.
        check(&["0.json", "2.json"], Full, "corrupt: the log has a gap: the commit file of version 1 is missing");
        check(&["0.json", "2.json"], Latest, "corrupt: the log has a gap");
        check(&["1.json", "2.json"], Full, "corrupt: the log has a gap: the commit file of version 0 is missing");
        check(&["0.json", "2.json", "2.checkpoint.parquet", "3.json"], Full, "c2x1 [2 3] 2..3");
        // Parts: all or none.
        check(&["1.json", "1.checkpoint.1.2.parquet", "1.checkpoint.2.2.parquet"], Full, "c1x2 [1] 1..1");
        check(&["1.json", "1.checkpoint.1.2.parquet"], Full, "corrupt");
        // Compacted logs stand in for commits that are gone.
        let compacted = ["0.json", "1.json", "2.json", "3.json", "1.2.compacted.json"];
        check(&compacted, Latest, "- [0 1 2 3] 3..3");
        check(&compacted, Full, "- [0 1 2 3] 0..3");
        check(&["0.json", "1.2.compacted.json", "3.json"], Latest, "- [0 1..2 3] 3..3");
        check(&["0.json", "1.2.compacted.json", "3.json"], Full, "- [0 1..2 3] 2..3");
        check(&["0.json", "1.2.compacted.json", "2.json", "3.json"], Full, "- [0 1..2 3] 2..3");
        check(&["0.json", "1.2.compacted.json", "2.4.compacted.json", "1.json"], Latest, "- [0 1 2..4] 4..4");
        check(&[], Full, "not_found: no Delta log");
    }
}
