//! Rust source as words and signs, without comments, literals and test code.
//!
//! Enough of a lexer to find names in source; it knows nothing of the grammar.

/// A word (`SystemTime`) or a sign (`::`, `{`), and the line it is on, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
}

pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while !rest.is_empty() {
        let (kind, length) = next(rest);
        let (text, after) = rest.split_at(length);
        if kind == Kind::Token {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    without_tests(&tokens)
}

#[derive(PartialEq, Eq)]
enum Kind {
    Token,
    /// White space, a comment, a literal.
    Other,
}

/// What `rest` begins with, and how many bytes of it.
fn next(rest: &str) -> (Kind, usize) {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let first = rest.chars().next().unwrap_or(' ');
    if rest.starts_with("//") {
        (Kind::Other, until("\n", 2))
    } else if rest.starts_with("/*") {
        (Kind::Other, block_comment(rest))
    } else if let Some(end) = raw_string(rest) {
        (Kind::Other, end)
    } else if first == '"' {
        (Kind::Other, quoted(rest, '"'))
    } else if first == '\'' {
        (Kind::Other, char_or_lifetime(rest))
    } else if rest.starts_with("::") {
        (Kind::Token, 2)
    } else if is_word(first) {
        (Kind::Token, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
    } else if first.is_whitespace() {
        (Kind::Other, first.len_utf8())
    } else {
        (Kind::Token, first.len_utf8())
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `r"…"`, `r#"…"#`, also with `b` or `c` before.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"]
        .into_iter()
        .find(|prefix| rest.strip_prefix(prefix).is_some_and(|after| after.starts_with(['"', '#'])))?;
    let hashes = rest[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
    let body = prefix.len() + hashes + 1;
    // Without the quote it is a raw identifier, such as `r#type`.
    (rest.as_bytes().get(body - 1) == Some(&b'"')).then(|| {
        let end = format!("\"{}", "#".repeat(hashes));
        rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
    })
}

/// The length of a literal with escapes, from its first quote to its last.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    rest.len()
}

/// `'a'` and `'\n'` are literals; `'a` is a lifetime, of which the quote is left out.
fn char_or_lifetime(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    let is_literal = matches!((chars.next(), chars.next()), (Some('\\'), _) | (_, Some('\'')));
    if is_literal { quoted(rest, '\'') } else { 1 }
}

/// Leaves out what stands under `#[cfg(test)]`.
fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_marked =
            tokens.len() - at >= MARK.len() && tokens[at..].iter().zip(MARK).all(|(token, mark)| token.text == mark);
        if is_marked {
            at = end_of_item(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The place after the `;` or the closing brace of the item that begins at `at`.
fn end_of_item(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(token.text, ";" | "}") {
            return index + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::tokens;

    fn words(source: &str) -> Vec<&str> {
        tokens(source).iter().map(|token| token.text).filter(|text| *text != ";").collect()
    }

    #[test]
    fn comments_and_literals_are_no_tokens() {
        let source = r##"
            a; // SystemTime
            /* Instant /* nested */ still */ b;
            "std::fs \" more"; r#"rand " "#; 'x'; '\''; c
        "##;
        assert_eq!(words(source), ["a", "b", "c"]);
    }

    #[test]
    fn lifetimes_do_not_swallow_code() {
        assert_eq!(words("&'a str; 'b: x"), ["&", "a", "str", "b", ":", "x"]);
    }

    #[test]
    fn raw_identifiers_are_not_strings() {
        assert_eq!(words("r#type x"), ["r", "#", "type", "x"]);
    }

    #[test]
    fn test_code_is_left_out() {
        let source = "a; #[cfg(test)] mod tests { fn f() { x } } b; #[cfg(test)] mod tests; c";
        assert_eq!(words(source), ["a", "b", "c"]);
    }

    #[test]
    fn lines_count_from_one() {
        let lines: Vec<_> = tokens("a\n/* \n */ b").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3]);
    }
}
