//! Small Parquet files that unfold to gigabytes: they are read in little memory, or refused.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parquet::basic::Encoding;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use serde_json::json;

use crate::support::{Home, Ran, add, commit_info, finish, lines, metadata, protocol};

const SCHEMA: &str = "message m { optional group add {
    optional binary path (UTF8);
    optional group partitionValues (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    optional int64 size; optional int64 modificationTime; optional boolean dataChange;
    optional binary stats (UTF8); optional binary clusteringProvider (UTF8); } }";
const UUID: &str = "80a083e8-7026-4e79-81be-64bd76c43a11";
const MIB: usize = 1 << 20;

/// The rows of a sidecar.
struct Rows {
    count: usize,
    /// Of the statistics and the clustering provider of each row.
    text_bytes: usize,
    /// Of the partition values of the last row.
    items: usize,
    encoding: Encoding,
}

impl Rows {
    fn write(&self, path: &Path) {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = WriterProperties::builder()
            .set_data_page_row_count_limit(usize::MAX)
            .set_dictionary_page_size_limit(64 * MIB)
            .set_data_page_size_limit(64 * MIB);
        let texts =
            ["stats", "clusteringProvider"].map(|name| ColumnPath::from(vec!["add".to_owned(), name.to_owned()]));
        let properties = match self.encoding {
            Encoding::RLE_DICTIONARY => properties,
            encoding => texts.into_iter().fold(properties, |properties, column| {
                properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, encoding)
            }),
        };
        let file = File::create(path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            self.write_column(column.untyped());
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
    }

    fn write_column(&self, column: &mut ColumnWriter<'_>) {
        let levels = vec![2; self.count];
        match column {
            ColumnWriter::Int64ColumnWriter(column) => {
                column.write_batch(&vec![5; self.count], Some(&levels), None).unwrap();
            }
            ColumnWriter::BoolColumnWriter(column) => {
                column.write_batch(&vec![false; self.count], Some(&levels), None).unwrap();
            }
            ColumnWriter::ByteArrayColumnWriter(column) => {
                let name = column.get_descriptor().name().to_owned();
                let values: Vec<ByteArray> = match name.as_str() {
                    "path" => (0..self.count).map(|row| format!("f{row}").as_str().into()).collect(),
                    "key" | "value" => {
                        // All rows but the last have none.
                        let level = column.get_descriptor().max_def_level();
                        let definitions = [vec![2; self.count - 1], vec![level; self.items.max(1)]].concat();
                        let repetitions = [vec![0; self.count], vec![1; self.items.max(1) - 1]].concat();
                        let values = vec![ByteArray::from("p"); self.items.max(1)];
                        column.write_batch(&values, Some(&definitions), Some(&repetitions)).unwrap();
                        return;
                    }
                    _ => vec![ByteArray::from(vec![b'x'; self.text_bytes]); self.count],
                };
                column.write_batch(&values, Some(&levels), None).unwrap();
            }
            _ => panic!("another type"),
        }
    }
}

/// A table of version 0, and a log whose V2 checkpoint of it has these rows in its sidecar.
fn with_sidecar(rows: &Rows) -> (Home, PathBuf) {
    let home = Home::with_table(&[lines(&[commit_info(), protocol(), metadata(), add("a")])]);
    let log = home.write_log("m", &[]);
    std::fs::create_dir(log.join("_sidecars")).unwrap();
    let sidecar = log.join("_sidecars/file.parquet");
    rows.write(&sidecar);
    let bytes = std::fs::metadata(&sidecar).unwrap().len();
    assert!(bytes < 20 * MIB as u64, "{bytes}");
    let top = [
        json!({ "checkpointMetadata": { "version": 0 } }),
        protocol(),
        metadata(),
        json!({ "sidecar": { "path": "file.parquet", "sizeInBytes": bytes, "modificationTime": 1 } }),
    ];
    std::fs::write(log.join(format!("{:020}.checkpoint.{UUID}.json", 0)), lines(&top)).unwrap();
    let target = home.path("m");
    (home, target)
}

/// Runs a command; what it did, and how many bytes of memory it had at the most.
fn measured(mut command: Command) -> (Ran, usize) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watching = thread::spawn(move || {
        let mut peak_kib = 0;
        // Until the process is gone, or is none but in name.
        while let Ok(text) = std::fs::read_to_string(&status) {
            let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
            peak_kib = line.trim().trim_end_matches(" kB").parse().unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        peak_kib
    });
    let ran = finish(child);
    let peak_kib: usize = watching.join().unwrap();
    (ran, peak_kib << 10)
}

#[test]
#[cfg(target_os = "linux")]
fn a_text_that_stands_in_each_row_takes_its_memory_once() {
    let rows = Rows { count: 20, text_bytes: 2 * MIB, items: 0, encoding: Encoding::RLE_DICTIONARY };
    let (home, target) = with_sidecar(&rows);
    let target = target.to_str().unwrap();
    let (ran, peak_bytes) = measured(home.command("diff", &["--target", target]));
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    // They are 80 MiB, and were in memory three times.
    assert!(peak_bytes < 120 * MIB, "{} MiB", peak_bytes / MIB);
}

#[test]
#[cfg(target_os = "linux")]
fn what_needs_gigabytes_at_once_is_refused() {
    let items = Rows { count: 2, text_bytes: 1, items: 40_000_000, encoding: Encoding::RLE_DICTIONARY };
    let texts = Rows { count: 1000, text_bytes: 2 * MIB, items: 0, encoding: Encoding::DELTA_BYTE_ARRAY };
    for (rows, problem) in [(items, "unfold to more than 1024 MiB"), (texts, "unfold to more than 1024 MiB")] {
        let (home, target) = with_sidecar(&rows);
        let target = target.to_str().unwrap();
        let (ran, peak_bytes) = measured(home.command("import", &["--log-dir", target, "--name", "other"]));
        let error = ran.fails("corrupt", problem);
        assert!(error["message"].as_str().unwrap().contains("_sidecars/file.parquet"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("delete it"), "{error}");
        let (ran, peak_of_verify) = measured(home.command("verify", &["--target", target, "--version", "0"]));
        assert!(ran.code == Some(2) && ran.out.contains(problem), "{}{}", ran.out, ran.err);
        let peak_bytes = peak_bytes.max(peak_of_verify);
        assert!(peak_bytes < 1500 * MIB, "{} MiB", peak_bytes / MIB);
    }
}
