//! Clients of object stores: one for all logs in a bucket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use deltalakedb_core::{Error, ErrorKind, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3CopyIfNotExists};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use tokio::sync::OnceCell;
use url::{Position, Url};

use super::conditional::CompleteIfAbsent;
use super::failure::explain;
use super::kind::Kind;
use super::location::{redacted, shown};
use super::options::{StoreOptions, is_secret};
use super::retry::retry_config;
use super::under_way::UnderWay;
use super::upload::Large;

/// The stores of a process: its settings, and the clients made so far.
#[derive(Default)]
pub struct Stores {
    options: StoreOptions,
    clients: Mutex<HashMap<(Kind, String), Arc<Client>>>,
    under_way: Arc<UnderWay>,
}

impl Stores {
    /// No client is made before the first log in its bucket is opened.
    pub fn new(options: StoreOptions) -> Self {
        Stores { options, clients: Mutex::default(), under_way: Arc::default() }
    }

    /// What is being put.
    pub(crate) fn under_way(&self) -> &Arc<UnderWay> {
        &self.under_way
    }

    /// How many clients there are.
    pub fn client_count(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The client for an URL, which logs in the same bucket share, and the path in the bucket.
    pub(super) fn client(&self, what: &str, url: &Url) -> Result<(Arc<Client>, Path)> {
        let (scheme, path) = ObjectStoreScheme::parse(url).map_err(|_| unknown(what, url))?;
        let kind = Kind::of(&scheme);
        let key = (kind, bucket_url(kind, url));
        // What another thread was doing when it panicked left the map as it was.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match clients.get(&key) {
            Some(client) => client.clone(),
            None => {
                let settings = self.options.settings_of(kind)?;
                let client = Client::new(kind, url, &settings, self.under_way.clone())
                    .map_err(|error| error.context(format!("{what} {}", shown(url.as_str()))))?;
                let client = Arc::new(client.ok_or_else(|| unknown(what, url))?);
                clients.insert(key, client.clone());
                client
            }
        };
        Ok((client, path))
    }
}

/// Whether a store is known for an address.
pub(super) fn check_scheme(what: &str, url: &Url) -> Result<()> {
    match url.scheme() == "file" || ObjectStoreScheme::parse(url).is_ok() {
        true => Ok(()),
        false => Err(unknown(what, url)),
    }
}

fn unknown(what: &str, url: &Url) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what}: no store is known for {}", shown(url.as_str())))
        .hint("use a folder, file://, s3://, gs://, az://, abfss:// or https://")
}

/// What of an URL tells the bucket; in `https://` addresses of S3 and Azure the path begins with it.
fn bucket_url(kind: Kind, url: &Url) -> String {
    let in_path = url.scheme() == "https" && kind != Kind::Http;
    let bucket = if in_path { url.path_segments().and_then(|mut segments| segments.next()) } else { None };
    format!("{}/{}", &url[..Position::BeforePath], bucket.unwrap_or_default())
}

/// A bucket's client.
pub(super) struct Client {
    kind: Kind,
    pub(super) store: Arc<dyn ObjectStore>,
    /// For large objects; a store without it gets them whole.
    pub(super) uploads: Option<Arc<dyn MultipartStore>>,
    pub(super) large: Large,
    /// What of the settings must not be seen.
    secrets: Vec<String>,
    pub(super) proofs: Option<Proofs>,
    pub(super) under_way: Arc<UnderWay>,
}

/// What a store must show before it is trusted: not all that speak a protocol of S3, Google Cloud Storage or Azure keep
/// what is there.
#[derive(Default)]
pub(super) struct Proofs {
    pub(super) put: OnceCell<()>,
    pub(super) large: OnceCell<()>,
}

/// A builder with an address and settings.
macro_rules! builder {
    ($builder:ty, $url:expr, $settings:expr) => {
        $settings.iter().fold(<$builder>::new().with_url($url).with_retry(retry_config()), |builder, (key, value)| {
            match key.parse() {
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            }
        })
    };
}

impl Client {
    /// A store that the caller made.
    pub(super) fn of(store: Arc<dyn ObjectStore>) -> Self {
        Client {
            kind: Kind::Other,
            store,
            uploads: None,
            large: Large::Copy,
            secrets: Vec::new(),
            proofs: None,
            under_way: Arc::default(),
        }
    }

    /// `None` for an address of no store.
    fn new(kind: Kind, url: &Url, settings: &[(String, String)], under_way: Arc<UnderWay>) -> Result<Option<Self>> {
        let refused = |error: object_store::Error| refused(kind, &error, settings);
        let (mut large, mut proofs) = (Large::Copy, None);
        let (store, uploads): (Arc<dyn ObjectStore>, Option<Arc<dyn MultipartStore>>) = match kind {
            Kind::S3 => {
                let builder = builder!(AmazonS3Builder, url.as_str(), settings);
                proofs = (!is_amazon(url, &builder)).then(Proofs::default);
                let (how, builder) = s3(url, builder);
                large = how;
                let store = Arc::new(builder.build().map_err(refused)?);
                (store.clone(), Some(store))
            }
            Kind::GoogleCloud => {
                let builder = builder!(GoogleCloudStorageBuilder, url.as_str(), settings);
                proofs = builder.get_config_value(&GoogleConfigKey::BaseUrl).map(|_| Proofs::default());
                let store = Arc::new(builder.build().map_err(refused)?);
                (store.clone(), Some(store))
            }
            Kind::Azure => {
                let builder = builder!(MicrosoftAzureBuilder, url.as_str(), settings);
                proofs = is_elsewhere(&builder).then(Proofs::default);
                large = Large::Complete;
                let connector = CompleteIfAbsent::default();
                let credentials = connector.azure.clone();
                let store = Arc::new(builder.with_http_connector(connector).build().map_err(refused)?);
                // It is new, so nothing is set.
                let _ = credentials.set(store.credentials().clone());
                (store.clone(), Some(store))
            }
            Kind::Http => {
                let builder = builder!(HttpBuilder, &url[..Position::BeforePath], settings);
                (Arc::new(builder.build().map_err(refused)?), None)
            }
            Kind::Other => return Ok(None),
        };
        let secrets = settings.iter().filter(|(key, value)| is_secret(key) && !value.is_empty());
        let secrets = secrets.map(|(_, value)| value.clone()).collect();
        Ok(Some(Client { kind, store, uploads, large, secrets, proofs, under_way }))
    }

    /// What a failure means, without what must not be seen.
    pub(super) fn explain(&self, error: &object_store::Error) -> Error {
        let explained = explain(self.kind, error);
        let message = explained.to_string();
        if !self.secrets.iter().any(|secret| message.contains(secret)) {
            return explained;
        }
        let hint = explained.hint_text().unwrap_or_default();
        Error::new(explained.kind(), without(&message, self.secrets.iter())).hint(hint)
    }
}

/// How large objects are put to S3: a store that has its own way to copy an object if it is absent does not complete
/// uploads so.
fn s3(url: &Url, builder: AmazonS3Builder) -> (Large, AmazonS3Builder) {
    let is_r2 = is_on(url, &builder, "r2.cloudflarestorage.com");
    if builder.get_config_value(&AmazonS3ConfigKey::CopyIfNotExists).is_some() {
        (Large::Copy, builder)
    } else if is_r2 {
        let header = S3CopyIfNotExists::Header("cf-copy-destination-if-none-match".into(), "*".into());
        (Large::Copy, builder.with_copy_if_not_exists(header))
    } else {
        (Large::Complete, builder.with_http_connector(CompleteIfAbsent::default()))
    }
}

/// Whether a bucket is at a host of this name.
fn is_on(url: &Url, builder: &AmazonS3Builder, host: &str) -> bool {
    let endpoints = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let endpoint = endpoints.iter().find_map(|key| builder.get_config_value(key));
    endpoint.as_deref().or(url.host_str()).is_some_and(|address| address.contains(host))
}

/// Whether the bucket is Amazon's, and not that of a store which speaks the same.
fn is_amazon(url: &Url, builder: &AmazonS3Builder) -> bool {
    is_on(url, builder, ".amazonaws.com") || (url.scheme() != "https" && !has_endpoint(builder))
}

/// Whether Azure's protocol is spoken at another address than Microsoft's.
fn is_elsewhere(builder: &MicrosoftAzureBuilder) -> bool {
    let is_emulator = builder.get_config_value(&AzureConfigKey::UseEmulator).is_some_and(|value| value == "true");
    is_emulator || builder.get_config_value(&AzureConfigKey::Endpoint).is_some()
}

fn has_endpoint(builder: &AmazonS3Builder) -> bool {
    let keys = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
    keys.iter().any(|key| builder.get_config_value(key).is_some())
}

/// Settings that do not fit; the builders' messages have values in them.
fn refused(kind: Kind, error: &object_store::Error, settings: &[(String, String)]) -> Error {
    let values = settings.iter().map(|(_, value)| value).filter(|value| !value.is_empty());
    let text = without(&redacted(&error.to_string()), values);
    Error::invalid(format!("the settings for {} are wrong: {text}", kind.name()))
        .hint("check its variables in the environment and --store-option")
}

fn without<'a>(text: &str, values: impl Iterator<Item = &'a String>) -> String {
    // The longest first: one may be a part of another.
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), "…"))
}
