//! Clients that delete what large commits leave behind, sometimes under the hands of those that are still at work.

use std::sync::Arc;

use deltalakedb_core::ErrorKind;
use deltalakedb_core::commit::sweep_large_commits;

use crate::executor::{Start, TaskFuture};
use crate::port::Client;
use crate::world::World;

/// How long a large commit may be silent, in milliseconds; the first are too short for a living one.
const AGES_MS: [i64; 5] = [0, 30, 300, 5_000, 60_000];

pub(crate) fn start(world: &Arc<World>, name: &str) -> Start {
    let client = world.client(name);
    Box::new(move || -> TaskFuture { Box::pin(sweep_for_ever(client.clone())) })
}

async fn sweep_for_ever(client: Client) {
    loop {
        client.sleep(client.below(1_500) as u64).await;
        let age_ms = client.pick(&AGES_MS).copied().unwrap_or(0);
        sweep(&client, client.world.clock.now_ms() - age_ms).await;
    }
}

async fn sweep(client: &Client, expired_before_ms: i64) {
    match sweep_large_commits(client, expired_before_ms).await {
        Ok(swept) => client.tell(format!("swept {} commits, {} rows", swept.commit_count, swept.row_count)),
        Err(error) if error.kind() == ErrorKind::Unavailable && client.world.is_stormy() => {
            client.tell(format!("sweeping: {error}"));
        }
        Err(error) => client.world.violation(format!("{}: sweeping: {:?}: {error}", client.name, error.kind())),
    }
}

/// Sweeps all; there are no faults and no large commits under way any more.
pub(crate) async fn finish(client: Client) {
    sweep(&client, client.world.clock.now_ms() + 1).await;
}
