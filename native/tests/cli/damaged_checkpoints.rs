//! Parquet checkpoints that are damaged or made to harm: an error or the right table, never a panic or a hang.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;

use crate::support::{Home, Ran, Random, copy_folder, lines, metadata, protocol_with, tables_folder};

/// Tables whose log begins at a checkpoint: damage to it cannot be got round.
const TABLES: [&str; 6] = [
    "cleaned-up-classic-checkpoint",
    "cleaned-up-classic-checkpoint-delta-rs",
    "cleaned-up-multi-part-checkpoint",
    "cleaned-up-struct-stats-partitioned",
    "cleaned-up-v2-checkpoint-many-features",
    "cleaned-up-v2-checkpoint-parquet",
];
const ROUNDS: usize = 150;

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn damage(table: &str, change: impl FnOnce(Vec<PathBuf>)) -> (Home, Ran) {
    let home = Home::new();
    copy_folder(&tables_folder().join(table).join("_delta_log"), &home.path("t/_delta_log"));
    change(parquet_files(&home.path("t/_delta_log")));
    let ran = home.import("t");
    (home, ran)
}

/// Where the import fails, it says why and leaves nothing; what it lets through can be read.
#[track_caller]
fn is_sound(what: &str, home: &Home, ran: &Ran) {
    match ran.code {
        Some(0) => {
            home.run("snapshot", &[]).ok();
            home.run("files", &[]).ok();
        }
        _ => {
            let error = ran.error(1);
            assert!(error["kind"] == "corrupt" || error["kind"] == "unsupported", "{what}: {error}");
            home.nothing_is_left();
        }
    }
}

#[test]
fn random_bytes_in_a_checkpoint() {
    let mut random = Random(17);
    let mut refused = 0;
    for round in 0..ROUNDS {
        let table = TABLES[random.below(TABLES.len())];
        let mut what = format!("round {round} on {table}");
        let (home, ran) = damage(table, |files| {
            let file = &files[random.below(files.len())];
            let mut bytes = std::fs::read(file).unwrap();
            for _ in 0..1 + random.below(4) {
                // Half of the damage in the footer, where the most harm is done.
                let from = if random.below(2) == 0 { bytes.len() * 3 / 4 } else { 0 };
                let at = from + random.below(bytes.len() - from);
                bytes[at] = random.below(256) as u8;
                what.push_str(&format!(", byte {at} of {} is {}", file.display(), bytes[at]));
            }
            std::fs::write(file, bytes).unwrap();
        });
        println!("{what}");
        is_sound(&what, &home, &ran);
        refused += usize::from(ran.code != Some(0));
    }
    assert!(refused > ROUNDS / 4, "only {refused} of {ROUNDS} did any harm");
}

/// Single bytes that made the Parquet reader panic.
#[test]
fn bytes_that_made_the_reader_panic() {
    for (table, part, at, byte) in [
        ("cleaned-up-classic-checkpoint-delta-rs", "", 2520, 0x4f),
        ("cleaned-up-struct-stats-partitioned", "", 10667, 0x7f),
        ("cleaned-up-v2-checkpoint-parquet", "0000000003.0000000003", 5443, 0x7f),
    ] {
        let (home, ran) = damage(table, |files| {
            let file = files.iter().find(|file| file.to_string_lossy().contains(part)).unwrap();
            let mut bytes = std::fs::read(file).unwrap();
            bytes[at] = byte;
            std::fs::write(file, bytes).unwrap();
        });
        is_sound(table, &home, &ran);
    }
}

#[test]
fn a_truncated_checkpoint() {
    for table in TABLES {
        for part in [0, 1, 4, 8, 100, 1000] {
            let (home, ran) = damage(table, |files| {
                let bytes = std::fs::read(&files[0]).unwrap();
                std::fs::write(&files[0], &bytes[..bytes.len() * part / 1001]).unwrap();
            });
            let error = ran.fails("corrupt", "not a readable Parquet checkpoint");
            assert!(error["hint"].is_string() && error["path"].is_string(), "{error}");
            home.nothing_is_left();
        }
    }
}

/// A V2 checkpoint whose top is sound and whose sidecar is called `path`.
fn with_sidecar(path: &str) -> (Home, PathBuf) {
    let home = Home::new();
    let log = home.write_log("t", &[]);
    std::fs::create_dir(log.join("_sidecars")).unwrap();
    let top = lines(&[
        json!({ "checkpointMetadata": { "version": 3 } }),
        protocol_with(&["v2Checkpoint"]),
        metadata(),
        json!({ "sidecar": { "path": path, "sizeInBytes": 1, "modificationTime": 1 } }),
    ]);
    let name = format!("{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", 3);
    std::fs::write(log.join(name), top).unwrap();
    let sidecar = log.join("_sidecars/file.parquet");
    (home, sidecar)
}

#[test]
fn a_sidecar_is_read_from_its_folder_only() {
    for path in [
        "../../outside.parquet",
        "..",
        ".",
        "",
        "/etc/passwd",
        "file:///etc/passwd",
        "a/../b",
        "s3://bucket/_delta_log/_sidecars/../../x",
        "%2e%2e/%2e%2e/outside.parquet",
        "\\..\\outside.parquet",
        "nul\0byte",
    ] {
        println!("{path:?}");
        let (home, sound) = with_sidecar(path);
        // Where a wrong path would lead to, there is a file that could be read.
        write_sidecar(&sound, "message m { optional group add { optional int64 nothing; } }");
        std::fs::copy(&sound, home.path("outside.parquet")).unwrap();
        std::fs::remove_file(&sound).unwrap();
        home.import("t").fails("corrupt", "sidecar");
        home.nothing_is_left();
    }
}

/// Writes one row with a value in every column: 5, or `x`.
fn write_sidecar(path: &Path, schema: &str) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    while let Some(mut column) = rows.next_column().unwrap() {
        match column.untyped() {
            ColumnWriter::Int64ColumnWriter(column) => {
                let level = column.get_descriptor().max_def_level();
                column.write_batch(&[5], Some(&[level]), Some(&[0])).unwrap();
            }
            ColumnWriter::ByteArrayColumnWriter(column) => {
                let level = column.get_descriptor().max_def_level();
                column.write_batch(&[ByteArray::from(vec![0xff])], Some(&[level]), Some(&[0])).unwrap();
            }
            _ => panic!("{} has other types", path.display()),
        }
        column.close().unwrap();
    }
    rows.close().unwrap();
    writer.close().unwrap();
}

/// Columns that the protocol knows, of types that it does not: an error. Taken for unknown actions they would be
/// passed over, and the table would lose its files without a word.
#[test]
fn columns_of_the_wrong_type_are_refused() {
    let list = "optional group add (LIST) { repeated group list { optional int64 element; } }";
    let map =
        "optional group add (MAP) { repeated group key_value { required binary key (UTF8); optional int64 value; } }";
    let file = "optional int64 size; optional int64 modificationTime;";
    for (name, columns) in [
        ("a number for `add`", "optional int64 add;".to_owned()),
        ("bytes for `add`", "optional binary add;".to_owned()),
        ("a list for `add`", list.to_owned()),
        ("a map for `add`", map.to_owned()),
        ("a number for `remove`", "optional int64 remove;".to_owned()),
        ("a number for `path`", format!("optional group add {{ optional int64 path; {file} }}")),
        ("bytes that are no text for `path`", format!("optional group add {{ optional binary path; {file} }}")),
        ("no path", format!("optional group add {{ {file} }}")),
        (
            "text for `size`",
            "optional group add { optional binary path (UTF8); optional binary size (UTF8); }".to_owned(),
        ),
    ] {
        println!("{name}");
        let (home, sidecar) = with_sidecar("file.parquet");
        write_sidecar(&sidecar, &format!("message m {{ {columns} }}"));
        home.import("t").fails("corrupt", "file.parquet");
        home.nothing_is_left();
    }
}

/// Spark writes a checksum with every page: a single wrong bit of it is never taken for another table.
#[test]
fn a_wrong_bit_in_a_page_with_a_checksum() {
    let table = "cleaned-up-classic-checkpoint";
    let (whole, ran) = damage(table, |_| ());
    ran.ok();
    let mut random = Random(7);
    let mut refused = 0;
    for _ in 0..ROUNDS {
        let mut at = String::new();
        let (home, ran) = damage(table, |files| {
            let file = &files[random.below(files.len())];
            let mut bytes = std::fs::read(file).unwrap();
            let (byte, bit) = (random.below(bytes.len()), random.below(8));
            bytes[byte] ^= 1 << bit;
            at = format!("bit {bit} of byte {byte} of {} in {}", bytes.len(), file.display());
            std::fs::write(file, bytes).unwrap();
        });
        if ran.code == Some(0) {
            // In what nobody reads, such as the writer's name.
            assert_eq!(home.run("files", &[]).json(), whole.run("files", &[]).json(), "{at}");
        } else {
            is_sound(&at, &home, &ran);
            refused += 1;
        }
    }
    // Most of so small a file is its footer.
    assert!(refused > ROUNDS / 5, "{refused} of {ROUNDS} were refused");
}

#[test]
fn a_schema_of_three_thousand_levels() {
    let (home, ran) = damage("cleaned-up-classic-checkpoint", |files| {
        let schema =
            format!("message m {{ {} optional int32 x; {} }}", "optional group g { ".repeat(3000), "}".repeat(3000));
        // The text is parsed by recursion, too.
        let write = move || {
            let schema = Arc::new(parse_message_type(&schema).unwrap());
            let properties = Arc::new(WriterProperties::builder().build());
            SerializedFileWriter::new(File::create(&files[0]).unwrap(), schema, properties).unwrap().close().unwrap();
        };
        std::thread::Builder::new().stack_size(1 << 30).spawn(write).unwrap().join().unwrap();
    });
    is_sound("a deep schema", &home, &ran);
}
