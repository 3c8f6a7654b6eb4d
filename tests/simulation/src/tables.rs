//! The tables that a run begins with.

use std::sync::Arc;

use deltalakedb_core::action::{Action, parse_line};
use deltalakedb_core::catalog::{Registered, Registration, register};
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::sql::{Batch, Database, DatabaseError, Limits, ResultSet};
use deltalakedb_core::{Error, Result};
use serde_json::{Value, json};

use crate::config::Part;
use crate::world::World;

/// The values of the partition column.
pub(crate) const PARTITIONS: [&str; 3] = ["a", "b", "c"];

/// The property that lets files have deletion vectors.
pub(crate) const VECTORS: &str = "delta.enableDeletionVectors";

/// Features of the tables that name theirs.
pub(crate) const FEATURES: [&str; 4] = ["appendOnly", "deletionVectors", "domainMetadata", "invariants"];

/// The property that gives commits their time in the log.
pub(crate) const TIMESTAMPS: &str = "delta.enableInCommitTimestamps";

pub(crate) const TIMESTAMP_FEATURE: &str = "inCommitTimestamp";

pub(crate) const ROW_TRACKING_FEATURE: &str = "rowTracking";

/// What the names of tables begin with that are there from the beginning to the end.
pub(crate) const LASTING: &str = "table-";

/// What the names of tables begin with that may be dropped.
pub(crate) const FLEETING: &str = "fleeting-";

/// The catalog without faults or delays, for what comes before and after the storm.
#[derive(Clone)]
pub(crate) struct Calm(pub(crate) Arc<World>);

impl Database for Calm {
    async fn batch(&self, batch: Batch) -> Result<Vec<ResultSet>, DatabaseError> {
        self.0.apply(batch)
    }

    fn limits(&self) -> Limits {
        Limits::SQLITE
    }
}

/// An action from its JSON.
///
/// # Errors
/// When it is none.
pub(crate) fn action(value: &Value) -> Result<Action> {
    let action = parse_line(&value.to_string())?.pop();
    action.ok_or_else(|| Error::invalid(format!("{value} is no action")))
}

/// Makes an empty table in the catalog. In-commit timestamps and named features come as the seed has it.
pub(crate) async fn create(world: &Arc<World>, name: &str) -> Result<i64> {
    let mut rng = world.rng(name);
    let has_features = rng.u8(..4) > 0;
    let knows_timestamps = has_features && rng.u8(..3) > 0 && world.config.has(Part::InCommitTimestamps);
    let has_in_commit_timestamps = knows_timestamps && rng.bool();
    let tracks_rows = has_features && rng.bool() && world.config.has(Part::RowTracking);
    let database = Calm(world.clone());
    let registration = Registration {
        import_id: format!("creation of {name}"),
        table_id: format!("id of {name}"),
        name: name.to_owned(),
        location: format!("sim:///{name}"),
    };
    let Registered::Begun(key) = register(&database, &registration).await? else {
        return Err(Error::invalid("the catalog is not empty"));
    };
    let now_ms = world.clock.now_ms();
    let mut configuration = json!({"delta.checkpointInterval": (2 + rng.u8(..6)).to_string()});
    // Draws of their own: those of the table stay as they were.
    let mut upkeep = world.rng(&format!("upkeep of {name}"));
    if upkeep.bool() {
        configuration["deltalakedb.logCompactionInterval"] = "2".into();
    }
    if upkeep.bool() {
        configuration["delta.logRetentionDuration"] = "interval 0 days".into();
    }
    let mut info = json!({"timestamp": now_ms, "operation": "CREATE TABLE"});
    let mut features: Vec<&str> = FEATURES.to_vec();
    if has_features {
        configuration[VECTORS] = "true".into();
    }
    if has_in_commit_timestamps {
        configuration[TIMESTAMPS] = "true".into();
        info["inCommitTimestamp"] = now_ms.into();
    }
    if knows_timestamps {
        features.push(TIMESTAMP_FEATURE);
    }
    if tracks_rows {
        features.push(ROW_TRACKING_FEATURE);
        if rng.bool() {
            configuration["delta.enableRowTracking"] = "true".into();
            configuration["delta.rowTracking.materializedRowIdColumnName"] = "_row-id".into();
            configuration["delta.rowTracking.materializedRowCommitVersionColumnName"] = "_row-commit-version".into();
        }
    }
    let protocol = match has_features {
        true => json!({"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["deletionVectors"], "writerFeatures": features}),
        false => json!({"minReaderVersion": 1, "minWriterVersion": 2}),
    };
    let fields = json!([
        {"name": "id", "type": "long", "nullable": true, "metadata": {}},
        {"name": "p", "type": "string", "nullable": true, "metadata": {}},
    ]);
    let metadata = json!({
        "id": format!("delta id of {name}"),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
        "partitionColumns": ["p"],
        "configuration": configuration,
    });
    let values = [json!({"commitInfo": info}), json!({"protocol": protocol}), json!({"metaData": metadata})];
    let mut planner = ImportPlanner::new(key, registration.import_id, 0, database.limits());
    planner.begin_version(0, "the creation", now_ms, false);
    planner.actions(values.iter().map(action).collect::<Result<_>>()?)?;
    planner.end_version()?;
    database.batch(planner.finish()).await?;
    Ok(key)
}
