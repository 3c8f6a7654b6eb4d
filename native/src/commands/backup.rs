//! `dl backup`, `dl restore`.

use deltalakedb_core::Result;
use serde_json::json;

use super::now_ms;
use crate::backup::{self, Extent, Manifest};
use crate::cli::{self, Format};
use crate::database::{new_database_path, open_catalog, shown};
use crate::output::{Output, bytes};
use crate::store::LogStore;

pub(super) async fn backup(args: cli::Backup, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let folder = LogStore::of_folder("--to", &args.to, &args.store.stores()?)?;
    let extent = if args.incremental { Extent::Incremental } else { Extent::Full };
    let made = backup::back_up(&database, &folder, extent, now_ms()).await;
    let made = made.map_err(|error| error.context("backing the catalog up"))?;
    print(&made, folder.url().as_str(), output)
}

pub(super) async fn restore(args: cli::Restore, output: &Output) -> Result<()> {
    let path = new_database_path(&args.database.database)?;
    let folder = LogStore::of_folder("--from", &args.from, &args.store.stores()?)?;
    let restored = backup::restore(&folder, args.backup, &path).await;
    let place = shown(&args.database.database);
    let restored = restored.map_err(|error| error.context(format!("restoring {place}")))?;
    print(&restored, &place, output)
}

/// A backup, and where it, or what was made of it, is.
fn print(manifest: &Manifest, place: &str, output: &Output) -> Result<()> {
    if output.format != Format::Table {
        return output.json(&json!({
            "backup": manifest.number,
            "kind": manifest.kind(),
            "based_on": manifest.based_on,
            "created_at_ms": manifest.created_at_ms,
            "written_to": place,
            "size_bytes": manifest.size_bytes(),
            "saved_bytes": manifest.pages.size_bytes,
            "hash": manifest.hash,
        }));
    }
    let size = |size: u64| bytes(i64::try_from(size).unwrap_or(i64::MAX));
    output.properties(&[
        ("backup", manifest.number.to_string()),
        ("kind", manifest.kind().to_owned()),
        ("catalog", size(manifest.size_bytes())),
        ("saved", size(manifest.pages.size_bytes)),
        ("written to", place.to_owned()),
    ])
}
