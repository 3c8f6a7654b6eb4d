//! The other commands that read and write logs, on the server.

use serde_json::Value;

use crate::bucket::{Log, new_target, on_s3, run_on_s3, watch};
use crate::daemon::{Daemon, append, targets, wait_until};
use crate::proxy::{Fault, Proxy};
use crate::server::server;
use crate::support::{Home, Ran, commit_name, many_commits, run, tables_folder};

/// Three of four requests come through.
const WEATHER: [Fault; 16] = {
    let mut weather = [Fault::Pass; 16];
    (weather[0], weather[1]) = (Fault::Status(503), Fault::Lose);
    (weather[2], weather[3]) = (Fault::CutRequest, Fault::SwallowAnswer);
    weather
};

/// Runs a command on a store with faults, until it succeeds; what it comes to before is that the store is to blame.
fn run_in_a_storm(home: &Home, proxy: &Proxy, command: &str, args: &[&str]) -> Ran {
    for _ in 0..10 {
        let ran = run(on_s3(home.command(command, args), proxy.address));
        if ran.code == Some(0) {
            return ran;
        }
        ran.fails("unavailable", "");
    }
    panic!("dl {command} comes to no end");
}

/// Without the version's time, which is that of the upload in an object store.
fn state(home: &Home) -> (Value, Vec<String>) {
    let mut state = home.run("snapshot", &[]).json();
    let fields = state.as_object_mut().unwrap();
    fields.retain(|name, _| name != "table_id" && name != "timestamp_ms");
    (state, home.file_paths())
}

#[test]
fn tables_go_to_the_server_and_come_back() {
    let proxy = Proxy::start(server().address);
    proxy.storm(&WEATHER);
    for name in ["classic-checkpoint", "v2-checkpoint-json", "deletion-vectors", "streaming"] {
        println!("{name}");
        let home = Home::new();
        let source = tables_folder().join(name);
        home.run("import", &["--log-dir", source.to_str().unwrap(), "--name", "t"]).ok();
        let (target, exported) = (new_target(), new_target());
        run_in_a_storm(&home, &proxy, "mirror", &["--target", &target]);
        run_in_a_storm(&home, &proxy, "verify", &["--target", &target]);
        run_in_a_storm(&home, &proxy, "diff", &["--target", &target]);
        run_in_a_storm(&home, &proxy, "export", &["--to", &exported]);
        run_on_s3(&home, "export", &["--to", &exported]).fails("conflict", "a log is there already");
        for from in [&target, &exported] {
            let other = Home::new();
            run_in_a_storm(&other, &proxy, "import", &["--log-dir", from, "--name", "t"]);
            assert_eq!(state(&other), state(&home), "{from}");
        }
    }
}

/// The answer to the last put is lost.
#[test]
fn a_backup_knows_itself() {
    let proxy = Proxy::start(server().address);
    let home = Home::with_table(&many_commits(2, 2));
    let backups = new_target();
    let back_up = |to: &str| run(on_s3(home.command("backup", &["--to", to]), proxy.address)).ok();
    back_up(&backups);
    let puts = proxy.requests().iter().filter(|line| line.starts_with("PUT")).count();
    let mut faults = vec![Fault::Pass; puts - 1];
    faults.push(Fault::SwallowAnswer);
    proxy.fail("PUT", &faults);
    back_up(&new_target());
    assert_eq!(proxy.requests().iter().filter(|line| line.starts_with("PUT")).count(), puts + 1);
}

#[test]
fn the_catalog_is_saved_to_the_server_and_restored() {
    let proxy = Proxy::start(server().address);
    proxy.storm(&WEATHER);
    let home = Home::with_table(&many_commits(12, 50));
    let (target, backups) = (new_target(), new_target());
    run_on_s3(&home, "mirror", &["--target", &target]).ok();
    run_in_a_storm(&home, &proxy, "backup", &["--to", &backups]);
    for number in 0..3 {
        append(&home, "t", &format!("part-{number}"));
        let made = run_in_a_storm(&home, &proxy, "backup", &["--to", &backups, "--incremental"]).json();
        assert_eq!(made["kind"], "incremental", "{made}");
    }
    let restored = Home::new();
    run_in_a_storm(&restored, &proxy, "restore", &["--from", &backups]);
    assert_eq!(restored.content(), home.content());
    // What the log has is what the restored catalog has, and it goes on from there.
    run_on_s3(&home, "mirror", &["--target", &target]).ok();
    run_on_s3(&restored, "verify", &["--target", &target]).ok();
    let daemon = Daemon::of(watch(&restored, server().address, &[]));
    append(&restored, "t", "after");
    let log = Log::of(&target);
    wait_until("the next version", || log.has(&commit_name(16)));
    daemon.end().ok();
    run_on_s3(&restored, "verify", &["--target", &target]).ok();
    let nothing = format!("{backups}/none");
    run_on_s3(&Home::new(), "restore", &["--from", &nothing]).fails("not_found", "");
}

#[test]
fn odd_addresses() {
    let home = Home::with_table(&many_commits(12, 2));
    let bucket = new_target();
    for target in [
        format!("{bucket}/with space/ü/日本/100%25/a+b&c='x'"),
        format!("{bucket}/slash/"),
        format!("{bucket}/named/_delta_log"),
        format!("s3://{ROOT}"),
    ] {
        if target.ends_with(ROOT) {
            std::fs::create_dir_all(server().data.join(ROOT)).unwrap();
        }
        let mut added = home.command("mirror", &["--watch", "--table", "t", "--target", &target]);
        added.args(["--poll-ms", "5"]);
        let before = home.tables()[0]["version"].as_u64().unwrap();
        let daemon = Daemon::of(on_s3(added, server().address));
        append(&home, "t", "more");
        let is_done = |known: &Value| known["version"] == before + 1 && known["failures"] == 0;
        wait_until(&target, || targets(&home).iter().all(is_done));
        daemon.end().ok();
        run_on_s3(&home, "verify", &["--target", &target]).ok();
        let other = Home::new();
        run_on_s3(&other, "import", &["--log-dir", &target, "--name", "t"]).ok();
        assert_eq!(other.file_paths(), home.file_paths(), "{target}");
    }
    assert_eq!(targets(&home).len(), 4);
}

/// A bucket that is a table's folder itself.
const ROOT: &str = "a-table";
