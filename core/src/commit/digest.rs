use std::collections::BTreeMap;
use std::fmt;

use twox_hash::XxHash3_128;

use crate::action::{Action, Json};
use crate::catalog::Table;

use super::check::operation_of;
use super::info::DEFAULT_OPERATION;
use super::request::CommitRequest;

/// What a request is to do: the sum of the hashes (XXH3, 128 bits) of its actions, in whatever order, and of its operation;
/// of one in a transaction, of the transaction's tables, too. What it read is no part of it, as whoever sends a commit again
/// may have read anew, nor is what else the commit says of itself. Stored with a commit, so that a commit id that is used
/// for another one is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(u128);

impl Digest {
    pub(super) fn of(request: &CommitRequest) -> Self {
        let mut digest = Digest::of_actions(&request.actions);
        digest.add(&operation(request));
        digest
    }

    pub(super) fn of_actions(actions: &[Action]) -> Self {
        let mut digest = Digest::default();
        actions.iter().for_each(|action| digest.insert(action));
        digest
    }

    /// Of the tables of a transaction.
    pub(super) fn of_tables<'a>(tables: impl IntoIterator<Item = &'a Table>) -> Self {
        let mut digest = Digest::default();
        digest.add("transaction");
        tables.into_iter().for_each(|table| digest.add(&table.table_id));
        digest
    }

    pub(super) fn insert(&mut self, action: &Action) {
        if !matches!(action, Action::CommitInfo(_)) {
            self.add(&text(action));
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Digest(self.0.wrapping_add(other.0))
    }

    fn add(&mut self, text: &str) {
        self.0 = self.0.wrapping_add(XxHash3_128::oneshot(text.as_bytes()));
    }
}

/// An action, whatever the order of names that it keeps as they came.
fn text(action: &Action) -> String {
    let text = action.to_json();
    let keeps_order = match action {
        Action::Add(add) => add.tags.is_some() || !add.extra.is_empty(),
        _ => true,
    };
    match keeps_order.then(|| serde_json::from_str::<serde_json::Value>(&text)) {
        Some(Ok(sorted)) => sorted.to_string(),
        _ => text,
    }
}

/// The operation and its parameters, by name.
fn operation(request: &CommitRequest) -> String {
    let parameters = request.actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => info.fields().get("operationParameters")?.read::<BTreeMap<String, Json>>(),
        _ => None,
    });
    let operation = operation_of(&request.actions, request.operation.as_deref());
    let operation = if operation.is_empty() { DEFAULT_OPERATION } else { &operation };
    let mut text = format!("operation {operation}");
    for (name, value) in parameters.unwrap_or_default() {
        text.push_str(&format!(" {name:?}: {}", value.text()));
    }
    text
}

/// 32 hexadecimal digits, as it is stored.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
