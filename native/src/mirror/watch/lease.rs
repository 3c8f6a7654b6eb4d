//! This process among those that mirror the same catalog.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use deltalakedb_core::Result;
use deltalakedb_core::mirror::{Beat, TargetReport, balance, beat, register_daemon};
use deltalakedb_core::sql::Database;

/// Between two beats.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// Whose beats stand still for so long is dead.
const DEAD: Duration = Duration::from_secs(3);
/// Between two looks at who holds what.
const BALANCE: Duration = Duration::from_secs(10);

/// Which daemon this process is, and what it has seen of others.
#[derive(Default)]
pub(super) struct Lease {
    daemon_id: Option<i64>,
    /// Of each other daemon its beats, and since when they stand still.
    others: HashMap<i64, (i64, Instant)>,
    balanced: Option<Instant>,
    newest_table: Option<i64>,
}

/// What has changed by a beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The id under which others know this process.
    pub(super) daemon_id: i64,
    /// It was taken for dead and has begun anew.
    pub(super) was_buried: bool,
    /// Daemons that were taken for dead.
    pub(super) buried: usize,
    /// Which targets it holds may be others now.
    pub(super) is_balanced: bool,
}

impl Lease {
    /// Shows that this process lives, and takes the targets that are its.
    ///
    /// # Errors
    /// Those of the database; then nothing is known to have changed.
    pub(super) async fn beat(
        &mut self,
        database: &impl Database,
        name: &str,
        tables: Option<&[i64]>,
        reports: &[TargetReport],
        now_ms: i64,
    ) -> Result<Changed> {
        let mut changed = Changed::default();
        let daemon_id = match self.daemon_id {
            Some(daemon_id) => daemon_id,
            None => *self.daemon_id.insert(register_daemon(database, name).await?),
        };
        changed.daemon_id = daemon_id;
        let dead = self.dead();
        let found = beat(database, daemon_id, &dead, reports, now_ms).await?;
        changed.buried = dead.len();
        if !found.is_registered {
            *self = Lease::default();
            changed.was_buried = true;
            return Ok(changed);
        }
        let is_due = self.balanced.is_none_or(|at| at.elapsed() >= BALANCE);
        if self.note(daemon_id, &found) || is_due || !dead.is_empty() {
            balance(database, daemon_id, tables, now_ms).await?;
            self.balanced = Some(Instant::now());
            changed.is_balanced = true;
        }
        Ok(changed)
    }

    /// Whether there are other daemons or other tables than before.
    fn note(&mut self, daemon_id: i64, found: &Beat) -> bool {
        let now = Instant::now();
        let earlier = std::mem::take(&mut self.others);
        let mut is_new = earlier.keys().any(|id| !found.daemons.iter().any(|(there, _)| there == id));
        for &(id, beats) in found.daemons.iter().filter(|(id, _)| *id != daemon_id) {
            let since = earlier.get(&id).filter(|(before, _)| *before == beats).map_or(now, |(_, since)| *since);
            is_new |= !earlier.contains_key(&id);
            self.others.insert(id, (beats, since));
        }
        is_new |= self.newest_table != found.newest_table;
        self.newest_table = found.newest_table;
        is_new
    }

    fn dead(&self) -> Vec<(i64, i64)> {
        let still = self.others.iter().filter(|(_, (_, since))| since.elapsed() >= DEAD);
        still.map(|(&id, &(beats, _))| (id, beats)).collect()
    }
}
