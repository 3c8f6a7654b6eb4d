//! Logs to try, and what is in them.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use deltalakedb_core::Result;
use deltalakedb_native::store::{Fetched, LogStore, Put, StoreOptions, Stores};
use tempfile::TempDir;

use crate::server::{BUCKET, KEY_ID, SECRET, server};

/// An empty log, in a folder or on the server.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) log: LogStore,
    /// Of a folder.
    pub(crate) folder: Option<TempDir>,
}

/// Large objects are copied as they are to Google Cloud Storage and Azure, and not completed by the S3 way.
pub(crate) const COPYING: &str = "aws_copy_if_not_exists=multipart";

/// Runs a case in every place.
pub(crate) fn everywhere<F: Future<Output = ()>>(case: impl Fn(Arc<Place>) -> F) {
    run(async {
        let folder = TempDir::new().unwrap();
        let target = folder.path().to_str().unwrap().to_owned();
        let local = LogStore::of_table(&target, &Stores::default()).await.unwrap();
        let s3 = s3_log(server().address, &[]).await;
        let copying = s3_log(server().address, &[COPYING]).await;
        for (name, log, folder) in
            [("local folder", local, Some(folder)), ("S3", s3, None), ("S3 copying", copying, None)]
        {
            println!("{name}");
            case(Arc::new(Place { name, log, folder })).await;
        }
    });
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// Settings for the server at an address, and more.
pub(crate) fn s3_stores(address: SocketAddr, more: &[&str]) -> Stores {
    let mut options = vec![
        format!("aws_endpoint_url=http://{address}"),
        format!("aws_access_key_id={KEY_ID}"),
        format!("aws_secret_access_key={SECRET}"),
        "aws_region=us-east-1".to_owned(),
        "allow_http=true".to_owned(),
    ];
    options.extend(more.iter().map(|&option| option.to_owned()));
    Stores::new(StoreOptions::parse(&options).unwrap())
}

/// The URL of a table that is not there yet.
pub(crate) fn new_table() -> String {
    format!("s3://{BUCKET}/tables/{}", uuid::Uuid::new_v4())
}

pub(crate) async fn s3_log(address: SocketAddr, more: &[&str]) -> LogStore {
    LogStore::of_table(&new_table(), &s3_stores(address, more)).await.unwrap()
}

/// The same log by another address of the server.
pub(crate) async fn same_log(address: SocketAddr, log: &LogStore) -> LogStore {
    LogStore::of_table(log.url().as_str(), &s3_stores(address, &[])).await.unwrap()
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
