//! What a commit may not do, found before anything is written.

use std::collections::HashSet;

use crate::action::{Action, Metadata, Protocol};
use crate::catalog::quoted;
use crate::snapshot::Snapshot;
use crate::table_features::{check_writable, is_append_only};
use crate::{Error, Result};

pub(super) fn check(state: &Snapshot, actions: &[Action]) -> Result<()> {
    check_writable(&state.protocol)?;
    if actions.is_empty() {
        return Err(Error::invalid("there is nothing to commit: no actions were given"));
    }
    one_of_a_kind(actions)?;
    let metadata = actions.iter().find_map(|action| match action {
        Action::Metadata(metadata) => Some(metadata),
        _ => None,
    });
    if let Some(metadata) = metadata {
        check_metadata(&state.metadata, metadata)?;
    }
    let append_only = is_append_only(&state.metadata, &state.protocol);
    for action in actions {
        match action {
            Action::Add(add) => {
                check_path(&add.path)?;
                if add.size < 0 {
                    return Err(
                        Error::invalid(format!("the size of {} is {}", quoted(&add.path), add.size)).path(&add.path)
                    );
                }
                if let Some(stats) = &add.stats
                    && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(stats).is_err()
                {
                    return Err(Error::invalid(format!(
                        "the statistics of {} are not a JSON object",
                        quoted(&add.path)
                    ))
                    .path(&add.path));
                }
            }
            Action::Remove(remove) => {
                check_path(&remove.path)?;
                if append_only && remove.data_change {
                    return Err(Error::invalid(format!(
                        "the table is append-only (delta.appendOnly): {} may not be removed",
                        quoted(&remove.path)
                    ))
                    .path(&remove.path));
                }
            }
            Action::Protocol(protocol) => check_protocol(&state.protocol, protocol)?,
            Action::Sidecar(_) | Action::CheckpointMetadata(_) => {
                return Err(Error::invalid(format!("`{}` belongs to checkpoints, not to commits", action.name())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A commit has at most one metadata, protocol and commit info, and one action of a kind for a path
/// (protocol section "Add File and Remove File"), an application or a domain.
fn one_of_a_kind(actions: &[Action]) -> Result<()> {
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for action in actions {
        let key = match action {
            Action::Add(add) => add.path.as_str(),
            Action::Remove(remove) => remove.path.as_str(),
            Action::Txn(txn) => txn.app_id.as_str(),
            Action::DomainMetadata(domain) => domain.domain.as_str(),
            Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) => "",
            _ => continue,
        };
        if !seen.insert((action.name(), key)) {
            let of = if key.is_empty() { String::new() } else { format!(" of {}", quoted(key)) };
            return Err(Error::invalid(format!("the commit has two `{}` actions{of}; one is allowed", action.name())));
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<()> {
    if path.is_empty() {
        return Err(Error::invalid("a file action has an empty path"));
    }
    Ok(())
}

fn check_metadata(current: &Metadata, new: &Metadata) -> Result<()> {
    if new.id != current.id {
        return Err(Error::invalid(format!(
            "the table's id is {} and may not change; the new metadata has {}",
            quoted(&current.id),
            quoted(&new.id)
        )));
    }
    if new.partition_columns != current.partition_columns {
        return Err(Error::invalid(format!(
            "the partition columns are [{}] and may not change; the new metadata has [{}]",
            current.partition_columns.join(", "),
            new.partition_columns.join(", ")
        )));
    }
    let property = "delta.enableInCommitTimestamps";
    if new.is_enabled(property) && !current.is_enabled(property) {
        return Err(Error::new(
            crate::ErrorKind::Unsupported,
            "this release does not switch in-commit timestamps on (delta.enableInCommitTimestamps)",
        )
        .hint("switch them on with the engine that made the table, then `dl import --incremental`"));
    }
    let schema =
        new.schema_string.as_deref().ok_or_else(|| Error::invalid("the new metadata has no `schemaString`"))?;
    crate::schema::Schema::parse(schema).map(drop)
}

fn check_protocol(current: &Protocol, new: &Protocol) -> Result<()> {
    check_writable(new)?;
    if new.min_reader_version < current.min_reader_version || new.min_writer_version < current.min_writer_version {
        return Err(Error::invalid(format!(
            "the protocol may not go down from ({}, {}) to ({}, {})",
            current.min_reader_version, current.min_writer_version, new.min_reader_version, new.min_writer_version
        )));
    }
    Ok(())
}
