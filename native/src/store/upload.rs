//! Large objects: uploaded in parts under a temporary name, then copied by the store unless there is one of that name.
//!
//! No store completes an upload only if the object is absent by `object_store`'s API, but all of them copy so. The
//! temporary object holds the upload's id until the upload replaces it: so what a process leaves that is killed can be
//! found and ended, its parts too, which no listing shows.

use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::objects::{Objects, overwrites};
use super::retry::{pause, retried};
use super::{Fetched, Put};

pub(super) const TEMPORARY_PREFIX: &str = ".dl-";
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";

/// Bytes of a part, at the least; so much is in memory for each of those that are under way.
const PART_BYTES: u64 = 8 << 20;
/// S3's limit.
const MOST_PARTS: u64 = 10_000;
const PARTS_AT_ONCE: usize = 3;
/// A temporary object this old is nobody's: uploads take minutes, and clocks differ by less.
const ABANDONED_AFTER_MS: i64 = 24 * 3600 * 1000;
/// Temporary objects that hold an id are no longer than this.
const LONGEST_ID: u64 = 4096;
const COPIES: u32 = 4;

/// Writes an object that is too large for one request, unless there is one of that name.
pub(super) async fn put_if_absent(objects: &Objects, path: &Path, content: Fetched) -> Result<Put> {
    let size = content.size()?;
    if size > objects.client.largest_copy() {
        let wrong = format!("it has {size} bytes; this store can put {} if absent", objects.client.largest_copy());
        return Err(Error::new(ErrorKind::Unsupported, wrong).hint("write it in several parts"));
    }
    if objects.size_of(path).await?.is_some() {
        return Ok(Put::AlreadyThere);
    }
    prove_copy(objects).await?;
    let temporary = objects.temporary_path();
    let put = async {
        upload(objects, &temporary, content, size).await?;
        copy_if_absent(objects, &temporary, path).await
    };
    let put = put.await;
    // Where this fails, too, a later sweep does it.
    let _ = objects.delete_path(&temporary).await;
    put
}

async fn upload(objects: &Objects, temporary: &Path, content: Fetched, size: u64) -> Result<()> {
    let Some(uploads) = &objects.client.uploads else { return Ok(()) };
    let explain = |error| objects.client.explain(&error);
    // Killed before the next line this leaves an upload without parts, which stores nothing.
    let id = retried(|| uploads.create_multipart(temporary)).await.map_err(explain)?;
    let done = async {
        let named = retried(|| objects.client.store.put(temporary, id.clone().into_bytes().into())).await;
        named.map_err(explain)?;
        let parts = put_parts(objects, uploads.as_ref(), temporary, &id, content, size).await?;
        match retried(|| uploads.complete_multipart(temporary, &id, parts.clone())).await {
            Ok(_) => Ok(()),
            // It was completed before, and that answer was lost.
            Err(object_store::Error::NotFound { .. }) if objects.size_of(temporary).await? == Some(size) => Ok(()),
            Err(error) => Err(explain(error)),
        }
    };
    let done = done.await;
    if done.is_err() {
        let _ = retried(|| uploads.abort_multipart(temporary, &id)).await;
    }
    done
}

async fn put_parts(
    objects: &Objects,
    uploads: &dyn MultipartStore,
    path: &Path,
    id: &String,
    content: Fetched,
    size: u64,
) -> Result<Vec<PartId>> {
    let mut chunks =
        content.into_chunks(usize::try_from(PART_BYTES.max(size.div_ceil(MOST_PARTS))).unwrap_or(usize::MAX));
    let mut under_way = FuturesUnordered::new();
    let mut parts: Vec<(usize, PartId)> = Vec::new();
    let mut count = 0;
    loop {
        while under_way.len() < PARTS_AT_ONCE
            && let Some(chunk) = chunks.next().await?
        {
            let index = count;
            count += 1;
            under_way.push(async move {
                let part = retried(|| uploads.put_part(path, id, index, PutPayload::from(chunk.clone()))).await;
                part.map(|part| (index, part))
            });
        }
        match under_way.next().await {
            Some(part) => parts.push(part.map_err(|error| objects.client.explain(&error))?),
            None => break,
        }
    }
    parts.sort_by_key(|(index, _)| *index);
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

async fn copy_if_absent(objects: &Objects, from: &Path, to: &Path) -> Result<Put> {
    use object_store::Error as Store;
    for tries in 1..=COPIES {
        let error = match retried(|| objects.client.store.copy_if_not_exists(from, to)).await {
            Ok(()) => return Ok(Put::Written),
            Err(error) => error,
        };
        if objects.size_of(to).await?.is_some() {
            return Ok(Put::AlreadyThere);
        }
        match error {
            // Another copy was under way and came to nothing, or this one was done and its answer lost.
            Store::AlreadyExists { .. } | Store::NotFound { .. } if tries < COPIES => pause(tries).await,
            error => return Err(objects.client.explain(&error)),
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "another writer is putting an object of that name, and does not end")
        .hint("try again later"))
}

/// As for puts: the store must show once that a copy keeps what is there.
async fn prove_copy(objects: &Objects) -> Result<()> {
    let Some(proofs) = &objects.client.proofs else { return Ok(()) };
    let prove = || async {
        let path = objects.temporary_path();
        objects.create(&path, bytes::Bytes::from_static(b"copy")).await?;
        let copied = retried(|| objects.client.store.copy_if_not_exists(&path, &path)).await;
        let _ = objects.delete_path(&path).await;
        match copied {
            Ok(()) => Err(overwrites()),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(objects.client.explain(&error)),
        }
    };
    proofs.copy.get_or_try_init(prove).await.map(drop)
}

/// Ends the uploads and deletes the temporary objects of processes that died.
pub(super) async fn sweep(objects: &Objects, now_ms: i64) -> Result<()> {
    let Some(uploads) = &objects.client.uploads else { return Ok(()) };
    let newest_ms = now_ms.saturating_sub(ABANDONED_AFTER_MS);
    for (name, size, modified_ms) in objects.list().await? {
        if !name.starts_with(TEMPORARY_PREFIX) || !name.ends_with(TEMPORARY_SUFFIX) || modified_ms > newest_ms {
            continue;
        }
        let path = objects.path(&name)?;
        if (1..=LONGEST_ID).contains(&size)
            && let Ok(content) = objects.fetch(&name).await
            && let Ok(id) = String::from_utf8(content.into_bytes().await?.to_vec())
        {
            // It may have been ended already, or be no id.
            let _ = uploads.abort_multipart(&path, &id).await;
        }
        objects.delete_path(&path).await?;
    }
    Ok(())
}
