use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
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

    /// Of actions in this order.
    pub(super) fn of_sequence(actions: &[Action]) -> Self {
        let after = |before: u128, action| hash([before, hash(text(action))].map(u128::to_le_bytes).as_flattened());
        Digest(actions.iter().fold(0, after))
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
        self.0 = self.0.wrapping_add(hash(text));
    }
}

fn hash(content: impl AsRef<[u8]>) -> u128 {
    XxHash3_128::oneshot(content.as_ref())
}

/// An action, whatever the order of names that it keeps as they came.
fn text(action: &Action) -> String {
    let text = action.to_json();
    let keeps_order = match action {
        Action::Add(add) => add.tags.is_some() || !add.extra.is_empty(),
        _ => true,
    };
    if keeps_order { sorted(&text) } else { text }
}

/// JSON with its names in order and without blanks; as it is where a number is too large.
fn sorted(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |sorted| sorted.to_string())
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
        text.push_str(&format!(" {name:?}: {}", sorted(value.text())));
    }
    text
}

/// 32 hexadecimal digits, as it is stored.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{CommitRequest, Digest};
    use crate::action::parse_line;

    fn digest(commit_info: &str) -> Digest {
        Digest::of(&CommitRequest::new("", parse_line(&format!(r#"{{"commitInfo":{commit_info}}}"#)).unwrap()))
    }

    #[test]
    fn parameters_are_compared_by_what_they_say() {
        let sent = digest(r#"{"operation":"WRITE","operationParameters":{"a":{"x":1,"y":[2]},"b":"c"}}"#);
        let again = r#"{ "operationParameters": { "b": "c", "a": { "y": [ 2 ], "x": 1 } }, "operation": "write" }"#;
        assert_eq!(digest(again), sent);
        for other in [
            r#"{"operation":"WRITE","operationParameters":{"a":{"x":1,"y":[3]},"b":"c"}}"#,
            r#"{"operation":"WRITE","operationParameters":{"a":{"x":1,"y":[2]},"b":" c"}}"#,
            r#"{"operation":"MERGE","operationParameters":{"a":{"x":1,"y":[2]},"b":"c"}}"#,
        ] {
            assert_ne!(digest(other), sent, "{other}");
        }
    }
}
