//! What is printed is what is stored: values that no JSON library's number or nesting holds come out as they went in.

use crate::support::{Home, add, first_commit, lines, metadata, protocol, run};

/// JSON that `serde_json::Value` cannot hold, or not exactly.
fn odd_values() -> Vec<String> {
    vec![
        "1e999".to_owned(),
        "123456789012345678901234567890".to_owned(),
        "0.1000000000000000000000000000000000001".to_owned(),
        format!("{}{}", "[".repeat(200), "]".repeat(200)),
    ]
}

#[test]
fn odd_values_of_unknown_fields_survive() {
    for value in odd_values() {
        println!("{}", &value[..value.len().min(40)]);
        let with = |text: Vec<u8>, field: &str| {
            String::from_utf8(text).unwrap().replace(field, &format!("\"odd\":{value},{field}")).into_bytes()
        };
        let commit_info = with(first_commit(), "\"operation\"");
        let everything = with(with(with(commit_info, "\"schemaString\""), "\"minReaderVersion\""), "\"dataChange\"");
        let home = Home::with_table(&[everything]);
        for (command, count) in [("history", 1), ("snapshot", 2), ("files", 1)] {
            for format in ["json", "ndjson"] {
                let out = run(home.command_in(format, command, &[])).ok().out;
                let packed: String = out.split_whitespace().collect();
                assert_eq!(packed.matches(&value).count(), count, "{command} --format {format}: {out}");
            }
            run(home.command_in("table", command, &[])).ok();
        }
        home.mirror("m").ok();
        let mirrored = std::fs::read_to_string(home.path("m/_delta_log/00000000000000000000.json")).unwrap();
        assert_eq!(mirrored.matches(&value).count(), 4);
    }
}

/// Nothing that a table holds moves the cursor of the terminal that it is shown on.
#[test]
fn control_characters_are_shown_escaped() {
    let home = Home::with_table(&[lines(&[protocol(), metadata(), add("a\u{1b}[31m\u{7}b\rc\u{9b}d")])]);
    home.commit(&lines(&[add("b")]), &["--operation", "X\u{1b}]0;title\u{7}"]).ok();
    for command in ["files", "history", "snapshot"] {
        let out = run(home.command_in("table", command, &[])).ok().out;
        assert!(!out.chars().any(|c| c.is_control() && c != '\n'), "{out:?}");
    }
}
