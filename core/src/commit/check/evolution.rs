//! How a schema may change while files stay that were written by the one before (protocol sections "Consistency
//! Between Table Metadata and Data Files", "Column Mapping" and "Type Widening").

use crate::catalog::quoted;
use crate::schema::{ColumnMapping, DataType, Field, Primitive, Schema};
use crate::{Error, Result};

use super::widening::TypeWidening;

/// What the table allows.
pub(super) struct Evolution {
    /// By what the files that are there know their columns.
    mode: ColumnMapping,
    widening: TypeWidening,
    /// Whether there are rows, which would lack the values of new columns.
    has_rows: bool,
}

impl Evolution {
    pub(super) fn new(current: &Schema, widening: TypeWidening, has_rows: bool) -> Self {
        Evolution { mode: current.column_mapping(), widening, has_rows }
    }

    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the column.
    pub(super) fn check(&self, current: &Schema, new: &Schema) -> Result<()> {
        self.check_struct(current.fields(), new.fields(), "")
    }

    fn check_struct(&self, current: &[Field], new: &[Field], parent: &str) -> Result<()> {
        for field in current {
            let name = join(parent, &field.name);
            match new.iter().find(|new| self.is_same(field, new)) {
                Some(new) => self.check_field(field, new, &name)?,
                None if self.mode == ColumnMapping::None => return Err(lost(field, new, &name)),
                None => {}
            }
        }
        let is_new = |field: &&Field| !current.iter().any(|old| self.is_same(old, field));
        match new.iter().filter(is_new).find(|field| !field.nullable) {
            Some(field) if self.has_rows => Err(Error::invalid(format!(
                "the new column {} is NOT NULL, but the rows that are there have no value for it",
                quoted(&join(parent, &field.name))
            ))
            .hint("make it nullable")),
            _ => Ok(()),
        }
    }

    /// By id, or by physical name where a column has none; without column mapping by name.
    fn is_same(&self, current: &Field, new: &Field) -> bool {
        if self.mode == ColumnMapping::None {
            return current.name == new.name;
        }
        match (current.column_id(), new.column_id()) {
            (Some(current), Some(new)) => current == new,
            _ => current.physical_name(self.mode) == new.physical_name(self.mode),
        }
    }

    fn check_field(&self, current: &Field, new: &Field, name: &str) -> Result<()> {
        if current.nullable && !new.nullable && self.has_rows {
            return Err(now_without_nulls(&format!("the column {} becomes NOT NULL", quoted(name))));
        }
        self.check_type(&current.data_type, &new.data_type, &Place { column: new, name, field_path: String::new() })
    }

    fn check_type(&self, current: &DataType, new: &DataType, place: &Place) -> Result<()> {
        match (current, new) {
            (DataType::Struct(current), DataType::Struct(new)) => self.check_struct(current, new, place.name),
            (
                DataType::Array { element: current, contains_null: had },
                DataType::Array { element: new, contains_null: has },
            ) => {
                self.check_nulls(*had, *has, place)?;
                self.check_type(current, new, &place.below("element"))
            }
            (
                DataType::Map { key: current_key, value: current, value_contains_null: had },
                DataType::Map { key: new_key, value: new, value_contains_null: has },
            ) => {
                self.check_nulls(*had, *has, place)?;
                self.check_type(current_key, new_key, &place.below("key"))?;
                self.check_type(current, new, &place.below("value"))
            }
            (current, new) if current == new => Ok(()),
            (DataType::Primitive(Primitive::Void), _) => Ok(()),
            _ => self.widening.check(place.column, &place.field_path, current, new),
        }
    }

    fn check_nulls(&self, had: bool, has: bool, place: &Place) -> Result<()> {
        if had && !has && self.has_rows {
            return Err(now_without_nulls(&format!("the column {} may no longer contain nulls", quoted(place.name))));
        }
        Ok(())
    }
}

/// Where a type is.
struct Place<'a> {
    /// The nearest field around it.
    column: &'a Field,
    name: &'a str,
    field_path: String,
}

impl Place<'_> {
    fn below(&self, part: &str) -> Self {
        Place { field_path: join(&self.field_path, part), ..*self }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn lost(field: &Field, new: &[Field], name: &str) -> Error {
    let hint = format!("drop and rename columns under column mapping ({} = name)", ColumnMapping::PROPERTY);
    let other_case = new.iter().find(|new| new.name.to_lowercase() == field.name.to_lowercase());
    match other_case {
        Some(new) => Error::invalid(format!(
            "the column {} is renamed to {}, but files know their columns by name",
            quoted(name),
            quoted(&new.name)
        )),
        None => Error::invalid(format!(
            "the column {} is dropped or renamed, but files know their columns by name",
            quoted(name)
        )),
    }
    .hint(hint)
}

fn now_without_nulls(what: &str) -> Error {
    Error::invalid(format!("{what}, but the rows that are there may hold null"))
        .hint("leave it nullable; a CHECK constraint can refuse nulls from now on")
}

#[cfg(test)]
mod tests {
    use super::{Evolution, TypeWidening};
    use crate::schema::{ColumnMapping, Schema};

    /// Columns as `name type [id]`; a name that ends in `!` is NOT NULL.
    fn schema(columns: &str, mode: ColumnMapping) -> Schema {
        let field = |column: &str| {
            let words: Vec<&str> = column.split_whitespace().collect();
            let id = words.get(2).map_or("0", |id| id);
            format!(
                r#"{{"name":"{}","type":{},"nullable":{},"metadata":{{"delta.columnMapping.id":{id}}}}}"#,
                words[0].trim_end_matches('!'),
                words[1],
                !words[0].ends_with('!'),
            )
        };
        let fields: Vec<String> = columns.split(';').map(field).collect();
        Schema::parse(&format!(r#"{{"type":"struct","fields":[{}]}}"#, fields.join(",")))
            .unwrap()
            .with_column_mapping(mode)
    }

    fn check(mode: ColumnMapping, has_rows: bool, from: &str, to: &str) -> Result<(), String> {
        let (from, to) = (schema(from, mode), schema(to, mode));
        let evolution = Evolution::new(&from, TypeWidening::Disabled, has_rows);
        evolution.check(&from, &to).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_by_name() {
        let list = |nulls: bool| format!(r#"a {{"type":"array","elementType":"long","containsNull":{nulls}}}"#);
        let (with_nulls, without_nulls) = (list(true), list(false));
        let cases = [
            (r#"a "long""#, r#"b "long";a "long""#, None),
            (r#"a! "long""#, r#"a "long""#, None),
            (r#"a "void""#, r#"a "date""#, None),
            (r#"a "long""#, r#"b "long""#, Some("`a` is dropped or renamed")),
            (r#"a "long""#, r#"A "long""#, Some("`a` is renamed to `A`")),
            (r#"a "long""#, r#"a "string""#, Some("may not change from long to string")),
            (r#"a "integer""#, r#"a "long""#, Some("without type widening")),
            (without_nulls.as_str(), with_nulls.as_str(), None),
            (with_nulls.as_str(), without_nulls.as_str(), Some("may no longer contain nulls")),
        ];
        for (from, to, wrong) in cases {
            let refused = check(ColumnMapping::None, true, from, to).err();
            assert_eq!(refused.is_some(), wrong.is_some(), "{from} to {to}: {refused:?}");
            assert!(refused.unwrap_or_default().contains(wrong.unwrap_or_default()), "{from} to {to}");
        }
    }

    #[test]
    fn columns_by_id() {
        let mapped = |from, to| check(ColumnMapping::Name, true, from, to);
        assert_eq!(mapped(r#"a "long" 1;b "long" 2"#, r#"b "long" 1"#), Ok(()));
        assert!(mapped(r#"a "long" 1"#, r#"b "date" 1"#).unwrap_err().contains("from long to date"));
    }

    #[test]
    fn nulls_of_rows_that_are_there() {
        for (from, to) in [(r#"a "long""#, r#"a! "long""#), (r#"a "long""#, r#"a "long";b! "long""#)] {
            assert!(check(ColumnMapping::None, true, from, to).unwrap_err().contains("NOT NULL"), "{from} to {to}");
            assert_eq!(check(ColumnMapping::None, false, from, to), Ok(()), "{from} to {to}");
        }
    }
}
