use std::fmt;

use serde_json::{Map, Value};

use crate::{Error, Result};

/// A column, or a field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The logical name, which users see.
    pub name: String,
    /// What it holds.
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Column mapping, generation expressions, collations and what else the writer keeps there.
    pub metadata: Map<String, Value>,
}

/// The type of a column. It shows as in Delta's schemas: `struct<id: long, tags: array<string>>`.
///
/// ```
/// use deltalakedb_core::schema::{DataType, Primitive};
/// let tags = DataType::Array { element: Box::new(Primitive::String.into()), contains_null: true };
/// assert_eq!(tags.to_string(), "array<string>");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum DataType {
    /// A type without parts.
    Primitive(Primitive),
    /// Named fields.
    Struct(Vec<Field>),
    /// A list.
    Array {
        /// The type of each item.
        element: Box<DataType>,
        /// Whether an item may be null.
        contains_null: bool,
    },
    /// Keys and values.
    Map {
        /// The type of the keys.
        key: Box<DataType>,
        /// The type of the values.
        value: Box<DataType>,
        /// Whether a value may be null.
        value_contains_null: bool,
    },
}

/// A type without parts, by its name in the protocol.
///
/// ```
/// use deltalakedb_core::schema::Primitive;
/// assert_eq!(Primitive::from_name("decimal(10, 2)"), Primitive::Decimal { precision: 10, scale: 2 });
/// assert_eq!(Primitive::from_name("interval day"), Primitive::Other("interval day".into()));
/// assert_eq!(Primitive::Long.to_string(), "long");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Primitive {
    /// UTF-8 text.
    String,
    /// 8 bytes, signed.
    Long,
    /// 4 bytes, signed.
    Integer,
    /// 2 bytes, signed.
    Short,
    /// 1 byte, signed.
    Byte,
    /// IEEE 754, 4 bytes.
    Float,
    /// IEEE 754, 8 bytes.
    Double,
    /// Exact, with `scale` of its `precision` digits right of the point.
    Decimal {
        /// 1 to 38.
        precision: u8,
        /// 0 to `precision`.
        scale: u8,
    },
    /// `true` or `false`.
    Boolean,
    /// Bytes.
    Binary,
    /// A day of the calendar.
    Date,
    /// A point in time, to the microsecond.
    Timestamp,
    /// A date and time of day in no particular zone, to the microsecond.
    TimestampNtz,
    /// Nothing but nulls, and not in any file.
    Void,
    /// Semi-structured data.
    Variant,
    /// A type that this version does not know, such as an interval.
    Other(String),
}

impl Primitive {
    /// The type of that name; [`Primitive::Other`] where there is none.
    pub fn from_name(name: &str) -> Self {
        match name {
            "string" => Primitive::String,
            "long" => Primitive::Long,
            "integer" => Primitive::Integer,
            "short" => Primitive::Short,
            "byte" => Primitive::Byte,
            "float" => Primitive::Float,
            "double" => Primitive::Double,
            "boolean" => Primitive::Boolean,
            "binary" => Primitive::Binary,
            "date" => Primitive::Date,
            "timestamp" => Primitive::Timestamp,
            "timestamp_ntz" => Primitive::TimestampNtz,
            // Spark before 3.1 wrote `null`.
            "void" | "null" => Primitive::Void,
            "variant" => Primitive::Variant,
            // Spark's name for its default precision.
            "decimal" => Primitive::Decimal { precision: 10, scale: 0 },
            _ => decimal(name).unwrap_or_else(|| Primitive::Other(name.to_owned())),
        }
    }
}

fn decimal(name: &str) -> Option<Primitive> {
    let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let precision = precision.trim().parse().ok()?;
    let scale = scale.trim().parse().ok()?;
    ((1..=38).contains(&precision) && scale <= precision).then_some(Primitive::Decimal { precision, scale })
}

impl From<Primitive> for DataType {
    fn from(primitive: Primitive) -> Self {
        DataType::Primitive(primitive)
    }
}

impl DataType {
    /// Reads a type of the schema: a name, or an object with `type`. The caller bounds the depth.
    pub(super) fn from_json(json: &Value) -> Result<Self> {
        let object = match json {
            Value::String(name) => return Ok(Primitive::from_name(name).into()),
            Value::Object(object) => object,
            other => return Err(Error::corrupt(format!("expected a type, found {other}"))),
        };
        let part = |key: &str| {
            let part = object.get(key).ok_or_else(|| missing(key))?;
            DataType::from_json(part).map(Box::new)
        };
        match object.get("type").and_then(Value::as_str).ok_or_else(|| missing("type"))? {
            "struct" => {
                let fields = object.get("fields").and_then(Value::as_array).ok_or_else(|| missing("fields"))?;
                fields.iter().map(Field::from_json).collect::<Result<_>>().map(DataType::Struct)
            }
            "array" => {
                Ok(DataType::Array { element: part("elementType")?, contains_null: flag(object, "containsNull") })
            }
            "map" => Ok(DataType::Map {
                key: part("keyType")?,
                value: part("valueType")?,
                value_contains_null: flag(object, "valueContainsNull"),
            }),
            // `{"type":"variant"}`, and types of a future with parts that are not known here.
            name => Ok(Primitive::from_name(name).into()),
        }
    }
}

impl Field {
    fn from_json(json: &Value) -> Result<Self> {
        let name = json.get("name").and_then(Value::as_str).ok_or_else(|| missing("name"))?;
        let data_type = json.get("type").ok_or_else(|| missing("type")).and_then(DataType::from_json);
        Ok(Field {
            name: name.to_owned(),
            data_type: data_type.map_err(|error| error.context(format_args!("field `{name}`")))?,
            nullable: json.get("nullable").and_then(Value::as_bool).unwrap_or(true),
            metadata: json.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default(),
        })
    }
}

impl Field {
    /// This field and those below it.
    pub(super) fn collect<'a>(&'a self, found: &mut Vec<&'a Field>) {
        found.push(self);
        self.data_type.collect(found);
    }
}

impl DataType {
    fn collect<'a>(&'a self, found: &mut Vec<&'a Field>) {
        match self {
            DataType::Primitive(_) => {}
            DataType::Struct(fields) => fields.iter().for_each(|field| field.collect(found)),
            DataType::Array { element, .. } => element.collect(found),
            DataType::Map { key, value, .. } => {
                key.collect(found);
                value.collect(found);
            }
        }
    }
}

fn missing(key: &str) -> Error {
    Error::corrupt(format!("a type or field has no proper `{key}`"))
}

/// Absent means that nulls may be there, which is the safe side.
fn flag(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(true)
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Primitive::String => "string",
            Primitive::Long => "long",
            Primitive::Integer => "integer",
            Primitive::Short => "short",
            Primitive::Byte => "byte",
            Primitive::Float => "float",
            Primitive::Double => "double",
            Primitive::Decimal { precision, scale } => {
                return write!(f, "decimal({precision},{scale})");
            }
            Primitive::Boolean => "boolean",
            Primitive::Binary => "binary",
            Primitive::Date => "date",
            Primitive::Timestamp => "timestamp",
            Primitive::TimestampNtz => "timestamp_ntz",
            Primitive::Void => "void",
            Primitive::Variant => "variant",
            Primitive::Other(name) => name,
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataType::Primitive(primitive) => primitive.fmt(f),
            DataType::Struct(fields) => {
                f.write_str("struct<")?;
                write_fields(f, fields)?;
                f.write_str(">")
            }
            DataType::Array { element, .. } => write!(f, "array<{element}>"),
            DataType::Map { key, value, .. } => write!(f, "map<{key}, {value}>"),
        }
    }
}

pub(super) fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[Field]) -> fmt::Result {
    for (index, field) in fields.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{}: {}", field.name, field.data_type)?;
    }
    Ok(())
}
