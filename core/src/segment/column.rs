//! The columns that statistics speak of, and what the statistics of many files say of all of them, read in one go.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::predicate::{BoundColumn, Facts};
use crate::schema::{Column, DataType, Field, Schema};
use crate::stats::{ColumnStats, Stats, count};

/// All columns and fields of structs that statistics may speak of.
pub(super) struct StatsColumns {
    pub(super) columns: Vec<BoundColumn>,
    /// The first one is the table.
    structs: Vec<Names>,
}

/// The fields of a struct.
#[derive(Default)]
struct Names {
    fields: Vec<NamedField>,
    by_name: HashMap<String, usize>,
}

struct NamedField {
    name: String,
    column: usize,
    /// Its fields, if it is a struct.
    fields: Option<usize>,
}

impl StatsColumns {
    pub(super) fn of(schema: &Schema) -> Self {
        let partition_columns: Vec<&str> = schema.partition_columns().map(|field| field.name.as_str()).collect();
        let data_columns = schema.fields().iter().filter(|field| !partition_columns.contains(&field.name.as_str()));
        let mut found = StatsColumns { columns: Vec::new(), structs: vec![Names::default()] };
        found.collect(schema, data_columns, &mut Vec::new(), 0);
        found
    }

    fn collect<'a>(
        &mut self,
        schema: &Schema,
        fields: impl Iterator<Item = &'a Field>,
        path: &mut Vec<&'a Field>,
        parent: usize,
    ) {
        for field in fields {
            path.push(field);
            let name = field.physical_name(schema.column_mapping()).to_owned();
            if !self.structs[parent].by_name.contains_key(&name) {
                let column = Column {
                    field,
                    logical: path.iter().map(|field| field.name.as_str()).collect(),
                    physical: path.iter().map(|field| field.physical_name(schema.column_mapping())).collect(),
                    is_partition: false,
                };
                let index = self.columns.len();
                self.columns.push(BoundColumn::new(&column));
                let mut named = NamedField { name: name.clone(), column: index, fields: None };
                if let DataType::Struct(fields) = &field.data_type {
                    self.structs.push(Names::default());
                    let own = self.structs.len() - 1;
                    named.fields = Some(own);
                    self.collect(schema, fields.iter(), path, own);
                }
                let names = &mut self.structs[parent];
                names.by_name.insert(name, names.fields.len());
                names.fields.push(named);
            }
            path.pop();
        }
    }

    /// What a file's statistics prove of each column, in order.
    pub(super) fn facts<'a>(&self, stats: Option<&'a str>) -> Vec<Facts<'a>> {
        let Some(text) = stats else { return vec![Facts::default(); self.columns.len()] };
        let stats = Stats::parse(text);
        let (min_values, max_values, null_count) = stats.parts();
        let [min, max, nulls] = [min_values, max_values, null_count].map(|part| self.texts(part));
        let facts = self.columns.iter().enumerate().map(|(index, column)| {
            let of_column = ColumnStats {
                min: min[index].text(),
                max: max[index].text(),
                null_count: nulls[index].text().and_then(count),
            };
            Facts::of_column_stats(column, of_column, stats.num_records())
        });
        facts.collect()
    }

    /// The JSON text that an object has of each column.
    fn texts<'a>(&self, object: Option<&'a RawValue>) -> Vec<Found<'a>> {
        let mut found = vec![Found::default(); self.columns.len()];
        if let Some(object) = object {
            self.read(object.get(), 0, &mut found);
        }
        found
    }

    fn read<'a>(&self, object: &'a str, of: usize, found: &mut [Found<'a>]) {
        let visitor = ObjectVisitor { columns: self, names: &self.structs[of], found };
        // What is no object has no fields; half an object does not come from a text that is JSON.
        let _ = serde_json::Deserializer::from_str(object).deserialize_map(visitor);
    }
}

/// What was found of a column. Where a name is there twice its first value counts.
#[derive(Clone, Copy, Default)]
struct Found<'a>(Option<&'a str>);

impl<'a> Found<'a> {
    fn text(self) -> Option<&'a str> {
        self.0.filter(|text| *text != "null")
    }
}

struct ObjectVisitor<'c, 'f, 'a> {
    columns: &'c StatsColumns,
    names: &'c Names,
    found: &'f mut [Found<'a>],
}

impl<'de> Visitor<'de> for ObjectVisitor<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(index) = map.next_key_seed(IndexOf { names: self.names, expected })? {
            let text = map.next_value::<&RawValue>()?.get();
            let Some(field) = index.and_then(|index| self.names.fields.get(index)) else { continue };
            expected = index.unwrap_or_default() + 1;
            if self.found[field.column].0.is_some() {
                continue;
            }
            self.found[field.column] = Found(Some(text));
            if let Some(fields) = field.fields {
                self.columns.read(text, fields, self.found);
            }
        }
        Ok(())
    }
}

/// The index of the field of a key. Writers keep to the schema's order, so that the next field is tried first.
struct IndexOf<'c> {
    names: &'c Names,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for IndexOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IndexOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        match self.names.fields.get(self.expected) {
            Some(field) if field.name == key => Ok(Some(self.expected)),
            _ => Ok(self.names.by_name.get(key).copied()),
        }
    }
}
