//! `dl diff`.

use deltalakedb_core::catalog::Table;
use deltalakedb_core::diff::{Difference, FieldDifference, Found as Where, Item};
use deltalakedb_core::time::format_ms;
use deltalakedb_core::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Found, compared_targets, now_ms};
use crate::cli::{self, Format, MetricsFormat, Winner};
use crate::database::{SqliteDatabase, open_catalog};
use crate::diff::metrics::{Measured, prometheus, to_json};
use crate::diff::resolve::{Resolved, catalog_wins, log_wins};
use crate::diff::{Comparison, ForeignCommit, LogSide, Thresholds, Verdict, compare};
use crate::output::{Column, Output};
use crate::store::{LogStore, Stores};

/// A line of NDJSON. (`serde_json::Value` would round the numbers.)
#[derive(Serialize)]
struct DifferenceLine<'a> {
    kind: &'static str,
    table: &'a str,
    #[serde(flatten)]
    item: &'a Item,
    found: Where,
    fields: &'a [FieldDifference],
}

/// The JSON of a table.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    summary: Value,
    differences: Vec<Difference>,
    foreign_commits: Vec<Value>,
}

/// Differences and commits that are shown, unless the format is NDJSON.
const SHOWN: usize = 20;

pub(super) async fn run(args: cli::Diff, output: &Output) -> Result<Found> {
    let thresholds = Thresholds { max_drift_files: args.max_drift_files, lag_seconds: args.lag_threshold_seconds };
    let database = open_catalog(&args.compared.database.database).await?;
    let stores = args.compared.store.stores()?;
    let mut found = Found::Done;
    let mut measured = Vec::new();
    let mut documents = Vec::new();
    let compared = compared_targets(&database, &args.compared).await?;
    let is_alone = compared.len() == 1;
    if args.resolve.is_some() && !is_alone {
        return Err(Error::invalid("the table has several targets, and histories are resolved for one at a time")
            .hint("name it with --target; `dl targets` lists them"));
    }
    for (table, target) in compared {
        let mut report =
            Report { table: table.clone(), thresholds, output, args: &args, stores: &stores, shown: Vec::new() };
        let comparison = match report.compare(&database, &target).await {
            Ok((comparison, document, its)) => {
                found = found.max(its);
                documents.extend(document);
                Some(comparison)
            }
            Err(error) => {
                let error = error.context(format!("comparing table {}", table.name)).table(&table.name);
                if output.is_pipe_closed() || (is_alone && !args.compared.all && args.metrics_format.is_none()) {
                    return Err(error);
                }
                // The other targets go on; monitoring is told that this one could not be compared.
                output.error(&error);
                found = Found::Failed;
                None
            }
        };
        if args.metrics_format.is_some() {
            measured.push(Measured { table: table.name, target, comparison });
        }
    }
    match args.metrics_format {
        Some(MetricsFormat::Prometheus) => {
            let text = prometheus(&measured, thresholds);
            output.write(|out| std::io::Write::write_all(out, text.as_bytes()))?;
        }
        Some(MetricsFormat::Json) => output.json(&to_json(&measured, thresholds))?,
        None if output.format == Format::Json => output.json(&documents)?,
        None => {}
    }
    Ok(found)
}

fn found_by(comparison: &Comparison, thresholds: Thresholds) -> Found {
    match comparison.verdict(thresholds) {
        Verdict::Equal => Found::Done,
        Verdict::Lagging => Found::Lagging,
        Verdict::Drift => Found::Drift,
    }
}

/// What is said of one table.
struct Report<'a> {
    table: Table,
    thresholds: Thresholds,
    output: &'a Output,
    args: &'a cli::Diff,
    stores: &'a Stores,
    /// The first differences.
    shown: Vec<Difference>,
}

impl Report<'_> {
    async fn compare(
        &mut self,
        database: &SqliteDatabase,
        target: &str,
    ) -> Result<(Comparison, Option<Document>, Found)> {
        let log = LogStore::of_target(target, self.stores)?;
        let table = self.table.clone();
        let version = self.args.version;
        let comparison =
            compare(database, &table, &log, version, now_ms(), &mut |difference| self.see(difference)).await?;
        let mut found = found_by(&comparison, self.thresholds);
        let resolved = match self.args.resolve {
            Some(winner) if self.args.yes => {
                let resolved = match winner {
                    Winner::Catalog => catalog_wins(database, &comparison, &log, now_ms()).await?,
                    Winner::Log => log_wins(database, &comparison, &log, now_ms(), self.output).await?,
                };
                found = found_by(&resolved.after, self.thresholds);
                Some(resolved)
            }
            _ => None,
        };
        let document =
            if self.args.metrics_format.is_none() { self.print(&comparison, resolved.as_ref())? } else { None };
        Ok((comparison, document, found))
    }

    fn see(&mut self, difference: Difference) -> Result<()> {
        if self.args.metrics_format.is_some() {
            return Ok(());
        }
        if self.output.format == Format::Ndjson {
            let Difference { item, found, fields } = &difference;
            let line = DifferenceLine { kind: "difference", table: &self.table.name, item, found: *found, fields };
            return self.output.json(&line);
        }
        if self.shown.len() < SHOWN {
            self.shown.push(difference);
        }
        Ok(())
    }

    fn line(&self, kind: &str, mut value: Value) -> Result<()> {
        value["kind"] = json!(kind);
        value["table"] = json!(self.table.name);
        self.output.json(&value)
    }

    /// In JSON the document of this table.
    fn print(&self, comparison: &Comparison, resolved: Option<&Resolved>) -> Result<Option<Document>> {
        let mut summary = comparison.to_json(self.thresholds);
        if let Some(resolved) = resolved {
            let status = resolved.after.verdict(self.thresholds).as_str();
            summary["resolved"] =
                json!({ "version": resolved.after.table.version, "kept_at": resolved.kept_at, "status": status });
        }
        let foreign = &comparison.history.foreign;
        match self.output.format {
            Format::Table => {
                self.print_table(comparison, resolved)?;
                Ok(None)
            }
            Format::Ndjson => {
                foreign.iter().try_for_each(|commit| self.line("foreign_commit", commit.to_json()))?;
                self.line("summary", summary)?;
                Ok(None)
            }
            Format::Json => {
                let foreign_commits = foreign.iter().take(SHOWN).map(ForeignCommit::to_json).collect();
                Ok(Some(Document { summary, differences: self.shown.clone(), foreign_commits }))
            }
        }
    }

    fn print_table(&self, comparison: &Comparison, resolved: Option<&Resolved>) -> Result<()> {
        let (output, history, counts) = (self.output, &comparison.history, &comparison.counts);
        let lag = match comparison.lag.versions {
            0 => "none".to_owned(),
            versions => format!("{versions} versions, {:.3} s", comparison.lag.ms as f64 / 1000.0),
        };
        let mut properties = vec![
            ("table", comparison.table.name.clone()),
            ("target", comparison.target.clone()),
            ("status", comparison.verdict(self.thresholds).as_str().to_owned()),
            ("compared at version", comparison.version.to_string()),
            ("catalog's version", comparison.table.version.to_string()),
            ("log's version", comparison.log_version.to_string()),
            ("lag", lag),
        ];
        let mut told = |name, count: u64| {
            if count > 0 {
                properties.push((name, count.to_string()));
            }
        };
        told("files in the catalog only", counts.files_in_catalog_only);
        told("files in the log only", counts.files_in_log_only);
        told("files that differ", counts.files_different);
        told("other differences", counts.others());
        told("foreign commits", history.foreign.len() as u64);
        properties.extend(history.diverged_at.map(|version| ("diverged at version", version.to_string())));
        properties.extend(history.gap.map(|version| ("lacks the commit of version", version.to_string())));
        let misnamed = comparison.misnamed_checkpoint;
        properties
            .extend(misnamed.map(|version| ("names a checkpoint that is not there, of version", version.to_string())));
        properties.extend(comparison.unreadable.as_ref().map(|error| ("cannot be read", error.to_string())));
        if let Some(resolved) = resolved {
            let (version, status) = (resolved.after.table.version, resolved.after.verdict(self.thresholds));
            properties.push(("status now", format!("{} at version {version}", status.as_str())));
            properties.extend(resolved.kept_at.clone().map(|kept_at| ("the other side is kept at", kept_at)));
        }
        output.properties(&properties)?;
        if !history.foreign.is_empty() {
            output.write(|out| std::io::Write::write_all(out, b"\n"))?;
            let columns =
                [Column::Right("VERSION"), Column::Left("WRITTEN"), Column::Left("LOG"), Column::Left("CATALOG")];
            output.table(&columns, history.foreign.iter().take(SHOWN).map(commit_row).collect())?;
        }
        if !self.shown.is_empty() {
            output.write(|out| std::io::Write::write_all(out, b"\n"))?;
            let columns = [
                Column::Left("DIFFERENCE"),
                Column::Left("FOUND"),
                Column::Left("FIELD"),
                Column::Left("CATALOG"),
                Column::Left("LOG"),
            ];
            output.table(&columns, self.shown.iter().flat_map(difference_rows).collect())?;
        }
        if counts.files() + counts.others() > SHOWN as u64 || history.foreign.len() > SHOWN {
            output.note(&format!("only the first {SHOWN} are shown; --format ndjson prints all"));
        }
        match (self.args.resolve, resolved) {
            (Some(_), None) => output.note("nothing was changed; with --yes it is done"),
            (None, _) => comparison.hint().into_iter().for_each(|hint| output.note(hint)),
            (Some(_), Some(resolved)) => resolved.hint(self.thresholds).into_iter().for_each(|hint| output.note(hint)),
        }
        Ok(())
    }
}

fn commit_row(commit: &ForeignCommit) -> Vec<String> {
    let log = match &commit.log {
        LogSide::Commit(summary) => summary.to_string(),
        LogSide::Unreadable(error) => format!("cannot be read: {error}"),
        LogSide::Absent => "-".to_owned(),
    };
    vec![
        commit.version.to_string(),
        commit.modified_ms.map_or("-".to_owned(), format_ms),
        log,
        commit.catalog.as_ref().map_or("-".to_owned(), ToString::to_string),
    ]
}

fn difference_rows(difference: &Difference) -> Vec<Vec<String>> {
    let item = match &difference.item {
        Item::File { path, deletion_vector: None } => path.clone(),
        Item::File { path, deletion_vector: Some(vector) } => format!("{path} ({vector})"),
        Item::Protocol => "protocol".to_owned(),
        Item::Metadata => "metaData".to_owned(),
        Item::Transaction { app_id } => format!("txn {app_id}"),
        Item::Domain { domain } => format!("domain {domain}"),
    };
    let found = match difference.found {
        Where::CatalogOnly => "catalog only",
        Where::LogOnly => "log only",
        Where::Different => "different",
    };
    let row = |field: &str, catalog: String, log: String| {
        vec![item.clone(), found.to_owned(), field.to_owned(), catalog, log]
    };
    if difference.fields.is_empty() {
        return vec![row("", String::new(), String::new())];
    }
    let short = |value: &Option<deltalakedb_core::action::Json>| {
        let text = value.as_ref().map_or("-", |value| value.text());
        let mut short: String = text.chars().take(60).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    };
    difference.fields.iter().map(|field| row(&field.field, short(&field.catalog), short(&field.log))).collect()
}
