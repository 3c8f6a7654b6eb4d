//! Running `dl`, and small logs to run it on.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// No command of these tests takes longer, unless it hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// A folder with a catalog in it, and room for logs.
pub(crate) struct Home(TempDir);

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn dl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dl"));
    command.env_remove("DL_DATABASE").stdin(Stdio::null());
    command
}

pub(crate) fn tables_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tables")
}

/// Runs a command to its end, with `input` as its standard input.
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that fails early does not read its input; what cannot be written is not wanted.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let ran = finish(child);
    writing.join().unwrap();
    ran
}

pub(crate) fn run(command: Command) -> Ran {
    run_with(command, b"")
}

/// Waits for a child; one that hangs fails the test.
pub(crate) fn finish(mut child: Child) -> Ran {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let read = |source: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            source.map(|mut source| source.read_to_end(&mut bytes));
            bytes
        })
    };
    let out = read(out.map(|out| Box::new(out) as Box<dyn Read + Send>));
    let err = read(err.map(|err| Box::new(err) as Box<dyn Read + Send>));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LONGEST {
            child.kill().unwrap();
            panic!("dl hangs; so far it said {}", String::from_utf8_lossy(&err.join().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ran::of(Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() })
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.err.contains("panicked"), "dl panicked: {}", ran.err);
        ran
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    /// What a command that succeeds says in JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let ran = self.ok();
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }

    /// The error of a command that fails, as JSON; `code` is the exit code.
    #[track_caller]
    pub(crate) fn error(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        let line = self.err.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {}", self.err));
        error["error"].clone()
    }

    /// Checks that the command failed with this kind, and that its message has this fragment.
    #[track_caller]
    pub(crate) fn fails(&self, kind: &str, fragment: &str) -> Value {
        let error = self.error(if error_is_conflict_with_kind(self) { 4 } else { 1 });
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["kind"], kind, "{message}");
        assert!(message.contains(fragment), "expected `{fragment}` in `{message}`");
        error
    }
}

fn error_is_conflict_with_kind(ran: &Ran) -> bool {
    ran.err.contains("\"conflict_kind\"")
}

impl Home {
    pub(crate) fn new() -> Self {
        Home(TempDir::new().unwrap())
    }

    /// A catalog with one table, named `t`, of these commits.
    pub(crate) fn with_table(commits: &[Vec<u8>]) -> Self {
        let home = Home::new();
        home.write_log("t", commits);
        home.import("t").ok();
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("catalog.db")
    }

    /// Writes a table's log, one file a commit from version 0 on; the answer is the log's folder.
    pub(crate) fn write_log(&self, table: &str, commits: &[Vec<u8>]) -> PathBuf {
        let log = self.path(table).join("_delta_log");
        std::fs::create_dir_all(&log).unwrap();
        for (version, commit) in commits.iter().enumerate() {
            std::fs::write(log.join(commit_name(version)), commit).unwrap();
        }
        log
    }

    /// `dl COMMAND --database ... --format json`.
    pub(crate) fn command(&self, command: &str, args: &[&str]) -> Command {
        self.command_in("json", command, args)
    }

    pub(crate) fn command_in(&self, format: &str, command: &str, args: &[&str]) -> Command {
        let mut dl = dl();
        dl.arg(command).arg("--database").arg(self.database()).args(["--format", format]).args(args);
        dl
    }

    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Ran {
        run(self.command(command, args))
    }

    pub(crate) fn import(&self, table: &str) -> Ran {
        self.run("import", &["--log-dir", self.path(table).to_str().unwrap()])
    }

    pub(crate) fn commit(&self, actions: &[u8], args: &[&str]) -> Ran {
        let mut command = self.command("commit", &["--table", "t", "--actions", "-"]);
        command.args(args);
        run_with(command, actions)
    }

    pub(crate) fn mirror(&self, target: &str) -> Ran {
        self.run("mirror", &["--table", "t", "--target", self.path(target).to_str().unwrap()])
    }

    pub(crate) fn tables(&self) -> Vec<Value> {
        self.run("tables", &[]).json().as_array().unwrap().clone()
    }

    /// The paths of the files of the only table, sorted.
    pub(crate) fn file_paths(&self) -> Vec<String> {
        let files = self.run("files", &[]).json();
        let mut paths: Vec<String> =
            files.as_array().unwrap().iter().map(|add| add["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    }

    /// Rows of a table in SQL, every value as text.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?)));
            Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
        });
        rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    /// Everything of the only table that does not hang on when and under which keys it was written.
    pub(crate) fn content(&self) -> Vec<String> {
        let mut content = self.query(
            "SELECT version, timestamp_ms, commit_info, added_files, removed_files, file_count, size_bytes, row_count
             FROM dl_table_versions ORDER BY version",
        );
        content.extend(self.query(
            "SELECT file_id - (table_id << 40), version, removed_version, path, dv_id, size, stats FROM dl_add_files
             ORDER BY file_id",
        ));
        content.extend(self.query("SELECT version, metadata FROM dl_metadata_updates ORDER BY version"));
        content.extend(self.query("SELECT version, protocol FROM dl_protocol_updates ORDER BY version"));
        content
    }

    /// The catalog, if there is one, knows no table and holds no row of one.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        if !self.database().exists() {
            return;
        }
        let tables =
            self.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'dl\\_%' ESCAPE '\\'");
        for table in tables.iter().filter_map(|row| row.split('"').nth(1)).filter(|table| *table != "dl_migrations") {
            assert_eq!(
                self.query(&format!("SELECT count(*) FROM {table}")),
                ["Integer(0)"],
                "rows are left in {table}"
            );
        }
    }
}

pub(crate) fn commit_name(version: usize) -> String {
    format!("{version:020}.json")
}

/// A commit file: a line an action.
pub(crate) fn lines(actions: &[Value]) -> Vec<u8> {
    actions.iter().flat_map(|action| format!("{action}\n").into_bytes()).collect()
}

pub(crate) fn commit_info() -> Value {
    json!({ "commitInfo": { "operation": "WRITE", "timestamp": 1_700_000_000_000_i64 } })
}

pub(crate) fn protocol() -> Value {
    json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } })
}

/// A protocol with table features, all for readers and writers.
pub(crate) fn protocol_with(features: &[&str]) -> Value {
    let of_readers: Vec<&&str> = features.iter().filter(|name| **name == "deletionVectors").collect();
    json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": of_readers, "writerFeatures": features,
    } })
}

pub(crate) fn metadata() -> Value {
    metadata_with(json!({}))
}

/// Metadata with these fields instead of its own.
pub(crate) fn metadata_with(fields: Value) -> Value {
    let schema = r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}"#;
    let mut metadata = json!({
        "id": "0e3f8a50-5a3c-4b63-a7d4-4b1c7e7f2a11",
        "format": { "provider": "parquet", "options": {} },
        "schemaString": schema,
        "partitionColumns": [],
        "configuration": {},
    });
    for (name, value) in fields.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    json!({ "metaData": metadata })
}

pub(crate) fn add(path: &str) -> Value {
    add_with(path, json!({}))
}

/// An add with these fields instead of its own.
pub(crate) fn add_with(path: &str, fields: Value) -> Value {
    let mut add = json!({
        "path": path,
        "partitionValues": {},
        "size": 10,
        "modificationTime": 1_700_000_000_000_i64,
        "dataChange": true,
    });
    for (name, value) in fields.as_object().unwrap() {
        add[name] = value.clone();
    }
    json!({ "add": add })
}

pub(crate) fn remove(path: &str) -> Value {
    json!({ "remove": { "path": path, "deletionTimestamp": 1_700_000_000_000_i64, "dataChange": true } })
}

/// The first commit of a table with one file, `first`.
pub(crate) fn first_commit() -> Vec<u8> {
    lines(&[commit_info(), protocol(), metadata(), add("first")])
}

/// A table's commits: the first one, then `versions` more of `files` files each.
pub(crate) fn many_commits(versions: usize, files: usize) -> Vec<Vec<u8>> {
    let mut commits = vec![first_commit()];
    for version in 1..=versions {
        let adds =
            (0..files).map(|file| add_with(&format!("v{version}/f{file}"), json!({ "stats": "{\"numRecords\":3}" })));
        commits.push(lines(&std::iter::once(commit_info()).chain(adds).collect::<Vec<_>>()));
    }
    commits
}

/// The files of a log and what they hold, but for temporary ones.
pub(crate) fn log_content(log: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(_, path)| path.is_file())
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Copies a folder of the bundled tables.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// For LD_PRELOAD, from the C file of that name, by the compiler that Rust links by.
pub(crate) fn library(home: &Home, name: &str) -> PathBuf {
    let library = home.path(&format!("{name}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/{name}.c"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.unwrap().success());
    library
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// A part of a duration.
    pub(crate) fn part_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.below(1000) as f64 / 1000.0)
    }
}
