//! One turn of publishing to one target.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalakedb_core::Result;
use deltalakedb_core::mirror::Target;
use deltalakedb_core::sql::Database;

use super::super::{Published, Publisher};
use super::metrics::{Labels, Shared};
use crate::commands::now_ms;
use crate::store::{LogStore, Stores};

/// Then others have their turn.
const TURN: Duration = Duration::from_millis(500);

/// What became of a turn.
pub(super) struct Pass {
    /// None when it failed: the next one opens the log anew, and makes its folder where that was deleted.
    pub(super) publisher: Option<Publisher>,
    pub(super) outcome: Result<Published>,
}

/// Publishes until nothing is missing, the turn is over or the process is to end.
pub(super) async fn pass(
    database: impl Database,
    target: Target,
    labels: Labels,
    publisher: Option<Publisher>,
    stores: Arc<Stores>,
    shared: Arc<Shared>,
) -> Pass {
    let opened = match publisher {
        Some(publisher) => Ok(publisher),
        None => LogStore::of_table(&target.url, &stores).await.map(|log| Publisher::new(target.table, log)),
    };
    let mut publisher = match opened {
        Ok(publisher) => publisher,
        Err(error) => return Pass { publisher: None, outcome: Err(error) },
    };
    let until = Instant::now() + TURN;
    let outcome = publisher
        .publish(&database, now_ms(), |version, written| {
            shared.published(&target, &labels, version, written);
            match stores.under_way().is_closed() || Instant::now() >= until {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .await;
    Pass { publisher: outcome.is_ok().then_some(publisher), outcome }
}
