//! Tables of cases, laid out by hand: rustfmt is told to leave this file alone.

use super::*;
use crate::schema::ColumnMapping;

const FIELDS: &str = r#"
    {"name":"id","type":"long"}, {"name":"i","type":"integer"}, {"name":"d","type":"decimal(38,2)"},
    {"name":"f","type":"float"}, {"name":"x","type":"double"}, {"name":"s","type":"string"},
    {"name":"b","type":"boolean"}, {"name":"day","type":"date"}, {"name":"ts","type":"timestamp"},
    {"name":"ntz","type":"timestamp_ntz"}, {"name":"bin","type":"binary"}, {"name":"v","type":"void"},
    {"name":"var","type":"variant"}, {"name":"odd","type":"interval year"}, {"name":"new","type":"long"},
    {"name":"n","type":{"type":"struct","fields":[{"name":"k","type":"long"}]}},
    {"name":"arr","type":{"type":"array","elementType":"long","containsNull":true}},
    {"name":"date","type":"long"}, {"name":"a b.c","type":"long"},
    {"name":"ci","type":"string","metadata":{"__COLLATIONS":{"ci":"icu.UTF8_LCASE"}}},
    {"name":"ch","type":"string","metadata":{"__CHAR_VARCHAR_TYPE_STRING":"char(5)"}},
    {"name":"P","type":"string"}, {"name":"pi","type":"long"}, {"name":"pd","type":"date"},
    {"name":"pt","type":"timestamp"}, {"name":"px","type":"double"}, {"name":"pb","type":"binary"},
    {"name":"pz","type":"boolean"}, {"name":"pdec","type":"decimal(10,2)"}"#;

fn schema() -> Schema {
    Schema::parse(&format!(r#"{{"type":"struct","fields":[{FIELDS}]}}"#))
        .and_then(|schema| schema.partitioned_by(&["P", "pi", "pd", "pt", "px", "pb", "pz", "pdec"]))
        .unwrap()
}

/// Asks about a file: a line is `keep <predicate>` or `drop <predicate>`.
fn check(stats: &str, partition_values: &str, lines: &str) {
    let schema = schema();
    let file = FileView { partition_values: PartitionValues::Json(partition_values), stats: Some(stats) };
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (expected, text) = line.split_once(' ').unwrap();
        assert!(matches!(expected, "keep" | "drop"), "{line}");
        let predicate = Predicate::parse(text, &schema).unwrap();
        assert_eq!(predicate.may_match(&file), expected == "keep", "{line}\n{stats}\n{partition_values}");
    }
}

/// The statistics of one column of 4 rows, `nulls` of them null.
fn column(name: &str, min: &str, max: &str, nulls: i64) -> String {
    format!(
        r#"{{"numRecords":4,"minValues":{{"{name}":{min}}},"maxValues":{{"{name}":{max}}},"nullCount":{{"{name}":{nulls}}}}}"#
    )
}

#[test]
fn comparisons_by_bounds() {
    check(&column("id", "10", "20", 1), "{}", "
        keep id = 10
        keep id = 20
        drop id = 9
        drop id == 21
        drop 21 = id
        drop id < 10
        keep id <= 10
        drop id > 20
        keep id >= 20
        drop 20 < id
        keep 20 <= id
        keep 9 < id
        drop 9 > id
        keep id <> 10
        drop id <=> 9
        keep NOT id <=> 9
        keep id <=> NULL
        drop id = NULL
        drop NULL != id
        drop id IN (1, 2, 30, NULL)
        keep id IN (1, 15)
        keep id NOT IN (1, 15)
        drop id NOT IN (1, NULL)
        drop id BETWEEN 1 AND 9
        keep id BETWEEN 20 AND 30
        drop id BETWEEN 25 AND 5
        drop id NOT BETWEEN 10 AND 20
        keep id NOT BETWEEN 10 AND 19
        drop id BETWEEN NULL AND 30
        drop NOT (id >= 10)
        drop NOT NOT id < 10
        drop NOT (id >= 10 OR id IS NULL)
        drop NOT (id >= 10 AND id <= 20)
        keep NOT (id >= 10 AND id <= 19)
        drop id < 10 OR id > 20
        keep id < 10 OR id IS NULL
        drop id = 15 AND id = 9
        keep ID = 15
        drop Id = 9
        drop `iD` = 9
        drop \"ID\" = 9
        keep id = i
        keep i <=> id
        keep (id = 9) IS NULL
        keep (id = 9) = FALSE
        drop (id) = (9)
        drop id = '9'
        keep 1 = 2
    ");
    check(&column("id", "10", "10", 0), "{}", "
        drop id != 10
        keep id != 11
        drop NOT id <=> 10
        drop NOT (id IN (10, 11))
        drop id IS NULL
        drop id <=> NULL
        keep id IS NOT NULL
        drop id = 15 OR FALSE
        drop id = 10 AND NULL
        keep id = 15 OR TRUE
    ");
    check(&column("id", "10", "10", 1), "{}", "drop id != 10 \n keep NOT id <=> 10");
}

#[test]
fn whole_numbers_and_decimals_are_exact() {
    check(&column("id", "9007199254740993", "9007199254740993", 0), "{}", "
        keep id = 9007199254740993
        drop id = 9007199254740992
        drop id < 9007199254740993
        drop id > 9007199254740993
        drop id != 9007199254740993
        drop id = 9007199254740992.5
        keep id > 9007199254740992.999
        drop id > 1e40
        drop id > 1000000000000000000000000000000000000000000
        keep id > -1000000000000000000000000000000000000000000
        keep id = 9007199254740992e0
        keep id != 9007199254740993e0
    ");
    check(&column("id", "10", "10", 0), "{}", "
        drop id > 10.5
        drop id >= 10.5
        keep id < 10.5
        keep id <= 10.5
        drop id = 10.5
        keep id != 10.5
        drop id < 9.5
        drop id <= 9.5
        keep id > 9.5
        keep id = 10.00
        drop id = 11e0
        keep id = 1e1
        drop id > -10.5 AND id < -9
    ");
    let huge = "123456789012345678901234567890123456.78";
    check(&column("d", huge, huge, 0), "{}", &format!("
        keep d = {huge}
        drop d > {huge}
        drop d < {huge}
        drop d != {huge}
        keep d > 123456789012345678901234567890123456.77
        keep d < 123456789012345678901234567890123456.785
    "));
    // delta-rs writes decimals as doubles.
    check(&column("d", "12345678901234568", "12345678901234568", 0), "{}", "
        keep d = 12345678901234567.89
        drop d = 12345678901234500
    ");
    check(&column("d", "1.00", "2.5", 0), "{}", "drop d > 2.5 \n keep d > 2.49 \n drop d = 2.51 \n drop d < '1'");
    // Type widening: written as an integer.
    check(&column("d", "1", "2", 0), "{}", "drop d > 2 \n keep d = 2.00");
    check(&column("x", "1", "2", 0), "{}", "drop x < 1 \n keep x = 2");
    check(&column("id", "1e1", "2.5", 0), "{}", "keep id = 5");
}

#[test]
fn nulls() {
    let all = r#"{"numRecords":4,"minValues":{},"maxValues":{"id":null},"nullCount":{"id":4,"bin":4,"n":4,"arr":4,"var":4,"v":0}}"#;
    check(all, "{}", "
        drop id = 1
        drop id != 1
        drop NOT id = 1
        drop id = i
        drop id IS NOT NULL
        keep id IS NULL
        keep id <=> NULL
        drop id <=> 1
        keep NOT id <=> 1
        drop bin IS NOT NULL
        drop bin = 'x'
        keep n IS NOT NULL
        keep arr IS NOT NULL
        keep var IS NOT NULL
        keep v IS NULL
    ");
    check(&column("id", "1", "2", 4), "{}", "keep id IS NOT NULL \n keep id = 1 \n drop id = 3");
    let none = r#"{"numRecords":4,"nullCount":{"id":0,"arr":0,"bin":0,"var":0,"odd":0,"n":{"k":0},"s":"0","i":5}}"#;
    check(none, "{}", "
        drop id IS NULL
        keep id = 1
        drop arr IS NULL
        drop bin IS NULL
        drop var IS NULL
        drop odd IS NULL
        keep n.k IS NULL
        keep n IS NULL
        keep s IS NULL
        keep i IS NULL
        keep i IS NOT NULL
        keep new = 1
        keep new IS NOT NULL
    ");
    let nested = r#"{"numRecords":4,"minValues":{"n":{"k":5}},"maxValues":{"n":{"k":7}},"nullCount":{"n":{"k":0}}}"#;
    check(nested, "{}", "drop n.k = 4 \n keep N.K = 6 \n keep NOT n.k <=> 6");
    check(r#"{"numRecords":4,"nullCount":{"n":{"k":4}}}"#, "{}", "drop n.k = 4 \n drop n.k IS NOT NULL \n keep n IS NOT NULL");
    // Wide bounds: of null counts only none and all are used anyway.
    let wide = r#"{"numRecords":4,"tightBounds":false,"minValues":{"id":1},"maxValues":{"id":5},"nullCount":{"id":2,"i":4}}"#;
    check(wide, "{}", "drop id = 0 \n keep id IS NULL \n keep id IS NOT NULL \n drop i IS NOT NULL \n keep id != 1");
}

#[test]
fn unknown_or_damaged_statistics_keep_the_file() {
    let texts = ["", "null", "{", "{}", r#"{"numRecords":4}"#, r#"{"numRecords":4,"minValues":{"id":5},"maxValues":{"id":5"#];
    for stats in texts {
        check(stats, "{}", "keep id = 1 \n keep id IS NULL \n keep id IS NOT NULL \n keep P = 'a' \n keep P IS NULL");
    }
    for odd in ["null", "\"7\"", "true", "[7]", "{\"a\":7}", "\"\\ud800\""] {
        check(&column("id", odd, odd, 1), "{}", "keep id = 1 \n keep id > 9");
        check(&column("x", odd, odd, 1), "{}", "keep x = 1 \n keep x < 9");
        check(&column("day", odd, odd, 1), "{}", "keep day = '2024-01-01'");
        check(&column("ts", odd, odd, 1), "{}", "keep ts = '2024-01-01'");
    }
    for odd in ["null", "7", "true", "{}", "\"\\ud800\""] {
        check(&column("s", odd, odd, 1), "{}", "keep s = 'a' \n keep s LIKE 'b%'");
        check(&column("bin", odd, odd, 1), "{}", "keep bin = 'a' \n keep bin < 'b'");
    }
    check(&column("id", "9", "1", 1), "{}", "keep id = 100");
    check(&column("odd", "1", "2", 1), "{}", "keep odd = 5 \n keep odd IS NULL");
    check(&column("v", "1", "2", 1), "{}", "keep v = 5");
    check(&column("ci", "\"a\"", "\"b\"", 0), "{}", "keep ci = 'A' \n keep ci LIKE 'A%' \n drop ci IS NULL");
    check(&column("ch", "\"a    \"", "\"b    \"", 0), "{}", "keep ch = 'a' \n keep ch > 'z'");
}

#[test]
fn strings_may_be_cut() {
    check(&column("s", "\"b\"", "\"d\"", 1), "{}", "
        keep s = 'b'
        drop s = 'a'
        drop s = 'da'
        drop s > 'd'
        drop s < 'b'
        drop s LIKE 'a%'
        drop s LIKE 'e_'
        drop s LIKE 'da'
        keep s LIKE 'c%'
        keep s LIKE 'b'
        keep s LIKE '%a'
        keep s LIKE ''
        keep s NOT LIKE 'b%'
        keep s LIKE '\\a%'
        drop s LIKE 'a!%%' ESCAPE '!'
        drop s LIKE NULL
        keep id LIKE '1%'
        drop s = 'it''s'
    ");
    check(&column("s", "\"b\"", "\"b\"", 0), "{}", "drop s != 'b' \n keep s != 'c' \n drop s NOT IN ('a', 'b')");
    let long = "abcdefghijklmnopqrstuvwxyz012345";
    for end in ["", "\u{7f}", "\u{fffd}", "\u{10ffff}"] {
        let max = format!("\"{long}{end}\"");
        check(&column("s", &format!("\"{long}\""), &max, 0), "{}", &format!("
            keep s = '{long}'
            keep s != '{long}'
            keep s = '{long}6'
            keep s > '{long}'
            keep s > '{long}\u{1f600}'
            keep s LIKE '{long}zz%'
            drop s = 'abd'
            drop s > 'b'
            drop s >= 'abd'
            drop s LIKE 'b%'
            drop s = 'abc'
            drop s < 'abc'
        "));
    }
    // Bytes and code points, not UTF-16: U+FF5E is under U+1F600.
    check(&column("s", "\"\u{ff5e}\"", "\"\\ud83d\\ude00\"", 0), "{}", "drop s > '\u{1f600}' \n keep s > '\u{ff5f}'");
    check(&column("s", "\"a\\\"b\"", "\"a\\u0062\"", 0), "{}", "keep s = 'a\"b' \n drop s = 'ac'");
}

#[test]
fn floats() {
    check(&column("x", "1.5", "2.5", 0), "{}", "
        keep x > 2.5
        keep x >= 3
        keep x != 2
        keep NOT x <= 5
        keep NOT x > 1
        keep NOT x >= 1 AND x > 5
        keep x NOT BETWEEN 1 AND 3
        drop x < 1.5
        drop x <= 1.25
        drop x = 3
        drop x = 1e9
        drop x BETWEEN 3 AND 4
        drop x > 3 AND x < 4
        keep x > 3 AND (x < 4 OR b)
        keep x > 3 AND x != 4
        keep x = 'NaN'
        keep x > 'NaN'
        drop x < '-Infinity'
    ");
    check(&column("x", "1.5", "1.5", 0), "{}", "keep x != 1.5");
    check(&column("x", "0.0", "0.0", 0), "{}", "keep x = -0.0 \n drop x < -0.0");
    check(&column("x", "-0.0", "-0.0", 0), "{}", "keep x = 0 \n drop x < 0");
    check(&column("x", "\"NaN\"", "\"NaN\"", 0), "{}", "keep x = 1 \n keep x < 1 \n drop x IS NULL");
    check(&column("x", "\"-Infinity\"", "\"Infinity\"", 0), "{}", "keep x = 1 \n keep x < -1e300");
    check(&column("x", "5", "\"Infinity\"", 0), "{}", "drop x < 5 \n keep x = 1e300");
    // A float 10.1 is 10.10000038: the text is shorter than the value.
    for name in ["f", "x"] {
        check(&column(name, "10.1", "10.1", 0), "{}", &format!("
            keep {name} = 10.1
            keep {name} = 10.100000381469727
            keep {name} >= 10.100000381469727
            keep {name} <= 10.1
            drop {name} = 10.11
            drop {name} < 10
        "));
    }
}

#[test]
fn dates_and_times() {
    check(&column("day", "\"2024-01-05\"", "\"2024-01-07\"", 0), "{}", "
        keep day = '2024-01-05'
        drop day = DATE '2024-01-04'
        drop day > date '2024-01-07'
        keep day > '2024-01-06'
        keep day < TIMESTAMP '2020-01-01 00:00:00'
        keep date = 5
    ");
    let (min, max) = ("\"2024-01-05T10:00:00.000Z\"", "\"2024-01-05T12:00:00.123+00:00\"");
    check(&column("ts", min, max, 0), "{}", "
        keep ts = '2024-01-05 10:00:00'
        drop ts < '2024-01-05 10:00:00'
        drop ts < '2024-01-05T11:00:00+01:00'
        keep ts > TIMESTAMP '2024-01-05 12:00:00.123'
        keep ts = TIMESTAMP '2024-01-05 12:00:00.123999'
        drop ts > TIMESTAMP '2024-01-05 12:00:00.123999'
        drop ts = TIMESTAMP '2024-01-05T12:00:00.124Z'
        drop ts = DATE '2024-01-05'
        drop ts > '2024-01-06'
    ");
    check(&column("ts", min, min, 0), "{}", "keep ts != '2024-01-05 10:00:00'");
    let local = "\"2024-01-05T10:00:00.000\"";
    check(&column("ts", local, local, 0), "{}", "keep ts = '2024-01-05 20:00:00' \n drop ts = '2024-01-07'");
    for text in [local, min] {
        check(&column("ntz", text, text, 0), "{}", "keep ntz = '2024-01-05 10:00:00' \n drop ntz < '2024-01-05 10:00:00' \n drop ntz = '2024-01-05 20:00:00'");
    }
    check(&column("ntz", "\"2024-01-05T10:00:00+01:00\"", local, 0), "{}", "keep ntz < '2000-01-01'");
    // Widened from date; and cut toward zero before 1970.
    check(&column("ntz", "\"2024-01-05\"", "\"2024-01-06\"", 0), "{}", "keep ntz = '2024-01-05' \n drop ntz = '2024-01-07'");
    check(&column("ts", "\"1969-12-31T23:59:59.999Z\"", max, 0), "{}", "keep ts <= '1969-12-31 23:59:59.9985' \n drop ts < '1969-12-31 23:59:59.998'");
    // Los Angeles was 7:52:58 behind; the seconds are not in the text.
    check(&column("ts", "\"1883-01-01T00:00:00.000-07:52\"", "\"1883-01-01T00:00:00.000-07:52\"", 0), "{}", "
        keep ts = '1883-01-01 07:52:58'
        drop ts = '1883-01-01 07:54:00'
        drop ts = '1883-01-01 07:50:00'");
}

#[test]
fn booleans() {
    check(&column("b", "false", "false", 0), "{}", "drop b \n keep NOT b \n drop b = TRUE \n keep b = 'false' \n drop b != false");
    check(&column("b", "false", "true", 0), "{}", "keep b \n keep NOT b");
    check(r#"{"numRecords":2,"nullCount":{"b":2}}"#, "{}", "drop b \n drop NOT b \n drop (b) AND TRUE");
}

#[test]
fn partition_values_are_exact() {
    let values = r#"{"P":"b","pi":"9007199254740993","pd":"2024-01-05","pt":"2024-01-05T10:00:00.000001Z","px":"1.5","pb":"\u0001","pz":"TRUE","pdec":"10.50"}"#;
    check("{}", values, "
        keep p = 'b'
        drop P = 'a'
        drop P != 'b'
        drop P > 'b'
        drop P IS NULL
        keep P IS NOT NULL
        drop P LIKE 'a%'
        keep P LIKE 'b%'
        drop NOT P <=> 'b'
        drop pi = 9007199254740992
        drop pi != 9007199254740993
        drop pi > 9007199254740993
        drop pd = '2024-01-06'
        drop pd NOT IN ('2024-01-05')
        drop pt > '2024-01-05 10:00:00.000001'
        drop pt != '2024-01-05 10:00:00.000001'
        keep pt = '2024-01-05 10:00:00.000001'
        drop px > 1.5
        drop px != 1.5
        keep px >= 1.5
        drop pb IS NULL
        keep pb = 'x'
        keep pz
        drop NOT pz
        drop pdec > 10.5
        keep pdec = 10.5
        drop pdec != 10.50
        drop P = 'a' AND id = 3
        keep P = 'a' OR id = 3
    ");
    for null in [r#"{"P":null,"pi":null}"#, r#"{"P":"","pi":""}"#] {
        check("{}", null, "
            drop P = 'b'
            drop P != 'b'
            drop P LIKE 'b%'
            keep P IS NULL
            drop P IS NOT NULL
            drop P <=> 'b'
            keep P <=> NULL
            keep NOT P <=> 'b'
            drop NOT P <=> NULL
            drop pi < 5
            drop NOT (pi < 5)
        ");
    }
    // Not a value, of an unknown zone, a NaN, not mentioned, no JSON.
    check("{}", r#"{"P":"__HIVE_DEFAULT_PARTITION__","pi":"x","pt":"2024-01-05 10:00:00","px":"NaN","pd":{}}"#, "
        keep P = 'a'
        keep P IS NULL
        keep pi = 1
        keep pi IS NULL
        keep pt = '2024-01-05 20:00:00'
        keep pt != '2024-01-05 10:00:00'
        drop pt = '2024-01-07'
        drop pt IS NULL
        keep px = 1
        keep px > 1
        drop px IS NULL
        keep pd = '2024-01-01'
        keep pz
    ");
    check("{}", r#"{"P":"a""#, "keep P = 'b'");
    check("{}", r#"{"pi":5,"pz":true}"#, "drop pi = 4 \n keep pi = 5 \n drop NOT pz");
    // Statistics of a partition column do not count.
    check(&column("pi", "1", "2", 4), r#"{"pi":"7"}"#, "keep pi = 7 \n drop pi = 1");
}

#[test]
fn partition_values_from_a_map_and_physical_names() {
    let text = r#"{"type":"struct","fields":[
        {"name":"day","type":"date","metadata":{"delta.columnMapping.physicalName":"col-1"}},
        {"name":"s","type":{"type":"struct","fields":[
            {"name":"k","type":"long","metadata":{"delta.columnMapping.physicalName":"col-3"}}]},
         "metadata":{"delta.columnMapping.physicalName":"col-2"}}]}"#;
    let schema = Schema::parse(text).unwrap().with_column_mapping(ColumnMapping::Name).partitioned_by(&["day"]).unwrap();
    let map = BTreeMap::from([("col-1".to_owned(), Some("2024-01-05".to_owned())), ("day".to_owned(), None)]);
    let file = FileView {
        partition_values: PartitionValues::Map(&map),
        stats: Some(r#"{"numRecords":1,"minValues":{"col-2":{"col-3":7}},"maxValues":{"col-2":{"col-3":7},"s":{"k":1}}}"#),
    };
    for (text, expected) in [("day = '2024-01-05'", true), ("day < '2024-01-05'", false), ("S.K = 7", true), ("s.k > 7", false)] {
        assert_eq!(Predicate::parse(text, &schema).unwrap().may_match(&file), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let cases = [
        ("", "1: expected a column or a literal, found the end"),
        ("id =", "5: expected a column or a literal, found the end"),
        ("id = 5 id", "8: expected AND, OR or the end, found `id`"),
        ("id == == 5", "7: expected a column or a literal, found `==`"),
        ("(id = 5", "8: expected `)`, found the end"),
        ("id = 'é' OR s = 'x", "17: the quote ' is not closed"),
        ("id = 5x", "6: a number runs into a name"),
        ("id + 1 = 5", "4: expected AND, OR or the end, found `+`"),
        ("id * 2 = 5", "4: `*` has no meaning here"),
        ("abs(id) = 5", "4: expected an operator, found `(`"),
        ("id IS 5", "7: expected NULL, found the number 5"),
        ("id NOT 5", "8: expected IN, BETWEEN or LIKE, found the number 5"),
        ("id IN ()", "8: expected a column or a literal, found `)`"),
        ("id BETWEEN 1 OR 2", "14: expected AND between the two bounds, found `OR`"),
        ("s LIKE 5", "8: expected a text after LIKE"),
        ("s LIKE 'a' ESCAPE 'ab'", "19: expected one character in quotes, found a text"),
        ("id", "1: `id` is long, which is no condition"),
        ("b AND 5", "7: a literal alone is no condition"),
        ("idd = 5", "1: there is no column `idd`"),
        ("5 > n.z", "5: there is no column `n`.`z`"),
        ("id.k = 1", "1: `id` is long and has no field `k`"),
        ("id = 'abc'", "6: `id` is long; 'abc' is no whole number"),
        ("id = '1.5'", "6: `id` is long; '1.5' is no whole number"),
        ("id = TRUE", "6: `id` is long; TRUE is no whole number"),
        ("d = 'abc'", "5: `d` is decimal(38,2); 'abc' is no number"),
        ("x = DATE '2024-01-01'", "5: `x` is double; DATE '2024-01-01' is no number"),
        ("s = 5", "5: `s` is string; 5 is no text"),
        ("b = 1", "5: `b` is boolean; 1 is no boolean"),
        ("day = 'abc'", "7: `day` is date; 'abc' is no date"),
        ("day = DATE '2024-02-30'", "7: `day` is date; DATE '2024-02-30' is no date"),
        ("ts = '2024-01-01 00:00:00.1234567'", "6: `ts` is timestamp; '2024-01-01 00:00:00.1234567' is no timestamp"),
        ("ntz = '2024-01-01T00:00:00Z'", "7: `ntz` is timestamp_ntz; '2024-01-01T00:00:00Z' is no timestamp"),
        ("n = 'x'", "1: `n` is struct<k: long>, which is compared with no literal"),
        ("5 > arr", "5: `arr` is array<long>, which is compared with no literal"),
        ("id IN (1, 'x')", "11: `id` is long; 'x' is no whole number"),
    ];
    for (text, expected) in cases {
        let error = Predicate::parse(text, &schema()).unwrap_err();
        assert_eq!(error.to_string(), format!("in the predicate, at character {expected}"));
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    }
    let hint = |text| Predicate::parse(text, &schema()).unwrap_err().hint_text().map(str::to_owned);
    assert_eq!(hint("dai = '2024-01-01'").as_deref(), Some("did you mean `day`?"));
    assert_eq!(hint("zzz = 1").as_deref(), Some("there are id, i, d, f, x, s, b, day, ts, ntz and 19 more"));
}

#[test]
fn size_and_depth_are_limited() {
    let parse = |text: String| Predicate::parse(&text, &schema()).map(drop).map_err(|error| error.to_string());
    let nested = |n: usize| format!("{}id = 1{}", "NOT (".repeat(n), ")".repeat(n));
    assert_eq!(parse(nested(64)), Ok(()));
    assert!(parse(nested(65)).unwrap_err().ends_with("more than 64 nested parentheses"));
    assert!(parse(nested(10_000)).is_err());
    assert_eq!(parse(format!("{} b", "NOT ".repeat(10_000))), Ok(()));
    assert_eq!(parse(format!("id = 1{}", " OR id = 2".repeat(6_000))), Ok(()));
    assert!(parse(format!("id = {}", "1".repeat(70_000))).unwrap_err().contains("65536"));
    assert_eq!(parse("`a b.c` = 1 AND \"a b.c\" = 2".to_owned()), Ok(()));
}
