//! The kinds of commits, each planned on a table as it was read.

use serde_json::{Value, json};

use super::{View, invalid, rewrites};
use crate::config::Part;
use crate::ledger::Scope;
use crate::model;
use crate::port::Client;
use crate::tables::{FEATURES, PARTITIONS, TIMESTAMP_FEATURE, TIMESTAMPS, VECTORS};

/// A kind of commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Append,
    Derive,
    DeriveFromFiles,
    Delete,
    RemoveByName,
    Overwrite,
    Compact,
    Statistics,
    Backfill,
    Vector,
    Property,
    Column,
    Timestamps,
    Upgrade,
    Stream,
    Follow,
    Domain,
    Invalid,
    Transaction,
}

const KINDS: [(Kind, Part, usize); 19] = [
    (Kind::Append, Part::Appends, 10),
    (Kind::Derive, Part::Appends, 2),
    (Kind::DeriveFromFiles, Part::Appends, 2),
    (Kind::Delete, Part::Deletes, 5),
    (Kind::RemoveByName, Part::Deletes, 2),
    (Kind::Overwrite, Part::Overwrites, 2),
    (Kind::Compact, Part::Compactions, 4),
    (Kind::Statistics, Part::Statistics, 3),
    (Kind::Backfill, Part::Backfills, 2),
    (Kind::Vector, Part::Vectors, 4),
    (Kind::Property, Part::Metadata, 1),
    (Kind::Column, Part::Metadata, 1),
    (Kind::Timestamps, Part::InCommitTimestamps, 1),
    (Kind::Upgrade, Part::Protocol, 1),
    (Kind::Stream, Part::Streams, 4),
    (Kind::Follow, Part::Streams, 2),
    (Kind::Domain, Part::Domains, 2),
    (Kind::Invalid, Part::Invalid, 3),
    (Kind::Transaction, Part::Transactions, 4),
];

/// What is to be committed.
pub(super) struct Planned {
    pub(super) actions: Vec<Value>,
    pub(super) scope: Scope,
}

impl Kind {
    /// One of those that the run has.
    pub(super) fn choose(client: &Client) -> Option<Kind> {
        let kinds: Vec<Kind> = KINDS
            .iter()
            .filter(|(_, part, _)| client.world.config.has(*part))
            .flat_map(|&(kind, _, weight)| std::iter::repeat_n(kind, weight))
            .collect();
        client.pick(&kinds).copied()
    }

    /// What a transaction does to each of its tables.
    pub(super) fn part_of_transaction(client: &Client) -> Kind {
        let kinds = [
            Kind::Append,
            Kind::Derive,
            Kind::DeriveFromFiles,
            Kind::Delete,
            Kind::Compact,
            Kind::Stream,
            Kind::Follow,
        ];
        client.pick(&kinds).copied().unwrap_or(Kind::Append)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Append => "append",
            Kind::Derive => "derive",
            Kind::DeriveFromFiles => "derive from files",
            Kind::Delete => "delete",
            Kind::RemoveByName => "remove by name",
            Kind::Overwrite => "overwrite",
            Kind::Compact => "compact",
            Kind::Statistics => "statistics",
            Kind::Backfill => "backfill",
            Kind::Vector => "deletion vector",
            Kind::Property => "property",
            Kind::Column => "column",
            Kind::Timestamps => "in-commit timestamps",
            Kind::Upgrade => "upgrade",
            Kind::Stream => "stream",
            Kind::Follow => "follow",
            Kind::Domain => "domain",
            Kind::Invalid => "invalid",
            Kind::Transaction => "transaction",
        }
    }

    /// What the kind does to a table; None when the table has nothing to do it to.
    pub(super) fn plan(self, client: &Client, view: &View) -> Option<Planned> {
        let blind = |actions| Some(Planned { actions, scope: Scope::Nothing });
        match self {
            Kind::Append => blind((0..=client.below(3)).map(|_| new_file(client)).collect()),
            Kind::Derive => Some(rewrites::derive(client, view)),
            Kind::DeriveFromFiles => rewrites::derive_from_files(client, view),
            Kind::Delete => rewrites::delete(client, view),
            Kind::RemoveByName => rewrites::remove_by_name(client, view),
            Kind::Overwrite => rewrites::overwrite(client, view),
            Kind::Compact => rewrites::compact(client, view),
            Kind::Statistics => rewrites::statistics(client, view),
            Kind::Backfill => rewrites::backfill(client, view),
            Kind::Vector => rewrites::vector(client, view),
            Kind::Property => blind(vec![property(client, view)]),
            Kind::Column => blind(vec![column(client, view)?]),
            Kind::Timestamps => blind(vec![timestamps(view)?]),
            Kind::Upgrade => blind(vec![upgrade(client, view)?]),
            Kind::Stream => blind(stream(client, view)),
            Kind::Follow => Some(follow(client)),
            Kind::Domain => blind(vec![domain(client, view)?]),
            Kind::Invalid => invalid::plan(client, view),
            Kind::Transaction => None,
        }
    }
}

/// An `add` of a file with new rows.
pub(super) fn new_file(client: &Client) -> Value {
    let partition = PARTITIONS[client.below(PARTITIONS.len())];
    let rows: Vec<u64> = (0..=client.below(4)).map(|_| client.world.number()).collect();
    file(client, partition, &rows, true)
}

/// An `add` of a new file with these rows.
pub(super) fn file(client: &Client, partition: &str, rows: &[u64], data_change: bool) -> Value {
    let number = client.world.number();
    let names: Vec<String> = rows.iter().map(u64::to_string).collect();
    json!({"add": {
        "path": format!("p={partition}/{number}.parquet"),
        "partitionValues": {"p": partition},
        "size": 100 + number,
        "modificationTime": client.world.clock.now_ms(),
        "dataChange": data_change,
        "stats": json!({"numRecords": rows.len()}).to_string(),
        "tags": {"rows": names.join(" ")},
    }})
}

fn metadata(view: &View) -> Value {
    serde_json::to_value(&view.snapshot.metadata).unwrap_or_default()
}

fn property(client: &Client, view: &View) -> Value {
    let mut metadata = metadata(view);
    metadata["configuration"]["sim.number"] = client.world.number().to_string().into();
    json!({"metaData": metadata})
}

/// Switches in-commit timestamps on.
fn timestamps(view: &View) -> Option<Value> {
    if !has_feature(view, TIMESTAMP_FEATURE) || view.snapshot.metadata.is_enabled(TIMESTAMPS) {
        return None;
    }
    let mut metadata = metadata(view);
    metadata["configuration"][TIMESTAMPS] = "true".into();
    Some(json!({"metaData": metadata}))
}

pub(super) fn column(client: &Client, view: &View) -> Option<Value> {
    let mut metadata = metadata(view);
    let mut schema: Value = serde_json::from_str(&model::text(&metadata, "schemaString")).ok()?;
    let name = format!("c{}", client.world.number());
    schema["fields"].as_array_mut()?.push(json!({"name": name, "type": "long", "nullable": true, "metadata": {}}));
    metadata["schemaString"] = schema.to_string().into();
    Some(json!({"metaData": metadata}))
}

/// From versions to named features, else one more of those.
fn upgrade(client: &Client, view: &View) -> Option<Value> {
    let protocol = &view.snapshot.protocol;
    let mut features: Vec<String> = match &protocol.writer_features {
        Some(features) => features.clone(),
        None => FEATURES.map(String::from).to_vec(),
    };
    if protocol.writer_features.is_some() {
        let more = ["checkConstraints", "changeDataFeed", "clustering", "generatedColumns", "identityColumns"];
        let lacking: Vec<&str> = more.into_iter().filter(|name| !features.iter().any(|has| has == name)).collect();
        features.push((*client.pick(&lacking)?).to_owned());
    }
    Some(json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": features}}))
}

fn application(client: &Client) -> String {
    format!("app-{}", client.below(2))
}

/// The next batch of an application, of which several instances may run; sometimes two in one.
pub(super) fn stream(client: &Client, view: &View) -> Vec<Value> {
    let app_id = application(client);
    let last = view.snapshot.transactions.iter().find(|txn| txn.app_id == app_id).map_or(0, |txn| txn.version);
    let next = last + if client.once_in(3) { 2 } else { 1 };
    let txn = json!({"txn": {"appId": app_id, "version": next, "lastUpdated": client.world.clock.now_ms()}});
    vec![txn, new_file(client)]
}

/// Adds a file that is right as long as an application has come as far as it was read.
fn follow(client: &Client) -> Planned {
    Planned { actions: vec![new_file(client)], scope: Scope::Application(application(client)) }
}

fn domain(client: &Client, view: &View) -> Option<Value> {
    if !has_feature(view, "domainMetadata") {
        return None;
    }
    let name = format!("sim.domain-{}", client.below(2));
    let is_there = view.snapshot.domain_metadata.iter().any(|domain| domain.domain == name);
    let removed = is_there && client.once_in(3);
    Some(json!({"domainMetadata": {
        "domain": name, "configuration": client.world.number().to_string(), "removed": removed,
    }}))
}

/// A deletion vector that no other file has: an inline one, of ten characters for eight bytes.
pub(super) fn deletion_vector(client: &Client, cardinality: i64) -> Value {
    let bytes = format!("{:010}", client.world.number());
    json!({"storageType": "i", "pathOrInlineDv": bytes, "sizeInBytes": 8, "cardinality": cardinality})
}

pub(super) fn has_vectors(view: &View) -> bool {
    has_feature(view, "deletionVectors") && view.snapshot.metadata.is_enabled(VECTORS)
}

pub(super) fn has_feature(view: &View, feature: &str) -> bool {
    view.snapshot.protocol.writer_features.iter().flatten().any(|name| name == feature)
}
