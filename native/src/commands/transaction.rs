//! `dl transaction`.

use std::path::Path;

use deltalakedb_core::action::{Action, Json, parse_line};
use deltalakedb_core::catalog::TableSelector;
use deltalakedb_core::commit::{
    CommitRequest, Committed, Host, Isolation, ReadSet, Transaction, TransactionLimits, TransactionOutcome,
};
use deltalakedb_core::snapshot::{At, snapshot};
use deltalakedb_core::time::format_ms;
use deltalakedb_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::commit::{answer_lost, retry};
use super::input::{Input, check_action};
use crate::cli::{self, Format};
use crate::database::{SqliteDatabase, names_same_file, open_catalog};
use crate::host::SystemHost;
use crate::output::{Column, Output};

/// What `--file` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransactionFile {
    transaction_id: Option<Uuid>,
    begun_at_ms: Option<i64>,
    tables: Vec<TablePart>,
}

/// One table's part.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TablePart {
    table: String,
    /// Must be the transaction's own.
    database: Option<String>,
    actions: Vec<Json>,
    #[serde(default)]
    read: Read,
    isolation: Option<cli::IsolationLevel>,
    operation: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Read {
    version: Option<i64>,
    whole_table: bool,
    r#where: Vec<String>,
    files: Vec<String>,
    app_ids: Vec<String>,
}

pub(super) async fn run(args: cli::Transaction, output: &Output) -> Result<()> {
    let limits = TransactionLimits {
        max_tables: args.max_tables,
        max_actions: args.max_actions,
        max_bytes: args.max_bytes,
        max_age_ms: args.max_age.saturating_mul(1000),
    };
    let file = read_file(&args.file, &limits)?;
    check_one_catalog(&file, &args.database.database)?;
    let database = open_catalog(&args.database.database).await?;
    let id = file.transaction_id.unwrap_or_else(|| SystemHost.new_id()).to_string();
    let begun_ms = file.begun_at_ms.unwrap_or_else(|| SystemHost.now_ms());
    let transaction = Transaction::begin(&id, begun_ms, limits).with_retry(retry(args.max_tries));
    let told = send(transaction, &database, file.tables, output).await;
    told.map_err(|error| error.detail("transaction_id", id))
}

async fn send(
    mut transaction: Transaction,
    database: &SqliteDatabase,
    parts: Vec<TablePart>,
    output: &Output,
) -> Result<()> {
    let id = transaction.id().to_owned();
    for part in parts {
        let staged = stage(&mut transaction, database, part).await;
        staged.map_err(|error| match error.kind() {
            // An earlier sending may have found the table.
            ErrorKind::NotFound => error.context(format!("in the transaction {id}: nothing was committed now")),
            _ => error,
        })?;
    }
    match transaction.commit(database, &SystemHost).await? {
        TransactionOutcome::Committed(committed) => print(output, &id, &committed).map_err(|error| {
            error.context(format!("the transaction {id} was committed")).hint("do not commit it again")
        }),
        TransactionOutcome::Conflicted(conflict) => Err(conflict.into()),
        TransactionOutcome::Unknown => {
            Err(answer_lost(&format!("the transaction {id}"), &format!("\"transaction_id\": \"{id}\"")))
        }
    }
}

async fn stage(transaction: &mut Transaction, database: &SqliteDatabase, part: TablePart) -> Result<()> {
    let actions = part_actions(&part)?;
    let state = snapshot(database, &TableSelector::Named(part.table), At::Latest).await?;
    let Read { version, whole_table, r#where: predicates, files, app_ids } = part.read;
    if version.is_none() && (whole_table || !predicates.is_empty() || !files.is_empty()) {
        let table = &state.table.name;
        return Err(Error::invalid(format!("the `read` of table `{table}` says what was read, but not its `version`"))
            .table(&state.table.name)
            .hint("others' commits since that version are compared with what was read: write it down when you read"));
    }
    let request = CommitRequest {
        read: ReadSet { version, whole_table, predicates, files, app_ids },
        isolation: part.isolation.map(Isolation::from),
        operation: part.operation,
        ..CommitRequest::new(transaction.id().to_owned(), actions)
    };
    transaction.stage(state, request)
}

fn part_actions(part: &TablePart) -> Result<Vec<Action>> {
    let mut actions = Vec::with_capacity(part.actions.len());
    for (index, action) in part.actions.iter().enumerate() {
        let parsed = parse_line(action.text()).and_then(|parsed| {
            check_action(&parsed)?;
            Ok(parsed)
        });
        let parsed = parsed.map_err(|error| {
            let hint = error.hint_text().unwrap_or("write each action as in a commit file: {\"add\":{...}}").to_owned();
            Error::invalid(format!("action {} of table `{}`: {error}", index + 1, part.table))
                .table(&part.table)
                .hint(hint)
        })?;
        actions.extend(parsed);
    }
    Ok(actions)
}

fn read_file(path: &Path, limits: &TransactionLimits) -> Result<TransactionFile> {
    // Actions are most of it; what is much larger than they may be needs not be read.
    let most = (limits.max_bytes as u64).saturating_mul(2).saturating_add(1 << 20);
    let input = Input::open_up_to(path, "the transaction", most)?;
    let shown = &input.shown;
    if input.size_bytes > most {
        return Err(Error::invalid(format!("{shown} has more bytes than are allowed, {most}"))
            .path(shown)
            .hint("split the transaction, or raise --max-bytes"));
    }
    let text = input.text()?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(text).map_err(|error| {
        Error::invalid(format!("reading the transaction in {shown}: {error}"))
            .path(shown)
            .hint("write {\"tables\": [{\"table\": \"...\", \"actions\": [{\"add\": {...}}]}]}")
    })
}

/// What is atomic is one batch of one database.
fn check_one_catalog(file: &TransactionFile, catalog: &str) -> Result<()> {
    let is_other = |part: &&TablePart| match part.database.as_deref() {
        Some(database) => !names_same_file(database, catalog),
        None => false,
    };
    let other = file.tables.iter().find(is_other);
    match other {
        None => Ok(()),
        Some(part) => Err(Error::invalid(format!(
            "the transaction has table `{}` in another catalog than --database: it would not happen as a whole",
            part.table
        ))
        .table(&part.table)
        .hint("a transaction is one batch of one database; keep tables that change together in one catalog")),
    }
}

fn print(output: &Output, id: &str, committed: &[Committed]) -> Result<()> {
    if output.format == Format::Table {
        let row =
            |table: &Committed| vec![table.table.clone(), table.version.to_string(), format_ms(table.timestamp_ms)];
        output.table(
            &[Column::Left("table"), Column::Right("version"), Column::Left("time")],
            committed.iter().map(row).collect(),
        )?;
        return output.properties(&[("transaction id", id.to_owned())]);
    }
    let tables: Vec<_> = committed
        .iter()
        .map(|table| json!({ "table": table.table, "version": table.version, "timestamp_ms": table.timestamp_ms }))
        .collect();
    output.json(&json!({ "transaction_id": id, "tables": tables }))
}
