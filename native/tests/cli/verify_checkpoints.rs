//! `dl verify` on checkpoints that say one thing to some readers and another to others: structs beside texts, tombstones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Home, add, add_with, commit_info, lines, metadata, metadata_with, protocol, remove};
use crate::verify_damage::{check, problems};

const ID: i64 = 0x1122_3344_5566_7788;
const PARTITION: i32 = 0x5152_5354;
/// 2021-05-01T12:00:00Z in microseconds.
const MICROS: i64 = 1_619_870_400_000_000;

/// A table with a checkpoint of version 1 that has its statistics as structs, and what is not compressed in it.
fn with_structs(properties: &[(&str, &str)]) -> (Home, PathBuf) {
    let field =
        |name: &str, data_type: &str| json!({ "name": name, "type": data_type, "nullable": true, "metadata": {} });
    let fields = [field("id", "long"), field("s", "string"), field("t", "timestamp"), field("p", "integer")];
    let mut configuration = json!({
        "delta.checkpointInterval": "1", "delta.checkpoint.writeStatsAsStruct": "true",
        "delta.parquet.compression.codec": "uncompressed",
    });
    properties.iter().for_each(|(name, value)| configuration[name] = json!(value));
    let metadata = metadata_with(json!({
        "schemaString": json!({ "type": "struct", "fields": fields }).to_string(), "partitionColumns": ["p"],
        "configuration": configuration,
    }));
    let stats = json!({
        "numRecords": 2, "minValues": { "id": ID, "s": "smallest", "t": "2021-05-01T12:00:00.000Z" },
        "maxValues": { "id": ID + 1, "s": "tallest", "t": "2021-05-01T13:00:00.000Z" },
        "nullCount": { "id": 0, "s": 0, "t": 0 },
    });
    let file = |path: &str| {
        let partition_values = json!({ "p": PARTITION.to_string() });
        add_with(path, json!({ "stats": stats.to_string(), "partitionValues": partition_values }))
    };
    let home = Home::with_table(&[
        lines(&[commit_info(), protocol(), metadata, file("a")]),
        lines(&[commit_info(), file("b")]),
    ]);
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    (home, log)
}

/// Replaces bytes of a file by as many others, wherever they are.
fn replace(path: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let at: Vec<usize> = (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!at.is_empty() && from.len() == to.len());
    at.iter().for_each(|&at| bytes[at..at + to.len()].copy_from_slice(to));
    fs::write(path, bytes).unwrap();
}

/// A text with its length before it, as Parquet has it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

#[test]
fn structs_that_are_not_what_the_texts_beside_them_say() {
    let name = format!("{:020}.checkpoint.parquet", 1);
    let (home, log) = with_structs(&[]);
    assert_eq!(problems(&home), []);
    let right = fs::read(log.join(&name)).unwrap();
    for (from, to, words) in [
        (
            ID.to_le_bytes().to_vec(),
            (ID + 5).to_le_bytes().to_vec(),
            "as `minValues.id`, the text has 1234605616436508552",
        ),
        (text("smallest"), text("smallets"), "has \"smallets\" as `minValues.s`"),
        (text("tallest"), text("tallesf"), "has \"tallesf\" as `maxValues.s`"),
        (
            MICROS.to_le_bytes().to_vec(),
            (MICROS + 2_000_000).to_le_bytes().to_vec(),
            "has \"2021-05-01T12:00:02.000Z\" as `minValues.t`",
        ),
        (PARTITION.to_le_bytes().to_vec(), 7_i32.to_le_bytes().to_vec(), "has 7 as `p`, the text has \"1364349780\""),
    ] {
        fs::write(log.join(&name), &right).unwrap();
        replace(&log.join(&name), &from, &to);
        check(&home, &name, words);
        check(&home, &name, "of 2 `add`s");
        // Also where the first version that is looked at is the checkpoint's.
        let target = home.path("m");
        let ran = home.run("verify", &["--target", target.to_str().unwrap(), "--version", "1"]);
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        let problem = &document[0]["versions"][0]["problems"][0];
        assert!(ran.code == Some(2) && problem["message"].as_str().unwrap().contains(words), "{words}: {}", ran.out);
    }
    // Writers cut times to milliseconds, and others do not.
    fs::write(log.join(&name), &right).unwrap();
    replace(&log.join(&name), &MICROS.to_le_bytes(), &(MICROS + 999).to_le_bytes());
    assert_eq!(problems(&home), []);
}

/// Where there is only the struct, it is compared with the catalog.
#[test]
fn structs_without_texts() {
    let (home, log) = with_structs(&[("delta.checkpoint.writeStatsAsJson", "false")]);
    let name = format!("{:020}.checkpoint.parquet", 1);
    assert_eq!(problems(&home), []);
    replace(&log.join(&name), &ID.to_le_bytes(), &(ID - 1).to_le_bytes());
    check(&home, &name, "2 files differ");
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn removed_at(path: &str, deleted_ms: i64) -> Value {
    let mut remove = remove(path);
    remove["remove"]["deletionTimestamp"] = json!(deleted_ms);
    remove
}

#[test]
fn tombstones() {
    let now_ms = now_ms();
    let home = Home::with_table(&[
        lines(&[commit_info(), protocol(), metadata(), add("a"), add("b"), add("c"), add("old")]),
        lines(&[commit_info(), removed_at("a", now_ms), removed_at("b", now_ms - 1)]),
        lines(&[commit_info(), removed_at("old", 1_700_000_000_000)]),
    ]);
    home.mirror("m").ok();
    let log = home.path("m/_delta_log");
    let name = format!("{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", 2);
    let rows = |more: &[Value]| {
        let mut file = add("c");
        file["add"]["dataChange"] = json!(false);
        let head = [json!({ "checkpointMetadata": { "version": 2 } }), protocol(), metadata(), file];
        lines(&[&head[..], more].concat())
    };
    let (a, b) = (removed_at("a", now_ms), removed_at("b", now_ms - 1));
    // Expired ones may be there or not.
    for right in [vec![a.clone(), b.clone()], vec![a.clone(), b.clone(), removed_at("old", 1_700_000_000_000)]] {
        fs::write(log.join(&name), rows(&right)).unwrap();
        assert_eq!(problems(&home), []);
    }
    for (wrong, words) in [
        (vec![], "it lacks the `remove` of 2 files, which have not expired"),
        (vec![a.clone()], "it lacks the `remove` of 1 files"),
        (vec![a.clone(), removed_at("b", now_ms)], "`remove` of 1 files with another `deletionTimestamp`"),
        (vec![a.clone(), removed_at("b", 0)], "with another `deletionTimestamp`"),
        (vec![a.clone(), b.clone(), removed_at("x", now_ms)], "1 files that the catalog knows no removal of"),
        (vec![a.clone(), b.clone(), b.clone()], "1 `remove` of a file that has one"),
    ] {
        fs::write(log.join(&name), rows(&wrong)).unwrap();
        check(&home, &name, words);
    }
}
