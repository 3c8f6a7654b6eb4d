//! Stores that speak S3's protocol, but overwrite what they were told to keep.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use deltalakedb_core::ErrorKind;
use deltalakedb_native::store::Put;

use crate::proxy::Proxy;
use crate::server::server;
use crate::support::{large, names, put, run, s3_log};

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
    let head = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nConnection: close";
    write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn they_are_refused_before_the_first_object() {
    run(async {
        let (address, puts) = careless_server();
        let log = s3_log(address, &[]).await;
        for _ in 0..2 {
            let error = put(&log, "00000000000000000000.json", "x").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("the store overwrites objects that it was told to keep"), "{error}");
        }
        let puts = puts.lock().unwrap();
        assert!(!puts.is_empty() && puts.iter().all(|line| line.contains("/.dl-")), "{puts:?}");
    });
}

/// One that keeps small objects and not large ones.
#[test]
fn they_are_refused_before_the_first_large_object() {
    run(async {
        let proxy = Proxy::start_forgetful(server().address);
        let log = s3_log(proxy.address, &[]).await;
        assert_eq!(put(&log, "small", "x").await.unwrap(), Put::Written);
        let error = put(&log, "large", large(17 << 20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(names(&log).await, ["small"]);
    });
}
