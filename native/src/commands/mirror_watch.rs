//! `dl mirror --watch`.

use std::sync::Arc;
use std::time::Duration;

use deltalakedb_core::catalog::find_table;
use deltalakedb_core::mirror::{Target, add_target};
use deltalakedb_core::{Error, ErrorKind, Result};
use tokio::sync::watch;
use tracing::info;

use super::{now_ms, selector};
use crate::cli;
use crate::database::{SqliteDatabase, open_catalog};
use crate::mirror::watch::{Shared, WatchOptions, Watcher, serve, start_log};
use crate::output::Output;
use crate::store::parse_target;

pub(super) async fn run(args: cli::Mirror, output: &Output) -> Result<()> {
    let stop = told_to_end()?;
    let database = open_catalog(&args.database.database).await?;
    let stores = args.store.stores()?;
    let tables = tables(&database, &args).await?;
    add_targets(&database, tables.as_deref(), &args.target).await?;
    start_log(output.format);
    let shared = Arc::new(Shared::default());
    if let Some(listen) = args.watching.listen {
        let address = serve(listen, database.clone(), shared.clone()).await?;
        info!(%address, "answers /healthz, /readyz and /metrics");
    }
    let options = WatchOptions {
        tables,
        poll: Duration::from_millis(args.watching.poll_ms),
        check: Duration::from_secs(args.watching.check_seconds),
        concurrency: usize::from(args.watching.concurrency),
    };
    // On one of the runtime's own threads its clock wakes it for less than on this one.
    let watching = tokio::spawn(Watcher::new(database, options, stores, shared).run(stop));
    watching.await.map_err(|error| Error::new(ErrorKind::Internal, format!("the daemon broke down: {error}")))?
}

/// The selected tables; `None`: all of them.
async fn tables(database: &SqliteDatabase, args: &cli::Mirror) -> Result<Option<Vec<i64>>> {
    if args.table.is_empty() {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for name in &args.table {
        keys.push(find_table(database, &selector(Some(name))).await?.key);
    }
    Ok(Some(keys))
}

async fn add_targets(database: &SqliteDatabase, tables: Option<&[i64]>, targets: &[String]) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    let table = match tables {
        Some([table]) => *table,
        Some(_) => {
            return Err(Error::invalid("--target: several tables cannot be mirrored to one folder").hint(ONE_TABLE));
        }
        None => find_table(database, &selector(None)).await.map_err(|error| error.hint(ONE_TABLE))?.key,
    };
    for target in targets {
        add_target(database, &Target { table, url: parse_target(target)? }, now_ms()).await?;
    }
    Ok(())
}

const ONE_TABLE: &str = "name one table with --table; `dl targets add` gives each table targets of its own";

/// Says `true` at the first signal; a second one ends the process at once.
fn told_to_end() -> Result<watch::Receiver<bool>> {
    let (tell, told) = watch::channel(false);
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        let _ = tell.send(true);
        signals.next().await;
        std::process::exit(1);
    });
    Ok(told)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| Error::invalid(format!("listening to signals: {error}")));
        Ok(Signals { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
