//! A log in an object store.

use std::sync::Arc;

use bytes::Bytes;
use deltalakedb_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::client::Client;
use super::location::check_name;
use super::retry::{pause, retried};
use super::upload::{self, TEMPORARY_PREFIX, TEMPORARY_SUFFIX};
use super::{Fetched, Put, fetch};
use crate::process::own_process;

/// Larger objects are put and read in parts, so that memory does not grow with them.
const WHOLE_BYTES: u64 = 8 << 20;
const PIECES_AT_ONCE: usize = 3;
/// How often a put is tried that conflicts with one that is under way.
const CONFLICTS: u32 = 6;

/// A folder of a bucket.
#[derive(Clone)]
pub(super) struct Objects {
    pub(super) client: Arc<Client>,
    pub(super) prefix: Path,
}

impl Objects {
    pub(super) fn child(&self, name: &str) -> Self {
        Objects { client: self.client.clone(), prefix: self.prefix.clone().join(name) }
    }

    /// The folder that holds this one.
    pub(super) fn parent(&self) -> Self {
        let parts: Vec<_> = self.prefix.parts().collect();
        let parent = parts.iter().take(parts.len().saturating_sub(1)).cloned();
        Objects { client: self.client.clone(), prefix: Path::from_iter(parent) }
    }

    pub(super) fn path(&self, name: &str) -> Result<Path> {
        check_name(name)?;
        let name = Path::parse(name).map_err(|error| Error::corrupt(format!("`{name}` names no object: {error}")))?;
        Ok(Path::from_iter(self.prefix.parts().chain(name.parts())))
    }

    /// Names, sizes and times of what is directly in the folder.
    pub(super) async fn list(&self) -> Result<Vec<(String, u64, i64)>> {
        let store = &self.client.store;
        let listed = retried(|| store.list_with_delimiter(Some(&self.prefix))).await;
        let objects = listed.map_err(|error| self.client.explain(&error))?.objects;
        let entries = objects.into_iter().filter_map(|object| {
            let modified_ms = object.last_modified.timestamp_millis();
            Some((object.location.filename()?.to_owned(), object.size, modified_ms))
        });
        Ok(entries.collect())
    }

    pub(super) async fn fetch(&self, name: &str) -> Result<Fetched> {
        let path = self.path(name)?;
        let first = retried(|| async {
            let got = self.client.store.get(&path).await?;
            let object = got.meta.clone();
            let content = if object.size <= WHOLE_BYTES { Some(got.bytes().await?) } else { None };
            Ok((object, content))
        });
        match first.await.map_err(|error| self.client.explain(&error))? {
            (_, Some(bytes)) => Ok(Fetched::Bytes(bytes)),
            (object, None) => self.download(&path, &object).await,
        }
    }

    /// By pieces, as one request for a large object would end by its timeout.
    async fn download(&self, path: &Path, object: &ObjectMeta) -> Result<Fetched> {
        let begins = (0..object.size).step_by(WHOLE_BYTES as usize);
        let pieces = begins.map(|begin| {
            let options = GetOptions {
                range: Some((begin..object.size.min(begin + WHOLE_BYTES)).into()),
                if_match: object.e_tag.clone(),
                ..GetOptions::default()
            };
            async move {
                let get = || async { self.client.store.get_opts(path, options.clone()).await?.bytes().await };
                retried(get).await.map_err(|error| self.client.explain(&error))
            }
        });
        fetch::into_file(futures::stream::iter(pieces).buffered(PIECES_AT_ONCE)).await
    }

    /// Whether an object is there: else an error.
    pub(super) async fn look_at(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        let head = retried(|| self.client.store.head(&path)).await;
        head.map(drop).map_err(|error| self.client.explain(&error))
    }

    pub(super) async fn tail(&self, name: &str, size: u64, bytes: u64) -> Result<Vec<u8>> {
        let path = self.path(name)?;
        if size.min(bytes) == 0 {
            // Which stores refuse to read.
            return Ok(Vec::new());
        }
        let tail = retried(|| self.client.store.get_range(&path, size.saturating_sub(bytes)..size)).await;
        tail.map(|tail| tail.to_vec()).map_err(|error| self.client.explain(&error))
    }

    pub(super) async fn put_if_absent(&self, name: &str, content: Fetched) -> Result<Put> {
        let path = self.path(name)?;
        self.prove_put().await?;
        if content.size()? > WHOLE_BYTES
            && let Some(uploads) = &self.client.uploads
        {
            return upload::put_if_absent(self, uploads.as_ref(), &path, content).await;
        }
        self.create(&path, content.into_bytes().await?).await
    }

    /// Writes a small object in one request.
    pub(super) async fn create(&self, path: &Path, bytes: Bytes) -> Result<Put> {
        for tries in 1..=CONFLICTS {
            if self.try_create(path, &bytes).await? == Put::Written {
                return Ok(Put::Written);
            }
            // S3 also answers so while another put of that name is under way, which may yet come to nothing.
            if self.size_of(path).await?.is_some() {
                return Ok(Put::AlreadyThere);
            }
            pause(tries).await;
        }
        Err(Error::new(ErrorKind::Unavailable, "another writer is putting an object of that name, and does not end")
            .hint("try again later"))
    }

    async fn try_create(&self, path: &Path, bytes: &Bytes) -> Result<Put> {
        use object_store::Error as Store;
        let create = || {
            let options = PutOptions { mode: PutMode::Create, ..Default::default() };
            self.client.store.put_opts(path, PutPayload::from(bytes.clone()), options)
        };
        let _sending = self.client.under_way.send(bytes.len() as u64);
        match retried(create).await {
            Ok(_) => Ok(Put::Written),
            Err(Store::AlreadyExists { .. } | Store::Precondition { .. }) => Ok(Put::AlreadyThere),
            Err(error) => {
                let explained = self.client.explain(&error);
                // A store that has the object may say so before it has read the request, and end the connection: its answer
                // can be lost again and again.
                let may_be_there = explained.kind() == ErrorKind::Unavailable;
                if may_be_there && self.client.store.head(path).await.is_ok() {
                    return Ok(Put::AlreadyThere);
                }
                Err(explained)
            }
        }
    }

    /// Writes a small object, in the place of one of that name.
    pub(super) async fn put(&self, name: &str, content: Fetched) -> Result<()> {
        self.write(&self.path(name)?, content.into_bytes().await?).await
    }

    pub(super) async fn write(&self, path: &Path, bytes: Bytes) -> Result<()> {
        let _sending = self.client.under_way.send(bytes.len() as u64);
        let put = retried(|| self.client.store.put(path, bytes.clone().into())).await;
        put.map(drop).map_err(|error| self.client.explain(&error))
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        self.delete_path(&self.path(name)?).await
    }

    pub(super) async fn delete_path(&self, path: &Path) -> Result<()> {
        let _sending = self.client.under_way.send(0);
        match retried(|| self.client.store.delete(path)).await {
            Ok(()) => Ok(()),
            Err(error) => match self.client.explain(&error) {
                // Gone: but not when the whole bucket is.
                _ if matches!(error, object_store::Error::NotFound { .. }) && !is_no_bucket(&error) => Ok(()),
                explained => Err(explained),
            },
        }
    }

    /// An object's size in bytes, if it is there.
    pub(super) async fn size_of(&self, path: &Path) -> Result<Option<u64>> {
        let _sending = self.client.under_way.send(0);
        match retried(|| self.client.store.head(path)).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.client.explain(&error)),
        }
    }

    /// A new name for an object that is no part of the log; it tells which process it is of.
    pub(super) fn temporary_path(&self) -> Path {
        self.prefix.clone().join(format!(
            "{TEMPORARY_PREFIX}{}.{}{TEMPORARY_SUFFIX}",
            own_process(),
            uuid::Uuid::new_v4()
        ))
    }

    /// Has the store show once that it keeps an object which is there: some that speak S3's protocol pass over the
    /// condition and overwrite.
    async fn prove_put(&self) -> Result<()> {
        let Some(proofs) = &self.client.proofs else { return Ok(()) };
        let prove = || async {
            let path = self.temporary_path();
            self.try_create(&path, &Bytes::new()).await?;
            let second = self.try_create(&path, &Bytes::new()).await?;
            // Where this fails, a later sweep does it.
            let _ = self.delete_path(&path).await;
            if second == Put::Written { Err(overwrites()) } else { Ok(()) }
        };
        proofs.put.get_or_try_init(prove).await.map(drop)
    }
}

/// A store that does not do what mirrors rest on.
pub(super) fn overwrites() -> Error {
    Error::new(ErrorKind::Unsupported, "the store overwrites objects that it was told to keep (If-None-Match: *)")
        .hint("use a store, or a newer release of this one, that has conditional writes; nothing was written")
}

fn is_no_bucket(error: &object_store::Error) -> bool {
    let text = error.to_string();
    text.contains("NoSuchBucket") || text.contains("ContainerNotFound") || text.contains("bucket does not exist")
}
