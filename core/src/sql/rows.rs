//! Many rows in one statement.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use super::{Limits, RowsEncoding, Statement, Value};

/// Sizes of the row groups in `VALUES` form: few different texts, so that a prepared statement is found again.
const GROUPS: [usize; 4] = [64, 16, 4, 1];

/// Rows of one width, value after value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    columns: usize,
    values: Vec<Value>,
}

impl Rows {
    /// No rows yet, of `columns` values each.
    pub(crate) fn new(columns: usize) -> Self {
        Rows { columns, values: Vec::new() }
    }

    /// Adds a row, or the next of its values.
    pub(crate) fn push<const N: usize>(&mut self, row: [Value; N]) {
        debug_assert!(N <= self.columns);
        self.values.extend(row);
    }

    /// Adds the next value of a row.
    pub(crate) fn push_value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }
}

/// Where a statement's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowSource {
    /// They travel with it.
    Sent(Rows),
    /// They are in the catalog already: a query in which `{key}` is a parameter.
    Stored { sql: &'static str, key: i64 },
}

impl From<Rows> for RowSource {
    fn from(rows: Rows) -> Self {
        RowSource::Sent(rows)
    }
}

/// Statements from a template that reads the rows from `{rows}`, as in
/// `WITH rows (path, dv_id) AS ({rows}) ...`. `fixed` are the parameters `?1`, `?2`, ... of the template itself.
/// No rows that travel give no statements; those that are stored give one.
pub(crate) fn with_rows(
    limits: &Limits,
    template: &'static str,
    fixed: &[Value],
    rows: impl Into<RowSource>,
) -> Vec<Statement> {
    match (rows.into(), limits.rows) {
        (RowSource::Sent(rows), RowsEncoding::Values) => values_statements(limits, template, fixed, rows),
        (RowSource::Sent(rows), RowsEncoding::Json) => json_statements(limits, template, fixed, rows),
        (RowSource::Stored { sql, key }, _) => {
            let query = sql.replace("{key}", &format!("?{}", fixed.len() + 1));
            let params = [fixed, &[key.into()]].concat();
            vec![Statement { sql: Cow::Owned(template.replace("{rows}", &query)), params }]
        }
    }
}

fn values_statements(limits: &Limits, template: &'static str, fixed: &[Value], rows: Rows) -> Vec<Statement> {
    let columns = rows.columns;
    let most = ((limits.max_params - fixed.len()) / columns).max(1);
    let mut statements = Vec::new();
    let mut left = rows.len();
    let mut values = rows.values.into_iter();
    while left > 0 {
        let group = GROUPS.into_iter().find(|&size| size <= left && size <= most).unwrap_or(1);
        let mut params = Vec::with_capacity(fixed.len() + group * columns);
        params.extend_from_slice(fixed);
        params.extend(values.by_ref().take(group * columns));
        statements.push(Statement { sql: Cow::Borrowed(values_text(template, fixed.len(), columns, group)), params });
        left -= group;
    }
    statements
}

/// The text for a group of rows. There are few templates and sizes of groups, so each text is made once and kept.
fn values_text(template: &'static str, fixed: usize, columns: usize, rows: usize) -> &'static str {
    type Key = (&'static str, usize, usize, usize);
    static TEXTS: Mutex<Option<HashMap<Key, &'static str>>> = Mutex::new(None);
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    texts
        .get_or_insert_default()
        .entry((template, fixed, columns, rows))
        .or_insert_with(|| template.replace("{rows}", &values_clause(fixed, columns, rows)).leak())
}

fn values_clause(fixed: usize, columns: usize, rows: usize) -> String {
    let mut clause = String::from("VALUES ");
    for row in 0..rows {
        clause.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let number = fixed + row * columns + column + 1;
            let _ = write!(clause, "{}?{number}", if column == 0 { "" } else { ", " });
        }
        clause.push(')');
    }
    clause
}

fn json_statements(limits: &Limits, template: &'static str, fixed: &[Value], rows: Rows) -> Vec<Statement> {
    let columns = rows.columns;
    let mut clause = String::from("SELECT ");
    for column in 0..columns {
        let _ = write!(clause, "{}value ->> {column}", if column == 0 { "" } else { ", " });
    }
    let _ = write!(clause, " FROM json_each(?{})", fixed.len() + 1);
    let sql = template.replace("{rows}", &clause);

    let mut statements = Vec::new();
    let mut json = String::new();
    let mut flush = |json: &mut String| {
        if !json.is_empty() {
            json.push(']');
            let mut params = fixed.to_vec();
            params.push(Value::Text(std::mem::take(json)));
            statements.push(Statement { sql: Cow::Owned(sql.clone()), params });
        }
    };
    for row in rows.values.chunks(columns) {
        let row = json_row(row);
        if json.len() + row.len() + 2 > limits.max_json_bytes {
            flush(&mut json);
        }
        json.push(if json.is_empty() { '[' } else { ',' });
        json.push_str(&row);
    }
    flush(&mut json);
    statements
}

fn json_row(row: &[Value]) -> String {
    let values: Vec<serde_json::Value> = row
        .iter()
        .map(|value| match value {
            Value::Null => serde_json::Value::Null,
            Value::Integer(value) => (*value).into(),
            Value::Real(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            // Rows that travel in JSON have no blobs: the catalog's tables hold none.
            Value::Blob(_) => serde_json::Value::Null,
        })
        .collect();
    serde_json::Value::from(values).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "WITH rows (a, b) AS ({rows}) SELECT ?1, a, b FROM rows";

    fn rows(count: i64) -> Rows {
        let mut rows = Rows::new(2);
        (0..count).for_each(|i| rows.push([i.into(), Value::Null]));
        rows
    }

    #[test]
    fn values_come_in_groups_of_few_sizes() {
        let statements = with_rows(&Limits::SQLITE, TEMPLATE, &[Value::from(7)], rows(86));
        let sizes: Vec<_> = statements.iter().map(|s| (s.params.len() - 1) / 2).collect();
        assert_eq!(sizes, [64, 16, 4, 1, 1]);
        assert_eq!(statements[3].sql, "WITH rows (a, b) AS (VALUES (?2, ?3)) SELECT ?1, a, b FROM rows");
        assert_eq!(statements[4].params, [Value::from(7), Value::from(85), Value::Null]);
    }

    #[test]
    fn json_is_split_by_bytes() {
        let limits = Limits { max_json_bytes: 25, ..Limits::D1 };
        let statements = with_rows(&limits, TEMPLATE, &[Value::from(7)], rows(4));
        assert_eq!(
            statements[0].sql,
            "WITH rows (a, b) AS (SELECT value ->> 0, value ->> 1 FROM json_each(?2)) SELECT ?1, a, b FROM rows"
        );
        let params: Vec<_> = statements.iter().map(|s| s.params[1].clone()).collect();
        assert_eq!(params, [Value::from("[[0,null],[1,null]]"), Value::from("[[2,null],[3,null]]")]);
        assert!(with_rows(&limits, TEMPLATE, &[], rows(0)).is_empty());
    }
}
