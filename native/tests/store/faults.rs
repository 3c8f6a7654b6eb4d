//! Faults between client and server: what is tried again, how often, and what comes of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use deltalakedb_core::ErrorKind;
use deltalakedb_native::store::{Fetched, LogStore, Put};

use crate::proxy::{Fault, Proxy};
use crate::support::{COPYING, Cloud, content, file, large, names, put, run, s3_log};

/// Longer than a request may take, with `timeout=2s`.
const LATE: Fault = Fault::Late(Duration::from_millis(2_500));
const ALL: [Fault; 7] = [
    Fault::Status(503),
    Fault::Status(429),
    Fault::Lose,
    Fault::CutRequest,
    Fault::CutAnswer,
    Fault::SwallowAnswer,
    LATE,
];

/// A log behind a proxy, and the same one without it.
async fn logs(cloud: Cloud) -> (Proxy, LogStore, LogStore) {
    let proxy = Proxy::start(cloud.address());
    let log = cloud.log(proxy.address, &["timeout=2s"]).await;
    // The first put has the store prove itself; faults are for what comes then.
    put(&log, "first", "x").await.unwrap();
    log.delete("first").await.unwrap();
    let direct = cloud.same_log(cloud.address(), &log).await;
    (proxy, log, direct)
}

#[test]
fn a_small_put_survives_every_fault() {
    small_puts_survive(Cloud::S3);
}

#[test]
fn a_small_put_to_azure_survives_every_fault() {
    small_puts_survive(Cloud::Azure);
}

#[test]
fn a_small_put_to_google_cloud_storage_survives_every_fault() {
    small_puts_survive(Cloud::Google);
}

fn small_puts_survive(cloud: Cloud) {
    run(async {
        let (proxy, log, direct) = logs(cloud).await;
        for (number, fault) in ALL.into_iter().enumerate() {
            let name = format!("{number}.json");
            proxy.fail("PUT", &[fault]);
            let outcome = put(&log, &name, "mine").await.unwrap();
            // Sent again it finds itself when it was done the first time.
            let was_done = matches!(fault, Fault::CutAnswer | Fault::SwallowAnswer | Fault::Late(_));
            let expected = if was_done { Put::AlreadyThere } else { Put::Written };
            assert_eq!(outcome, expected, "{fault:?}");
            assert_eq!(content(&direct, &name).await, "mine", "{fault:?}");
        }
        proxy
            .fail("PUT", &[Fault::Status(503), Fault::Status(429), Fault::Status(500), Fault::Lose, Fault::Lose, LATE]);
        assert_eq!(put(&log, "many.json", "mine").await.unwrap(), Put::AlreadyThere);
        assert_eq!(content(&direct, "many.json").await, "mine");
    });
}

#[test]
fn reads_replacements_and_deletions_survive_every_fault() {
    calls_survive(Cloud::S3, &ALL);
}

#[test]
fn reads_replacements_and_deletions_survive_faults_elsewhere() {
    for cloud in Cloud::OTHERS {
        calls_survive(cloud, &[Fault::Status(503), Fault::Lose, Fault::CutAnswer, Fault::SwallowAnswer]);
    }
}

fn calls_survive(cloud: Cloud, faults: &[Fault]) {
    run(async {
        let (proxy, log, direct) = logs(cloud).await;
        let large = large(9 << 20);
        put(&direct, "small", "small content").await.unwrap();
        direct.put_if_absent("large", file(&large), 0).await.unwrap();
        for &fault in faults {
            proxy.fail("GET", &[fault, fault]);
            assert_eq!(content(&log, "small").await, "small content", "{fault:?}");
            proxy.fail("GET", &[fault, fault]);
            assert!(content(&log, "large").await == large, "{fault:?}");
            proxy.fail("GET", &[fault, fault]);
            assert_eq!(names(&log).await, ["large", "small"], "{fault:?}");
            proxy.fail("GET", &[fault]);
            assert_eq!(log.tail("small", 13, 7).await.unwrap(), b"content", "{fault:?}");
            proxy.fail("PUT", &[fault, fault]);
            log.put("_last_checkpoint", Fetched::Bytes(format!("{fault:?}").into())).await.unwrap();
            assert_eq!(content(&direct, "_last_checkpoint").await, format!("{fault:?}"));
            proxy.fail("", &[fault]);
            log.delete("_last_checkpoint").await.unwrap();
            assert_eq!(names(&direct).await, ["large", "small"], "{fault:?}");
        }
    });
}

/// Each request of a large put fails once, by each fault: the object is whole, nothing is left beside it.
fn large_puts_survive(cloud: Cloud, options: &[&str], faults: &[Fault], expected_requests: Range<usize>) {
    run(async {
        let proxy = Proxy::start(cloud.address());
        let log = cloud.log(proxy.address, options).await;
        let direct = cloud.same_log(cloud.address(), &log).await;
        let bytes = large((8 << 20) + 5);
        // The first one has the store prove itself.
        for name in ["first", "second"] {
            proxy.fail("", &[]);
            log.put_if_absent(name, file(&bytes), 0).await.unwrap();
            log.delete(name).await.unwrap();
        }
        let requests = proxy.requests().len() - 1;
        assert!(expected_requests.contains(&requests), "{requests}: {:?}", proxy.requests());
        for &fault in faults {
            for number in 0..requests {
                let mut faults = vec![Fault::Pass; number];
                faults.push(fault);
                proxy.fail("", &faults);
                let outcome = log.put_if_absent("large", file(&bytes), 0).await;
                let context = format!("{fault:?} of {}: {outcome:?}", proxy.requests()[number]);
                assert!(outcome.is_ok(), "{context}");
                assert!(content(&direct, "large").await == bytes, "{context}");
                assert_eq!(names(&direct).await, ["large"], "{context}");
                direct.delete("large").await.unwrap();
            }
        }
    });
}

#[test]
fn a_large_put_survives_every_fault_of_each_of_its_requests() {
    let faults = [Fault::Status(503), Fault::Lose, Fault::CutAnswer, Fault::SwallowAnswer];
    large_puts_survive(Cloud::S3, &[], &faults, 6..9);
}

#[test]
fn one_that_is_copied_does_so_too() {
    large_puts_survive(Cloud::S3, &[COPYING], &[Fault::Lose, Fault::SwallowAnswer], 9..13);
}

#[test]
fn one_to_azure_does_so_too() {
    large_puts_survive(Cloud::Azure, &[], &[Fault::Lose, Fault::CutAnswer, Fault::SwallowAnswer], 5..8);
}

#[test]
fn one_to_google_cloud_storage_does_so_too() {
    large_puts_survive(Cloud::Google, &[], &[Fault::Lose, Fault::CutAnswer, Fault::SwallowAnswer], 7..10);
}

#[test]
fn what_is_denied_or_absent_or_wrong_is_not_tried_again() {
    run(async {
        let (proxy, log, _) = logs(Cloud::S3).await;
        for (status, kind) in [
            (400, ErrorKind::Invalid),
            (401, ErrorKind::Denied),
            (403, ErrorKind::Denied),
            (404, ErrorKind::NotFound),
            (405, ErrorKind::Unsupported),
        ] {
            proxy.fail_for_ever("", Fault::Status(status));
            assert_eq!(log.fetch("a").await.unwrap_err().kind(), kind, "{status}");
            assert_eq!(proxy.requests().len(), 1, "{status}: {:?}", proxy.requests());
        }
    });
}

#[test]
fn a_store_that_never_serves_is_given_up() {
    run(async {
        let (proxy, log, direct) = logs(Cloud::S3).await;
        for (fault, fragment, most) in [
            (Fault::Status(503), "S3 answers 503 Service Unavailable (SlowDown: Not like this.)", 8),
            (Fault::Status(429), "S3 answers 429 Too Many Requests (SlowDown", 8),
            (Fault::Lose, "the connection to S3 at 127.0.0.1", 8),
            (Fault::SwallowAnswer, "the connection to S3 at 127.0.0.1", 8),
            (Fault::Late(Duration::from_secs(4)), "did not answer in time", 4),
        ] {
            proxy.fail_for_ever("PUT", fault);
            let start = Instant::now();
            match put(&log, "never", "x").await {
                // It arrived, and only its answers did not: a look at the store tells.
                Ok(put) => {
                    assert_eq!(put, Put::AlreadyThere, "{fault:?}");
                    assert!(matches!(fault, Fault::SwallowAnswer | Fault::Late(_)), "{fault:?}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    assert!(error.to_string().contains(fragment), "{error}");
                    assert!(error.to_string().starts_with("writing never to s3://bucket/"), "{error}");
                    assert!(!matches!(fault, Fault::SwallowAnswer), "{error}");
                }
            }
            let (puts, others): (Vec<_>, Vec<_>) =
                proxy.requests().into_iter().partition(|line| line.starts_with("PUT"));
            assert!((2..=most).contains(&puts.len()) && others.len() <= 2, "{fault:?}: {puts:?}, {others:?}");
            assert!(start.elapsed() < Duration::from_secs(40), "{fault:?}: {:?}", start.elapsed());
            // A late one may have been done.
            let _ = direct.delete("never").await;
        }
    });
}

/// A server that takes the connection and says nothing.
#[test]
fn a_silent_server_does_not_hang_anyone() {
    run(async {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let log = s3_log(silent.local_addr().unwrap(), &["timeout=500ms"]).await;
        let start = Instant::now();
        for error in [log.list().await.unwrap_err(), put(&log, "a", "x").await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().ends_with("did not answer in time"), "{error}");
        }
        assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    });
}

/// Sixteen writers over a bad network: the object is one of theirs, whole, and each is told what is true.
#[test]
fn a_race_over_a_bad_network_has_at_most_one_winner() {
    run(async {
        let (proxy, log, direct) = logs(Cloud::S3).await;
        for round in 0..4 {
            let name = format!("{round}.json");
            proxy.fail("PUT", &[Fault::SwallowAnswer, Fault::Lose, Fault::Status(503), Fault::CutAnswer, Fault::Lose]);
            let writers = (0..16).map(|writer| put(&log, &name, format!("writer {writer}")));
            let outcomes = futures::future::join_all(writers).await;
            let winners: Vec<_> =
                (0..16).filter(|&writer| *outcomes[writer].as_ref().unwrap() == Put::Written).collect();
            assert!(winners.len() <= 1, "{winners:?}");
            let there = String::from_utf8(content(&direct, &name).await.to_vec()).unwrap();
            assert!(winners.first().is_none_or(|winner| there == format!("writer {winner}")), "{there}: {winners:?}");
        }
    });
}
