//! `dl mirror --watch` as a process, and what it comes to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::{Home, Ran, add, commit_name, finish, lines};

/// Nothing of these tests takes longer, unless it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A daemon; killed when it is dropped.
pub(crate) struct Daemon {
    child: Option<Child>,
    /// What it tells on standard error.
    log: NamedTempFile,
}

impl Daemon {
    pub(crate) fn start(home: &Home, args: &[&str]) -> Self {
        let mut command = home.command("mirror", &["--watch"]);
        command.args(args);
        Daemon::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let log = NamedTempFile::new().unwrap();
        let child = command.stdout(Stdio::piped()).stderr(log.reopen().unwrap()).spawn().unwrap();
        Daemon { child: Some(child), log }
    }

    /// Whether `dl targets` names it as who has a target.
    pub(crate) fn has(&self, target: &Value) -> bool {
        let process = format!(":{}", self.child.as_ref().unwrap().id());
        target["daemon"].as_str().is_some_and(|name| name.ends_with(&process))
    }

    /// What it has told so far.
    pub(crate) fn told(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// How many of its lines have a part.
    pub(crate) fn told_times(&self, part: &str) -> usize {
        self.told().lines().filter(|line| line.contains(part)).count()
    }

    /// Waits for its end, as where it cannot begin.
    pub(crate) fn end_by_itself(mut self) -> Ran {
        let ran = finish(self.child.take().unwrap());
        Ran { err: self.told(), ..ran }
    }

    /// Kills it; what it told.
    pub(crate) fn kill(mut self) -> String {
        let mut child = self.child.take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it has ended by itself: {}", self.told());
        child.kill().unwrap();
        child.wait().unwrap();
        self.told()
    }

    /// Asks it to end, as an operator does; before, it must not have ended.
    pub(crate) fn end(mut self) -> Ran {
        let is_alive = self.child.as_mut().unwrap().try_wait().unwrap().is_none();
        assert!(is_alive, "it has ended by itself: {}", self.told());
        self.signal("TERM");
        self.end_by_itself()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let process = self.child.as_ref().unwrap().id().to_string();
        let told = Command::new("kill").args([format!("-{signal}"), process]).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_within(LONG, what, is_so);
}

#[track_caller]
pub(crate) fn wait_within(longest: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < longest, "waited {longest:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
pub(crate) fn wait_for_version(log: &Path, version: usize) {
    let file = log.join(commit_name(version));
    wait_until(&format!("{}", file.display()), || file.exists());
}

pub(crate) fn append(home: &Home, table: &str, path: &str) {
    commit(home, table, &[add(path)]);
}

pub(crate) fn commit(home: &Home, table: &str, actions: &[Value]) {
    let mut command = home.command("commit", &["--table", table, "--actions", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&lines(actions)).unwrap();
    assert!(child.wait().unwrap().success());
}

/// What `dl targets` says of each target, by its address.
pub(crate) fn targets(home: &Home) -> Vec<Value> {
    home.run("targets", &[]).json().as_array().unwrap().clone()
}

/// The answer to a GET.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
