//! MinIO on 127.0.0.1, one for all tests of this process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) const KEY_ID: &str = "test-key-id";
pub(crate) const SECRET: &str = "test-secret-of-the-key";
pub(crate) const BUCKET: &str = "bucket";

/// The server ends with this process, however that ends: the shell before it waits for its standard input to close.
const SUPERVISE: &str =
    r#""$0" server --quiet --address "$1" "$2" >"$3" 2>&1 & pid=$!; read -r _; kill $pid; wait $pid; rm -rf "$4""#;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Where it keeps what it is given.
    pub(crate) data: PathBuf,
    _supervisor: Child,
}

/// The server, which is started when it is first needed.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

/// A server of one's own.
pub(crate) fn start() -> Server {
    let program = program();
    let home = tempfile::Builder::new().prefix("dl-minio-").tempdir().unwrap().keep();
    let data = home.join("data");
    // A folder there is a bucket.
    std::fs::create_dir_all(data.join(BUCKET)).unwrap();
    let address = free_address();
    let log = home.join("log");
    let supervisor = Command::new("sh")
        .args(["-c", SUPERVISE])
        .arg(&program)
        .arg(address.to_string())
        .args([&data, &log, &home])
        .env("HOME", &home)
        .env("MINIO_ROOT_USER", KEY_ID)
        .env("MINIO_ROOT_PASSWORD", SECRET)
        // Nothing but S3, and no word to anyone.
        .envs([("MINIO_BROWSER", "off"), ("MINIO_UPDATE", "off"), ("MINIO_CALLHOME_ENABLE", "off")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_ready(address, &log);
    Server { address, data, _supervisor: supervisor }
}

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let program = cache.join("deltalakedb/minio/minio");
    assert!(program.is_file(), "there is no S3 server at {}: run `cargo xtask setup`", program.display());
    program
}

/// A port that is free now; another program may be faster, and then the server does not start.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn wait_until_ready(address: SocketAddr, log: &Path) {
    use std::io::{Read, Write};
    let start = Instant::now();
    let is_ready = || {
        let mut connection = TcpStream::connect(address).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(connection, "GET /minio/health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    };
    while is_ready().is_none() {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        assert!(start.elapsed() < Duration::from_secs(60), "MinIO does not start: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
