//! Large objects: uploaded in parts, which become the object only if there is none of that name.
//!
//! S3 and Azure complete an upload so. The others are uploaded to a temporary object, which the store then copies so. In
//! both a temporary object says which upload is under way: what a process leaves that is killed can be found and ended,
//! its parts too, which no listing shows. (Azure drops them itself: when the object is made, or after a week.)

use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutPayload};

use super::objects::{Objects, overwrites};
use super::retry::{pause, retried};
use super::{Fetched, Put};
use crate::process;

pub(super) const TEMPORARY_PREFIX: &str = ".dl-";
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";

/// Bytes of a part, at the least; so much is in memory for each of those that are under way.
const PART_BYTES: u64 = 8 << 20;
/// S3's limit.
const MOST_PARTS: u64 = 10_000;
const PARTS_AT_ONCE: usize = 3;
/// A temporary object this old is nobody's: uploads take minutes, and clocks differ by less.
const ABANDONED_AFTER_MS: i64 = 24 * 3600 * 1000;
/// Temporary objects that tell of an upload are no longer than this.
const LONGEST_NOTE: u64 = 8192;
/// How often a name is looked at that another writer seems to be putting.
const LOOKS: u32 = 6;

/// How a store keeps what is there when a large object is put.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Large {
    /// It completes an upload only if the object is absent.
    Complete,
    /// It copies an object only if there is none where the copy goes.
    Copy,
}

/// An upload in parts.
struct Upload<'a> {
    objects: &'a Objects,
    uploads: &'a dyn MultipartStore,
    target: &'a Path,
    id: String,
}

/// Writes an object that is too large for one request, unless there is one of that name.
pub(super) async fn put_if_absent(
    objects: &Objects,
    uploads: &dyn MultipartStore,
    path: &Path,
    content: Fetched,
) -> Result<Put> {
    if objects.size_of(path).await?.is_some() {
        return Ok(Put::AlreadyThere);
    }
    prove(objects, uploads).await?;
    let temporary = objects.temporary_path();
    let put = match objects.client.large {
        Large::Complete => upload(objects, uploads, path, &temporary, content).await,
        Large::Copy => match upload(objects, uploads, &temporary, &temporary, content).await {
            Ok(_) => copy_if_absent(objects, &temporary, path).await,
            Err(error) => Err(error),
        },
    };
    // Where this fails, too, a later sweep does it.
    let _ = objects.delete_path(&temporary).await;
    put
}

/// Uploads to `target`, with a note of it in `note` until it is done; that may be the same one.
async fn upload(
    objects: &Objects,
    uploads: &dyn MultipartStore,
    target: &Path,
    note: &Path,
    content: Fetched,
) -> Result<Put> {
    // Killed before there is a note this leaves an upload without parts, which stores nothing.
    let upload = Upload::begin(objects, uploads, target).await?;
    let put = async {
        objects.write(note, format!("{}\n{target}", upload.id).into()).await?;
        let size = content.size()?;
        let parts = upload.put_parts(content, size).await?;
        upload.complete(parts, if target == note { Some(size) } else { None }).await
    };
    let put = put.await;
    if !matches!(put, Ok(Put::Written)) {
        upload.abort().await;
    }
    put
}

impl<'a> Upload<'a> {
    async fn begin(objects: &'a Objects, uploads: &'a dyn MultipartStore, target: &'a Path) -> Result<Self> {
        let _sending = objects.client.under_way.send(0);
        let id = retried(|| uploads.create_multipart(target)).await;
        Ok(Upload { objects, uploads, target, id: id.map_err(|error| objects.client.explain(&error))? })
    }

    async fn put_parts(&self, content: Fetched, size: u64) -> Result<Vec<PartId>> {
        let part_bytes = PART_BYTES.max(size.div_ceil(MOST_PARTS));
        let mut chunks = content.into_chunks(usize::try_from(part_bytes).unwrap_or(usize::MAX));
        let mut under_way = FuturesUnordered::new();
        let mut parts: Vec<(usize, PartId)> = Vec::new();
        let mut count = 0;
        loop {
            while under_way.len() < PARTS_AT_ONCE
                && let Some(chunk) = chunks.next().await?
            {
                under_way.push(self.put_part(count, chunk));
                count += 1;
            }
            match under_way.next().await {
                Some(part) => parts.push(part?),
                None => break,
            }
        }
        parts.sort_by_key(|(index, _)| *index);
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }

    async fn put_part(&self, index: usize, chunk: bytes::Bytes) -> Result<(usize, PartId)> {
        let put = || self.uploads.put_part(self.target, &self.id, index, PutPayload::from(chunk.clone()));
        let _sending = self.objects.client.under_way.send(chunk.len() as u64);
        let part = retried(put).await.map_err(|error| self.objects.client.explain(&error))?;
        Ok((index, part))
    }

    /// `own_size` is the object's size where the target is this upload's alone.
    async fn complete(&self, parts: Vec<PartId>, own_size: Option<u64>) -> Result<Put> {
        let sending = self.objects.client.under_way.send(0);
        let completed = retried(|| self.uploads.complete_multipart(self.target, &self.id, parts.clone())).await;
        drop(sending);
        match completed {
            Ok(_) => Ok(Put::Written),
            // It may have been completed before, and that answer was lost.
            Err(error) if own_size.is_some() && is_gone(&error) => match self.objects.size_of(self.target).await? {
                size if size == own_size => Ok(Put::Written),
                _ => Err(ended()),
            },
            Err(error) if own_size.is_none() && is_there_perhaps(&error) => {
                look_for_other(self.objects, self.target).await
            }
            Err(error) => Err(self.objects.client.explain(&error)),
        }
    }

    async fn abort(&self) {
        let _sending = self.objects.client.under_way.send(0);
        let _ = retried(|| self.uploads.abort_multipart(self.target, &self.id)).await;
    }
}

/// Whether the store knows of no such upload; what it has of Google's completions is in the text only.
fn is_gone(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound { .. }) || error.to_string().contains("NoSuchUpload")
}

/// Whether a failure may come from an object of that name: another one's, or one's own of a try whose answer was lost.
fn is_there_perhaps(error: &StoreError) -> bool {
    matches!(error, StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotFound { .. })
        // Azure drops all parts of a name when an object of that name is made.
        || error.to_string().contains("InvalidBlockList")
}

/// S3 also refuses while another put of that name is under way, which may yet come to nothing.
async fn look_for_other(objects: &Objects, path: &Path) -> Result<Put> {
    for tries in 1..=LOOKS {
        if objects.size_of(path).await?.is_some() {
            return Ok(Put::AlreadyThere);
        }
        pause(tries).await;
    }
    Err(ended())
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the upload was ended by the store or by another writer").hint("try again")
}

async fn copy_if_absent(objects: &Objects, from: &Path, to: &Path) -> Result<Put> {
    let sending = objects.client.under_way.send(0);
    let copied = retried(|| objects.client.store.copy_if_not_exists(from, to)).await;
    drop(sending);
    match copied {
        Ok(()) => Ok(Put::Written),
        Err(error) if is_there_perhaps(&error) => look_for_other(objects, to).await,
        Err(error) => Err(objects.client.explain(&error)),
    }
}

/// As for small puts: a store must show once that it keeps what is there.
async fn prove(objects: &Objects, uploads: &dyn MultipartStore) -> Result<()> {
    let Some(proofs) = &objects.client.proofs else { return Ok(()) };
    let prove = || async {
        let path = objects.temporary_path();
        objects.create(&path, bytes::Bytes::from_static(b"kept")).await?;
        let put = match objects.client.large {
            Large::Complete => overwrite(objects, uploads, &path).await,
            Large::Copy => copy_over(objects, &path).await,
        };
        let _ = objects.delete_path(&path).await;
        if put? == Put::Written { Err(overwrites()) } else { Ok(()) }
    };
    proofs.large.get_or_try_init(prove).await.map(drop)
}

/// Tries to complete an upload where there is an object.
async fn overwrite(objects: &Objects, uploads: &dyn MultipartStore, path: &Path) -> Result<Put> {
    let upload = Upload::begin(objects, uploads, path).await?;
    let put = async {
        let (_, part) = upload.put_part(0, bytes::Bytes::from_static(b"other")).await?;
        upload.complete(vec![part], None).await
    };
    let put = put.await;
    upload.abort().await;
    put
}

/// Tries to copy another object to where there is one.
async fn copy_over(objects: &Objects, path: &Path) -> Result<Put> {
    let other = objects.temporary_path();
    objects.create(&other, bytes::Bytes::from_static(b"other")).await?;
    let put = copy_if_absent(objects, &other, path).await;
    let _ = objects.delete_path(&other).await;
    put
}

/// Ends the uploads and deletes the temporary objects of processes that died: at once where they ran beside this one, else
/// after a day.
pub(super) async fn sweep(objects: &Objects, now_ms: i64) -> Result<()> {
    let Some(uploads) = &objects.client.uploads else { return Ok(()) };
    let newest_ms = now_ms.saturating_sub(ABANDONED_AFTER_MS);
    for (name, size, modified_ms) in objects.list().await? {
        let inner = name.strip_prefix(TEMPORARY_PREFIX).and_then(|name| name.strip_suffix(TEMPORARY_SUFFIX));
        let Some((process, _)) = inner.map(|inner| inner.split_once('.').unwrap_or((inner, ""))) else { continue };
        if modified_ms > newest_ms && !process::is_gone(process) {
            continue;
        }
        if size <= LONGEST_NOTE
            && let Some((target, id)) = read_note(objects, &name).await
        {
            // It may have been ended already.
            let _ = retried(|| uploads.abort_multipart(&target, &id)).await;
        }
        objects.delete_path(&objects.path(&name)?).await?;
    }
    Ok(())
}

/// The target and the id of an upload to this log.
async fn read_note(objects: &Objects, name: &str) -> Option<(Path, String)> {
    let note = objects.fetch(name).await.ok()?.into_bytes().await.ok()?;
    let (id, target) = std::str::from_utf8(&note).ok()?.split_once('\n')?;
    let target = Path::parse(target).ok()?;
    (!id.is_empty() && target.prefix_matches(&objects.prefix)).then(|| (target, id.to_owned()))
}
