//! What every place does.

use std::time::Duration;

use deltalakedb_core::ErrorKind;
use deltalakedb_native::store::{Fetched, Put};

use crate::support::{content, everywhere, file, large, names, put};

/// Over what is put in one request.
const LARGE: usize = (8 << 20) + 12_345;

#[test]
fn what_is_put_is_read_whole_and_by_its_tail() {
    everywhere(async |place| {
        let log = &place.log;
        for (name, text) in [("a.json", "first\nsecond\n"), ("empty", "")] {
            assert_eq!(put(log, name, text).await.unwrap(), Put::Written);
            assert_eq!(content(log, name).await, text);
        }
        assert_eq!(log.tail("a.json", 13, 7).await.unwrap(), b"second\n");
        assert_eq!(log.tail("a.json", 13, 100).await.unwrap(), b"first\nsecond\n");
        assert_eq!(log.tail("empty", 0, 4).await.unwrap(), b"");
        let listed = log.list().await.unwrap();
        let sizes: Vec<_> = listed.iter().map(|(name, size, _)| (name.as_str(), *size)).collect();
        assert!(sizes.contains(&("a.json", 13)) && sizes.contains(&("empty", 0)), "{sizes:?}");
        assert_eq!(sizes.len(), 2);
    });
}

#[test]
fn times_are_the_callers_in_a_folder_and_the_stores_own_elsewhere() {
    everywhere(async |place| {
        put(&place.log, "a", "x").await.unwrap();
        let modified_ms = place.log.list().await.unwrap()[0].2;
        assert_eq!(modified_ms == 1_700_000_000_000, place.folder.is_some());
        assert!(modified_ms >= 1_700_000_000_000);
    });
}

#[test]
fn a_put_if_absent_keeps_what_is_there() {
    everywhere(async |place| {
        let log = &place.log;
        assert_eq!(put(log, "a", "first").await.unwrap(), Put::Written);
        assert_eq!(put(log, "a", "other").await.unwrap(), Put::AlreadyThere);
        assert_eq!(put(log, "a", "first").await.unwrap(), Put::AlreadyThere);
        assert_eq!(put(log, "a", large(LARGE)).await.unwrap(), Put::AlreadyThere);
        assert_eq!(content(log, "a").await, "first");
        assert_eq!(names(log).await, ["a"]);
    });
}

/// Of small ones and large ones, and of both at once.
#[test]
fn of_sixteen_racing_writers_one_wins() {
    for (rounds, sizes) in [(20, [10, 10]), (2, [LARGE, LARGE]), (2, [10, LARGE])] {
        everywhere(async |place| {
            for round in 0..rounds {
                let name = format!("{round:020}.json");
                let writers = (0..16_u8).map(|writer| {
                    let (place, name) = (place.clone(), name.clone());
                    let mut bytes = large(sizes[usize::from(writer) % 2]).to_vec();
                    bytes[0] = writer;
                    // From files, as large ones come, so that 16 do not fill the memory.
                    tokio::spawn(async move { place.log.put_if_absent(&name, file(&bytes), 0).await })
                });
                let writers: Vec<_> = writers.collect();
                let mut winners = Vec::new();
                for (number, writer) in writers.into_iter().enumerate() {
                    if writer.await.unwrap().unwrap() == Put::Written {
                        winners.push(number);
                    }
                }
                assert_eq!(winners.len(), 1, "{winners:?} all wrote {name}");
                let there = content(&place.log, &name).await;
                assert_eq!(usize::from(there[0]), winners[0]);
                assert!(there[1..] == large(there.len())[1..], "the winner's bytes are whole");
            }
            assert_eq!(names(&place.log).await.len(), rounds, "nothing else is left");
        });
    }
}

#[test]
fn large_objects_come_back_as_they_were() {
    everywhere(async |place| {
        let log = &place.log;
        // Around the ends of parts.
        for size in [8 << 20, (8 << 20) + 1, (16 << 20) - 1, 16 << 20, 17 << 20, 40 << 20] {
            let bytes = large(size);
            let name = format!("{size}.parquet");
            assert_eq!(log.put_if_absent(&name, file(&bytes), 0).await.unwrap(), Put::Written);
            assert!(content(log, &name).await == bytes, "{size}");
            let end = log.tail(&name, size as u64, 8).await.unwrap();
            assert_eq!(end, bytes[size - 8..]);
        }
        assert_eq!(names(log).await.len(), 6, "no temporary object is left");
    });
}

#[test]
fn a_put_replaces_and_a_delete_bears_what_is_gone() {
    everywhere(async |place| {
        let log = &place.log;
        for text in ["one", "two"] {
            log.put("_last_checkpoint", Fetched::Bytes(text.into())).await.unwrap();
            assert_eq!(content(log, "_last_checkpoint").await, text);
        }
        log.delete("_last_checkpoint").await.unwrap();
        log.delete("_last_checkpoint").await.unwrap();
        log.delete("_sidecars/never").await.unwrap();
        assert!(names(log).await.is_empty());
        assert_eq!(log.fetch("_last_checkpoint").await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(put(log, "_last_checkpoint", "three").await.unwrap(), Put::Written);
    });
}

/// In a folder Spark keeps `.<name>.crc` of what it wrote, and refuses another file of that name beside it.
#[test]
fn what_spark_keeps_of_a_file_goes_with_it() {
    everywhere(async |place| {
        let (log, Some(folder)) = (&place.log, &place.folder) else { return };
        let folder = folder.path().join("_delta_log");
        std::fs::create_dir_all(&folder).unwrap();
        let spark_writes = |name: &str| {
            std::fs::write(folder.join(name), "theirs").unwrap();
            std::fs::write(folder.join(format!(".{name}.crc")), "of theirs").unwrap();
        };
        spark_writes("_last_checkpoint");
        log.put("_last_checkpoint", Fetched::Bytes("ours".into())).await.unwrap();
        assert_eq!(names(log).await, ["_last_checkpoint"]);
        spark_writes("a.json");
        assert_eq!(put(log, "a.json", "ours").await.unwrap(), Put::AlreadyThere);
        assert_eq!(names(log).await, [".a.json.crc", "_last_checkpoint", "a.json"], "it is still theirs");
        log.delete("a.json").await.unwrap();
        assert_eq!(names(log).await, ["_last_checkpoint"]);
        std::fs::write(folder.join(".a.json.crc"), "of what is gone").unwrap();
        assert_eq!(put(log, "a.json", "ours").await.unwrap(), Put::Written);
        assert_eq!(names(log).await, ["_last_checkpoint", "a.json"]);
    });
}

#[test]
fn sidecars_are_in_a_folder_of_their_own() {
    everywhere(async |place| {
        let log = &place.log;
        assert!(log.list_in("_sidecars").await.unwrap().is_empty());
        let bytes = large(LARGE);
        for (name, bytes) in [("_sidecars/a.parquet", large(10)), ("_sidecars/b.parquet", bytes.clone())] {
            assert_eq!(put(log, name, bytes.clone()).await.unwrap(), Put::Written);
            assert_eq!(put(log, name, "other").await.unwrap(), Put::AlreadyThere);
            assert!(content(log, name).await == bytes);
        }
        let mut listed = log.list_in("_sidecars").await.unwrap();
        listed.sort();
        let listed: Vec<_> = listed.iter().map(|(name, size, _)| (name.as_str(), *size)).collect();
        assert_eq!(listed, [("a.parquet", 10), ("b.parquet", LARGE as u64)]);
        assert!(names(log).await.is_empty(), "they are not directly in the log, and nothing is left there");
        log.delete("_sidecars/a.parquet").await.unwrap();
        assert_eq!(log.list_in("_sidecars").await.unwrap().len(), 1);
    });
}

#[test]
fn more_names_than_a_page_of_a_listing_holds() {
    everywhere(async |place| {
        let expected: Vec<_> = (0..1_234).map(|version| format!("{version:020}.json")).collect();
        for names in expected.chunks(100) {
            let puts = names.iter().map(|name| put(&place.log, name, "x"));
            assert!(futures::future::join_all(puts).await.into_iter().all(|put| put.unwrap() == Put::Written));
        }
        assert!(names(&place.log).await == expected);
    });
}

#[test]
fn odd_names_are_names() {
    let odd = [
        "with space",
        "ü",
        "日本語.json",
        "100%",
        "%41",
        "a+b",
        "a#b",
        "a?b=c",
        "a&b",
        "a;b",
        "a:b",
        "a'b\"c",
        "[x]{y}|~^`",
        "$HOME",
        "~",
        "..x",
        "x..",
        "-",
        "<x>",
        "a*b",
        "🦀",
        "_delta_log",
    ];
    everywhere(async |place| {
        for name in odd {
            assert_eq!(put(&place.log, name, name).await.unwrap(), Put::Written, "{name}");
            assert_eq!(put(&place.log, name, "other").await.unwrap(), Put::AlreadyThere, "{name}");
            assert_eq!(content(&place.log, name).await, name);
        }
        let mut sorted = odd;
        sorted.sort_unstable();
        assert_eq!(names(&place.log).await, sorted);
        for name in odd {
            place.log.delete(name).await.unwrap();
        }
        assert!(names(&place.log).await.is_empty());
    });
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    everywhere(async |place| {
        let log = &place.log;
        for name in ["", ".", "..", "../x", "a/../../x", "/x", "a//b", "a/", "./x", "a/./b", "a\0b", "a\nb"] {
            for refused in [
                put(log, name, "x").await.map(drop),
                log.put(name, Fetched::Bytes("x".into())).await,
                log.fetch(name).await.map(drop),
                log.tail(name, 1, 1).await.map(drop),
                log.delete(name).await,
                log.list_in(name).await.map(drop),
            ] {
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::Corrupt, "{name:?}");
            }
        }
        assert!(names(log).await.is_empty());
    });
}

#[test]
fn what_is_not_there_is_told_with_its_name_and_place() {
    everywhere(async |place| {
        for error in
            [place.log.fetch("none.json").await.unwrap_err(), place.log.tail("none.json", 10, 4).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            let text = error.to_string();
            assert!(text.starts_with("reading ") && text.contains("none.json"), "{text}");
            assert!(error.hint_text().is_some());
        }
    });
}

/// A writer that dies leaves the name free, and nothing that is taken for an object.
#[test]
fn a_torn_put_is_no_object() {
    everywhere(async |place| {
        let bytes = large(40 << 20);
        for after in [1, 3, 10, 30, 60] {
            let (log, file) = (place.log.clone(), file(&bytes));
            let writer = tokio::spawn(async move { log.put_if_absent("torn.parquet", file, 0).await });
            tokio::time::sleep(Duration::from_millis(after)).await;
            writer.abort();
            let is_done = matches!(writer.await, Ok(Ok(Put::Written)));
            let there = place.log.fetch("torn.parquet").await;
            // Work on files goes on to its end on its own thread.
            if place.folder.is_none() {
                assert_eq!(there.is_ok(), is_done);
            }
            if let Ok(there) = there {
                assert!(there.into_bytes().await.unwrap() == bytes, "whole or not at all");
            }
        }
        let put = place.log.put_if_absent("torn.parquet", file(&bytes), 0).await.unwrap();
        assert!(put == Put::Written || place.folder.is_some());
        assert!(content(&place.log, "torn.parquet").await == bytes);
    });
}
