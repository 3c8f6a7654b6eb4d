//! Partition values (protocol section "Partition Value Serialization").

use std::collections::BTreeMap;

use crate::action::StringMap;
use crate::catalog::quoted;
use crate::partition_values::PartitionValue;
use crate::scalar::Scalar;
use crate::schema::{DataType, Primitive, Schema};
use crate::{Error, Result};

use super::joined;

/// A table's partition columns by physical name.
pub(super) struct PartitionColumns(BTreeMap<String, PartitionColumn>);

struct PartitionColumn {
    data_type: DataType,
    nullable: bool,
}

impl PartitionColumns {
    pub(super) fn of(schema: &Schema) -> Self {
        let mode = schema.column_mapping();
        let columns = schema.partition_columns().map(|field| {
            let column = PartitionColumn { data_type: field.data_type.clone(), nullable: field.nullable };
            (field.physical_name(mode).to_owned(), column)
        });
        PartitionColumns(columns.collect())
    }

    /// Checks that the values are for these columns; `what` names the file.
    pub(super) fn check_keys(&self, values: &StringMap, what: impl Fn() -> String) -> Result<()> {
        if values.0.keys().eq(self.0.keys()) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{} has values for the partition columns [{}]; the table's are [{}]",
            what(),
            joined(values.0.keys()),
            joined(self.0.keys())
        ))
        .hint("write a value, or null, for each of the table's and no other; under column mapping they go by their physical names"))
    }

    /// Checks that the values are of the columns' types; `what` names the file.
    pub(super) fn check_values(&self, values: &StringMap, what: impl Fn() -> String) -> Result<()> {
        for (name, column) in &self.0 {
            match values.value(name).filter(|text| !text.is_empty()) {
                None if !column.nullable => {
                    return Err(Error::invalid(format!(
                        "{} has null for the partition column {}, which is NOT NULL",
                        what(),
                        quoted(name)
                    ))
                    .hint("null and the empty text mean null"));
                }
                Some(text) if !is_value(text, &column.data_type) => {
                    return Err(Error::invalid(format!(
                        "{} has {} for the partition column {}, which is no {}",
                        what(),
                        quoted(text),
                        quoted(name),
                        column.data_type
                    ))
                    .hint("write the value as the protocol's section \"Partition Value Serialization\" has it"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_value(text: &str, data_type: &DataType) -> bool {
    let DataType::Primitive(primitive) = data_type else {
        return true; // no partition column is one
    };
    // Any text is one, and writers disagree on the escapes of binaries.
    if matches!(primitive, Primitive::String | Primitive::Binary | Primitive::Other(_)) {
        return true;
    }
    let far;
    let text = match primitive {
        Primitive::Date | Primitive::Timestamp | Primitive::TimestampNtz => {
            far = within_calendar(text);
            &far
        }
        _ => text,
    };
    match (PartitionValue::parse(Some(text), data_type), primitive) {
        (PartitionValue::Unknown | PartitionValue::Null, _) => false,
        (PartitionValue::Known(Scalar::Integer(value)), primitive) => match primitive {
            Primitive::Byte => i8::try_from(value).is_ok(),
            Primitive::Short => i16::try_from(value).is_ok(),
            Primitive::Integer => i32::try_from(value).is_ok(),
            _ => true,
        },
        (PartitionValue::Known(Scalar::Decimal { unscaled, .. }), Primitive::Decimal { precision, .. }) => {
            unscaled.unsigned_abs() < 10_u128.pow(u32::from(*precision))
        }
        (PartitionValue::Known(_), _) => true,
    }
}

/// The text with a year of four digits: Spark writes years beyond with a sign.
fn within_calendar(text: &str) -> String {
    let unsigned = text.strip_prefix(['+', '-']);
    match unsigned.and_then(|rest| rest.split_once('-')) {
        Some((year, rest)) if (4..=6).contains(&year.len()) && year.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("2000-{rest}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_value;
    use crate::schema::Primitive;

    #[test]
    fn values_by_type() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("string", &["a", "__HIVE_DEFAULT_PARTITION__"], &[]),
            ("binary", &["\u{1}", "\\u0001", "é"], &[]),
            ("byte", &["127", "-128", "+1", "007"], &["128", "1.5", "x", " 1"]),
            ("short", &["-32768"], &["32768"]),
            ("integer", &["2147483647"], &["2147483648", "0x1", "__HIVE_DEFAULT_PARTITION__"]),
            ("long", &["-9223372036854775808"], &["9223372036854775808"]),
            ("decimal(5,2)", &["1.50", "-999.99", "1"], &["1000", "1.005", "x"]),
            ("float", &["0.1", "NaN", "Infinity", "1.0E10"], &["1,5"]),
            ("double", &["-Infinity", "1.0E300"], &["one"]),
            ("boolean", &["true", "FALSE"], &["1", "yes"]),
            (
                "date",
                &["2024-02-29", "0001-01-01", "+10000-01-01", "-0044-03-15"],
                &["2023-02-29", "today", "20240229"],
            ),
            (
                "timestamp",
                &[
                    "2024-01-01 00:00:00",
                    "2024-01-01 00:00:00.5",
                    "2024-01-01T00:00:00.123456Z",
                    "2024-01-01T01:00:00+01:00",
                ],
                &["2024-01-01 25:00:00", "1700000000", "noon"],
            ),
            ("timestamp_ntz", &["2024-01-01 00:00:00.123456"], &["2024-01-01T00:00:00Z", "x"]),
            ("void", &[], &["x"]),
        ];
        for (name, fine, wrong) in cases {
            let data_type = Primitive::from_name(name).into();
            for text in *fine {
                assert!(is_value(text, &data_type), "{text} is a {name}");
            }
            for text in *wrong {
                assert!(!is_value(text, &data_type), "{text} is no {name}");
            }
        }
    }
}
