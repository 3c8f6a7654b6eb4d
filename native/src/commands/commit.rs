//! `dl commit`.

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{CommitRequest, Committed, LargeCommit, Outcome, ReadSet, RetryPolicy, Writer};
use deltalakedb_core::time::format_ms;
use deltalakedb_core::{Error, ErrorKind, Result};
use indicatif::ProgressBar;
use serde_json::json;

use super::input::{Input, PageSize};
use crate::cli::{self, Format};
use crate::database::{SqliteDatabase, open_catalog};
use crate::host::SystemHost;
use crate::output::Output;
use crate::progress::bytes_bar;

/// Actions that are held at once; a commit of more is written to the catalog piece by piece.
const PAGE: PageSize = PageSize { actions: 16_384, bytes: 32 << 20 };

pub(super) async fn run(args: cli::Commit, output: &Output) -> Result<()> {
    let database = open_catalog(&args.database.database).await?;
    let input = Input::open(&args.actions, "the actions")?;
    let (actions, is_large) = few_actions(&input)?;
    let request = CommitRequest {
        actions,
        read: ReadSet {
            version: args.read_version,
            whole_table: args.read_table,
            predicates: args.read_where,
            files: args.read_file,
            app_ids: args.read_app,
        },
        isolation: args.isolation.map(Into::into),
        operation: args.operation,
        commit_id: args.commit_id.unwrap_or_else(|| SystemHost.new_id()).to_string(),
    };
    let commit_id = request.commit_id.clone();
    let selector = TableSelector::Named(args.table.clone());
    let retry = retry(args.max_tries);
    let outcome = if is_large {
        commit_large(&database, &selector, request, retry, &input).await
    } else {
        commit_at_once(&database, &selector, &request, retry).await
    };
    let told = outcome.and_then(|outcome| match outcome {
        Outcome::Committed(committed) => print(output, &committed, &commit_id).map_err(|error| {
            let version = committed.version;
            let happened = format!("version {version} was committed, with the commit id {commit_id}");
            error.context(happened).table(args.table).version(version).hint("do not commit it again")
        }),
        Outcome::Conflicted(conflict) => Err(conflict.into()),
        Outcome::Unknown => {
            Err(answer_lost(&format!("the commit {commit_id}"), &format!("--commit-id {commit_id}")).table(args.table))
        }
    });
    told.map_err(|error| error.detail("commit_id", commit_id))
}

/// The actions, if they are few; else those that are no file actions, and `true`.
fn few_actions(input: &Input) -> Result<(Vec<Action>, bool)> {
    let mut actions = Vec::new();
    let mut is_large = false;
    for page in input.pages(PAGE)? {
        let (page, _) = page?;
        is_large |= !actions.is_empty();
        actions.extend(page);
        if is_large {
            actions.retain(|action| !is_file(action));
        }
    }
    Ok((actions, is_large))
}

fn is_file(action: &Action) -> bool {
    matches!(action, Action::Add(_) | Action::Remove(_) | Action::Cdc(_))
}

async fn commit_at_once(
    database: &SqliteDatabase,
    selector: &TableSelector,
    request: &CommitRequest,
    retry: RetryPolicy,
) -> Result<Outcome> {
    Writer::open(database, &SystemHost, selector).await?.with_retry(retry).commit(request).await
}

/// Writes the files piece by piece, which nobody sees, and makes them visible at the end.
async fn commit_large(
    database: &SqliteDatabase,
    selector: &TableSelector,
    request: CommitRequest,
    retry: RetryPolicy,
    input: &Input,
) -> Result<Outcome> {
    let mut commit = LargeCommit::begin(database, &SystemHost, selector, request).await?.with_retry(retry);
    let bar = bytes_bar(input.size_bytes, "writing the files");
    if let Err(error) = write_files(&mut commit, input, &bar).await {
        // What is wrong is told; what was written is left to a sweep if it cannot be deleted now.
        let _ = commit.abandon().await;
        return Err(error);
    }
    bar.set_message("making them visible");
    let outcome = commit.finalize().await;
    // What stays wrong is not sent again.
    if outcome.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported)) {
        let _ = commit.abandon().await;
    }
    outcome
}

async fn write_files(
    commit: &mut LargeCommit<'_, SqliteDatabase, SystemHost>,
    input: &Input,
    bar: &ProgressBar,
) -> Result<()> {
    for page in input.pages(PAGE)? {
        let (mut page, read_bytes) = page?;
        page.retain(is_file);
        commit.write(&page).await?;
        bar.set_position(read_bytes);
    }
    Ok(())
}

/// So many tries, if the command line says it.
pub(super) fn retry(max_tries: Option<u32>) -> RetryPolicy {
    let default = RetryPolicy::default();
    RetryPolicy { max_tries: max_tries.unwrap_or(default.max_tries), ..default }
}

pub(super) fn answer_lost(what: &str, same: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the catalog's answer was lost: {what} may have happened"))
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
