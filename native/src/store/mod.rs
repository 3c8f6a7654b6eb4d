//! Where logs are: local folders and object stores.

mod fetch;
mod local;
mod location;

pub(crate) use fetch::Fetched;
pub(crate) use location::parse_table_location;

use std::path::PathBuf;
use std::sync::Arc;

use deltalakedb_core::{Error, ErrorKind, Result};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutOptions, PutPayload, WriteMultipart};
use url::Url;

use location::{parse_location, redacted, shown, without_secrets};

/// A folder of objects: a `_delta_log`.
#[derive(Clone)]
pub struct LogStore {
    /// Without credentials.
    url: Url,
    place: Place,
}

#[derive(Clone)]
enum Place {
    /// On this machine: written with fsync and the catalog's times, which `object_store` does not do.
    Folder(PathBuf),
    Store(Arc<dyn ObjectStore>, Path),
}

/// What became of a put-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Written,
    AlreadyThere,
}

/// Bytes of one part of an upload.
const PART_BYTES: usize = 8 << 20;

impl LogStore {
    /// The log at `prefix` of a store that the caller has; `url` is its address, for messages.
    pub fn in_store(url: Url, store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        LogStore { url, place: Place::Store(store, prefix) }
    }

    /// The log that `--log-dir` names: `_delta_log` itself, or the table's folder that holds it.
    pub(crate) async fn of_log(argument: &str) -> Result<Self> {
        let named = Self::open("--log-dir", argument)?;
        if named.url.path().ends_with("/_delta_log") {
            return Ok(named);
        }
        let inner = named.child("_delta_log")?;
        let is_there = match &inner.place {
            Place::Folder(folder) => folder.is_dir(),
            Place::Store(..) => {
                let listed = inner.list().await;
                !listed.map_err(|error| error.context(format!("importing {}", named.url)))?.is_empty()
            }
        };
        Ok(if is_there { inner } else { named })
    }

    /// The log in the table's folder `argument`, or the log that it names; a local folder is made when it is not there.
    pub(crate) fn of_table(argument: &str) -> Result<Self> {
        let named = Self::open("--target", argument)?;
        let log = if named.url.path().ends_with("/_delta_log") { named } else { named.child("_delta_log")? };
        if let Place::Folder(folder) = &log.place {
            std::fs::create_dir_all(folder).map_err(|error| local::io_error("making", folder, &error))?;
        }
        Ok(log)
    }

    /// The log in the table's folder `argument`, or the log that it names; nothing is made.
    pub(crate) fn of_target(argument: &str) -> Result<Self> {
        let named = Self::open("--target", argument)?;
        if named.url.path().ends_with("/_delta_log") { Ok(named) } else { named.child("_delta_log") }
    }

    /// The log of another folder in the folder that holds this log.
    pub(crate) fn beside(&self, folder: &str) -> Result<Self> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().pop();
        }
        let place = match &self.place {
            Place::Folder(log) => Place::Folder(log.parent().unwrap_or(log).to_owned()),
            Place::Store(store, prefix) => {
                let parts: Vec<_> = prefix.parts().collect();
                let parent = parts.iter().take(parts.len().saturating_sub(1)).cloned();
                Place::Store(store.clone(), Path::from_iter(parent))
            }
        };
        let parent = LogStore { url, place };
        folder.split('/').chain(["_delta_log"]).try_fold(parent, |inner, name| inner.child(name))
    }

    /// Makes the folder of a log on this machine.
    pub(crate) fn make(&self) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| local::io_error("making", folder, &error))
            }
            Place::Store(..) => Ok(()),
        }
    }

    fn open(what: &str, argument: &str) -> Result<Self> {
        let mut url = parse_location(what, argument)?;
        if url.scheme() == "file" {
            let folder =
                url.to_file_path().map_err(|()| Error::invalid(format!("{what}: {url} is not on this machine")))?;
            return Ok(LogStore { url, place: Place::Folder(folder) });
        }
        if ObjectStoreScheme::parse(&url).is_err() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{what}: no store is known for {}", shown(argument)),
            )
            .hint("use a folder, file://, s3://, gs://, az://, abfss:// or https://"));
        }
        let (store, prefix) = object_store::parse_url_opts(&url, store_variables())
            .map_err(|error| store_error(error).context(format!("{what} {}", shown(argument))))?;
        without_secrets(&mut url);
        Ok(LogStore { url, place: Place::Store(store.into(), prefix) })
    }

    /// A folder in this one.
    pub(crate) fn child(&self, name: &str) -> Result<Self> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Error::invalid(format!("{} cannot hold a log", self.url)))?
            .pop_if_empty()
            .push(name);
        let place = match &self.place {
            Place::Folder(folder) => Place::Folder(folder.join(name)),
            Place::Store(store, prefix) => Place::Store(store.clone(), prefix.clone().join(name)),
        };
        Ok(LogStore { url, place })
    }

    /// The log's address, for messages.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The address of the table's folder, which holds the log, without a slash at its end.
    pub(crate) fn table_location(&self) -> String {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().pop();
        }
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Names, sizes in bytes and times of modification in milliseconds of the objects directly in the log.
    pub(crate) async fn list(&self) -> Result<Vec<(String, u64, i64)>> {
        match &self.place {
            Place::Folder(folder) => local::list(folder),
            Place::Store(store, prefix) => {
                let listed = store.list_with_delimiter(Some(prefix)).await;
                let objects = listed.map_err(|error| self.failed("listing", error))?.objects;
                let entries = objects.into_iter().filter_map(|object| {
                    let modified_ms = object.last_modified.timestamp_millis();
                    Some((object.location.filename()?.to_owned(), object.size, modified_ms))
                });
                Ok(entries.collect())
            }
        }
    }

    /// Deletes temporary files that killed processes left; object stores have none.
    pub(crate) fn sweep_temporary_files(&self) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => local::sweep(folder),
            Place::Store(..) => Ok(()),
        }
    }

    /// The content of an object.
    pub(crate) async fn fetch(&self, name: &str) -> Result<Fetched> {
        match &self.place {
            Place::Folder(folder) => local::open(folder, name).map(Fetched::File),
            Place::Store(store, prefix) => {
                let doing = format!("reading {name} of");
                let result =
                    store.get(&object_path(prefix, name)?).await.map_err(|error| self.failed(&doing, error))?;
                fetch::download(result).await.map_err(|error| error.context(format!("{doing} {}", self.url)))
            }
        }
    }

    /// The last bytes of an object of `size` bytes.
    pub(crate) async fn tail(&self, name: &str, size: u64, bytes: u64) -> Result<Vec<u8>> {
        match &self.place {
            Place::Folder(folder) => local::tail(folder, name, bytes),
            Place::Store(store, prefix) => {
                let range = size.saturating_sub(bytes)..size;
                let tail = store.get_range(&object_path(prefix, name)?, range).await;
                tail.map(|tail| tail.to_vec()).map_err(|error| self.failed(&format!("reading {name} of"), error))
            }
        }
    }

    /// Writes an object unless there is one of that name. On this machine it gets `modified_ms` as its time, so
    /// that engines which travel by the time of files see the catalog's times.
    pub(crate) async fn put_if_absent(&self, name: &str, content: Fetched, modified_ms: i64) -> Result<Put> {
        match &self.place {
            Place::Folder(folder) => local::put(folder, name, content, Some(modified_ms), local::Existing::Keep),
            Place::Store(store, prefix) => {
                let options = PutOptions { mode: PutMode::Create, ..Default::default() };
                let payload = PutPayload::from(content.into_bytes()?);
                match store.put_opts(&object_path(prefix, name)?, payload, options).await {
                    Ok(_) => Ok(Put::Written),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::AlreadyThere),
                    Err(error) => Err(self.failed(&format!("writing {name} to"), error)),
                }
            }
        }
    }

    /// Writes an object, in the place of one of that name.
    pub(crate) async fn put(&self, name: &str, content: Fetched) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => local::put(folder, name, content, None, local::Existing::Replace).map(drop),
            Place::Store(store, prefix) => {
                let failed = |error| self.failed(&format!("writing {name} to"), error);
                let mut chunks = content.into_chunks(PART_BYTES);
                let first = chunks.next()?.unwrap_or_default();
                if first.len() < PART_BYTES {
                    let put = store.put(&object_path(prefix, name)?, first.into()).await;
                    return put.map(drop).map_err(failed);
                }
                let upload = store.put_multipart(&object_path(prefix, name)?).await.map_err(failed)?;
                let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
                upload.put(first);
                while let Some(chunk) = chunks.next()? {
                    upload.wait_for_capacity(4).await.map_err(failed)?;
                    upload.put(chunk);
                }
                upload.finish().await.map(drop).map_err(failed)
            }
        }
    }

    /// Deletes an object; one that is not there is no error.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => local::delete(folder, name),
            Place::Store(store, prefix) => match store.delete(&object_path(prefix, name)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.failed(&format!("deleting {name} of"), error)),
            },
        }
    }

    fn failed(&self, doing: &str, error: object_store::Error) -> Error {
        store_error(error).context(format!("{doing} {}", self.url))
    }
}

fn object_path(prefix: &Path, name: &str) -> Result<Path> {
    let name = Path::parse(name).map_err(|error| Error::corrupt(format!("`{name}` names no object: {error}")))?;
    Ok(Path::from_iter(prefix.parts().chain(name.parts())))
}

/// The settings of stores, by their conventional names in the environment.
fn store_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix)).then_some((name, value))
    })
}

/// Reads all of a small answer.
pub(crate) async fn collect(
    stream: impl futures::Stream<Item = object_store::Result<bytes::Bytes>>,
) -> object_store::Result<Vec<u8>> {
    stream
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

const CREDENTIALS: &str = "check the credentials in the environment (such as AWS_ACCESS_KEY_ID) and their rights";

/// Whether an answer had one of these HTTP status codes.
fn has_status(error: &object_store::Error, codes: &[&str]) -> bool {
    let text = error.to_string();
    codes.iter().any(|code| text.contains(&format!("status code: {code}")))
}

fn store_error(error: object_store::Error) -> Error {
    use object_store::Error as Store;
    let (kind, hint) = match &error {
        Store::NotFound { .. } => (ErrorKind::NotFound, "check the address"),
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => (ErrorKind::Denied, CREDENTIALS),
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "use a folder, file://, s3://, gs://, az:// or https://")
        }
        Store::InvalidPath { .. } => (ErrorKind::Invalid, "check the address"),
        // What a store answers to a listing comes without a kind of its own.
        other if has_status(other, &["401", "403"]) => (ErrorKind::Denied, CREDENTIALS),
        other if has_status(other, &["404"]) => (ErrorKind::NotFound, "check the address"),
        _ => (ErrorKind::Unavailable, "check that the store can be reached, and its settings in the environment"),
    };
    Error::new(kind, redacted(&error.to_string())).hint(hint)
}
