//! An object store in memory, as one task sees it: with faults, and puts that are atomic however they end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deltalakedb_core::log::{HistoryMode, LogListing};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::config::Part;
use crate::lock;
use crate::mutation::Mutation;
use crate::port::Client;
use crate::world::World;

/// An object and when it appeared.
#[derive(Clone)]
struct Object {
    bytes: Bytes,
    modified: DateTime<Utc>,
}

/// What the store holds, by path.
#[derive(Default)]
pub(crate) struct Objects(Mutex<BTreeMap<String, Object>>);

impl Objects {
    /// The names directly in a folder, with their content.
    pub(crate) fn in_folder(&self, folder: &str) -> Vec<(String, Bytes)> {
        let prefix = format!("{folder}/");
        let objects = lock(&self.0);
        let inside = objects.iter().filter_map(|(path, object)| Some((path.strip_prefix(&prefix)?, object)));
        inside
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, object)| (name.to_owned(), object.bytes.clone()))
            .collect()
    }
}

/// The store as one client sees it.
pub(crate) struct SimStore(pub(crate) Client);

impl SimStore {
    async fn request(&self, what: &str, path: &str) -> Result<()> {
        self.0.travel().await;
        if self.0.fault(Part::FailBefore, 60) {
            self.0.tell(format!("{what} {path} did not arrive"));
            return Err(failed("the request did not arrive"));
        }
        Ok(())
    }

    async fn answer<T>(&self, what: &str, path: &str, result: Result<T>) -> Result<T> {
        self.0.travel().await;
        if self.0.fault(Part::LostAnswers, 40) {
            self.0.tell(format!("the answer to {what} {path} was lost"));
            return Err(failed("the connection broke"));
        }
        result
    }

    fn write(&self, path: &str, bytes: Bytes, mode: &PutMode) -> Result<PutResult> {
        let world = &self.0.world;
        let mut objects = lock(&world.objects.0);
        let is_there = objects.contains_key(path);
        let overwrites = world.config.mutation == Some(Mutation::OverwritingStore);
        match mode {
            PutMode::Create if is_there && !overwrites => {
                self.0.tell(format!("put {path}: it is there"));
                return Err(Error::AlreadyExists { path: path.to_owned(), source: "it is there".into() });
            }
            PutMode::Update(_) => {
                return Err(Error::NotImplemented { operation: "update".into(), implementer: "the simulation".into() });
            }
            _ => {}
        }
        let modified = DateTime::from_timestamp_millis(world.clock.next_day_ms()).unwrap_or_default();
        let size = bytes.len();
        let before = objects.insert(path.to_owned(), Object { bytes: bytes.clone(), modified });
        drop(objects);
        self.0.tell(format!("put {path}: {size} bytes"));
        if !path.ends_with("/_last_checkpoint") && before.is_some() {
            world.violation(format!("the published {path} was written again by {}", self.0.name));
        }
        lock(&world.ledger).published.push(path.to_owned());
        Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
    }

    /// Whatever goes, the log can be read up to the version that it had.
    fn remove(&self, path: &str) -> Result<()> {
        let world = &self.0.world;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let log = |world: &World| {
            let names = world.objects.in_folder(folder).into_iter().map(|(name, bytes)| (name, bytes.len() as u64, 0));
            LogListing::new(names)
        };
        let before = log(world).latest_version();
        let object = lock(&world.objects.0).remove(path);
        if object.is_none() {
            return Err(Error::NotFound { path: path.to_owned(), source: "it is not there".into() });
        }
        self.0.tell(format!("deleted {path}"));
        let plan = log(world).plan(HistoryMode::Latest);
        if plan.as_ref().ok().map(|plan| plan.latest_version) != before {
            world.violation(format!("{} deleted {path}, and the log cannot be read: {plan:?}", self.0.name));
        }
        lock(&world.ledger).deleted.insert(path.to_owned());
        Ok(())
    }
}

fn failed(text: &'static str) -> Error {
    Error::Generic { store: "simulation", source: text.into() }
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "the simulation".to_owned() }
}

impl fmt::Display for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated store")
    }
}

impl fmt::Debug for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for SimStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let path = location.as_ref();
        self.request("put", path).await?;
        let bytes = Bytes::from(payload);
        // The bytes travel. A client that dies here leaves an upload that never becomes an object, and so does a
        // connection that breaks.
        self.0.travel().await;
        if self.0.fault(Part::TornWrites, 40) {
            self.0.tell(format!("put {path} was cut off"));
            return Err(failed("the upload was cut off"));
        }
        let result = self.write(path, bytes, &options.mode);
        self.answer("put", path, result).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        // Objects of the simulation are smaller than a part.
        Err(not_implemented("a multipart upload"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let path = location.as_ref();
        self.request("get", path).await?;
        let found = lock(&self.0.world.objects.0).get(path).cloned();
        let result = found.ok_or_else(|| Error::NotFound { path: path.to_owned(), source: "it is not there".into() });
        let object = self.answer("get", path, result).await?;
        let size = object.bytes.len() as u64;
        let range = match &options.range {
            Some(range) => {
                range.as_range(size).map_err(|error| Error::Generic { store: "simulation", source: Box::new(error) })?
            }
            None => 0..size,
        };
        let bytes = object.bytes.slice(range.start as usize..range.end as usize);
        let meta = meta(location.clone(), &object);
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes: Default::default(), extensions: Default::default() })
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        self.request("list", &folder).await?;
        let objects = lock(&self.0.world.objects.0)
            .iter()
            .filter(|(path, _)| path.strip_prefix(&folder).is_some_and(|name| !name.contains('/')))
            .map(|(path, object)| meta(Path::from(path.as_str()), object))
            .collect();
        let result = ListResult { common_prefixes: Vec::new(), objects, extensions: Default::default() };
        self.answer("list", &folder, Ok(result)).await
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(async { Err(not_implemented("a deep list")) }).boxed()
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let client = self.0.clone();
        let delete = move |location: Result<Path>| {
            let store = SimStore(client.clone());
            async move {
                let location = location?;
                store.request("delete", location.as_ref()).await?;
                let result = store.remove(location.as_ref());
                store.answer("delete", location.as_ref(), result).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(not_implemented("copy"))
    }
}

fn meta(location: Path, object: &Object) -> ObjectMeta {
    ObjectMeta { location, last_modified: object.modified, size: object.bytes.len() as u64, e_tag: None, version: None }
}
