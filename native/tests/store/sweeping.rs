//! What killed processes leave behind is found and deleted, and nothing else.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deltalakedb_native::store::Put;

use crate::proxy::{Fault, Proxy};
use crate::server::start;
use crate::support::{COPYING, Cloud, content, everywhere, file, large, names, put, run, s3_log, same_log};

const HOUR_MS: i64 = 3_600_000;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Parts of uploads that were neither completed nor ended.
fn part_count(data: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(data) else { return 0 };
    let count = |entry: std::fs::DirEntry| match entry.path() {
        path if path.is_dir() => part_count(&path),
        path => usize::from(path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part."))),
    };
    entries.flatten().map(count).sum()
}

/// Killed before the upload is completed, or before it is copied: they never get an answer to the request for it.
#[test]
fn uploads_of_killed_writers_are_ended_after_a_day() {
    run(async {
        let server = start();
        let uploads = server.data.join(".minio.sys/multipart");
        let proxy = Proxy::start(server.address);
        let bytes = large(20 << 20);
        // The first request of the kind begins the upload, the second completes it, the third is of the copy.
        for (options, answered) in [(&[][..], 1), (&[COPYING], 1), (&[COPYING], 2)] {
            let log = s3_log(proxy.address, options).await;
            let direct = same_log(server.address, &log).await;
            log.put_if_absent("whole", file(&bytes), 0).await.unwrap();
            assert_eq!(part_count(&uploads), 0);
            let mut faults = vec![Fault::Pass; answered];
            faults.push(Fault::Hang);
            proxy.fail("POST", &faults);
            let (writer, file) = (log.clone(), file(&bytes));
            let writer = tokio::spawn(async move { writer.put_if_absent("killed", file, 0).await });
            while proxy.requests().iter().filter(|line| line.starts_with("POST")).count() <= answered {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!writer.is_finished());
            }
            writer.abort();
            let left = names(&direct).await;
            assert_eq!(left.len(), 2, "{left:?}");
            assert!(left[0].starts_with(".dl-") && left[0].ends_with(".tmp"), "{left:?}");
            assert_eq!(part_count(&uploads) > 0, answered == 1);

            direct.sweep_temporary_files(now_ms() + 23 * HOUR_MS).await.unwrap();
            assert_eq!(names(&direct).await, left, "a living writer's is kept");
            direct.sweep_temporary_files(now_ms() + 25 * HOUR_MS).await.unwrap();
            assert_eq!(names(&direct).await, ["whole"]);
            assert_eq!(part_count(&uploads), 0, "no part of the upload is left");
        }
    });
}

/// Azure drops blocks itself; what is left of the note goes, and the name is free.
#[test]
fn what_a_killed_writer_left_on_azure_is_in_nobodys_way() {
    run(async {
        let proxy = Proxy::start(Cloud::Azure.address());
        let log = Cloud::Azure.log(proxy.address, &[]).await;
        let direct = Cloud::Azure.same_log(Cloud::Azure.address(), &log).await;
        let bytes = large(20 << 20);
        log.put_if_absent("whole", file(&bytes), 0).await.unwrap();
        // A note, three blocks, and the list of them.
        proxy.fail("PUT", &[Fault::Pass, Fault::Pass, Fault::Pass, Fault::Pass, Fault::Hang]);
        let (writer, content_of_it) = (log.clone(), file(&bytes));
        let writer = tokio::spawn(async move { writer.put_if_absent("killed", content_of_it, 0).await });
        while !proxy.requests().iter().any(|line| line.contains("comp=blocklist")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!writer.is_finished());
        }
        writer.abort();
        let left = names(&direct).await;
        assert!(left.len() == 2 && left[0].starts_with(".dl-") && left[1] == "whole", "{left:?}");
        direct.sweep_temporary_files(now_ms() + 25 * HOUR_MS).await.unwrap();
        assert_eq!(names(&direct).await, ["whole"]);
        assert_eq!(direct.put_if_absent("killed", file(&bytes), 0).await.unwrap(), Put::Written);
        assert!(content(&direct, "killed").await == bytes);
    });
}

#[test]
fn what_is_not_temporary_stays() {
    everywhere(async |place| {
        let log = &place.log;
        let expected = [".dl-", ".dl-x", "00.json", "_last_checkpoint", "x.tmp"];
        for name in expected {
            assert_eq!(put(log, name, "x").await.unwrap(), Put::Written);
        }
        // In a folder it is no living process's as nothing locks it; in the store it is old enough.
        put(log, ".dl-dead.tmp", "no id of an upload").await.unwrap();
        log.sweep_temporary_files(now_ms() + 25 * HOUR_MS).await.unwrap();
        assert_eq!(names(log).await, expected);
    });
}
