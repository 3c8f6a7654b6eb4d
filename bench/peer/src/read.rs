//! Jobs that read.

use std::ops::ControlFlow;

use arrow_array::RecordBatch;
use deltalakedb_core::Error;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::predicate::Predicate;
use deltalakedb_core::segment::scan;
use deltalakedb_core::snapshot::{At, Snapshot, history, snapshot};
use deltalakedb_native::database::SqliteDatabase;
use deltalakedb_native::files::read_files;

use crate::recorder::Recorder;
use crate::{Result, Spec};

/// The only table of the catalog.
const TABLE: TableSelector = TableSelector::Only;

fn open(spec: &Spec) -> Result<SqliteDatabase> {
    Ok(SqliteDatabase::open(spec.catalog()).map_err(Error::from)?)
}

/// The files as Arrow, all kept.
async fn list(database: &SqliteDatabase, table: &Snapshot, condition: Option<&str>) -> Result<(i64, Vec<RecordBatch>)> {
    let predicate = condition.map(|text| Predicate::parse(text, table.schema()?)).transpose()?;
    let mut found = Vec::new();
    read_files(database, scan(database, table, predicate).await?, |files| {
        found.push(files);
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok((found.iter().map(|files| files.num_rows() as i64).sum(), found))
}

pub(crate) async fn read(spec: &Spec, rec: &mut Recorder) -> Result<()> {
    let (database, table) = rec
        .time("open", Some(spec.commits - 1), async || {
            let database = open(spec)?;
            let table = snapshot(&database, &TABLE, At::Latest).await?;
            Ok((table.version, (database, table)))
        })
        .await?;
    for task in ["list", "list_again"] {
        rec.time(task, Some(spec.files), async || list(&database, &table, None).await).await?;
    }
    rec.time("poll", Some(spec.commits - 1), async || Ok((snapshot(&database, &TABLE, At::Latest).await?.version, ())))
        .await?;
    let day = format!("day = '{}'", spec.day);
    let range = format!("id >= {} AND id <= {}", spec.low, spec.high);
    rec.time("prune_partition", Some(spec.day_files), async || list(&database, &table, Some(&day)).await).await?;
    rec.time("prune_stats", Some(spec.range_files), async || list(&database, &table, Some(&range)).await).await?;
    for (task, limit) in [("history_10", 10), ("history_100", 100)] {
        let expected = Some(spec.commits.min(limit));
        rec.time(task, expected, async || {
            let page = history(&database, &TABLE, None, limit as usize).await?;
            Ok((page.entries.len() as i64, ()))
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn travel(spec: &Spec, rec: &mut Recorder) -> Result<()> {
    let database = rec
        .time("open_version", Some(spec.version_files), async || {
            let database = open(spec)?;
            let table = snapshot(&database, &TABLE, At::Version(spec.version)).await?;
            let (count, _) = list(&database, &table, None).await?;
            Ok((count, database))
        })
        .await?;
    rec.time("history_100", Some(spec.commits.min(100)), async || {
        let page = history(&database, &TABLE, None, 100).await?;
        Ok((page.entries.len() as i64, ()))
    })
    .await?;
    rec.time("history", Some(spec.commits), async || {
        let page = history(&database, &TABLE, None, usize::MAX >> 1).await?;
        Ok((page.entries.len() as i64, ()))
    })
    .await
}
