//! What may change in a table's metadata.

use std::collections::HashSet;

use crate::action::Metadata;
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, DataType, Field, Primitive, Schema};
use crate::{Error, Result};

use super::joined;

pub(super) fn check_metadata(current: &Metadata, new: &Metadata) -> Result<()> {
    if new == current {
        return Ok(());
    }
    if new.id != current.id {
        return Err(Error::invalid(format!(
            "the table's id is {} and may not change; the new metadata has {}",
            quoted(&current.id),
            quoted(&new.id)
        )));
    }
    if new.format.provider != "parquet" {
        return Err(Error::invalid(format!("the format is {}; it may be parquet", quoted(&new.format.provider))));
    }
    let schema = new.schema_string.as_deref();
    let schema = schema.ok_or_else(|| Error::invalid("the new metadata has no `schemaString`"))?;
    check_fields(schema)?;
    let schema = Schema::parse(schema).map_err(|error| Error::invalid(error.to_string()))?;
    check_columns(&schema)?;
    check_partition_columns(current, new)?;
    if let Some((property, _)) = new.configuration.0.iter().find(|(_, value)| value.is_none()) {
        return Err(Error::invalid(format!("the property {} is null; a value is a text", quoted(property))));
    }
    Schema::of(new)?.check_column_mapping(new.configuration.value(ColumnMapping::MAX_ID_PROPERTY))
}

/// Under column mapping a partition column may get another name; files know it by its physical one.
fn check_partition_columns(current: &Metadata, new: &Metadata) -> Result<()> {
    let physical = |metadata: &Metadata| -> Result<Vec<String>> {
        let schema = Schema::of(metadata)?;
        let mode = schema.column_mapping();
        Ok(schema.partition_columns().map(|column| column.physical_name(mode).to_owned()).collect())
    };
    let new_columns = physical(new).map_err(|error| Error::invalid(error.to_string()))?;
    if new_columns == physical(current)? {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the partition columns are [{}] and may not change; the new metadata has [{}]",
        joined(&current.partition_columns),
        joined(&new.partition_columns)
    )))
}

/// Every field of a struct has `nullable` and `metadata` (protocol section "Struct Field").
fn check_fields(schema: &str) -> Result<()> {
    fn check(data_type: &serde_json::Value) -> Result<()> {
        if !data_type.is_object() {
            return Ok(());
        }
        for field in data_type["fields"].as_array().into_iter().flatten() {
            if !field["nullable"].is_boolean() || !field["metadata"].is_object() {
                let name = quoted(field["name"].as_str().unwrap_or_default());
                return Err(Error::invalid(format!(
                    "the column {name} needs `nullable`, a boolean, and `metadata`, an object"
                )));
            }
            check(&field["type"])?;
        }
        ["elementType", "keyType", "valueType"].iter().try_for_each(|part| check(&data_type[part]))
    }
    let parsed = serde_json::from_str(schema);
    check(&parsed.map_err(|error| Error::invalid(format!("reading the schema: {error}")))?)
}

/// What engines cannot open: types that no protocol knows, and columns that differ in case alone.
fn check_columns(schema: &Schema) -> Result<()> {
    let mut names = HashSet::new();
    if let Some(field) = schema.fields().iter().find(|field| !names.insert(field.name.to_lowercase())) {
        return Err(Error::invalid(format!("two columns are named {}, in one case or another", quoted(&field.name))));
    }
    let odd = |field: &&Field| matches!(&field.data_type, DataType::Primitive(Primitive::Other(_)));
    match schema.all_fields().into_iter().find(odd) {
        Some(field) => Err(Error::invalid(format!(
            "the column {} has the type `{}`, which is none of Delta's",
            quoted(&field.name),
            field.data_type
        ))),
        None => Ok(()),
    }
}
