//! One version after the other, as readers of the log see them.

use std::ops::RangeInclusive;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{Table, TableSelector};
use deltalakedb_core::diff::{CatalogVersion, Counts, LogState, NetChanges, Source, rule_differences};
use deltalakedb_core::import::{CommitDigest, catalog_digest};
use deltalakedb_core::log::{LogFile, LogListing};
use deltalakedb_core::mirror::FileTotals;
use deltalakedb_core::snapshot::{At, FileCursor, Snapshot, files, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde::Serialize;

use super::Problem;
use super::checkpoint::{check_rows, compare_checkpoint};
use super::checksum::check_checksum;
use crate::diff::{compare_state, read_state};
use crate::log_reader::{Pieces, Structs, read_files};
use crate::store::LogStore;

const PAGE: usize = 4096;

/// What was found at a version.
#[derive(Debug, Serialize)]
pub(crate) struct VerifiedVersion {
    pub(crate) version: i64,
    /// Whether there was a commit to compare.
    pub(crate) has_commit: bool,
    /// That were compared.
    pub(crate) checkpoints: u64,
    /// Compacted logs that end with the version, and were compared with its commits.
    pub(crate) compacted: u64,
    /// Whether there was a `.crc` to compare.
    pub(crate) has_checksum: bool,
    pub(crate) problems: Vec<Problem>,
}

/// Goes through the versions in order.
pub(crate) struct Verifier<'a, D> {
    database: &'a D,
    table: &'a Table,
    log: &'a LogStore,
    listing: &'a LogListing,
    now_ms: i64,
    versions: RangeInclusive<i64>,
    /// As of the version before; none where readers cannot read it.
    state: Option<LogState>,
    /// The commits that follow.
    commits: Option<Pieces>,
    /// Whether the version before had the catalog's files.
    was_equal: bool,
    /// Of the catalog's files, at the last version that had a checksum.
    totals: Option<FileTotals>,
}

impl<'a, D: Database> Verifier<'a, D> {
    pub(super) fn new(
        database: &'a D,
        table: &'a Table,
        log: &'a LogStore,
        listing: &'a LogListing,
        now_ms: i64,
        versions: RangeInclusive<i64>,
    ) -> Self {
        Verifier {
            database,
            table,
            log,
            listing,
            now_ms,
            versions,
            state: None,
            commits: None,
            was_equal: true,
            totals: None,
        }
    }

    /// The next version.
    ///
    /// # Errors
    /// Those of the database and the store; what is wrong in the log is in the answer.
    pub(super) async fn verify(&mut self, catalog: &CatalogVersion) -> Result<VerifiedVersion> {
        let version = catalog.version;
        let mut found = VerifiedVersion {
            version,
            has_commit: false,
            checkpoints: 0,
            compacted: 0,
            has_checksum: false,
            problems: Vec::new(),
        };
        if !catalog.has_right_totals() {
            let text = format!(
                "the catalog's totals are {} files of {} bytes, its files are {} of {}",
                catalog.total_file_count, catalog.total_size_bytes, catalog.files.file_count, catalog.size_bytes
            );
            found.problems.push(Problem::of_log(text));
        }
        let is_first = version == *self.versions.start();
        let changes_rules = if is_first {
            self.begin(version, &mut found).await?;
            true
        } else {
            self.follow(version, &mut found).await?
        };
        self.compare_compacted(version, &mut found).await?;
        let is_base =
            is_first && self.listing.newest_checkpoint(version).is_some_and(|newest| newest.version == version);
        let has_more = self.listing.checkpoints_of(version).next().is_some() || self.has_checksum(version);
        // Reading the rules costs more than comparing the rest of a small commit.
        if changes_rules || has_more || version == *self.versions.end() {
            let at = self.snapshot(version).await?;
            if !self.compare_checkpoints(catalog, &at, is_base, &mut found).await? {
                self.compare_rules(&at, &mut found);
                self.compare_files(catalog, Some(&at), &mut found).await?;
            }
            let checksum = check_checksum(self.database, self.log, &at, catalog, &mut self.totals, self.now_ms).await?;
            found.has_checksum = checksum.is_some();
            found.problems.extend(checksum.into_iter().flatten());
        } else {
            self.compare_files(catalog, None, &mut found).await?;
        }
        Ok(found)
    }

    async fn snapshot(&self, version: i64) -> Result<Snapshot> {
        snapshot(self.database, &TableSelector::Key(self.table.key), At::Version(version)).await
    }

    fn has_checksum(&self, version: i64) -> bool {
        self.listing.has_checksum(version)
    }

    /// The state of the first version, and its own commit.
    async fn begin(&mut self, version: i64, found: &mut VerifiedVersion) -> Result<()> {
        let read = match self.listing.plan_at(version) {
            Ok(plan) => {
                // Others than the version's own are told where they are, if they are asked for.
                let own = plan.checkpoint.clone().filter(|checkpoint| checkpoint.version == version);
                let structs = if own.is_some() { Structs::Checked } else { Structs::PassedOver };
                read_state(self.log, &plan, structs).await.map(|state| (own, state))
            }
            Err(error) => Err(error),
        };
        match read {
            Ok((own_checkpoint, mut state)) => {
                if let Some(checkpoint) = own_checkpoint {
                    let at = self.snapshot(version).await?;
                    let rows = check_rows(self.database, &at, self.log, &checkpoint, &mut state, self.now_ms).await?;
                    found.problems.extend(rows);
                }
                self.state = Some(state);
            }
            Err(error) => found.problems.push(unreadable(error)?),
        }
        if let Some(file) = self.listing.commit(version) {
            found.has_commit = true;
            match crate::import::log_digest(self.log, &file.name).await {
                Ok(digest) => self.compare_commit(version, &digest, found).await?,
                Err(error) => found.problems.push(unreadable(error)?),
            }
        }
        Ok(())
    }

    /// Goes on by the version's commit, else by a checkpoint; whether anything but files may have changed.
    async fn follow(&mut self, version: i64, found: &mut VerifiedVersion) -> Result<bool> {
        if let Some(file) = self.listing.commit(version) {
            found.has_commit = true;
            match self.apply_commit(version).await {
                Ok((digest, changes_rules)) => {
                    self.compare_commit(version, &digest, found).await?;
                    if self.state.is_some() {
                        return Ok(changes_rules);
                    }
                }
                Err(error) => {
                    (self.state, self.commits) = (None, None);
                    found.problems.push(unreadable(error.path(&file.name))?);
                }
            }
        } else {
            (self.state, self.commits) = (None, None);
        }
        // As a reader, who comes from a checkpoint or a compacted log.
        let plan = match self.listing.plan_at(version) {
            Ok(plan) => plan,
            Err(error) => {
                found.problems.push(Problem::of_log(error.to_string()));
                return Ok(true);
            }
        };
        match read_state(self.log, &plan, Structs::PassedOver).await {
            Ok(state) => self.state = Some(state),
            Err(error) if found.problems.is_empty() => found.problems.push(unreadable(error)?),
            Err(error) => {
                unreadable(error)?;
            }
        }
        Ok(true)
    }

    async fn apply_commit(&mut self, version: i64) -> Result<(CommitDigest, bool)> {
        let mut commits = match self.commits.take() {
            Some(commits) => commits,
            None => {
                let rest = self.listing.commits(version..=*self.versions.end());
                let chain = rest.enumerate().take_while(|(index, file)| file.version - version == *index as i64);
                let chain = chain.map(|(_, file)| file.clone());
                read_files(self.log, chain.collect(), Structs::PassedOver)?
            }
        };
        let mut digest = CommitDigest::default();
        let mut changes_rules = false;
        while let Some(piece) = commits.next().await? {
            changes_rules |= piece.actions.iter().any(is_rule);
            digest.insert(&piece.actions);
            if let Some(state) = &mut self.state {
                state.apply(version, &piece.actions, Source::Commit);
            }
            if piece.is_last {
                break;
            }
        }
        self.commits = Some(commits);
        Ok((digest, changes_rules))
    }

    /// The compacted logs that end with the version, where their commits are there, too.
    async fn compare_compacted(&self, version: i64, found: &mut VerifiedVersion) -> Result<()> {
        for (_, compacted) in self.listing.compacted().filter(|(end, _)| *end == version) {
            let commits: Vec<LogFile> = self.listing.commits(compacted.version..=version).cloned().collect();
            if commits.len() as i64 != version - compacted.version + 1 {
                continue; // it stands for commits that are gone, and the version was read from it
            }
            found.compacted += 1;
            let sides = match self.net_changes(commits).await {
                Ok(ours) => self.net_changes(vec![compacted.clone()]).await.map(|theirs| ours.differences(&theirs)),
                Err(error) => Err(error),
            };
            match sides {
                Ok((0, 0)) => {}
                Ok((files, rules)) => {
                    let text = format!("{files} files and {rules} other actions are not those of its commits");
                    found.problems.push(Problem::of(&compacted.name, text));
                }
                Err(error) => found.problems.push(unreadable(error)?),
            }
        }
        Ok(())
    }

    async fn net_changes(&self, files: Vec<LogFile>) -> Result<NetChanges> {
        let mut changes = NetChanges::default();
        let mut pieces = read_files(self.log, files, Structs::PassedOver)?;
        while let Some(piece) = pieces.next().await? {
            changes.apply(piece.version, &piece.actions);
        }
        Ok(changes)
    }

    async fn compare_commit(&self, version: i64, theirs: &CommitDigest, found: &mut VerifiedVersion) -> Result<()> {
        if let Some(ours) = catalog_digest(self.database, self.table, version).await?
            && !ours.is_same(theirs)
        {
            let name = deltalakedb_core::log::commit_file_name(version);
            found.problems.push(Problem::of(&name, format!("the log has {theirs}; the catalog has {ours}")));
        }
        Ok(())
    }

    fn compare_rules(&self, catalog: &Snapshot, found: &mut VerifiedVersion) {
        let Some(state) = &self.state else { return };
        let mut counts = Counts::default();
        rule_differences(catalog, state, self.now_ms).iter().for_each(|difference| counts.count(difference));
        found.problems.extend(Problem::of_counts(None, &counts));
    }

    /// By their sums; where they differ, how many.
    async fn compare_files(
        &mut self,
        catalog: &CatalogVersion,
        at: Option<&Snapshot>,
        found: &mut VerifiedVersion,
    ) -> Result<()> {
        let version = catalog.version;
        let Some(state) = &self.state else {
            self.was_equal = false;
            return Ok(());
        };
        if state.files() == catalog.files {
            self.was_equal = true;
            return Ok(());
        }
        let is_first = version == *self.versions.start();
        let follows_checkpoint = self.commits.is_none();
        // Only where it begins: later versions mostly differ by the same files.
        if self.was_equal || is_first || follows_checkpoint {
            let own;
            let at = match at {
                Some(at) => at,
                None => {
                    own = self.snapshot(version).await?;
                    &own
                }
            };
            let mut counts = Counts::default();
            let plan = self.listing.plan_at(version)?;
            let mut count = |difference| {
                counts.count(&difference);
                Ok(())
            };
            if let Err(error) = compare_state(self.database, at, self.log, plan, self.now_ms, &mut count).await {
                self.was_equal = false;
                found.problems.push(unreadable(error)?);
                return Ok(());
            }
            if counts.files() == 0 && (is_first || follows_checkpoint) {
                // The checkpoint left out what it may: from here on it is as if it had not.
                return self.take_over(at).await;
            }
            let counts = Counts { protocol: 0, metadata: 0, transactions: 0, domains: 0, ..counts };
            let told = Problem::of_counts(None, &counts);
            found.problems.push(told.unwrap_or_else(|| Problem::of_log("the files differ from the commits")));
        } else {
            let text =
                format!("the log has {} files, the catalog {}", state.files().file_count, catalog.files.file_count);
            found.problems.push(Problem::of_log(format!("the files still differ: {text}")));
        }
        self.was_equal = false;
        Ok(())
    }

    /// Goes on from the catalog's files, which mean the same as the log's.
    async fn take_over(&mut self, at: &Snapshot) -> Result<()> {
        let Some(state) = &mut self.state else { return Ok(()) };
        state.forget_files();
        let mut cursor = Some(FileCursor::start(at));
        while let Some(from) = cursor {
            let page = files(self.database, at, from, PAGE).await?;
            let actions: Vec<Action> = page.files.into_iter().map(Action::Add).collect();
            state.apply(at.version, &actions, Source::Checkpoint);
            cursor = page.next;
        }
        self.was_equal = true;
        Ok(())
    }

    /// Whether readers see the version by one of them, so that it has been compared.
    async fn compare_checkpoints(
        &mut self,
        catalog: &CatalogVersion,
        at: &Snapshot,
        is_base: bool,
        found: &mut VerifiedVersion,
    ) -> Result<bool> {
        let mut is_seen_by_one = false;
        for (index, checkpoint) in self.listing.checkpoints_of(catalog.version).enumerate() {
            found.checkpoints += 1;
            if is_base && index == 0 {
                continue; // the first version was read from it
            }
            let name = &checkpoint.files[0].name;
            let compared =
                compare_checkpoint(self.database, at, &catalog.files, self.log, checkpoint, self.now_ms).await;
            let state = match compared {
                Ok((counts, problems, state)) => {
                    found.problems.extend(Problem::of_counts(Some(name), &counts));
                    found.problems.extend(problems);
                    Some((counts.is_equal(), state))
                }
                Err(error) => {
                    found.problems.push(unreadable(error.path(name))?);
                    None
                }
            };
            if index == 0 {
                is_seen_by_one = true;
                self.go_on_from(state, catalog, at).await?;
            }
        }
        Ok(is_seen_by_one)
    }

    /// Readers of later versions begin with the checkpoint. Where both are equal to the catalog, the state that came by
    /// commits is the one that has all.
    async fn go_on_from(
        &mut self,
        checkpoint: Option<(bool, LogState)>,
        catalog: &CatalogVersion,
        at: &Snapshot,
    ) -> Result<()> {
        let Some((is_equal, state)) = checkpoint else {
            (self.state, self.was_equal) = (None, false);
            return Ok(());
        };
        self.was_equal = is_equal;
        let has_all = |state: &LogState| state.files() == catalog.files;
        if !is_equal || !self.state.as_ref().is_some_and(has_all) {
            let lacks_some = is_equal && !has_all(&state);
            self.state = Some(state);
            if lacks_some {
                self.take_over(at).await?;
            }
        }
        Ok(())
    }
}

fn is_rule(action: &Action) -> bool {
    matches!(action, Action::Protocol(_) | Action::Metadata(_) | Action::Txn(_) | Action::DomainMetadata(_))
}

/// What is damaged or missing in the log is a finding; that the store does not answer is not.
fn unreadable(error: Error) -> Result<Problem> {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::NotFound => {
            let path = error.to_json()["path"].as_str().map(str::to_owned);
            Ok(path.map_or_else(|| Problem::of_log(error.to_string()), |path| Problem::unreadable(&path, &error)))
        }
        _ => Err(error),
    }
}
