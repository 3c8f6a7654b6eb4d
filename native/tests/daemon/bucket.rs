//! Targets in the server's bucket, and a witness of what becomes of their objects.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use deltalakedb_native::store::{LogStore, StoreOptions, Stores};
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpConnector, HttpRequest, ReqwestConnector};
use serde_json::json;

use crate::server::{BUCKET, KEY_ID, SECRET, server};
use crate::support::{Home, Ran, run};

/// The address of a table's folder that is not there yet.
pub(crate) fn new_target() -> String {
    format!("s3://{BUCKET}/{}", uuid::Uuid::new_v4())
}

/// Tells a command where the server is, and nothing else of object stores.
pub(crate) fn on_s3(mut command: Command, address: SocketAddr) -> Command {
    for (name, _) in std::env::vars_os() {
        if ["AWS_", "AZURE_", "GOOGLE_", "DL_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

/// A daemon that reaches the server at an address, with requests of at most two seconds.
pub(crate) fn watch(home: &Home, address: SocketAddr, args: &[&str]) -> Command {
    let mut command = home.command("mirror", &["--watch", "--store-option", "timeout=2s"]);
    command.args(args);
    on_s3(command, address)
}

/// A command that reaches the server directly.
pub(crate) fn run_on_s3(home: &Home, command: &str, args: &[&str]) -> Ran {
    run(on_s3(home.command(command, args), server().address))
}

/// Adds targets of a table.
pub(crate) fn add_targets(home: &Home, table: &str, targets: &[&str]) {
    for target in targets {
        let mut command = crate::support::dl();
        command.args(["targets", "add", "--format", "json", "--database"]).arg(home.database());
        run(on_s3(
            {
                command.args(["--table", table, "--target", target]);
                command
            },
            server().address,
        ))
        .ok();
    }
}

/// The log of a target, as it is on the server.
pub(crate) struct Log(LogStore);

/// Bytes and time in milliseconds of an object.
type Seen = BTreeMap<String, (u64, i64)>;

impl Log {
    pub(crate) fn of(target: &str) -> Self {
        let options = [
            format!("aws_endpoint_url=http://{}", server().address),
            format!("aws_access_key_id={KEY_ID}"),
            format!("aws_secret_access_key={SECRET}"),
            "aws_region=us-east-1".to_owned(),
            "allow_http=true".to_owned(),
        ];
        let stores = Stores::new(StoreOptions::parse(&options).unwrap());
        Log(block_on(LogStore::of_table(target, &stores)).unwrap())
    }

    /// What is there, but for temporary objects.
    pub(crate) fn seen(&self) -> Seen {
        let listed = block_on(self.0.list()).unwrap().into_iter();
        listed.filter(|(name, ..)| !name.starts_with(".dl-")).map(|(name, size, at)| (name, (size, at))).collect()
    }

    /// What is there for the time of an upload.
    pub(crate) fn temporary(&self) -> Vec<String> {
        let listed = block_on(self.0.list()).unwrap().into_iter().map(|(name, ..)| name);
        listed.filter(|name| name.starts_with(".dl-")).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.seen().contains_key(name)
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        block_on(async { self.0.fetch(name).await.unwrap().into_bytes().await.unwrap().to_vec() })
    }

    pub(crate) fn delete(&self, name: &str) {
        block_on(self.0.delete(name)).unwrap();
    }

    /// Puts what is not the daemon's.
    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        let content = bytes::Bytes::copy_from_slice(content);
        block_on(self.0.put(name, deltalakedb_native::store::Fetched::Bytes(content))).unwrap();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Looks at a log all the time: what was once there stays as it was.
pub(crate) struct Witness {
    is_done: Arc<AtomicBool>,
    looking: JoinHandle<usize>,
}

impl Witness {
    pub(crate) fn of(target: &str) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let (log, done) = (Log::of(target), is_done.clone());
        let looking = std::thread::spawn(move || {
            let mut first: BTreeMap<String, ((u64, i64), Vec<u8>)> = BTreeMap::new();
            loop {
                let is_last = done.load(Ordering::Relaxed);
                let now = log.seen();
                for (name, (seen, _)) in &first {
                    assert_eq!(now.get(name), Some(seen), "{name} was published, and then changed");
                }
                for (name, seen) in now.into_iter().filter(|(name, _)| name != "_last_checkpoint") {
                    first.entry(name).or_insert_with_key(|name| (seen, log.content(name)));
                }
                if is_last {
                    first.iter().for_each(|(name, (_, content))| assert!(*content == log.content(name), "{name}"));
                    return first.len();
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Witness { is_done, looking }
    }

    /// How many objects it has seen, of which none was changed.
    pub(crate) fn end(self) -> usize {
        self.is_done.store(true, Ordering::Relaxed);
        self.looking.join().unwrap()
    }
}

/// Makes a bucket that anyone may read, and nobody without a signature write.
pub(crate) fn allow_reading(bucket: &str) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "AWS": ["*"] },
        "Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
    }] });
    for (query, body) in [("", String::new()), ("?policy", policy.to_string())] {
        let mut request = HttpRequest::new(body.into());
        *request.method_mut() = "PUT".parse().unwrap();
        *request.uri_mut() = format!("http://{}/{bucket}{query}", server().address).parse().unwrap();
        let credential = AwsCredential { key_id: KEY_ID.into(), secret_key: SECRET.into(), token: None };
        AwsAuthorizer::new(&credential, "s3", "us-east-1").try_authorize(&mut request, None).unwrap();
        let answer = block_on(async {
            let options = ClientOptions::default().with_allow_http(true);
            ReqwestConnector::default().connect(&options).unwrap().execute(request).await.unwrap()
        });
        assert!(answer.status().is_success(), "PUT {bucket}{query}: {}", answer.status());
    }
}
