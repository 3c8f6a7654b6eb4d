//! Logs to try, and what is in them.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use deltalakedb_core::Result;
use deltalakedb_native::store::{Fetched, LogStore, Put, StoreOptions, Stores};
use tempfile::TempDir;

use crate::azurite::{self, azurite};
use crate::google_cloud::{self, google_cloud};
use crate::server::{BUCKET, KEY_ID, SECRET, server};

/// An empty log, in a folder or on the server.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) log: LogStore,
    /// Of a folder.
    pub(crate) folder: Option<TempDir>,
}

/// Large objects are copied as they are to Google Cloud Storage, and not completed by the S3 way.
pub(crate) const COPYING: &str = "aws_copy_if_not_exists=multipart";

/// Whose protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cloud {
    S3,
    Azure,
    Google,
}

impl Cloud {
    pub(crate) const OTHERS: [Cloud; 2] = [Cloud::Azure, Cloud::Google];

    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Cloud::S3 => server().address,
            Cloud::Azure => azurite().address,
            Cloud::Google => google_cloud(),
        }
    }

    /// An URL in the bucket.
    pub(crate) fn url(self, path: &str) -> String {
        match self {
            Cloud::S3 => format!("s3://{BUCKET}/{path}"),
            Cloud::Azure => format!("az://{BUCKET}/{path}"),
            Cloud::Google => format!("gs://{}/{path}", google_cloud::BUCKET),
        }
    }

    /// Settings for a server at an address.
    pub(crate) fn options(self, address: SocketAddr) -> Vec<String> {
        let own = match self {
            Cloud::S3 => vec![
                format!("aws_endpoint_url=http://{address}"),
                format!("aws_access_key_id={KEY_ID}"),
                format!("aws_secret_access_key={SECRET}"),
                "aws_region=us-east-1".to_owned(),
            ],
            Cloud::Azure => vec![
                format!("azure_storage_endpoint=http://{address}/{}", azurite::ACCOUNT),
                format!("azure_storage_account_name={}", azurite::ACCOUNT),
                format!("azure_storage_account_key={}", azurite::KEY),
            ],
            Cloud::Google => vec![
                format!("google_base_url=http://{address}"),
                format!("google_bearer_token={}", google_cloud::TOKEN),
            ],
        };
        own.into_iter().chain(["allow_http=true".to_owned()]).collect()
    }

    /// The same and more.
    pub(crate) fn stores(self, address: SocketAddr, more: &[&str]) -> Stores {
        let mut options = self.options(address);
        options.extend(more.iter().map(|&option| option.to_owned()));
        Stores::new(StoreOptions::parse(&options).unwrap())
    }

    /// A log that is not there yet.
    pub(crate) async fn log(self, address: SocketAddr, more: &[&str]) -> LogStore {
        LogStore::of_table(&self.url(&new_path()), &self.stores(address, more)).await.unwrap()
    }

    /// The same log by another address of the server.
    pub(crate) async fn same_log(self, address: SocketAddr, log: &LogStore) -> LogStore {
        LogStore::of_table(log.url().as_str(), &self.stores(address, &[])).await.unwrap()
    }
}

fn new_path() -> String {
    format!("tables/{}", uuid::Uuid::new_v4())
}

/// Runs a case in every place.
pub(crate) fn everywhere<F: Future<Output = ()>>(case: impl Fn(Arc<Place>) -> F) {
    run(async {
        let folder = TempDir::new().unwrap();
        let target = folder.path().to_str().unwrap().to_owned();
        let local = LogStore::of_table(&target, &Stores::default()).await.unwrap();
        let mut places = vec![("local folder", local, Some(folder))];
        for (name, cloud, options) in [
            ("S3", Cloud::S3, &[][..]),
            ("S3 copying", Cloud::S3, &[COPYING]),
            ("Azure", Cloud::Azure, &[]),
            ("Google Cloud Storage", Cloud::Google, &[]),
        ] {
            places.push((name, cloud.log(cloud.address(), options).await, None));
        }
        for (name, log, folder) in places {
            let start = std::time::Instant::now();
            case(Arc::new(Place { name, log, folder })).await;
            println!("{name}: {:?}", start.elapsed());
        }
    });
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// Settings for the S3 server at an address, and more.
pub(crate) fn s3_stores(address: SocketAddr, more: &[&str]) -> Stores {
    Cloud::S3.stores(address, more)
}

/// The URL of a table that is not there yet.
pub(crate) fn new_table() -> String {
    Cloud::S3.url(&new_path())
}

pub(crate) async fn s3_log(address: SocketAddr, more: &[&str]) -> LogStore {
    Cloud::S3.log(address, more).await
}

/// The same log by another address of the server.
pub(crate) async fn same_log(address: SocketAddr, log: &LogStore) -> LogStore {
    Cloud::S3.same_log(address, log).await
}

pub(crate) async fn put(log: &LogStore, name: &str, content: impl Into<Bytes>) -> Result<Put> {
    log.put_if_absent(name, Fetched::Bytes(content.into()), 1_700_000_000_000).await
}

pub(crate) async fn content(log: &LogStore, name: &str) -> Bytes {
    log.fetch(name).await.unwrap().into_bytes().await.unwrap()
}

/// Sorted.
pub(crate) async fn names(log: &LogStore) -> Vec<String> {
    let mut names: Vec<_> = log.list().await.unwrap().into_iter().map(|(name, ..)| name).collect();
    names.sort();
    names
}

/// Bytes of which no two pages are equal.
pub(crate) fn large(size: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(size as u64);
    let mut bytes = vec![0; size];
    random.fill(&mut bytes);
    bytes.into()
}

pub(crate) fn file(content: &[u8]) -> Fetched {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    Fetched::File(file)
}

/// The command, with its environment alone.
pub(crate) fn dl(settings: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dl"));
    for (name, _) in std::env::vars_os() {
        if ["AWS_", "AZURE_", "GOOGLE_", "DL_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let output = command.envs(settings.iter().copied()).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
