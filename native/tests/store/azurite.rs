//! Azurite on 127.0.0.1, Microsoft's stand-in for Azure's blobs, one for all tests of this process.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::OnceLock;

use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{ClientOptions, HttpConnector, HttpRequest, ReqwestConnector};

use crate::server::{BUCKET, Home, Server, cache, free_address, supervise, wait_until_ready};

pub(crate) const ACCOUNT: &str = "testaccount";
/// Base64, as Azure's keys are.
pub(crate) const KEY: &str = "dGVzdC1rZXktb2YtdGhlLWFjY291bnQ=";

/// The server, which is started when it is first needed.
pub(crate) fn azurite() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let program = cache().join("azurite/node_modules/azurite/dist/src/blob/main.js");
    assert!(program.is_file(), "there is no Azurite at {}: run `cargo xtask setup`", program.display());
    let home = Home::new("dl-azurite-");
    let address = free_address();
    let mut command = Command::new("node");
    command.arg(&program).args(["--blobHost", "127.0.0.1", "--blobPort", &address.port().to_string(), "--location"]);
    // A word to nobody; and it knows no newer version of the protocol than its own.
    command.arg(&home.data).args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
    command.env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"));
    let supervisor = supervise(&command, &home);
    wait_until_ready("Azurite", address, "/", "HTTP/1.1 ", &home);
    make_container(address);
    Server { address, data: home.data, _supervisor: supervisor }
}

fn make_container(address: SocketAddr) {
    let mut request = HttpRequest::new(String::new().into());
    *request.method_mut() = "PUT".parse().unwrap();
    *request.uri_mut() = format!("http://{address}/{ACCOUNT}/{BUCKET}?restype=container").parse().unwrap();
    request.headers_mut().insert("content-length", "0".parse().unwrap());
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap());
    AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).unwrap();
    let answer = std::thread::spawn(|| {
        crate::support::run(async {
            let options = ClientOptions::default().with_allow_http(true);
            ReqwestConnector::default().connect(&options).unwrap().execute(request).await.unwrap()
        })
    });
    let status = answer.join().unwrap().status();
    assert!(status.is_success(), "making a container: {status}");
}
