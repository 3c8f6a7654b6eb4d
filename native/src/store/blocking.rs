//! Work on files, which must not hold up the runtime's threads.

use deltalakedb_core::{Error, ErrorKind, Result};

/// Does work that blocks on another thread; where there is no runtime, as in the simulator, on this one.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::new(ErrorKind::Unavailable, "the process is about to end")),
    }
}
