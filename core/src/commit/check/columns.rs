//! What a schema and its partition columns must be, whatever they were before (protocol section "Schema Serialization
//! Format"). What the current metadata has already is not asked: some writers were less strict.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::action::Metadata;
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, DataType, Field, Primitive, Schema};
use crate::{Error, Result};

use super::placed::{Placed, placed_fields};
use crate::commit::physical_names::joined;

/// What Parquet readers choke on; physical names have none of them.
const NOT_IN_NAMES: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// What to write.
pub(super) const A_SCHEMA: &str =
    "write {\"type\":\"struct\",\"fields\":[{\"name\":...,\"type\":...,\"nullable\":true,\"metadata\":{}}]}";

/// Every field of a struct has `nullable` and `metadata`, arrays and maps say whether they hold nulls.
pub(super) fn check_fields(schema: &str) -> Result<()> {
    fn check(data_type: &serde_json::Value) -> Result<()> {
        if !data_type.is_object() {
            return Ok(());
        }
        for field in data_type["fields"].as_array().into_iter().flatten() {
            if !field["nullable"].is_boolean() || !field["metadata"].is_object() {
                let name = quoted(field["name"].as_str().unwrap_or_default());
                return Err(Error::invalid(format!(
                    "the column {name} needs `nullable`, a boolean, and `metadata`, an object"
                ))
                .hint(A_SCHEMA));
            }
            check(&field["type"])?;
        }
        for (part, flag) in [("elementType", "containsNull"), ("valueType", "valueContainsNull")] {
            if !data_type[part].is_null() && !data_type[flag].is_boolean() {
                return Err(Error::invalid(format!("a type in the schema needs `{flag}`, a boolean"))
                    .hint("write true where null may be among the values"));
            }
        }
        ["elementType", "keyType", "valueType"].iter().try_for_each(|part| check(&data_type[part]))
    }
    let parsed = serde_json::from_str(schema);
    check(&parsed.map_err(|error| Error::invalid(format!("reading the schema: {error}")).hint(A_SCHEMA))?)
}

type Is = fn(&Value) -> bool;

/// What the metadata of a column holds under a key (protocol section "Column Metadata").
const METADATA: &[(&str, Is, &str)] = &[
    ("CURRENT_DEFAULT", Value::is_string, "a SQL text"),
    ("delta.generationExpression", Value::is_string, "a SQL text"),
    ("delta.identity.start", Value::is_i64, "an integer"),
    ("delta.identity.step", |step| step.as_i64().is_some_and(|step| step != 0), "an integer other than 0"),
    ("delta.identity.highWaterMark", Value::is_i64, "an integer"),
    ("delta.identity.allowExplicitInsert", Value::is_boolean, "a boolean"),
    ("delta.invariants", |text| text.as_str().is_some_and(is_json_object), "a JSON text"),
    ("delta.typeChanges", Value::is_array, "a list of changes"),
];

fn is_json_object(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|json| json.is_object())
}

fn check_column_metadata(placed: &Placed, known: Option<&Field>) -> Result<()> {
    for (key, is, expected) in METADATA {
        let value = placed.field.metadata.get(*key);
        if value.is_some_and(|value| !is(value)) && value != known.and_then(|field| field.metadata.get(*key)) {
            return Err(Error::invalid(format!(
                "the `{key}` of the column {} must be {expected}",
                quoted(&placed.name())
            ))
            .hint("write it so, or leave it out"));
        }
    }
    Ok(())
}

/// Names and types.
pub(super) fn check_columns(current: &Schema, new: &Schema) -> Result<()> {
    let (from, to) = (current.column_mapping(), new.column_mapping());
    let is_mapped = from != ColumnMapping::None && to != ColumnMapping::None;
    let ends_mapping = from != ColumnMapping::None && to == ColumnMapping::None;
    // A mapped column keeps its physical name, whatever it is called.
    let place = |placed: &Placed| if is_mapped { joined(&placed.physical) } else { placed.name() };
    let known: HashMap<String, &Field> =
        placed_fields(current).iter().map(|placed| (place(placed), placed.field)).collect();
    let mut seen = HashSet::new();
    for placed in placed_fields(new) {
        let name = placed.name();
        if !seen.insert(placed.logical.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>()) {
            return Err(Error::invalid(format!("two columns are named {}, in one case or another", quoted(&name)))
                .hint("rename one of them: most engines do not tell them apart"));
        }
        let data_type = &placed.field.data_type;
        let known_field = known.get(&place(&placed)).copied();
        if ends_mapping || known_field.is_none_or(|known| known.name != placed.field.name) {
            check_name(&placed, to)?;
        }
        check_column_metadata(&placed, known_field)?;
        let is_new_type = known_field.is_none_or(|field| field.data_type != *data_type);
        if let Some(odd) = odd_type(data_type).filter(|_| is_new_type) {
            return Err(Error::invalid(format!(
                "the column {} has the type `{odd}`, which is none of Delta's",
                quoted(&name)
            ))
            .hint("take one such as long, double, string, date, timestamp, decimal(38,18)"));
        }
    }
    Ok(())
}

fn check_name(placed: &Placed, mode: ColumnMapping) -> Result<()> {
    let name = &placed.field.name;
    if name.is_empty() {
        return Err(Error::invalid(format!("a column has no name: {}", quoted(&placed.name()))).hint("name it"));
    }
    match name.chars().find(|c| NOT_IN_NAMES.contains(c)) {
        Some(wrong) if mode == ColumnMapping::None => {
            Err(Error::invalid(format!("the name of the column {} has {wrong:?}", quoted(name)))
                .hint(format!("take another name, or column mapping ({})", ColumnMapping::PROPERTY)))
        }
        _ => Ok(()),
    }
}

/// A type that no protocol knows, in what is not a field of its own.
fn odd_type(data_type: &DataType) -> Option<&Primitive> {
    match data_type {
        DataType::Primitive(primitive @ Primitive::Other(_)) => Some(primitive),
        DataType::Primitive(_) | DataType::Struct(_) => None,
        DataType::Array { element, .. } => odd_type(element),
        DataType::Map { key, value, .. } => odd_type(key).or_else(|| odd_type(value)),
    }
}

/// The partition columns: top-level, primitive, each listed once, and not all columns.
pub(super) fn check_partition_columns(current: &Metadata, new: &Metadata, schema: &Schema) -> Result<()> {
    let current_schema = Schema::of(current)?;
    let mut listed = HashSet::new();
    for name in &new.partition_columns {
        let wrong = |what: String| Error::invalid(format!("the partition column {} {what}", quoted(name)));
        let was_listed = current.partition_columns.contains(name);
        let is_it =
            |field: &&Field| field.name == *name || (was_listed && field.name.to_lowercase() == name.to_lowercase());
        let Some(field) = schema.fields().iter().find(is_it) else {
            return Err(wrong("is not in the schema".to_owned()).hint("it is one of the top level, in its exact case"));
        };
        if !listed.insert(name) {
            return Err(wrong("is listed twice".to_owned()).hint("list it once"));
        }
        let is_known =
            was_listed && current_schema.fields().iter().any(|old| old.data_type == field.data_type && is_it(&old));
        if !is_known && !can_partition(field) {
            return Err(wrong(format!("is of type {}; partition columns are primitive", field.data_type))
                .hint("partition by a column of numbers, texts, dates or timestamps"));
        }
    }
    let all = |partition: usize, columns: usize| partition > 0 && partition == columns;
    let was_all = all(current.partition_columns.len(), current_schema.fields().len());
    if all(new.partition_columns.len(), schema.fields().len()) && !was_all {
        return Err(Error::invalid("all columns are partition columns, which leaves none for the data files")
            .hint("add a column that is none"));
    }
    Ok(())
}

fn can_partition(field: &Field) -> bool {
    matches!(&field.data_type, DataType::Primitive(primitive) if *primitive != Primitive::Variant)
}
