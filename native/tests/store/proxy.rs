//! A proxy before the server, which does to requests what networks and busy servers do.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Pass,
    /// It is answered by this status and does not come to the server.
    Status(u16),
    /// The connection is closed before it comes to the server.
    Lose,
    /// The connection is closed when half of it has come to the server.
    CutRequest,
    /// It does not come to the server, and is not answered for minutes.
    Hang,
    /// The server does it, and the connection is closed in the middle of the answer.
    CutAnswer,
    /// The server does it, and the connection is closed instead of an answer.
    SwallowAnswer,
    /// The server does it, and the answer comes late.
    Late(Duration),
}

/// The faults for requests that begin with a text such as `PUT /bucket/`, in order; then all pass. Or all suffer the first
/// one, or each one of them by chance.
#[derive(Default)]
struct Plan {
    faults: VecDeque<Fault>,
    for_ever: bool,
    by_chance: bool,
    prefix: String,
    requests: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    /// Takes the conditions from the requests that complete uploads or copy them.
    is_forgetful: bool,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        Self::run(server, false)
    }

    /// One that makes of the server a store which completes or copies uploads whatever is there.
    pub(crate) fn start_forgetful(server: SocketAddr) -> Self {
        Self::run(server, true)
    }

    fn run(server: SocketAddr, is_forgetful: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy { address: listener.local_addr().unwrap(), plan: Arc::default(), is_forgetful };
        let accepting = proxy.clone();
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let proxy = accepting.clone();
                std::thread::spawn(move || proxy.serve(client, server));
            }
        });
        proxy
    }

    /// These faults, one a request, for those that begin with `prefix`.
    pub(crate) fn fail(&self, prefix: &str, faults: &[Fault]) {
        *self.plan.lock().unwrap() =
            Plan { faults: faults.iter().copied().collect(), prefix: prefix.to_owned(), ..Plan::default() };
    }

    pub(crate) fn fail_for_ever(&self, prefix: &str, fault: Fault) {
        self.fail(prefix, &[fault]);
        self.plan.lock().unwrap().for_ever = true;
    }

    /// Each request suffers one of these, by chance.
    pub(crate) fn storm(&self, faults: &[Fault]) {
        self.fail("", faults);
        self.plan.lock().unwrap().by_chance = true;
    }

    /// The first lines of the requests since the last plan.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.plan.lock().unwrap().requests.clone()
    }

    fn fault(&self, request: &str) -> Fault {
        let mut plan = self.plan.lock().unwrap();
        plan.requests.push(request.to_owned());
        if !request.starts_with(&plan.prefix) {
            return Fault::Pass;
        }
        let fault = match (plan.by_chance, plan.for_ever) {
            (true, _) => plan.faults.get(fastrand::usize(..plan.faults.len())).copied(),
            (_, true) => plan.faults.front().copied(),
            _ => plan.faults.pop_front(),
        };
        fault.unwrap_or(Fault::Pass)
    }

    /// One request a connection; a client that goes away is its own fault.
    fn serve(&self, mut client: TcpStream, server: SocketAddr) -> Option<()> {
        let request = read_request(&client, self.is_forgetful)?;
        let line = String::from_utf8_lossy(&request).lines().next()?.to_owned();
        let fault = self.fault(&line);
        match fault {
            Fault::Lose => return Some(()),
            Fault::Hang => {
                std::thread::sleep(Duration::from_secs(300));
                return Some(());
            }
            Fault::Status(status) => {
                let code = if [429, 503].contains(&status) { "SlowDown" } else { "Refused" };
                let body = format!("<Error><Code>{code}</Code><Message>Not like this.</Message></Error>");
                let head = format!("HTTP/1.1 {status} Slow\r\nContent-Length: {}\r\nConnection: close", body.len());
                return write!(client, "{head}\r\n\r\n{body}").ok();
            }
            _ => {}
        }
        let mut upstream = TcpStream::connect(server).ok()?;
        if fault == Fault::CutRequest {
            return upstream.write_all(&request[..request.len() / 2]).ok();
        }
        upstream.write_all(&request).ok()?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).ok()?;
        match fault {
            Fault::SwallowAnswer => return Some(()),
            Fault::CutAnswer => answer.truncate(answer.len() * 2 / 3),
            Fault::Late(time) => std::thread::sleep(time),
            _ => {}
        }
        client.write_all(&answer).ok()
    }
}

/// A whole request, with the wish that the connection be closed after it; a forgetful one lacks the conditions of what makes
/// large objects.
pub(crate) fn read_request(client: &TcpStream, is_forgetful: bool) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let mut lines = Vec::new();
    let mut body_size = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(size) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_size = size.trim().parse().ok()?;
        }
        lines.push(line);
    }
    let has = |line: &String, name: &str| line.to_ascii_lowercase().starts_with(name);
    if is_forgetful && lines.iter().any(|line| line.starts_with("POST") || has(line, "x-goog-copy-source:")) {
        lines.retain(|line| !has(line, "if-none-match:") && !has(line, "x-goog-if-generation-match:"));
    }
    lines.push("Connection: close\r\n\r\n".to_owned());
    let mut request = lines.concat().into_bytes();
    request.reserve_exact(usize::try_from(body_size).ok()? + 64);
    reader.take(body_size).read_to_end(&mut request).ok()?;
    Some(request)
}
