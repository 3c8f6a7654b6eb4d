//! The law: where a row-by-row evaluation finds a match, `may_match` says so, whatever the rows and
//! however the statistics were cut.

use std::cell::Cell;
use std::cmp::Ordering;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

#[derive(Debug, Clone)]
struct Row {
    id: Option<i64>,
    s: Option<String>,
    x: Option<f64>,
}

#[derive(Debug, Clone)]
enum Lit {
    Long(i64),
    /// Halves: the literal is this over two.
    Half(i64),
    Text(String),
    Double(f64),
}

#[derive(Debug, Clone)]
enum Cond {
    Compare(&'static str, &'static str, Option<Lit>),
    IsNull(&'static str),
    Like(String),
    Not(Box<Cond>),
    And(Vec<Cond>),
    Or(Vec<Cond>),
    In(&'static str, Vec<Option<Lit>>),
    Between(&'static str, Lit, Lit),
}

#[derive(Debug, Clone, Copy)]
struct Writer {
    cut: Option<usize>,
    has_null_counts: bool,
    has_bounds: bool,
    is_wide: bool,
    id_is_partition: bool,
}

/// What engines make of NaN.
#[derive(Debug, Clone, Copy)]
enum Nan {
    /// Spark, DuckDB, DataFusion.
    Largest,
    /// Trino: only `<>` is true.
    Unordered,
}

/// Null, or the order; a NaN may have none. No literal is NaN.
fn compare(row: &Row, column: &str, literal: &Lit, nan: Nan) -> Option<Option<Ordering>> {
    if let ("x", Lit::Double(value)) = (column, literal) {
        let largest = match nan {
            Nan::Largest => Some(Ordering::Greater),
            Nan::Unordered => None,
        };
        return Some(row.x?.partial_cmp(value).or(largest));
    }
    let ordering = match (column, literal) {
        ("id", Lit::Long(value)) => row.id?.cmp(value),
        ("id", Lit::Half(value)) => (i128::from(row.id?) * 2).cmp(&i128::from(*value)),
        ("s", Lit::Text(text)) => row.s.as_ref()?.as_bytes().cmp(text.as_bytes()),
        other => unreachable!("{other:?}"),
    };
    Some(Some(ordering))
}

fn is_null(row: &Row, column: &str) -> bool {
    match column {
        "id" => row.id.is_none(),
        "s" => row.s.is_none(),
        _ => row.x.is_none(),
    }
}

/// AND where `decisive` is false, OR where it is true: one decisive value decides, then a null.
fn three_valued(values: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let values: Vec<_> = values.collect();
    let is_null = !values.contains(&Some(decisive)) && values.contains(&None);
    (!is_null).then(|| values.contains(&Some(decisive)) == decisive)
}

impl Cond {
    /// SQL's truth: true, false or null.
    fn eval(&self, row: &Row, nan: Nan) -> Option<bool> {
        match self {
            Cond::Compare(column, "<=>", None) => Some(is_null(row, column)),
            Cond::Compare(column, "<=>", Some(lit)) => {
                Some(compare(row, column, lit, nan) == Some(Some(Ordering::Equal)))
            }
            Cond::Compare(column, op, lit) => {
                let Some(ordering) = compare(row, column, lit.as_ref()?, nan)? else {
                    return Some(*op == "<>");
                };
                Some(match *op {
                    "=" => ordering.is_eq(),
                    "<>" => ordering.is_ne(),
                    "<" => ordering.is_lt(),
                    "<=" => ordering.is_le(),
                    ">" => ordering.is_gt(),
                    _ => ordering.is_ge(),
                })
            }
            Cond::IsNull(column) => Some(is_null(row, column)),
            Cond::Like(prefix) => Some(row.s.as_ref()?.starts_with(prefix.as_str())),
            Cond::Not(inner) => inner.eval(row, nan).map(|value| !value),
            Cond::And(parts) => three_valued(parts.iter().map(|part| part.eval(row, nan)), false),
            Cond::Or(parts) => three_valued(parts.iter().map(|part| part.eval(row, nan)), true),
            Cond::In(column, items) => {
                let equals = items.iter().map(|item| Cond::Compare(column, "=", item.clone())).collect();
                Cond::Or(equals).eval(row, nan)
            }
            Cond::Between(column, low, high) => {
                let part = |op, lit: &Lit| Cond::Compare(column, op, Some(lit.clone()));
                Cond::And(vec![part(">=", low), part("<=", high)]).eval(row, nan)
            }
        }
    }

    fn sql(&self) -> String {
        let list = |parts: &[Cond], word| parts.iter().map(Cond::sql).collect::<Vec<_>>().join(word);
        match self {
            Cond::Compare(column, op, lit) => format!("{column} {op} {}", lit_sql(lit.as_ref())),
            Cond::IsNull(column) => format!("{column} IS NULL"),
            Cond::Like(prefix) => format!("s LIKE '{prefix}%'"),
            Cond::Not(inner) => format!("NOT ({})", inner.sql()),
            Cond::And(parts) => format!("({})", list(parts, " AND ")),
            Cond::Or(parts) => format!("({})", list(parts, " OR ")),
            Cond::In(column, items) => {
                let items: Vec<_> = items.iter().map(|item| lit_sql(item.as_ref())).collect();
                format!("{column} IN ({})", items.join(", "))
            }
            Cond::Between(column, low, high) => {
                format!("{column} BETWEEN {} AND {}", lit_sql(Some(low)), lit_sql(Some(high)))
            }
        }
    }
}

fn lit_sql(lit: Option<&Lit>) -> String {
    match lit {
        None => "NULL".to_owned(),
        Some(Lit::Long(value)) => value.to_string(),
        Some(Lit::Half(value)) => {
            let sign = if *value < 0 { "-" } else { "" };
            let (whole, half) = (value.unsigned_abs() / 2, value.unsigned_abs() % 2 * 5);
            format!("{sign}{whole}.{half}")
        }
        Some(Lit::Text(text)) => format!("'{text}'"),
        Some(Lit::Double(value)) if value.is_infinite() => format!("'{value}'"),
        Some(Lit::Double(value)) => format!("{value:?}"),
    }
}

/// What a writer makes of the rows.
fn stats(rows: &[Row], writer: Writer) -> String {
    let cut = |text: &str| text.chars().take(writer.cut.unwrap_or(usize::MAX)).collect::<String>();
    let finite = |x: f64| {
        if x.is_finite() { format!("{x:?}") } else { serde_json::json!(java(x)).to_string() }
    };
    let ids: Vec<i64> = rows.iter().filter_map(|row| row.id).collect();
    let texts: Vec<&String> = rows.iter().filter_map(|row| row.s.as_ref()).collect();
    let doubles: Vec<f64> = rows.iter().filter_map(|row| row.x).filter(|x| !x.is_nan()).collect();
    let wide = i64::from(writer.is_wide);
    let entry = |name: &str, value: Option<String>| value.map(|value| format!("\"{name}\":{value}"));
    let object = |entries: [Option<String>; 3]| {
        let entries: Vec<_> = entries.into_iter().flatten().filter(|_| writer.has_bounds).collect();
        format!("{{{}}}", entries.join(","))
    };
    let text = |text: Option<&&String>| text.map(|text| serde_json::json!(cut(text)).to_string());
    let min = object([
        entry("id", ids.iter().min().map(|id| id.saturating_sub(wide).to_string())),
        entry("s", text(texts.iter().min())),
        entry("x", doubles.iter().copied().reduce(f64::min).map(finite)),
    ]);
    let max = object([
        entry("id", ids.iter().max().map(|id| id.saturating_add(wide).to_string())),
        entry("s", text(texts.iter().max())),
        entry("x", doubles.iter().copied().reduce(f64::max).map(finite)),
    ]);
    let count = |column: &str| rows.iter().filter(|row| is_null(row, column)).count();
    let nulls = match writer.has_null_counts {
        true => format!(r#","nullCount":{{"id":{},"s":{},"x":{}}}"#, count("id"), count("s"), count("x")),
        false => String::new(),
    };
    let tight = !writer.is_wide;
    format!(r#"{{"numRecords":{},"tightBounds":{tight},"minValues":{min},"maxValues":{max}{nulls}}}"#, rows.len())
}

fn java(x: f64) -> &'static str {
    if x > 0.0 { "Infinity" } else { "-Infinity" }
}

fn long() -> impl Strategy<Value = i64> {
    let edge = 1i64 << 53;
    prop_oneof![6 => -4i64..5, 2 => edge - 2..edge + 3, 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

/// Texts that share long beginnings, to fall on both sides of a cut.
fn text() -> impl Strategy<Value = String> {
    let letters = prop::sample::select(vec!["", "a", "b", "ab", "é", "\u{ffff}", "\u{1f600}", "zz"]);
    (prop::sample::select(vec![0usize, 0, 0, 30, 31, 32, 33]), letters.clone(), letters)
        .prop_map(|(length, a, b)| format!("{}{a}{b}", "m".repeat(length)))
}

fn double() -> impl Strategy<Value = f64> {
    let some = vec![0.0, -0.0, 0.5, 1.5, 0.1, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, 9007199254740993.0];
    prop_oneof![3 => (-3i32..4).prop_map(f64::from), 2 => prop::sample::select(some), 1 => -3.0..3.0f64]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let doubles = prop_oneof![8 => double().boxed(), 1 => Just(f64::NAN).boxed()];
    let row = (
        prop::option::weighted(0.7, long()),
        prop::option::weighted(0.7, text()),
        prop::option::weighted(0.7, doubles),
    )
        .prop_map(|(id, s, x)| Row { id, s, x });
    prop::collection::vec(row, 1..5)
}

fn operand() -> impl Strategy<Value = (&'static str, Lit)> {
    prop_oneof![
        4 => long().prop_map(|value| ("id", Lit::Long(value))),
        1 => (-9i64..10).prop_map(|value| ("id", Lit::Half(value))),
        3 => text().prop_map(|value| ("s", Lit::Text(value))),
        3 => double().prop_map(|value| ("x", Lit::Double(value))),
    ]
}

fn cond() -> impl Strategy<Value = Cond> {
    let op = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">=", "<=>"]);
    let column = prop::sample::select(vec!["id", "s", "x"]);
    let leaf = prop_oneof![
        8 => (op.clone(), operand()).prop_map(|(op, (column, lit))| Cond::Compare(column, op, Some(lit))),
        1 => (op, column.clone()).prop_map(|(op, column)| Cond::Compare(column, op, None)),
        1 => column.prop_map(Cond::IsNull),
        1 => text().prop_map(Cond::Like),
        1 => prop::collection::vec(prop::option::weighted(0.9, long().prop_map(Lit::Long)), 1..4)
            .prop_map(|items| Cond::In("id", items)),
        1 => (text(), text()).prop_map(|(low, high)| Cond::Between("s", Lit::Text(low), Lit::Text(high))),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Cond::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Cond::And),
            prop::collection::vec(inner, 2..4).prop_map(Cond::Or),
        ]
    })
}

fn writer() -> impl Strategy<Value = Writer> {
    let cut = prop::sample::select(vec![None, None, Some(32), Some(33)]);
    (cut, prop::bool::weighted(0.8), prop::bool::weighted(0.9), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(cut, has_null_counts, has_bounds, is_wide, id_is_partition)| Writer {
            cut,
            has_null_counts,
            has_bounds,
            is_wide,
            id_is_partition,
        },
    )
}

#[test]
fn no_file_with_a_matching_row_is_dropped() {
    let fields = r#"{"type":"struct","fields":[{"name":"id","type":"long"},{"name":"s","type":"string"},{"name":"x","type":"double"}]}"#;
    let plain = Schema::parse(fields).unwrap();
    let partitioned = plain.clone().partitioned_by(&["id"]).unwrap();
    let (dropped, needless) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(Config { cases: 4_000, failure_persistence: None, ..Config::default() });
    let law = runner.run(&(rows(), cond(), writer()), |(mut rows, cond, writer)| {
        let id = rows[0].id;
        if writer.id_is_partition {
            rows.iter_mut().for_each(|row| row.id = id);
        }
        let values = BTreeMap::from([("id".to_owned(), id.map(|id| id.to_string()))]);
        let stats = stats(&rows, writer);
        let file = FileView { partition_values: PartitionValues::Map(&values), stats: Some(&stats) };
        let schema = if writer.id_is_partition { &partitioned } else { &plain };
        let matches = rows
            .iter()
            .any(|row| [Nan::Largest, Nan::Unordered].into_iter().any(|nan| cond.eval(row, nan) == Some(true)));
        let kept = Predicate::parse(&cond.sql(), schema).unwrap().may_match(&file);
        prop_assert!(kept || !matches, "{}\n{}", cond.sql(), stats);
        dropped.set(dropped.get() + u32::from(!kept));
        needless.set(needless.get() + u32::from(kept && !matches));
        Ok(())
    });
    law.unwrap_or_else(|error| panic!("{error}"));
    // It must not hold by keeping everything: most files without a match are dropped.
    assert!(dropped.get() > needless.get(), "{} dropped, {} kept without a match", dropped.get(), needless.get());
}

#[test]
fn no_text_panics() {
    let schema = Schema::parse(
        r#"{"type":"struct","fields":[{"name":"a","type":"long"},{"name":"t","type":"timestamp"},{"name":"s","type":"string"}]}"#,
    );
    let schema = schema.and_then(|schema| schema.partitioned_by(&["t"])).unwrap();
    let words = "a|t|s|b|=|<=>|!|(|)|'|\"|`|.|,|-|+|1|.5|1e|e9|NOT|AND|OR|IN|LIKE|IS|NULL|BETWEEN|TIMESTAMP|'é'|😀| |{|}|:|2024-01-01|T1|Z";
    let word = prop::sample::select(words.split('|').collect::<Vec<_>>());
    let soup = prop::collection::vec(word, 0..12).prop_map(|words| words.concat());
    let text = prop_oneof![soup, ".{0,20}", "[0-9eE.+:TZ -]{0,24}"];
    let mut runner = TestRunner::new(Config { cases: 4_000, failure_persistence: None, ..Config::default() });
    let law = runner.run(&text, |text| {
        let stats =
            serde_json::json!({"numRecords": 1, "minValues": {"a": 1, "t": text, "s": text}, "maxValues": {"s": text}});
        let values = serde_json::json!({ "t": text }).to_string();
        for stats in [stats.to_string(), text.clone()] {
            for values in [values.as_str(), text.as_str()] {
                let file = FileView { partition_values: PartitionValues::Json(values), stats: Some(&stats) };
                let quoted = format!("s > '{0}' OR t = '{0}' OR a = '{0}'", text.replace('\'', "''"));
                for predicate in [text.as_str(), &quoted, "t > '2024-01-01' AND s = 'x'"] {
                    let _ = Predicate::parse(predicate, &schema).map(|predicate| predicate.may_match(&file));
                }
            }
        }
        let _ = (Schema::parse(&text), crate::scalar::parse_scaled(&text, 3));
        Ok(())
    });
    law.unwrap_or_else(|error| panic!("{error}"));
}
