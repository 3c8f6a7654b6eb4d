//! Which files can hold rows that a SQL condition is true for, judged by partition values and
//! statistics alone.
//!
//! [`Predicate::may_match`] answers no only where it is *proven* that no row of the file makes the
//! condition true; what is missing, damaged or of unknown order proves nothing. NOT is pushed down to
//! the leaves, so that each is proven false or null by itself. `syntax` and `bind` read a predicate, `facts` a file; `prune` has the
//! proofs.

mod bind;
mod bound_column;
mod coerce;
mod expr;
mod facts;
#[cfg(test)]
mod law;
mod lexer;
mod nan;
mod prune;
mod syntax;
// Its tables would grow to twice their length.
#[cfg(test)]
#[rustfmt::skip]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) use bound_column::BoundColumn;
pub(crate) use facts::{Bound, Facts};

use crate::Result;
use crate::schema::Schema;

/// A condition on the rows of a table, ready to be asked about files.
///
/// It is SQL: `= == != <> < <= > >= <=>`, `AND OR NOT`, parentheses, `[NOT] IN`, `[NOT] BETWEEN`,
/// `IS [NOT] NULL`, `[NOT] LIKE … [ESCAPE …]`, `TRUE FALSE NULL`; literals `'text'`, `1`, `-2.5`, `1e3`,
/// `DATE '2024-01-31'`, `TIMESTAMP '2024-01-31 12:00:00'`; columns `a`, `a.b`, `` `a b` ``, `"a b"`.
///
/// 1. Numbers compare exactly with integer and decimal columns: `id > 10.5`, `id = 9007199254740993`.
/// 2. A timestamp literal without a zone is in UTC for a `timestamp` column.
/// 3. Strings compare by code points; LIKE minds the case.
/// 4. NaN is larger than every number, or in no order at all: a file is kept if either makes a match.
/// 5. Columns are found in any case, as the schema resolves them.
///
/// ```
/// use deltalakedb_core::predicate::{FileView, PartitionValues, Predicate};
/// use deltalakedb_core::schema::Schema;
/// let schema = Schema::parse(
///     r#"{"type":"struct","fields":[{"name":"id","type":"long"},{"name":"day","type":"date"}]}"#,
/// )?
/// .partitioned_by(&["day"])?;
/// let file = FileView {
///     partition_values: PartitionValues::Json(r#"{"day":"2024-01-31"}"#),
///     stats: Some(r#"{"numRecords":5,"minValues":{"id":1},"maxValues":{"id":9},"nullCount":{"id":0}}"#),
/// };
/// let may_match = |text| Ok::<_, deltalakedb_core::Error>(Predicate::parse(text, &schema)?.may_match(&file));
///
/// assert!(may_match("id = 5 AND day >= '2024-01-01'")?);
/// assert!(!may_match("id > 9 OR day IS NULL")?);
///
/// let error = may_match("day = 'soon'").unwrap_err();
/// assert_eq!(error.to_string(), "in the predicate, at character 7: `day` is date; 'soon' is no date");
/// assert_eq!(error.hint_text(), Some("write it as '2024-01-31'"));
/// # Ok::<(), deltalakedb_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    root: bind::Node,
    /// The columns that the leaves speak of, by index.
    columns: Vec<bound_column::BoundColumn>,
}

/// What is known about a file without opening it.
///
/// A deletion vector changes nothing: no proof rests on a bound being tight, nor on a null count other
/// than none or all, and those hold for what is left of the rows too.
#[derive(Debug, Clone, Copy)]
pub struct FileView<'a> {
    /// The `partitionValues` of its `add` action.
    pub partition_values: PartitionValues<'a>,
    /// The `stats` of its `add` action: JSON text, if there is any.
    pub stats: Option<&'a str>,
}

/// The partition values of a file by physical column name.
#[derive(Debug, Clone, Copy)]
pub enum PartitionValues<'a> {
    /// As the JSON object of an action.
    Json(&'a str),
    /// As a map that was read from it.
    Map(&'a BTreeMap<String, Option<String>>),
}

impl Predicate {
    /// Reads `text` as a condition on rows of `schema`, with the schema's partition columns and column
    /// mapping. Each literal becomes a value of its column's type.
    ///
    /// Errors are `Invalid` and name the character: what is not this SQL, an unknown column (with the
    /// nearest name), a literal that is no value of its column, text over 64 KiB or 64 parentheses deep.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self> {
        let (root, columns) = bind::bind(text, schema, &syntax::parse(text)?)?;
        Ok(Predicate { root, columns })
    }

    /// Whether the file can hold a row that makes the condition true. `false` is proven.
    pub fn may_match(&self, file: &FileView<'_>) -> bool {
        prune::may_match(&self.root, &self.columns, file)
    }

    /// The columns that the condition speaks of.
    pub(crate) fn columns(&self) -> &[BoundColumn] {
        &self.columns
    }

    /// Whether the condition can be true for a row of which `facts` are known, given the index of each of
    /// [`columns`](Self::columns). `false` is proven.
    pub(crate) fn may_match_facts<'f>(&self, facts: impl Fn(usize) -> Cow<'f, Facts<'f>>) -> bool {
        prune::may_be_true(&self.root, &mut |column, test| prune::holds(test, &facts(column)))
    }
}

/// A string that no value is over that has this largest one in its statistics, which may be cut; `None` where there is no
/// such string.
pub(crate) fn over_all(upper: &str) -> Option<Cow<'_, str>> {
    prune::over_all(upper)
}
