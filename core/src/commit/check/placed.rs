//! The fields of a schema with the way to each.

use crate::schema::{ColumnMapping, DataType, Field, Schema};

/// A column, or a field of a struct at any depth.
pub(super) struct Placed<'a> {
    pub(super) field: &'a Field,
    /// Names from the top level down, with `element`, `key` and `value` for the parts of arrays and maps.
    pub(super) logical: Vec<&'a str>,
    /// Likewise (protocol section "Field Path").
    pub(super) physical: Vec<&'a str>,
}

impl Placed<'_> {
    /// The logical path for a message.
    pub(super) fn name(&self) -> String {
        self.logical.join(".")
    }
}

/// All fields, a struct before its own.
pub(super) fn placed_fields(schema: &Schema) -> Vec<Placed<'_>> {
    let mut walk = Walk { mode: schema.column_mapping(), found: Vec::new() };
    walk.fields(schema.fields(), &[], &[]);
    walk.found
}

struct Walk<'a> {
    mode: ColumnMapping,
    found: Vec<Placed<'a>>,
}

impl<'a> Walk<'a> {
    fn fields(&mut self, fields: &'a [Field], logical: &[&'a str], physical: &[&'a str]) {
        for field in fields {
            let logical = [logical, &[field.name.as_str()]].concat();
            let physical = [physical, &[field.physical_name(self.mode)]].concat();
            self.found.push(Placed { field, logical: logical.clone(), physical: physical.clone() });
            self.parts(&field.data_type, &logical, &physical);
        }
    }

    fn parts(&mut self, data_type: &'a DataType, logical: &[&'a str], physical: &[&'a str]) {
        match data_type {
            DataType::Primitive(_) => {}
            DataType::Struct(fields) => self.fields(fields, logical, physical),
            DataType::Array { element, .. } => self.part("element", element, logical, physical),
            DataType::Map { key, value, .. } => {
                self.part("key", key, logical, physical);
                self.part("value", value, logical, physical);
            }
        }
    }

    fn part(&mut self, name: &'static str, data_type: &'a DataType, logical: &[&'a str], physical: &[&'a str]) {
        self.parts(data_type, &[logical, &[name]].concat(), &[physical, &[name]].concat());
    }
}
