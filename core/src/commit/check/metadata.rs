//! What may change in a table's metadata.

use crate::action::Metadata;
use crate::catalog::quoted;
use crate::schema::{ColumnMapping, Schema};
use crate::{Error, Result};

use super::change::{Change, Past};
use super::columns::{A_SCHEMA, check_columns, check_fields, check_partition_columns};
use super::evolution::Evolution;
use super::identity::check_identities;
use super::joined;
use super::mapping::check_mapping;
use super::properties::check_properties;
use super::widening::TypeWidening;

pub(super) fn check_metadata(change: &Change) -> Result<()> {
    let (current, new) = (&change.state.metadata, change.metadata);
    if new == current {
        return Ok(());
    }
    if new.id != current.id {
        return Err(Error::invalid(format!(
            "the table's id is {} and may not change; the new metadata has {}",
            quoted(&current.id),
            quoted(&new.id)
        ))
        .hint("write the table's id; another table is imported under a name of its own"));
    }
    if new.format.provider != "parquet" {
        return Err(Error::invalid(format!("the format is {}; it may be parquet", quoted(&new.format.provider)))
            .hint("write {\"provider\":\"parquet\",\"options\":{}}"));
    }
    let schema = new.schema_string.as_deref();
    let schema = schema.ok_or_else(|| {
        Error::invalid("the new metadata has no `schemaString`")
            .hint("new metadata takes the place of all of the former; write what stays, too")
    })?;
    check_fields(schema)?;
    check_properties(current, new, change.protocol)?;
    check_schema(change, schema)
}

fn check_schema(change: &Change, schema: &str) -> Result<()> {
    let (current, new) = (&change.state.metadata, change.metadata);
    let invalid = |error: Error| Error::invalid(error.to_string()).hint(A_SCHEMA);
    let mode = ColumnMapping::from_property(new.configuration.value(ColumnMapping::PROPERTY));
    let mode = mode.map_err(|error| error.hint("set it to `name`, or leave the property out"))?;
    let new_schema = Schema::parse(schema).map_err(invalid)?.with_column_mapping(mode);
    let current_schema = Schema::of(current)?;
    check_columns(&current_schema, &new_schema)?;
    if current.partition_columns != new.partition_columns || current.schema_string != new.schema_string {
        check_partition_columns(current, new, &new_schema)?;
    }
    if change.past != Past::Replaced {
        same_partition_columns(current, new)?;
    }
    check_mapping(current, new, change.past)?;
    if change.past != Past::Replaced {
        check_identities(&current_schema, &new_schema, change.past)?;
    }
    if change.past != Past::Stays {
        return Ok(());
    }
    let widening = TypeWidening::of(new, change.protocol);
    let has_rows = change.state.file_count > 0;
    Evolution::new(&current_schema, widening, has_rows).check(&current_schema, &new_schema)
}

/// Under column mapping a partition column may get another name; files know it by its physical one.
fn same_partition_columns(current: &Metadata, new: &Metadata) -> Result<()> {
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
    ))
    .hint("they may change in a commit that removes all files of the table"))
}
