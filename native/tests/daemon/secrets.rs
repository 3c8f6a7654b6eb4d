//! Stores that refuse, are away or full: what is told of them, and that no secret is.

use std::process::Command;

use crate::bucket::{add_targets, allow_reading, new_target, on_s3, watch};
use crate::daemon::{Daemon, append, get, targets, wait_for_version, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::server::{BUCKET, KEY_ID, SECRET, free_address, server};
use crate::support::{Home, dl, first_commit, run};

const WRONG: &str = "hunter2-and-more";
const SECRETS: [&str; 3] = [KEY_ID, SECRET, WRONG];

/// What is told of a bucket beside a folder, by every command, with these settings of the environment and these options.
struct Case<'a> {
    target: String,
    env: &'a [(&'a str, &'a str)],
    options: &'a [&'a str],
    kind: &'a str,
    message: &'a str,
    hint: &'a str,
}

impl Case<'_> {
    fn settings(&self, command: Command) -> Command {
        let mut command = on_s3(command, server().address);
        for (name, value) in self.env {
            match value {
                &"" => command.env_remove(name),
                _ => command.env(name, value),
            };
        }
        for option in self.options {
            command.args(["--store-option", option]);
        }
        command
    }

    fn is_told_without_secrets(&self) {
        let home = Home::with_table(&[first_commit()]);
        let folder = home.path("folder");
        add_targets(&home, "t", &[&self.target, folder.to_str().unwrap()]);
        let address = free_address().to_string();
        let mut command = self.settings(watch(&home, server().address, &["--listen", &address]));
        let daemon = Daemon::of({
            command.env("DL_LOG", "trace");
            command
        });
        append(&home, "t", "part-1");
        // What is wrong with one target is no matter of the other one.
        wait_for_version(&folder.join("_delta_log"), 1);
        let known = || targets(&home).into_iter().find(|target| target["failures"] != 0);
        wait_until(self.message, || known().is_some());
        let error = known().unwrap()["last_error"].clone();
        assert_eq!(error["kind"], self.kind, "{error}");
        assert!(error["message"].as_str().unwrap().contains(self.message), "{error}");
        assert!(error["hint"].as_str().unwrap().contains(self.hint), "{error}");
        let mut told = vec![get(&address, "/metrics"), get(&address, "/readyz"), get(&address, "/healthz")];
        assert!(told[0].contains("dl_mirror_failing{"), "{}", told[0]);
        told.push(daemon.end().ok().err);
        told.extend(home.query("SELECT * FROM dl_mirror_status"));
        told.push(home.run("targets", &[]).out);
        told.push(run(home.command_in("table", "targets", &[])).out);
        let place = format!("{}/elsewhere", self.target);
        let commands = [
            ("mirror", "json", ["--target", &self.target]),
            ("mirror", "table", ["--target", &self.target]),
            ("verify", "json", ["--target", &self.target]),
            ("diff", "json", ["--target", &self.target]),
            ("import", "json", ["--log-dir", &self.target]),
            ("export", "json", ["--to", &place]),
            ("backup", "json", ["--to", &place]),
        ];
        let run_one = |(command, format, args): (&str, &str, [&str; 2])| {
            let ran = run(self.settings(home.command_in(format, command, &args)));
            // What is only read may be allowed.
            let is_reading = ["verify", "diff", "import"].contains(&command) && self.message.contains("AccessDenied");
            assert!(ran.code == Some(1) || is_reading, "{command}: {:?} {}", ran.code, ran.err);
            [ran.out, ran.err]
        };
        // Each tries for some time.
        std::thread::scope(|scope| {
            let running = commands.map(|one| scope.spawn(move || run_one(one)));
            running.into_iter().for_each(|one| told.extend(one.join().unwrap()));
        });
        told.extend(home.query("SELECT * FROM dl_mirror_status"));
        for told in told {
            for secret in SECRETS {
                assert!(!told.contains(secret), "{secret} is told: {told}");
            }
        }
    }
}

#[test]
fn credentials_that_are_wrong_or_missing() {
    let metadata = format!("http://{}", free_address());
    let case = |env, options, message, hint| Case { target: new_target(), env, options, kind: "denied", message, hint };
    let wrong_option = format!("aws_secret_access_key={WRONG}");
    let wrong_options = [wrong_option.as_str()];
    let missing =
        [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_METADATA_ENDPOINT", metadata.as_str())];
    let key = [("AWS_ACCESS_KEY_ID", WRONG)];
    let token = [("AWS_SESSION_TOKEN", WRONG)];
    let cases = [
        case(&[], &wrong_options, "403 Forbidden (SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        case(&key, &[], "403 Forbidden (InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        case(&token, &[], "403 Forbidden (InvalidTokenId", "AWS_SESSION_TOKEN"),
        case(&missing, &[], "there are no credentials for S3", "AWS_ACCESS_KEY_ID"),
    ];
    std::thread::scope(|scope| cases.iter().for_each(|case| drop(scope.spawn(|| case.is_told_without_secrets()))));
}

#[test]
fn stores_that_are_away_or_full_or_may_only_be_read() {
    let (away, full) = (format!("http://{}", free_address()), Proxy::start(server().address));
    full.fail_for_ever("PUT", Fault::Status(507));
    let full = format!("http://{}", full.address);
    allow_reading("public");
    let (away, full) = ([("AWS_ENDPOINT_URL", away.as_str())], [("AWS_ENDPOINT_URL", full.as_str())]);
    let unavailable =
        |env, message, hint| Case { target: new_target(), env, options: &[], kind: "unavailable", message, hint };
    let cases = [
        unavailable(&away, "cannot be reached: ", "AWS_ENDPOINT_URL"),
        unavailable(&full, "S3 answers 507", "free some space"),
        Case {
            target: "s3://public/t".to_owned(),
            env: &[],
            options: &["skip_signature=true"],
            kind: "denied",
            message: "403 Forbidden (AccessDenied",
            hint: "check their rights",
        },
    ];
    std::thread::scope(|scope| cases.iter().for_each(|case| drop(scope.spawn(|| case.is_told_without_secrets()))));
}

/// The store refuses what is signed at another time.
#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_is_wrong() {
    let home = Home::new();
    let library = crate::support::library(&home, "odd_clock");
    let hour = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let hour = hour.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let env = [("LD_PRELOAD", library.to_str().unwrap()), ("ODD_CLOCK_SECONDS", &hour)];
    let (kind, message, hint) = ("denied", "403 Forbidden (RequestTimeTooSkewed", "set this machine's clock");
    Case { target: new_target(), env: &env, options: &[], kind, message, hint }.is_told_without_secrets();
}

/// Whoever writes them into an address does not find them in the catalog.
#[test]
fn secrets_in_addresses() {
    let home = Home::with_table(&[first_commit()]);
    for target in [format!("s3://{KEY_ID}:{SECRET}@{BUCKET}/t"), format!("https://x:{WRONG}@127.0.0.1:1/t")] {
        let mut command = dl();
        command.args(["targets", "add", "--table", "t", "--target", &target, "--database"]).arg(home.database());
        let ran = run(on_s3(command, server().address));
        let told = [ran.out, ran.err, home.query("SELECT * FROM dl_mirror_status").join("\n")].join("\n");
        assert!(SECRETS.iter().all(|secret| !told.contains(secret)), "{told}");
    }
}
