//! This process among those that mirror the same catalog.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use deltalakedb_core::Result;
use deltalakedb_core::mirror::{Beat, Target, TargetReport, Wanted, balance, beat, give_up, register_daemon};
use deltalakedb_core::sql::Database;

use crate::process::{is_gone, own_process};

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
    others: HashMap<i64, Other>,
    balanced: Option<Instant>,
    newest_table: Option<i64>,
}

/// Another daemon.
struct Other {
    beats: i64,
    /// Since when they stand still.
    since: Instant,
    /// It was a process of this machine, and there is no such process any more.
    is_gone: bool,
}

/// What this process wants of others.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Key of the tables whose targets it takes; `None`: of all.
    pub(super) tables: Option<Vec<i64>>,
    /// To give these up, if another one lives.
    pub(super) give_up: Vec<Target>,
    /// As in [`Wanted`].
    pub(super) left_to_others: Vec<Target>,
    pub(super) not_from_others: Vec<Target>,
    pub(super) trials: u32,
}

/// What has changed by a beat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The id under which others know this process.
    pub(super) daemon_id: i64,
    /// It was taken for dead and has begun anew.
    pub(super) was_buried: bool,
    /// Daemons that were taken for dead.
    pub(super) buried: usize,
    /// Which targets it holds may be others now.
    pub(super) is_balanced: bool,
    /// Targets that it has given up.
    pub(super) given_up: Vec<Target>,
    /// Targets that it has taken from others for a trial.
    pub(super) tried: Vec<Target>,
    /// There is somebody to bury at once.
    pub(super) is_urgent: bool,
}

impl Lease {
    /// Shows that this process lives, takes the targets that are its, and gives up those that it wishes to.
    ///
    /// # Errors
    /// Those of the database; then nothing is known to have changed.
    pub(super) async fn beat(
        &mut self,
        database: &impl Database,
        name: &str,
        wishes: &Wishes,
        reports: &[TargetReport],
        now_ms: i64,
    ) -> Result<Changed> {
        let mut changed = Changed::default();
        let daemon_id = match self.daemon_id {
            Some(daemon_id) => daemon_id,
            None => *self.daemon_id.insert(register_daemon(database, name, &own_process()).await?),
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
            changed.tried = balance(database, daemon_id, wishes.wanted(), now_ms).await?;
            self.balanced = Some(Instant::now());
            changed.is_balanced = true;
        }
        if !wishes.give_up.is_empty() && self.has_living_other() {
            changed.given_up = give_up(database, daemon_id, &wishes.give_up).await?;
            changed.is_balanced |= !changed.given_up.is_empty();
        }
        changed.is_urgent = self.others.values().any(|other| other.is_gone);
        Ok(changed)
    }

    /// Whether there are other daemons or other tables than before.
    fn note(&mut self, daemon_id: i64, found: &Beat) -> bool {
        let now = Instant::now();
        let earlier = std::mem::take(&mut self.others);
        let mut is_new = earlier.keys().any(|id| !found.daemons.iter().any(|daemon| daemon.id == *id));
        for daemon in found.daemons.iter().filter(|daemon| daemon.id != daemon_id) {
            let before = earlier.get(&daemon.id).filter(|before| before.beats == daemon.beats);
            let since = before.map_or(now, |before| before.since);
            is_new |= !earlier.contains_key(&daemon.id);
            self.others.insert(daemon.id, Other { beats: daemon.beats, since, is_gone: is_gone(&daemon.process) });
        }
        is_new |= self.newest_table != found.newest_table;
        self.newest_table = found.newest_table;
        is_new
    }

    fn has_living_other(&self) -> bool {
        self.others.values().any(|other| !other.is_dead())
    }

    fn dead(&self) -> Vec<(i64, i64)> {
        let dead = self.others.iter().filter(|(_, other)| other.is_dead());
        dead.map(|(&id, other)| (id, other.beats)).collect()
    }
}

impl Other {
    fn is_dead(&self) -> bool {
        self.is_gone || self.since.elapsed() >= DEAD
    }
}

impl Wishes {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            tables: self.tables.as_deref(),
            left_to_others: &self.left_to_others,
            not_from_others: &self.not_from_others,
            trials: self.trials,
        }
    }
}

/// The name of this process among daemons.
pub(super) fn own_name() -> String {
    format!("{}:{}", gethostname::gethostname().to_string_lossy(), std::process::id())
}
