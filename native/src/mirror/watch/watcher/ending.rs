//! The end of the loop.

use std::time::{Duration, Instant};

use deltalakedb_core::Result;
use deltalakedb_core::mirror::leave;
use tracing::info;

use super::super::metrics::Labels;
use super::{Lane, Owner, Watcher};
use crate::commands::now_ms;

/// Between two looks at whether anything moves.
const MOVES: Duration = Duration::from_millis(100);
/// How long others may write to the catalog before they hear of the end.
const LEAVING: Duration = Duration::from_secs(1);

impl Watcher {
    /// Passes end their current object, if it moves; a checkpoint that is under way is left to the next daemon.
    pub(super) async fn end(mut self) -> Result<()> {
        info!("ending");
        self.stores.under_way().close();
        self.owners.values().filter(|owner| owner.lane == Lane::Upkeep).for_each(|owner| owner.task.abort());
        while Instant::now() < self.stores.under_way().worth_waiting_until(Instant::now()) {
            match tokio::time::timeout(MOVES, self.tasks.join_next_with_id()).await {
                Ok(Some(done)) => self.done(done).await,
                Ok(None) => break,
                Err(_) => {}
            }
        }
        self.tasks.abort_all();
        for Owner { target, .. } in self.owners.values().filter(|owner| owner.lane == Lane::Publication) {
            let Labels { table, target } = self.labels(target);
            info!(table, target, "publishing does not move on, and is left to the next daemon");
        }
        if let Some(daemon_id) = self.daemon_id {
            let reports = self.reports();
            match tokio::time::timeout(LEAVING, leave(&self.database, daemon_id, &reports, now_ms())).await {
                Ok(left) => left?,
                Err(_) => info!("the catalog does not answer; other daemons will take over as from one that died"),
            }
        }
        info!("ended");
        Ok(())
    }
}
