//! Domain metadata (protocol section "Domain Metadata"): domains whose names begin with `delta.` belong to features.

use serde_json::Value;

use crate::action::{Action, DomainMetadata, Metadata};
use crate::catalog::quoted;
use crate::schema::Schema;
use crate::table_features::{CLUSTERING_DOMAIN, ROW_TRACKING_DOMAIN, assigns_row_ids, has_writer_feature};
use crate::{Error, ErrorKind, Result};

use super::change::Change;
use super::needed_features::lacks_feature;
use super::placed::placed_fields;

const SYSTEM: &str = "delta.";

/// Checks a domain that a commit sets or removes.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid), naming the domain; [`Unsupported`](ErrorKind::Unsupported) for one of Delta's that
/// this release does not know.
pub(super) fn check_domain(domain: &DomainMetadata, change: &Change) -> Result<()> {
    let (name, metadata, protocol) = (&domain.domain, change.metadata, change.protocol);
    if name.is_empty() {
        return Err(Error::invalid("a `domainMetadata` action has an empty `domain`"));
    }
    let needs = |feature: &str| {
        let has = has_writer_feature(protocol, feature);
        if has { Ok(()) } else { Err(lacks_feature(&format!("the domain {}", quoted(name)), feature)) }
    };
    needs("domainMetadata")?;
    match name.as_str() {
        CLUSTERING_DOMAIN => {
            needs("clustering")?;
            if domain.removed { Ok(()) } else { check_clustering(domain, metadata) }
        }
        ROW_TRACKING_DOMAIN => {
            needs("rowTracking")?;
            if domain.removed { Ok(()) } else { check_high_water_mark(domain, change) }
        }
        _ if name.starts_with(SYSTEM) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the domain {} is one of Delta's that this release does not know", quoted(name)),
        )
        .hint("only who knows such a domain may change it; give a domain of your own another prefix")),
        _ => Ok(()),
    }
}

/// Checks that a domain that stays fits the metadata that come, if it fitted those before.
pub(super) fn check_live_domains(change: &Change, actions: &[Action]) -> Result<()> {
    let changes =
        |action: &Action| matches!(action, Action::DomainMetadata(domain) if domain.domain == CLUSTERING_DOMAIN);
    let (current, new) = (&change.state.metadata, change.metadata);
    let live = change.state.domain_metadata.iter().find(|domain| domain.domain == CLUSTERING_DOMAIN);
    match live {
        Some(domain) if new != current && !actions.iter().any(changes) => {
            check_clustering(domain, new).or_else(|error| match check_clustering(domain, current) {
                Ok(()) => Err(error
                    .context(format!("checking the domain {}, which stays", quoted(CLUSTERING_DOMAIN)))
                    .hint("change or remove the domain in the same commit")),
                Err(_) => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

fn check_clustering(domain: &DomainMetadata, metadata: &Metadata) -> Result<()> {
    let columns = configuration(domain).and_then(|json| json.get("clusteringColumns").cloned());
    let columns = columns.as_ref().and_then(Value::as_array).and_then(|columns| {
        let paths = columns.iter().map(path);
        paths.collect::<Option<Vec<_>>>()
    });
    let columns = columns.ok_or_else(|| malformed(domain, r#"{"clusteringColumns":[["column"]]}"#))?;
    if !columns.is_empty() && !metadata.partition_columns.is_empty() {
        return Err(Error::invalid("a partitioned table may not be clustered").hint("leave `clusteringColumns` empty"));
    }
    let schema = Schema::of(metadata)?;
    let fields = placed_fields(&schema);
    match columns.iter().find(|column| !fields.iter().any(|field| field.physical == **column)) {
        Some(column) => Err(Error::invalid(format!(
            "the table is to be clustered by {}, which is no column of it",
            quoted(&column.join("."))
        ))
        .hint("under column mapping columns go by their physical names")),
        None => Ok(()),
    }
}

/// Delta-Spark writes a column as a list of names, the protocol shows a name alone.
fn path(column: &Value) -> Option<Vec<&str>> {
    match column {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn check_high_water_mark(domain: &DomainMetadata, change: &Change) -> Result<()> {
    let mark = |domain: &DomainMetadata| configuration(domain)?.get("rowIdHighWaterMark")?.as_i64();
    let known = change.state.domain_metadata.iter().find(|known| known.domain == ROW_TRACKING_DOMAIN).and_then(mark);
    match mark(domain) {
        // Where ids are assigned, the mark is raised and not set.
        Some(mark) if Some(mark) < known && !assigns_row_ids(change.metadata, change.protocol) => {
            Err(Error::invalid(format!("the high-water mark of row ids goes down to {mark}"))
                .hint("it is at least the highest row id that a file has or had, and never goes down"))
        }
        Some(-1..=HIGHEST_RESERVED_ROW_ID) => Ok(()),
        Some(mark) => Err(Error::invalid(format!("the row id {mark} may not be reserved"))
            .hint(format!("reserve ids from -1 to {HIGHEST_RESERVED_ROW_ID}"))),
        None => Err(malformed(domain, r#"{"rowIdHighWaterMark":0}"#)),
    }
}

/// Half of all ids, so that nobody can use them up with one commit.
const HIGHEST_RESERVED_ROW_ID: i64 = i64::MAX / 2;

fn configuration(domain: &DomainMetadata) -> Option<Value> {
    serde_json::from_str(&domain.configuration).ok()
}

fn malformed(domain: &DomainMetadata, example: &str) -> Error {
    Error::invalid(format!("the `configuration` of the domain {} is not what it holds", quoted(&domain.domain)))
        .hint(format!("it is a JSON text like {example}"))
}
