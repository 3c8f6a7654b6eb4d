//! Domain metadata (protocol section "Domain Metadata"): domains whose names begin with `delta.` belong to features.

use serde_json::Value;

use crate::action::{Action, DomainMetadata, Metadata};
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, DataType, Field, Primitive, Schema};
use crate::table_features::{CLUSTERING_DOMAIN, ROW_TRACKING_DOMAIN, assigns_row_ids, has_writer_feature};
use crate::{Error, ErrorKind, Result};

use super::change::Change;
use super::needed_features::lacks_feature;

const SYSTEM: &str = "delta.";

/// Checks a domain that a commit sets or removes.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid), naming the domain; [`Unsupported`](ErrorKind::Unsupported) for one of Delta's that
/// this release does not know.
pub(super) fn check_domain(domain: &DomainMetadata, change: &Change) -> Result<()> {
    let (name, metadata, protocol) = (&domain.domain, change.metadata, change.protocol);
    if name.is_empty() {
        return Err(Error::invalid("a `domainMetadata` action has an empty `domain`").hint("name the domain"));
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
            if domain.removed { check_mark_stays(change) } else { check_high_water_mark(domain, change) }
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
                Ok(()) => Err(Error::invalid(format!(
                    "checking the domain {}, which stays: {error}",
                    quoted(CLUSTERING_DOMAIN)
                ))
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
    if columns.len() > MOST_CLUSTERING_COLUMNS {
        return Err(Error::invalid(format!(
            "the table is to be clustered by {} columns; {MOST_CLUSTERING_COLUMNS} are the limit",
            columns.len()
        ))
        .hint("cluster by those that conditions name most often"));
    }
    let schema = Schema::of(metadata)?;
    columns.iter().try_for_each(|column| {
        let by = || format!("the table is to be clustered by {}", quoted(&column.join(".")));
        match field(schema.fields(), column, schema.column_mapping()) {
            None => Err(Error::invalid(format!("{}, which is no column of it", by()))
                .hint("name columns, or fields of structs; under column mapping they go by their physical names")),
            Some(field) if !can_cluster(&field.data_type) => {
                Err(Error::invalid(format!("{}, which is of type {}", by(), field.data_type)).hint(
                    "cluster by numbers, texts, dates or timestamps: other columns have no smallest and largest value",
                ))
            }
            Some(_) => Ok(()),
        }
    })
}

/// Delta-Spark's limit.
const MOST_CLUSTERING_COLUMNS: usize = 4;

/// The field at a physical path through structs.
fn field<'a>(fields: &'a [Field], path: &[&str], mode: ColumnMapping) -> Option<&'a Field> {
    let (first, rest) = path.split_first()?;
    let found = fields.iter().find(|field| field.physical_name(mode) == *first)?;
    match &found.data_type {
        _ if rest.is_empty() => Some(found),
        DataType::Struct(fields) => field(fields, rest, mode),
        _ => None,
    }
}

/// Whether Delta-Spark keeps the smallest and largest values of such columns.
fn can_cluster(data_type: &DataType) -> bool {
    use Primitive::{Binary, Boolean, Other, Variant, Void};
    matches!(data_type, DataType::Primitive(primitive) if !matches!(primitive, Binary | Boolean | Other(_) | Variant | Void))
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

/// A table that has no row ids, or gives none now, needs no mark.
fn check_mark_stays(change: &Change) -> Result<()> {
    if !assigns_row_ids(change.metadata, change.protocol) {
        return Ok(());
    }
    Err(Error::invalid(format!("the domain {} is removed, but the table gives row ids", quoted(ROW_TRACKING_DOMAIN)))
        .hint("it says up to which id they are given; leave it, or suspend row tracking in the same commit"))
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
