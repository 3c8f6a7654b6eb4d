//! What a state has beside its files: protocol, metadata, transactions, domains.

use std::collections::BTreeMap;

use super::fields::{action_differences, metadata_differences, protocol_differences};
use super::state::Sourced;
use super::{Difference, FieldDifference, Found, Item, LogState, Source};
use crate::action::Txn;
use crate::snapshot::Snapshot;

/// What differs beside the files. A transaction that only one side has is no difference when it has expired at `now_ms`, in
/// milliseconds since the epoch: who writes a checkpoint may leave it out.
pub fn rule_differences(catalog: &Snapshot, log: &LogState, now_ms: i64) -> Vec<Difference> {
    let mut found = Vec::new();
    found.extend(one(Item::Protocol, &catalog.protocol, log.protocol.as_ref(), protocol_differences));
    found.extend(one(Item::Metadata, &catalog.metadata, log.metadata.as_ref(), metadata_differences));
    let transactions = catalog.transactions.iter().map(|txn| (txn.app_id.as_str(), txn)).collect();
    let transaction = |app_id: &str| Item::Transaction { app_id: app_id.to_owned() };
    let has_expired = |txn: &Txn| {
        catalog
            .transactions_expired_until_ms(now_ms)
            .is_some_and(|expired_until| txn.last_updated.is_none_or(|last_updated| last_updated <= expired_until))
    };
    found.extend(several(transactions, &log.transactions, transaction, has_expired));
    let domains = catalog.domain_metadata.iter().map(|domain| (domain.domain.as_str(), domain)).collect();
    let domain = |domain: &str| Item::Domain { domain: domain.to_owned() };
    found.extend(several(domains, &log.domains, domain, |_| false));
    found
}

fn one<T>(
    item: Item,
    catalog: &T,
    log: Option<&Sourced<T>>,
    differences: fn(&T, &T, Source) -> Vec<FieldDifference>,
) -> Option<Difference> {
    let Some((log, source)) = log else {
        return Some(Difference { item, found: Found::CatalogOnly, fields: Vec::new() });
    };
    let fields = differences(catalog, log, *source);
    (!fields.is_empty()).then_some(Difference { item, found: Found::Different, fields })
}

fn several<T: serde::Serialize>(
    catalog: BTreeMap<&str, &T>,
    log: &BTreeMap<String, Sourced<T>>,
    item: impl Fn(&str) -> Item,
    may_be_left_out: impl Fn(&T) -> bool,
) -> Vec<Difference> {
    let mut keys: Vec<&str> = catalog.keys().copied().chain(log.keys().map(String::as_str)).collect();
    keys.sort_unstable();
    keys.dedup();
    let compare = |key: &str| {
        let (found, fields) = match (catalog.get(key), log.get(key)) {
            (Some(catalog), Some((log, source))) => (Found::Different, action_differences(*catalog, log, *source)),
            (Some(catalog), None) if !may_be_left_out(catalog) => (Found::CatalogOnly, Vec::new()),
            (None, Some((log, _))) if !may_be_left_out(log) => (Found::LogOnly, Vec::new()),
            _ => return None,
        };
        let differs = found != Found::Different || !fields.is_empty();
        differs.then(|| Difference { item: item(key), found, fields })
    };
    keys.into_iter().filter_map(compare).collect()
}
