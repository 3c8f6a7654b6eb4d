//! Changes of a column's type (protocol section "Type Widening").

use crate::action::{Metadata, Protocol};
use crate::catalog::quoted;
use crate::schema::{DataType, Field, Primitive};
use crate::table_features::has_writer_feature;
use crate::{Error, Result};

const PROPERTY: &str = "delta.enableTypeWidening";
const CHANGES: &str = "delta.typeChanges";

/// Whether a table's columns may get wider types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeWidening {
    Enabled,
    Disabled,
}

impl TypeWidening {
    pub(super) fn of(metadata: &Metadata, protocol: &Protocol) -> Self {
        let supported =
            ["typeWidening", "typeWidening-preview"].iter().any(|feature| has_writer_feature(protocol, feature));
        if supported && metadata.is_enabled(PROPERTY) { TypeWidening::Enabled } else { TypeWidening::Disabled }
    }

    /// Checks that a type may become `to` where it was `from`. `column` is the nearest field around it, which tells
    /// of the change; `field_path` leads from there, with dots.
    pub(super) fn check(self, column: &Field, field_path: &str, from: &DataType, to: &DataType) -> Result<()> {
        let changed = || format!("the type of the column {} may not change from {from} to {to}", quoted(&column.name));
        let (DataType::Primitive(from), DataType::Primitive(wide)) = (from, to) else {
            return Err(Error::invalid(changed()).hint(NO_WAY));
        };
        if !widens(from, wide) {
            return Err(Error::invalid(changed()).hint(NO_WAY));
        }
        if self == TypeWidening::Disabled {
            return Err(Error::invalid(format!("{} without type widening", changed()))
                .hint(format!("the table needs the feature `typeWidening` and the property {PROPERTY} = true")));
        }
        if last_change(column, field_path).as_ref() != Some(wide) {
            return Err(Error::invalid(format!("{}: its `{CHANGES}` do not tell of it", changed()))
                .hint("append {\"fromType\":...,\"toType\":...} to that list in the column's metadata"));
        }
        Ok(())
    }
}

const NO_WAY: &str = "add a column of the new type, or replace the table: remove all its files in the same commit";

/// What the last change of a type made of it.
fn last_change(column: &Field, field_path: &str) -> Option<Primitive> {
    let changes = column.metadata.get(CHANGES)?.as_array()?;
    let here = |change: &&serde_json::Value| change["fieldPath"].as_str().unwrap_or_default() == field_path;
    changes.iter().rev().find(here)?["toType"].as_str().map(Primitive::from_name)
}

fn widens(from: &Primitive, to: &Primitive) -> bool {
    use Primitive::{Byte, Date, Decimal, Double, Float, Integer, Long, Short, TimestampNtz};
    let fits = |from_precision: u8, from_scale: u8, precision: u8, scale: u8| {
        scale >= from_scale
            && precision.saturating_sub(from_precision) >= scale - from_scale
            && precision >= from_precision
    };
    match (from, to) {
        (Byte, Short | Integer | Long | Double) | (Short, Integer | Long | Double) => true,
        (Integer, Long | Double) | (Float, Double) | (Date, TimestampNtz) => true,
        (Byte | Short | Integer, Decimal { precision, scale }) => fits(10, 0, *precision, *scale),
        (Long, Decimal { precision, scale }) => fits(20, 0, *precision, *scale),
        (Decimal { precision, scale }, Decimal { precision: to_precision, scale: to_scale }) => {
            fits(*precision, *scale, *to_precision, *to_scale)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::widens;
    use crate::schema::Primitive;

    #[test]
    fn changes_of_the_protocol() {
        let cases = [
            ("byte", "short", true),
            ("byte", "long", true),
            ("integer", "long", true),
            ("long", "integer", false),
            ("short", "float", false),
            ("integer", "double", true),
            ("long", "double", false),
            ("float", "double", true),
            ("double", "float", false),
            ("date", "timestamp_ntz", true),
            ("date", "timestamp", false),
            ("integer", "string", false),
            ("integer", "decimal(10,0)", true),
            ("integer", "decimal(9,0)", false),
            ("byte", "decimal(12,2)", true),
            ("byte", "decimal(11,2)", false),
            ("long", "decimal(20,0)", true),
            ("long", "decimal(19,0)", false),
            ("decimal(5,2)", "decimal(6,2)", true),
            ("decimal(5,2)", "decimal(6,3)", true),
            ("decimal(5,2)", "decimal(5,3)", false),
            ("decimal(5,2)", "decimal(4,2)", false),
            ("decimal(5,2)", "decimal(6,1)", false),
        ];
        for (from, to, expected) in cases {
            assert_eq!(widens(&Primitive::from_name(from), &Primitive::from_name(to)), expected, "{from} to {to}");
        }
    }
}
