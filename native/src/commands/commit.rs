//! `dl commit`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{CommitRequest, Outcome, commit};
use deltalakedb_core::log::read_commit_line;
use deltalakedb_core::time::format_ms;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde_json::json;
use uuid::Uuid;

use super::now_ms;
use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::output::Output;
use crate::store::Fetched;

/// How often a commit whose answer was lost is sent again.
const TRIES: usize = 3;

pub(super) async fn run(args: cli::Commit, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let request = CommitRequest {
        actions: read_actions(&args.actions)?,
        read_version: args.read_version,
        operation: args.operation,
        commit_id: args.commit_id.unwrap_or_else(Uuid::new_v4).to_string(),
        now_ms: now_ms(),
    };
    check_names(&request.actions, output)?;
    let selector = TableSelector::Named(args.table.clone());
    for _ in 0..TRIES {
        match commit(&database, &selector, &request).await? {
            Outcome::Committed { version, timestamp_ms } => {
                return print(output, version, timestamp_ms, &request.commit_id).map_err(|error| {
                    let happened = format!("version {version} was committed, with the commit id {}", request.commit_id);
                    error.context(happened).table(args.table).version(version).hint("do not commit it again")
                });
            }
            Outcome::Conflicted(conflict) => return Err(conflict.into()),
            Outcome::Unknown => {}
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "the catalog's answer was lost: the commit may have happened")
        .table(args.table)
        .hint(format!("send it again with --commit-id {}: it happens once", request.commit_id)))
}

fn print(output: &Output, version: i64, timestamp_ms: i64, commit_id: &str) -> Result<()> {
    if output.format != Format::Table {
        return output.json(&json!({ "version": version, "commit_id": commit_id, "timestamp_ms": timestamp_ms }));
    }
    output.properties(&[
        ("version", version.to_string()),
        ("time", format_ms(timestamp_ms)),
        ("commit id", commit_id.to_owned()),
    ])
}

/// A misspelt action would be kept as one that the protocol does not name, and do nothing.
fn check_names(actions: &[Action], output: &Output) -> Result<()> {
    const NAMES: [&str; 8] = ["add", "remove", "metaData", "protocol", "txn", "domainMetadata", "cdc", "commitInfo"];
    for action in actions {
        let Action::Unknown { name, .. } = action else { continue };
        if let Some(meant) = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            return Err(Error::invalid(format!("there is no action `{}`", name.escape_debug()))
                .hint(format!("write it as `{meant}`")));
        }
        output.note(&format!("`{}` is no action of the protocol; it is kept as it is", name.escape_debug()));
    }
    Ok(())
}

fn read_actions(path: &Path) -> Result<Vec<Action>> {
    let shown = path.display().to_string();
    let failed = |error: std::io::Error| {
        let kind =
            if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        Error::new(kind, format!("reading the actions in {shown}: {error}")).path(&shown)
    };
    let content = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        Fetched::Bytes(Bytes::from(bytes))
    } else {
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(Error::invalid(format!("reading the actions in {shown}: it is a folder")).path(&shown));
        }
        Fetched::File(file)
    };
    let mut actions = Vec::new();
    content.for_each_line(|number, line| {
        read_commit_line(&shown, number, line, &mut actions).map_err(|error| {
            Error::invalid(error.to_string())
                .path(&shown)
                .hint("write one action a line, as in a commit file: {\"add\":{...}}")
        })
    })?;
    Ok(actions)
}
