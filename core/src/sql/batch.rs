use std::borrow::Cow;

use super::Value;
use crate::{Error, Result};

/// A SQL statement and its parameters, `?1` first.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Text with numbered parameters; never holds a value.
    pub sql: Cow<'static, str>,
    /// One value a parameter.
    pub params: Vec<Value>,
}

impl Statement {
    /// A statement from a named constant.
    pub fn new(sql: &'static str, params: impl Into<Vec<Value>>) -> Self {
        Statement { sql: Cow::Borrowed(sql), params: params.into() }
    }
}

/// Whether a batch changes anything, so that a host can pick a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only queries.
    Read,
    /// At least one change.
    Write,
}

/// Statements that take effect together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Read or write.
    pub access: Access,
    /// In order.
    pub statements: Vec<Statement>,
}

impl Batch {
    /// A batch of queries, which all see the same state.
    pub fn read(statements: Vec<Statement>) -> Self {
        Batch { access: Access::Read, statements }
    }

    /// A batch that changes the catalog.
    pub fn write(statements: Vec<Statement>) -> Self {
        Batch { access: Access::Write, statements }
    }
}

/// The rows that one statement of a batch gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultSet {
    /// In the order of the query.
    pub rows: Vec<Row>,
}

/// One row: its values in the order of the query's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Bytes of its texts and blobs.
    pub(crate) fn text_bytes(&self) -> usize {
        let bytes = self.0.iter().map(|value| match value {
            Value::Text(text) => text.len(),
            Value::Blob(blob) => blob.len(),
            _ => 0,
        });
        bytes.sum()
    }

    /// Takes the integer in a column.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the column holds something else.
    pub fn integer(&self, column: usize) -> Result<i64> {
        self.optional_integer(column)?.ok_or_else(|| wrong(column, "an integer", &Value::Null))
    }

    /// Takes the integer or NULL in a column.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the column holds something else.
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            other => Err(wrong(column, "an integer", other.unwrap_or(&Value::Null))),
        }
    }

    /// Takes the text in a column, leaving NULL in its place.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the column holds something else.
    pub fn text(&mut self, column: usize) -> Result<String> {
        self.optional_text(column)?.ok_or_else(|| wrong(column, "text", &Value::Null))
    }

    /// Takes the bytes in a column, leaving NULL in their place; `None` for anything else.
    pub(crate) fn blob(&mut self, column: usize) -> Option<Vec<u8>> {
        match self.0.get_mut(column).map(|value| std::mem::replace(value, Value::Null)) {
            Some(Value::Blob(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Takes the text or NULL in a column, leaving NULL in its place.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the column holds something else.
    pub fn optional_text(&mut self, column: usize) -> Result<Option<String>> {
        match self.0.get_mut(column).map(|value| std::mem::replace(value, Value::Null)) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            other => Err(wrong(column, "text", &other.unwrap_or(Value::Null))),
        }
    }
}

fn wrong(column: usize, expected: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "NULL",
        Value::Integer(_) => "an integer",
        Value::Real(_) => "a floating-point number",
        Value::Text(_) => "text",
        Value::Blob(_) => "bytes",
    };
    Error::corrupt(format!("column {column} of a catalog query: expected {expected}, found {found}"))
        .hint("the catalog was changed by other software; restore it from a backup or import the tables again")
}
