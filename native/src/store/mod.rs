//! Where logs are: local folders and object stores.

mod blocking;
mod client;
mod conditional;
mod failure;
mod fetch;
mod kind;
mod local;
mod location;
mod objects;
mod options;
mod retry;
mod under_way;
mod upload;

pub use client::Stores;
pub use fetch::Fetched;
pub(crate) use location::{parse_table_location, parse_target};
pub use options::StoreOptions;

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use deltalakedb_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use blocking::blocking;
use client::Client;
use local::Existing;
use location::{check_name, parse_location, without_secrets};
use objects::Objects;
use under_way::UnderWay;

/// A folder of objects: a `_delta_log`.
///
/// Objects are named by what follows the folder, such as `00000000000000000000.json` or `_sidecars/x.parquet`; a name that
/// leads out of the folder is [`Corrupt`](ErrorKind::Corrupt).
///
/// 1. An object is there whole or not at all, whatever is killed or cut off; on this machine also after a loss of power,
///    once the put is answered.
/// 2. A put-if-absent never changes an object that is there, and of many at once one writes. Stores that would overwrite
///    are refused, [`Unsupported`](ErrorKind::Unsupported), before the first object is written.
/// 3. What the store throttles, what fails in it, and what is cut off or late is tried again, in pauses that grow, for
///    some seconds; what is denied, not there or wrong is not. So nothing hangs: a request ends after 30 s (the store's
///    setting `timeout`), a call that gets no answer after some two minutes at the most, large objects aside.
/// 4. Memory does not grow with objects: those over 8 MiB go by temporary files and by parts.
/// 5. No call holds up the threads of the runtime that it runs on.
///
/// Errors of every call: [`NotFound`](ErrorKind::NotFound) for the object, folder or bucket; [`Denied`](ErrorKind::Denied)
/// for missing or wrong credentials and rights; [`Invalid`](ErrorKind::Invalid) for settings; [`Unavailable`](ErrorKind::Unavailable)
/// for what a later call may do. They say what was done to what, without secrets.
#[derive(Clone)]
pub struct LogStore {
    /// Without credentials.
    url: Url,
    place: Place,
    /// What the process puts.
    under_way: Arc<UnderWay>,
}

#[derive(Clone)]
enum Place {
    /// On this machine: written with fsync and the catalog's times, which `object_store` does not do.
    Folder(PathBuf),
    Store(Objects),
}

/// What became of a put-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object is there, and was not before.
    Written,
    /// There is one of that name. It may hold the same: the caller's own put, when its answer was lost and it was sent
    /// again, or that of another one who writes the same. Who must know compares the content.
    AlreadyThere,
}

impl LogStore {
    /// The log at `prefix` of a store that the caller has; `url` is its address, for messages.
    pub fn in_store(url: Url, store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        let place = Place::Store(Objects { client: Arc::new(Client::of(store)), prefix });
        LogStore { url, place, under_way: Arc::default() }
    }

    /// The log that `--log-dir` names: `_delta_log` itself, or the table's folder that holds it.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) or [`Unsupported`](ErrorKind::Unsupported) for the address or the store's settings.
    pub async fn of_log(argument: &str, stores: &Stores) -> Result<Self> {
        let named = Self::open("--log-dir", argument, stores)?;
        if named.url.path().ends_with("/_delta_log") {
            return Ok(named);
        }
        let inner = named.child("_delta_log")?;
        let is_there = match &inner.place {
            Place::Folder(folder) => folder.is_dir(),
            Place::Store(_) => {
                let listed = inner.list().await;
                !listed.map_err(|error| error.context(format!("importing {}", named.url)))?.is_empty()
            }
        };
        Ok(if is_there { inner } else { named })
    }

    /// The log in the table's folder `argument`, or the log that it names; a local folder is made when it is not there.
    ///
    /// # Errors
    /// As [`of_log`](Self::of_log), and those of making a folder.
    pub async fn of_table(argument: &str, stores: &Stores) -> Result<Self> {
        let named = Self::open("--target", argument, stores)?;
        let log = if named.url.path().ends_with("/_delta_log") { named } else { named.child("_delta_log")? };
        log.make().await?;
        Ok(log)
    }

    /// The log in the table's folder `argument`, or the log that it names; nothing is made.
    pub(crate) fn of_target(argument: &str, stores: &Stores) -> Result<Self> {
        let named = Self::open("--target", argument, stores)?;
        if named.url.path().ends_with("/_delta_log") { Ok(named) } else { named.child("_delta_log") }
    }

    /// A folder that the option `what` names, which need not be that of a log; nothing is made.
    pub(crate) fn of_folder(what: &str, argument: &str, stores: &Stores) -> Result<Self> {
        Self::open(what, argument, stores)
    }

    /// The log of another folder in the folder that holds this log.
    pub(crate) fn beside(&self, folder: &str) -> Result<Self> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().pop();
        }
        let place = match &self.place {
            Place::Folder(log) => Place::Folder(log.parent().unwrap_or(log).to_owned()),
            Place::Store(objects) => Place::Store(objects.parent()),
        };
        let parent = LogStore { url, place, under_way: self.under_way.clone() };
        folder.split('/').chain(["_delta_log"]).try_fold(parent, |inner, name| inner.child(name))
    }

    /// Makes the folder of a log on this machine.
    pub(crate) async fn make(&self) -> Result<()> {
        let made = |folder: &FilePath| {
            std::fs::create_dir_all(folder).map_err(|error| local::io_error("making", folder, &error))
        };
        match &self.place {
            Place::Folder(folder) => on(folder, made).await,
            Place::Store(_) => Ok(()),
        }
    }

    fn open(what: &str, argument: &str, stores: &Stores) -> Result<Self> {
        let mut url = parse_location(what, argument)?;
        let under_way = stores.under_way().clone();
        if url.scheme() == "file" {
            let folder =
                url.to_file_path().map_err(|()| Error::invalid(format!("{what}: {url} is not on this machine")))?;
            return Ok(LogStore { url, place: Place::Folder(folder), under_way });
        }
        let (client, prefix) = stores.client(what, &url)?;
        without_secrets(&mut url);
        Ok(LogStore { url, place: Place::Store(Objects { client, prefix }), under_way })
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
            Place::Store(objects) => Place::Store(objects.child(name)),
        };
        Ok(LogStore { url, place, under_way: self.under_way.clone() })
    }

    /// The log's address, for messages.
    pub fn url(&self) -> &Url {
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
    ///
    /// # Errors
    /// Those of the [type](Self). An object store's folder without objects is an empty one, one of this machine must be
    /// there.
    pub async fn list(&self) -> Result<Vec<(String, u64, i64)>> {
        match &self.place {
            Place::Folder(folder) => on(folder, local::list).await,
            Place::Store(objects) => self.telling("listing", objects.list().await),
        }
    }

    /// The same of a folder in the log, such as `_sidecars`, which may not be there.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn list_in(&self, folder: &str) -> Result<Vec<(String, u64, i64)>> {
        check_name(folder)?;
        let inner = self.child(folder)?;
        match inner.list().await {
            Err(error) if error.kind() == ErrorKind::NotFound && matches!(self.place, Place::Folder(_)) => {
                Ok(Vec::new())
            }
            listed => listed,
        }
    }

    /// Deletes temporary objects that killed processes left: in a folder those of no living process, in an object store
    /// those of processes of this machine that are gone, of others those that are older than a day at `now_ms`, and the
    /// uploads that they are of.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn sweep_temporary_files(&self, now_ms: i64) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => on(folder, local::sweep).await,
            Place::Store(objects) => self.telling("sweeping", upload::sweep(objects, now_ms).await),
        }
    }

    /// The content of an object.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn fetch(&self, name: &str) -> Result<Fetched> {
        match &self.place {
            Place::Folder(folder) => {
                let name = name.to_owned();
                on(folder, move |folder| local::open(folder, &name).map(Fetched::File)).await
            }
            Place::Store(objects) => self.telling(&format!("reading {name} of"), objects.fetch(name).await),
        }
    }

    /// Whether there is an object of this name.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn has(&self, name: &str) -> Result<bool> {
        let there = match &self.place {
            Place::Folder(folder) => {
                let name = name.to_owned();
                on(folder, move |folder| local::look_at(folder, &name)).await
            }
            Place::Store(objects) => self.telling(&format!("looking at {name} of"), objects.look_at(name).await),
        };
        match there {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            there => there.map(|()| true),
        }
    }

    /// All of an object that is small unless something is wrong, such as `_last_checkpoint`; none where there is none.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) when it has more than 32 MiB; those of the [type](Self).
    pub(crate) async fn fetch_small(&self, name: &str) -> Result<Option<bytes::Bytes>> {
        const MAX_BYTES: u64 = 32 << 20;
        let content = match self.fetch(name).await {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = content.size()?;
        if size > MAX_BYTES {
            return Err(Error::corrupt(format!("{name} has {size} bytes, too many for a file of its kind")).path(name));
        }
        content.into_bytes().await.map(Some)
    }

    /// The last bytes of an object of `size` bytes.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn tail(&self, name: &str, size: u64, bytes: u64) -> Result<Vec<u8>> {
        match &self.place {
            Place::Folder(folder) => {
                let name = name.to_owned();
                on(folder, move |folder| local::tail(folder, &name, bytes)).await
            }
            Place::Store(objects) => self.telling(&format!("reading {name} of"), objects.tail(name, size, bytes).await),
        }
    }

    /// Writes an object unless there is one of that name. On this machine it gets `modified_ms` as its time, so
    /// that engines which travel by the time of files see the catalog's times.
    ///
    /// While a large object is on its way to an object store there is a temporary one in the log, `.dl-*.tmp`, by which
    /// [`sweep_temporary_files`](Self::sweep_temporary_files) ends the upload of a process that was killed.
    ///
    /// # Errors
    /// Those of the [type](Self). After one the object may be there nevertheless, as when its answer was lost for good.
    pub async fn put_if_absent(&self, name: &str, content: Fetched, modified_ms: i64) -> Result<Put> {
        self.under_way.admit()?;
        match &self.place {
            Place::Folder(folder) => {
                let (name, _sending) = (name.to_owned(), self.under_way.send(content.size()?));
                on(folder, move |folder| local::put(folder, &name, content, Some(modified_ms), Existing::Keep)).await
            }
            Place::Store(objects) => {
                self.telling(&format!("writing {name} to"), objects.put_if_absent(name, content).await)
            }
        }
    }

    /// Writes a small object, such as `_last_checkpoint`, in the place of one of that name.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn put(&self, name: &str, content: Fetched) -> Result<()> {
        self.under_way.admit()?;
        match &self.place {
            Place::Folder(folder) => {
                let (name, _sending) = (name.to_owned(), self.under_way.send(content.size()?));
                on(folder, move |folder| local::put(folder, &name, content, None, Existing::Replace).map(drop)).await
            }
            Place::Store(objects) => self.telling(&format!("writing {name} to"), objects.put(name, content).await),
        }
    }

    /// Deletes an object; it may be gone already.
    ///
    /// # Errors
    /// Those of the [type](Self).
    pub async fn delete(&self, name: &str) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => {
                let name = name.to_owned();
                on(folder, move |folder| local::delete(folder, &name)).await
            }
            Place::Store(objects) => self.telling(&format!("deleting {name} from"), objects.delete(name).await),
        }
    }

    /// Puts before an error what was done to this log.
    fn telling<T>(&self, doing: &str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.context(format!("{doing} {}", self.url)))
    }
}

/// A new file in a folder of this machine that [`sweep_folder`] deletes when this process dies before it does.
pub(crate) fn temporary_file_in(folder: &FilePath) -> Result<tempfile::NamedTempFile> {
    local::temporary_file(folder).map_err(|error| local::io_error("making a file in", folder, &error))
}

/// Deletes the temporary files of dead processes in a folder of this machine.
pub(crate) fn sweep_folder(folder: &FilePath) -> Result<()> {
    local::sweep(folder)
}

/// What is wrong when an object that was listed is not there: it was deleted meanwhile, as by a clean-up, and a new look
/// helps. Other errors stay as they are.
pub(crate) fn listed(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::Unavailable, format!("{error}: it was deleted meanwhile"))
            .hint("run the command again; the log may have been cleaned up"),
        _ => error,
    }
}

/// Works in a folder of this machine.
async fn on<T: Send + 'static>(
    folder: &FilePath,
    work: impl FnOnce(&FilePath) -> Result<T> + Send + 'static,
) -> Result<T> {
    let folder = folder.to_owned();
    blocking(move || work(&folder)).await
}
