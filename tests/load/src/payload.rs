//! What one append writes: a file as a Parquet writer describes it, eight columns with statistics.

use deltalakedb_core::action::{Action, Add, parse_line};
use serde_json::{Value, json};

use crate::Result;

/// A new file.
pub(crate) struct Append {
    /// Of the commit.
    pub(crate) commit_id: String,
    /// Its one action.
    pub(crate) add: Add,
}

impl Append {
    /// Another one each time.
    pub(crate) fn new() -> Result<Self> {
        let add = json!({"add": {
            "path": format!("day=2024-01-{:02}/part-00000-{}.snappy.parquet", fastrand::u8(1..=28), uuid::Uuid::new_v4()),
            "partitionValues": {"day": "2024-01-01"},
            "size": fastrand::u32(100_000..9_000_000),
            "modificationTime": 1_704_067_200_000_i64,
            "dataChange": true,
            "stats": stats().to_string(),
        }});
        match parse_line(&add.to_string())?.pop() {
            Some(Action::Add(add)) => Ok(Append { commit_id: uuid::Uuid::now_v7().to_string(), add }),
            _ => Err("the add is none".into()),
        }
    }

    /// What a commit of it says of itself, in as many bytes as the catalog stores.
    pub(crate) fn commit_info(&self) -> String {
        json!({
            "timestamp": 1_704_067_200_000_i64, "operation": "WRITE", "operationParameters": {},
            "isolationLevel": "WriteSerializable", "isBlindAppend": true, "engineInfo": "deltalakedb/0.1.0",
            "txnId": self.commit_id,
        })
        .to_string()
    }
}

fn stats() -> Value {
    let id = fastrand::u32(..1_000_000);
    let bound = |by: u32| {
        json!({"id": id + by / 2, "user_id": 7 + by, "amount": 0.5 + f64::from(by), "city": "Amsterdam",
            "at": "2024-01-01T10:11:12.345Z", "device": "phone-4711", "score": 12, "flag": 1})
    };
    let nulls = json!({"id": 0, "user_id": 0, "amount": 3, "city": 0, "at": 0, "device": 17, "score": 0, "flag": 0});
    json!({"numRecords": 1000, "minValues": bound(0), "maxValues": bound(1), "nullCount": nulls})
}
