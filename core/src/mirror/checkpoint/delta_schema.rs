//! The schema of a checkpoint's file as Delta writes schemas (protocol section "Schema Serialization Format").

use arrow_schema::{DataType, Field, Fields, Schema};
use serde_json::{Value, json};

/// The schema in JSON.
pub(crate) fn delta_schema(schema: &Schema) -> String {
    struct_type(schema.fields()).to_string()
}

fn struct_type(fields: &Fields) -> Value {
    let fields = fields.iter().map(
        |field| json!({ "name": field.name(), "type": type_of(field.data_type()), "nullable": true, "metadata": {} }),
    );
    json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() })
}

/// All types that this writer gives to columns.
fn type_of(data_type: &DataType) -> Value {
    match data_type {
        DataType::Struct(fields) => struct_type(fields),
        DataType::List(element) => {
            json!({ "type": "array", "elementType": type_of(element.data_type()), "containsNull": true })
        }
        DataType::Map(entries, _) => {
            let part = |index: usize| match entries.data_type() {
                DataType::Struct(fields) => fields.get(index).map(|field| field_type(field)),
                _ => None,
            };
            json!({ "type": "map", "keyType": part(0), "valueType": part(1), "valueContainsNull": true })
        }
        DataType::Boolean => json!("boolean"),
        DataType::Int8 => json!("byte"),
        DataType::Int16 => json!("short"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Decimal128(precision, scale) => json!(format!("decimal({precision},{scale})")),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(_, Some(_)) => json!("timestamp"),
        DataType::Timestamp(_, None) => json!("timestamp_ntz"),
        DataType::Binary => json!("binary"),
        _ => json!("string"),
    }
}

fn field_type(field: &Field) -> Value {
    type_of(field.data_type())
}
