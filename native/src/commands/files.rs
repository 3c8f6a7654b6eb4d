//! `dl files`.

use std::io::Write;
use std::ops::ControlFlow;

use deltalakedb_core::Result;
use deltalakedb_core::action::Add;
use deltalakedb_core::predicate::Predicate;
use deltalakedb_core::snapshot::{FileCursor, Snapshot, files, snapshot};
use deltalakedb_core::sql::Database;
use deltalakedb_core::table_features::has_writer_feature;
use deltalakedb_core::time::format_ms;

use crate::cli::{self, Format};
use crate::database::open_catalog;
use crate::files::matching_adds;
use crate::output::{Column, Output, bytes};

const PAGE: usize = 4096;
/// Rows of the table for people, unless --limit says otherwise.
const SHOWN: usize = 1000;

pub(super) async fn run(args: cli::Files, output: &Output) -> Result<()> {
    let database = open_catalog(&args.at.database.database).await?;
    let state = snapshot(&database, &args.at.selector(), args.at.at()).await?;
    let predicate = args.r#where.as_deref().map(|text| parse_predicate(text, &state)).transpose()?;
    let limit = args.limit.unwrap_or(if output.format == Format::Table { SHOWN } else { usize::MAX });
    let mut printer = Printer {
        output,
        state: &state,
        partition_columns: if output.format == Format::Table { partition_columns(&state)? } else { Vec::new() },
        rows: Vec::new(),
        printed: 0,
    };
    if output.format == Format::Json {
        output.write(|out| out.write_all(b"["))?;
    }
    let is_cut = match predicate {
        Some(predicate) => {
            let mut is_cut = false;
            matching_adds(&database, &state, predicate, |adds| {
                is_cut = printer.print_some(adds, limit)?;
                Ok(if is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
            .await?;
            is_cut
        }
        None => print_all(&database, &state, &mut printer, limit).await?,
    };
    printer.finish()?;
    if is_cut && args.limit.is_none() {
        output.note(&format!("only the first {SHOWN} files are shown; --limit shows more, --format ndjson all"));
    }
    Ok(())
}

/// Prints files by pages, no larger than what is still wanted and one more, which tells that there are more.
async fn print_all(
    database: &impl Database,
    state: &Snapshot,
    printer: &mut Printer<'_>,
    limit: usize,
) -> Result<bool> {
    let mut cursor = Some(FileCursor::start(state));
    while let Some(at) = cursor {
        let wanted = (limit - printer.printed).saturating_add(1).min(PAGE);
        let page = files(database, state, at, wanted).await?;
        cursor = page.next;
        if printer.print_some(page.files, limit)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse_predicate(text: &str, state: &Snapshot) -> Result<Predicate> {
    let schema = state.schema()?;
    Predicate::parse(text, schema).map_err(|error| error.context("--where").table(&state.table.name))
}

fn partition_columns(state: &Snapshot) -> Result<Vec<(String, String)>> {
    let schema = state.schema()?;
    let columns = state.metadata.partition_columns.iter();
    columns.map(|name| Ok((name.clone(), schema.column(&[name.as_str()])?.physical.concat()))).collect()
}

/// As it is, where it can be taken for nothing else; else in quotes.
fn partition_value(value: Option<&str>) -> String {
    match value {
        None => "null".to_owned(),
        Some(text) if text.is_empty() || text == "null" || text.contains([' ', '=', '\'']) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        Some(text) => text.to_owned(),
    }
}

struct Printer<'a> {
    output: &'a Output,
    state: &'a Snapshot,
    /// Logical and physical names, in the table's order.
    partition_columns: Vec<(String, String)>,
    rows: Vec<Vec<String>>,
    printed: usize,
}

impl Printer<'_> {
    /// Prints up to `limit` files in all; whether there are more.
    fn print_some(&mut self, mut adds: Vec<Add>, limit: usize) -> Result<bool> {
        let wanted = limit - self.printed;
        let is_cut = adds.len() > wanted;
        adds.truncate(wanted);
        self.print(adds)?;
        Ok(is_cut)
    }

    fn print(&mut self, files: Vec<Add>) -> Result<()> {
        let first = self.printed == 0;
        self.printed += files.len();
        match self.output.format {
            Format::Table => {
                let rows: Vec<_> = files.iter().map(|add| self.row(add)).collect();
                self.rows.extend(rows);
                Ok(())
            }
            Format::Json => self.output.write(|out| {
                for (index, add) in files.iter().enumerate() {
                    out.write_all(if first && index == 0 { b"\n  " } else { b",\n  " })?;
                    serde_json::to_writer(&mut *out, add)?;
                }
                Ok(())
            }),
            Format::Ndjson => self.output.write(|out| {
                for add in &files {
                    serde_json::to_writer(&mut *out, add)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            }),
        }
    }

    /// A row of [`Printer::columns`].
    fn row(&self, add: &Add) -> Vec<String> {
        let mut row = vec![
            bytes(add.size),
            add.row_count().map_or("-".to_owned(), |rows| rows.to_string()),
            format_ms(add.modification_time),
        ];
        if !self.partition_columns.is_empty() {
            let values = self.partition_columns.iter().map(|(column, physical)| {
                format!("{column}={}", partition_value(add.partition_values.value(physical)))
            });
            row.push(values.collect::<Vec<_>>().join(" "));
        }
        if self.may_have_vectors() {
            row.push(if add.deletion_vector.is_some() { "yes" } else { "" }.to_owned());
        }
        row.push(add.path.clone());
        row
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::Right("SIZE"), Column::Right("ROWS"), Column::Left("MODIFIED")];
        if !self.partition_columns.is_empty() {
            columns.push(Column::Left("PARTITION"));
        }
        if self.may_have_vectors() {
            columns.push(Column::Left("VECTOR"));
        }
        columns.push(Column::Left("PATH"));
        columns
    }

    fn may_have_vectors(&self) -> bool {
        has_writer_feature(&self.state.protocol, "deletionVectors")
    }

    fn finish(self) -> Result<()> {
        match self.output.format {
            Format::Table => {
                let columns = self.columns();
                self.output.table(&columns, self.rows)
            }
            Format::Json => {
                let end: &[u8] = if self.printed == 0 { b"]\n" } else { b"\n]\n" };
                self.output.write(|out| out.write_all(end))
            }
            Format::Ndjson => Ok(()),
        }
    }
}
