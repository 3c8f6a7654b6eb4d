//! What stands for Google Cloud Storage: its XML API in front of MinIO, which speaks nearly the same.
//!
//! No emulator that a package registry has keeps objects by the XML API's conditions, which is what the client asks by.
//! This shows that the client asks as Google documents, and takes the answers for what they mean; of Google's own server it
//! shows nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{ClientOptions, HttpConnector, HttpRequest, ReqwestConnector};

use crate::proxy::read_request;
use crate::server::{KEY_ID, SECRET, server};

pub(crate) const BUCKET: &str = "google";
pub(crate) const TOKEN: &str = "test-token-of-the-account";

/// Its address; it is started when it is first needed, and ends with the process.
pub(crate) fn google_cloud() -> SocketAddr {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    *SERVER.get_or_init(|| {
        std::thread::spawn(make_bucket).join().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                std::thread::spawn(move || serve(client));
            }
        });
        address
    })
}

/// A bucket that everyone may use, as the requests for it are not signed in S3's way.
fn make_bucket() {
    let resource = format!("arn:aws:s3:::{BUCKET}");
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "AWS": ["*"] },
        "Action": ["s3:*"],
        "Resource": [resource, format!("{resource}/*")],
    }] });
    for (query, body) in [("", String::new()), ("?policy", policy.to_string())] {
        let start = Instant::now();
        // MinIO answers 503 for a while after it said that it was ready.
        while let Err(status) = put(query, &body) {
            assert!(start.elapsed() < Duration::from_secs(30), "PUT {BUCKET}{query}: {status}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A request to MinIO by its owner.
fn put(query: &str, body: &str) -> Result<(), u16> {
    let mut request = HttpRequest::new(body.to_owned().into());
    *request.method_mut() = "PUT".parse().unwrap();
    *request.uri_mut() = format!("http://{}/{BUCKET}{query}", server().address).parse().unwrap();
    let credential = AwsCredential { key_id: KEY_ID.into(), secret_key: SECRET.into(), token: None };
    AwsAuthorizer::new(&credential, "s3", "us-east-1").try_authorize(&mut request, None).unwrap();
    let answer = crate::support::run(async {
        let options = ClientOptions::default().with_allow_http(true);
        ReqwestConnector::default().connect(&options).unwrap().execute(request).await.unwrap()
    });
    if answer.status().is_success() { Ok(()) } else { Err(answer.status().as_u16()) }
}

/// Answers one request a connection.
fn serve(mut client: TcpStream) -> Option<()> {
    let request = read_request(&client, false)?;
    /// MinIO's copies know no condition on what they would replace: no conditional request comes between look and copy.
    static CONDITIONAL: Mutex<()> = Mutex::new(());
    let end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let (head, body) = (std::str::from_utf8(&request[..end]).ok()?, &request[end..]);
    let head = head.to_owned();
    let (first, _) = head.split_once("\r\n")?;
    let has = |name: &str| head.to_ascii_lowercase().contains(&format!("\r\n{name}:"));
    if !head.contains(&format!("\r\nauthorization: Bearer {TOKEN}\r\n")) {
        return refuse(&mut client, "401 Unauthorized", "AuthenticationRequired");
    }
    let path = first.split(' ').nth(1)?;
    if path.split(['/', '?']).nth(1) != Some(BUCKET) {
        return refuse(&mut client, "404 Not Found", "NoSuchBucket");
    }
    let is_conditional = head.to_ascii_lowercase().contains("\r\nx-goog-if-generation-match: 0\r\n");
    let is_copy = has("x-goog-copy-source");
    let _alone = is_conditional.then(|| CONDITIONAL.lock().unwrap_or_else(PoisonError::into_inner));
    if is_conditional && is_copy {
        let look = format!("HEAD {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server().address);
        let mut found = Vec::new();
        ask(look.as_bytes(), b"")?.read_to_end(&mut found).ok()?;
        if found.starts_with(b"HTTP/1.1 200") {
            return refuse(&mut client, "412 Precondition Failed", "PreconditionFailed");
        }
    }
    let mut translated: Vec<_> = head.split_inclusive("\r\n").filter_map(translate).collect();
    if is_conditional && !is_copy {
        translated.insert(1, "if-none-match: *\r\n".to_owned());
    }
    let mut answer = ask(translated.concat().as_bytes(), body)?;
    std::io::copy(&mut answer, &mut client).ok().map(drop)
}

/// A line of a request's head.
fn translate(line: &str) -> Option<String> {
    let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "authorization" | "x-goog-if-generation-match" => None,
        "x-goog-copy-source" => Some(format!("x-amz-copy-source{}", &line[name.len()..])),
        _ => Some(line.to_owned()),
    }
}

/// Sends MinIO a request, and lets its answer be read.
fn ask(head: &[u8], body: &[u8]) -> Option<TcpStream> {
    let mut upstream = TcpStream::connect(server().address).ok()?;
    upstream.write_all(head).ok()?;
    upstream.write_all(body).ok()?;
    Some(upstream)
}

fn refuse(client: &mut TcpStream, status: &str, code: &str) -> Option<()> {
    let body = format!("<?xml version='1.0'?><Error><Code>{code}</Code><Message>Not like this.</Message></Error>");
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close", body.len());
    write!(client, "{head}\r\n\r\n{body}").ok()
}
