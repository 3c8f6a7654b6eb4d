//! Spark writes the timestamps in a checkpoint's struct statistics as INT96: days and nanoseconds, which reach
//! further than the 64 bits of nanoseconds that Arrow makes of them unless it is told otherwise.

use std::sync::Arc;

use bytes::Bytes;
use deltalakedb_core::action::Action;
use deltalakedb_core::log::CheckpointReader;
use parquet::data_type::{BoolType, ByteArrayType, DataType, Int64Type, Int96, Int96Type};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

const SCHEMA: &str = "message spark_schema { required group add {
  required binary path (UTF8);
  required group partitionValues { required binary p (UTF8); }
  required int64 size;
  required int64 modificationTime;
  required boolean dataChange;
  required group stats_parsed {
    required int64 numRecords;
    required group minValues { required int96 at; }
    required group maxValues { required int96 at; }
  }
} }";

const NANOS_OF_A_DAY: u64 = 86_400_000_000_000;

fn write<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, value: T::T) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(&[value], None, None).unwrap();
    column.close().unwrap();
}

/// A checkpoint of one file, with these Julian days and nanoseconds as its least and greatest value.
fn checkpoint(min: (u32, u64), max: (u32, u64)) -> Bytes {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    write::<ByteArrayType>(&mut group, "a.parquet".into());
    write::<ByteArrayType>(&mut group, "1".into());
    write::<Int64Type>(&mut group, 10);
    write::<Int64Type>(&mut group, 20);
    write::<BoolType>(&mut group, false);
    write::<Int64Type>(&mut group, 1);
    for (day, nanos) in [min, max] {
        let value = Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day]);
        write::<Int96Type>(&mut group, value);
    }
    group.close().unwrap();
    Bytes::from(writer.into_inner().unwrap())
}

#[test]
fn they_are_instants_from_one_end_of_the_calendar_to_the_other() {
    for (day, nanos, expected) in [
        (2_440_588, 0, "1970-01-01T00:00:00.000Z"),
        (2_440_587, NANOS_OF_A_DAY - 1_000_000, "1969-12-31T23:59:59.999Z"),
        (2_460_370, 45_296_789_000_000, "2024-02-29T12:34:56.789Z"),
        (1_721_426, 0, "0001-01-01T00:00:00.000Z"),
        (5_373_484, NANOS_OF_A_DAY - 1_000_000, "9999-12-31T23:59:59.999Z"),
    ] {
        let checkpoint = checkpoint((day, nanos), (day, nanos));
        let mut batches = CheckpointReader::new("the checkpoint", checkpoint).unwrap();
        let actions = batches.next().unwrap().unwrap();
        let [Action::Add(add)] = actions.as_slice() else { panic!("{actions:?}") };
        let stats: serde_json::Value = serde_json::from_str(add.stats.as_ref().unwrap()).unwrap();
        assert_eq!(stats["minValues"]["at"], expected);
        assert_eq!(stats["maxValues"]["at"], expected);
    }
}
