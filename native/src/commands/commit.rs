//! `dl commit`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{CommitRequest, Committed, Outcome, ReadSet, RetryPolicy, Writer};
use deltalakedb_core::log::read_commit_line;
use deltalakedb_core::time::format_ms;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde_json::json;
use uuid::Uuid;

use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::host::SystemHost;
use crate::output::Output;
use crate::store::Fetched;

pub(super) async fn run(args: cli::Commit, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let request = CommitRequest {
        actions: read_actions(&args.actions)?,
        read: ReadSet {
            version: args.read_version,
            whole_table: args.read_table,
            predicates: args.read_where,
            files: args.read_file,
            app_ids: args.read_app,
        },
        isolation: args.isolation.map(Into::into),
        operation: args.operation,
        commit_id: args.commit_id.unwrap_or_else(Uuid::new_v4).to_string(),
    };
    check_names(&request.actions, output)?;
    let selector = TableSelector::Named(args.table.clone());
    let writer = Writer::open(&database, &SystemHost, &selector).await?;
    match writer.with_retry(retry(args.max_tries)).commit(&request).await? {
        Outcome::Committed(committed) => print(output, &committed, &request.commit_id).map_err(|error| {
            let version = committed.version;
            let happened = format!("version {version} was committed, with the commit id {}", request.commit_id);
            error.context(happened).table(args.table).version(version).hint("do not commit it again")
        }),
        Outcome::Conflicted(conflict) => Err(conflict.into()),
        Outcome::Unknown => Err(answer_lost(&format!("--commit-id {}", request.commit_id)).table(args.table)),
    }
}

/// So many tries, if the command line says it.
pub(super) fn retry(max_tries: Option<u32>) -> RetryPolicy {
    let default = RetryPolicy::default();
    RetryPolicy { max_tries: max_tries.unwrap_or(default.max_tries), ..default }
}

pub(super) fn answer_lost(same: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "the catalog's answer was lost: the commit may have happened")
        .hint(format!("send it again with {same}: it happens once"))
}

fn print(output: &Output, committed: &Committed, commit_id: &str) -> Result<()> {
    let Committed { version, timestamp_ms, .. } = committed;
    if output.format != Format::Table {
        return output.json(&json!({ "version": version, "commit_id": commit_id, "timestamp_ms": timestamp_ms }));
    }
    output.properties(&[
        ("version", version.to_string()),
        ("time", format_ms(*timestamp_ms)),
        ("commit id", commit_id.to_owned()),
    ])
}

/// A misspelt action would be kept as one that the protocol does not name, and do nothing.
pub(super) fn check_names(actions: &[Action], output: &Output) -> Result<()> {
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
    let mut actions = Vec::new();
    read_input(path, "the actions")?.for_each_line(|number, line| {
        read_commit_line(&shown, number, line, &mut actions).map_err(|error| {
            Error::invalid(error.to_string())
                .path(&shown)
                .hint("write one action a line, as in a commit file: {\"add\":{...}}")
        })
    })?;
    Ok(actions)
}

/// A file, or standard input for `-`; `what` it holds is for messages.
pub(super) fn read_input(path: &Path, what: &str) -> Result<Fetched> {
    let shown = path.display().to_string();
    let failed = |error: std::io::Error| {
        let kind =
            if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        Error::new(kind, format!("reading {what} in {shown}: {error}")).path(&shown)
    };
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Fetched::Bytes(Bytes::from(bytes)));
    }
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::invalid(format!("reading {what} in {shown}: it is a folder")).path(&shown));
    }
    Ok(Fetched::File(file))
}
