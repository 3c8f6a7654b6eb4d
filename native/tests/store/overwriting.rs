//! Stores that speak a known protocol, but overwrite what they were told to keep.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use deltalakedb_core::ErrorKind;
use deltalakedb_native::store::Put;

use crate::proxy::Proxy;
use crate::support::{Cloud, large, names, put, run};

/// A server that says yes to everything, and tells the names that were put.
fn careless_server() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let puts = Arc::new(Mutex::new(Vec::new()));
    let told = puts.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let _ = answer(client, &told);
        }
    });
    (address, puts)
}

fn answer(mut client: TcpStream, puts: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut request = [0; 8192];
    let size = client.read(&mut request)?;
    let text = String::from_utf8_lossy(&request[..size]);
    let line = text.lines().next().unwrap_or_default();
    if line.starts_with("PUT") {
        puts.lock().unwrap().push(line.to_owned());
    }
    let body = "<DeleteResult></DeleteResult>";
    let head = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nLast-Modified: Tue, 15 Nov 1994 12:45:26 GMT\r\nConnection: close";
    write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn they_are_refused_before_the_first_object() {
    run(async {
        for cloud in [Cloud::S3, Cloud::Azure, Cloud::Google] {
            let (address, puts) = careless_server();
            let log = cloud.log(address, &[]).await;
            for _ in 0..2 {
                let error = put(&log, "00000000000000000000.json", "x").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                assert!(error.to_string().contains("the store overwrites objects that it was told to keep"), "{error}");
            }
            let puts = puts.lock().unwrap();
            let is_temporary = |line: &String| line.contains("/.dl-") || line.contains("%2F%2Edl%2D");
            assert!(!puts.is_empty() && puts.iter().all(is_temporary), "{puts:?}");
        }
    });
}

/// One that keeps small objects and not large ones.
#[test]
fn they_are_refused_before_the_first_large_object() {
    run(async {
        for cloud in [Cloud::S3, Cloud::Google] {
            let proxy = Proxy::start_forgetful(cloud.address());
            let log = cloud.log(proxy.address, &[]).await;
            assert_eq!(put(&log, "small", "x").await.unwrap(), Put::Written);
            let error = put(&log, "large", large(17 << 20)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert_eq!(names(&log).await, ["small"]);
        }
    });
}
