//! One job of the benchmarks: as JSON from standard input, its result into a file (see `bench/child.py`).

mod read;
mod recorder;
mod table;
mod write;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;

use recorder::{Recorder, Row};
use serde::{Deserialize, Serialize};

// As in `dl`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever goes wrong: the benchmark tells it and goes on without.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What to do.
#[derive(Debug, Deserialize)]
struct Job {
    #[serde(rename = "do")]
    what: String,
    /// Where the result goes.
    result: PathBuf,
    spec: Option<Spec>,
    folder: Option<PathBuf>,
    #[serde(default)]
    variant: String,
    #[serde(default)]
    count: usize,
    /// Appends to a large table.
    #[serde(default)]
    commits: usize,
}

/// What is known of a table to read (see `bench/adapters/__init__.py`).
#[derive(Clone, Debug, Deserialize)]
struct Spec {
    table: PathBuf,
    files: i64,
    commits: i64,
    day: String,
    day_files: i64,
    low: i64,
    high: i64,
    range_files: i64,
    version: i64,
    version_files: i64,
}

impl Spec {
    fn catalog(&self) -> PathBuf {
        let mut name = self.table.clone().into_os_string();
        name.push(".db");
        name.into()
    }
}

/// What came of it; each job fills what it has.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    versions: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Row>,
    done: Vec<f64>,
    lost: Vec<f64>,
    errors: BTreeMap<String, usize>,
    cpu: f64,
    rss_mb: u64,
    total: i64,
    expect: i64,
}

fn main() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut outcome = runtime.block_on(run(&job))?;
    outcome.versions.insert("deltalakedb", env!("CARGO_PKG_VERSION"));
    std::fs::write(&job.result, serde_json::to_vec(&outcome)?)?;
    Ok(())
}

async fn run(job: &Job) -> Result<Outcome> {
    let spec = || job.spec.as_ref().ok_or("the job lacks its table");
    let folder = || job.folder.as_deref().ok_or("the job lacks its folder");
    let mut recorder = Recorder::default();
    match job.what.as_str() {
        "read" => read::read(spec()?, &mut recorder).await?,
        "travel" => read::travel(spec()?, &mut recorder).await?,
        "grow" => write::grow(spec()?, job.commits, &mut recorder).await?,
        "create" => table::create(folder()?, 1).await?,
        "total" => {
            let total = table::total(folder()?, 1).await?;
            return Ok(Outcome { total, ..Outcome::default() });
        }
        "append" => return write::append(folder()?, &job.variant, job.count).await,
        "multi" => return write::multi(folder()?, job.count).await,
        "writers" => return write::writers(folder()?, &job.variant).await,
        other => return Err(format!("no {other} in this peer").into()),
    }
    Ok(Outcome { rows: recorder.rows, ..Outcome::default() })
}
