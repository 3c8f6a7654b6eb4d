//! Finding a column by the name that a user writes.

use super::{DataType, Field, Schema};
use crate::{Error, Result};

/// A column that was found in a [`Schema`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Column<'a> {
    /// The column, or the field of a struct.
    pub field: &'a Field,
    /// Logical names from the top level down, as the schema spells them.
    pub logical: Vec<&'a str>,
    /// The names in statistics; of a top-level column also the key in partition values.
    pub physical: Vec<&'a str>,
    /// Whether its value is the same in all rows of a file and kept beside the file.
    pub is_partition: bool,
}

impl<'a> Column<'a> {
    pub(super) fn find(schema: &'a Schema, path: &[impl AsRef<str>]) -> Result<Self> {
        let (first, rest) = path.split_first().ok_or_else(|| Error::invalid("a column needs a name"))?;
        let mut index = position(&schema.fields, first.as_ref()).map_err(|why| why.error(&[], first.as_ref()))?;
        let mut field = &schema.fields[index];
        let is_partition = rest.is_empty() && schema.partition_columns.contains(&index);
        let mut logical = vec![field.name.as_str()];
        let mut physical = vec![field.physical_name(schema.column_mapping)];
        for name in rest {
            let name = name.as_ref();
            let DataType::Struct(fields) = &field.data_type else {
                let whole = quoted(&logical);
                return Err(Error::invalid(format!("{whole} is {} and has no field `{name}`", field.data_type))
                    .hint("only fields of structs can be named; put a name that contains a dot in backticks"));
            };
            index = position(fields, name).map_err(|why| why.error(&logical, name))?;
            field = &fields[index];
            logical.push(&field.name);
            physical.push(field.physical_name(schema.column_mapping));
        }
        Ok(Column { field, logical, physical, is_partition })
    }

    /// The path as it is written in a predicate, each name in backticks.
    pub fn quoted(&self) -> String {
        quoted(&self.logical)
    }
}

fn quoted(path: &[&str]) -> String {
    path.iter().map(|name| format!("`{}`", name.replace('`', "``"))).collect::<Vec<_>>().join(".")
}

/// Why a name leads to no field.
pub(super) struct NotFound<'a> {
    fields: &'a [Field],
    ambiguous: bool,
}

/// The index of the field with that name; else of the only one that differs in case alone.
pub(super) fn position<'a>(fields: &'a [Field], name: &str) -> std::result::Result<usize, NotFound<'a>> {
    if let Some(index) = fields.iter().position(|field| field.name == name) {
        return Ok(index);
    }
    let wanted = name.to_lowercase();
    let mut alike = fields.iter().enumerate().filter(|(_, field)| field.name.to_lowercase() == wanted);
    match (alike.next(), alike.next()) {
        (Some((index, _)), None) => Ok(index),
        (first, _) => Err(NotFound { fields, ambiguous: first.is_some() }),
    }
}

impl NotFound<'_> {
    fn error(&self, parent: &[&str], name: &str) -> Error {
        let mut path = parent.to_vec();
        path.push(name);
        let path = quoted(&path);
        if self.ambiguous {
            return Error::invalid(format!("{path} could be several columns")).hint("write its exact case");
        }
        let error = Error::invalid(format!("there is no column {path}"));
        match self.nearest(name) {
            Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
            None => error.hint(self.list()),
        }
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        // Comparing is quadratic in the names' lengths; over these sizes a list helps as much.
        if name.len() > 64 || self.fields.len() > 2_000 {
            return None;
        }
        let name = name.to_lowercase();
        // Of a short name too little would be left to call it the same.
        let length = name.chars().count();
        let limit = (length / 3).max(1).min(length.saturating_sub(1));
        self.fields
            .iter()
            .filter(|field| field.name.len() <= 64)
            .map(|field| (distance(&name, &field.name.to_lowercase()), field.name.as_str()))
            .filter(|(distance, _)| *distance <= limit)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, nearest)| nearest)
    }

    fn list(&self) -> String {
        const SHOWN: usize = 10;
        if self.fields.is_empty() {
            return "there are no columns".to_owned();
        }
        let names: Vec<_> =
            self.fields.iter().take(SHOWN).map(|f| f.name.chars().take(64).collect::<String>()).collect();
        let more = self.fields.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("there are {}{more}", names.join(", "))
    }
}

/// How many characters to insert, remove, replace or swap with their neighbour to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, a_char) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b_char) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(a_char != b_char)).min(above[j + 1] + 1).min(row[j] + 1);
            if j > 0 && i > 0 && previous == Some(b_char) && b[j - 1] == a_char {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
        previous = Some(a_char);
    }
    above[b.len()]
}
