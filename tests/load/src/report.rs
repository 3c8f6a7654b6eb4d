//! Tables for people, JSON for programs.

use comfy_table::{CellAlignment, Table, presets};

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
}

/// A table's columns, and what they mean, a line each.
pub(crate) struct Columns {
    pub(crate) header: &'static [&'static str],
    pub(crate) legend: &'static str,
}

/// Prints rows whose first column is text and whose others are numbers, and what the columns mean.
pub(crate) fn print_table(columns: &Columns, rows: &[Vec<String>]) {
    let header = columns.header;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for index in 0..header.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if index > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.lines().for_each(|line| println!("{}", line.trim_end()));
    println!("\n{}\n", columns.legend);
}

/// The machine's load, as it says it (Linux).
pub(crate) fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
