//! Health and metrics over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deltalakedb_core::mirror::target_statuses;
use deltalakedb_core::{Error, ErrorKind, Result};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::metrics::Shared;
use crate::database::SqliteDatabase;

/// A loop that was not heard of for so long hangs.
const ALIVE_MS: u64 = 10_000;
/// A catalog that did not answer for so long is gone.
const READY_MS: u64 = 30_000;

/// Connections at the same time; others wait.
const CONNECTIONS: usize = 64;
/// Until a request must be there, also the next one on a connection.
const HEADER_TIME: Duration = Duration::from_secs(2);
/// Of a connection, whatever happens on it; who asks on connects again.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
const MAX_HEADER_BYTES: usize = 16 << 10;
/// After a connection that could not be had.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Daemon {
    database: SqliteDatabase,
    shared: Arc<Shared>,
}

/// Answers `/healthz`, `/readyz` and `/metrics` at an address until the process ends; the address that it got.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) when the address is taken or not this machine's.
pub(crate) async fn serve(listen: SocketAddr, database: SqliteDatabase, shared: Arc<Shared>) -> Result<SocketAddr> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("listening on {listen}: {error}"))
            .hint("choose another --listen; port 0 takes a free one")
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(Daemon { database, shared });
    tokio::spawn(accept(listener, TowerToHyperService::new(router)));
    Ok(address)
}

/// Whoever connects gets little of this process, which has other work.
async fn accept(listener: TcpListener, service: TowerToHyperService<Router>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Of files, for example, there may be too many.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(MAX_HEADER_BYTES);
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            // Who asks badly, or goes away, need not be told of.
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(permit);
        });
    }
}

async fn health(State(daemon): State<Daemon>) -> Response {
    let (silent_ms, _) = daemon.shared.silence_ms();
    answer(silent_ms < ALIVE_MS, "ok".to_owned(), format!("the loop was last heard of {silent_ms} ms ago"))
}

async fn readiness(State(daemon): State<Daemon>) -> Response {
    let (silent_ms, unanswered_ms) = daemon.shared.silence_ms();
    let is_ready = silent_ms < ALIVE_MS && unanswered_ms < READY_MS;
    // A target's fault is no fault of this process; but nobody shall think that all is well.
    let ready = match daemon.shared.failing_count() {
        0 => "ok".to_owned(),
        count => format!("ok, but {count} targets fail: see `dl targets`"),
    };
    answer(is_ready, ready, format!("the catalog last answered {unanswered_ms} ms ago"))
}

fn answer(is_good: bool, good: String, otherwise: String) -> Response {
    match is_good {
        true => (StatusCode::OK, good + "\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, otherwise + "\n").into_response(),
    }
}

async fn metrics(State(daemon): State<Daemon>) -> Response {
    let statuses = target_statuses(&daemon.database, None).await;
    match statuses.and_then(|statuses| daemon.shared.text(statuses)) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
