//! MinIO on 127.0.0.1, one for all tests of this process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) const KEY_ID: &str = "test-key-id";
pub(crate) const SECRET: &str = "test-secret-of-the-key";
pub(crate) const BUCKET: &str = "bucket";

/// A server ends with this process, however that ends: the shell before it waits for its standard input to close.
const SUPERVISE: &str = r#""$@" >"$LOG" 2>&1 & pid=$!; read -r _; kill $pid; wait $pid; rm -rf "$HOME""#;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Where it keeps what it is given.
    pub(crate) data: PathBuf,
    pub(crate) _supervisor: Child,
}

/// The server, which is started when it is first needed.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

/// A server of one's own.
pub(crate) fn start() -> Server {
    let program = program();
    let home = Home::new("dl-minio-");
    // A folder there is a bucket.
    std::fs::create_dir_all(home.data.join(BUCKET)).unwrap();
    let address = free_address();
    let mut command = Command::new(&program);
    command.args(["server", "--quiet", "--address", &address.to_string()]).arg(&home.data);
    command.env("MINIO_ROOT_USER", KEY_ID).env("MINIO_ROOT_PASSWORD", SECRET);
    // Nothing but S3, and no word to anyone.
    command.envs([("MINIO_BROWSER", "off"), ("MINIO_UPDATE", "off"), ("MINIO_CALLHOME_ENABLE", "off")]);
    let supervisor = supervise(&command, &home);
    wait_until_ready("MinIO", address, "/minio/health/ready", "HTTP/1.1 200", &home);
    Server { address, data: home.data, _supervisor: supervisor }
}

/// A folder of a server's own, which goes with it.
pub(crate) struct Home {
    folder: PathBuf,
    pub(crate) data: PathBuf,
    log: PathBuf,
}

impl Home {
    pub(crate) fn new(prefix: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().unwrap().keep();
        Home { data: folder.join("data"), log: folder.join("log"), folder }
    }
}

/// Starts a server that ends with this process.
pub(crate) fn supervise(server: &Command, home: &Home) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", SUPERVISE, "sh"]).arg(server.get_program()).args(server.get_args());
    let settings = server.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(settings).env("HOME", &home.folder).env("LOG", &home.log).stdin(Stdio::piped()).spawn().unwrap()
}

/// Where `cargo xtask setup` puts servers.
pub(crate) fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    cache.join("deltalakedb")
}

fn program() -> PathBuf {
    let program = cache().join("minio/minio");
    assert!(program.is_file(), "there is no S3 server at {}: run `cargo xtask setup`", program.display());
    program
}

/// A port that is free now; another program may be faster, and then the server does not start.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until an answer to a request for `path` begins as it should.
pub(crate) fn wait_until_ready(name: &str, address: SocketAddr, path: &str, expected: &str, home: &Home) {
    use std::io::{Read, Write};
    let start = Instant::now();
    let is_ready = || {
        let mut connection = TcpStream::connect(address).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        answer.starts_with(expected).then_some(())
    };
    while is_ready().is_none() {
        let said = std::fs::read_to_string(&home.log).unwrap_or_default();
        assert!(start.elapsed() < Duration::from_secs(60), "{name} does not start: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
