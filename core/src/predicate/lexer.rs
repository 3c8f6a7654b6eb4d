//! Splits a predicate into tokens.

use crate::{Error, Result};

/// A token and where it begins, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// An identifier or keyword.
    Word(&'a str),
    /// An identifier in backticks or double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// An unsigned number.
    Number(&'a str),
    /// An operator or punctuation.
    Symbol(&'static str),
    End,
}

/// The longest first.
const SYMBOLS: [&str; 15] = ["<=>", "<=", ">=", "<>", "!=", "==", "=", "<", ">", "(", ")", ",", ".", "-", "+"];

/// An `Invalid` error that says at which character of `text` it is.
pub(super) fn error_at(text: &str, at: usize, message: impl std::fmt::Display) -> Error {
    let character = text.get(..at).unwrap_or(text).chars().count() + 1;
    Error::invalid(format!("in the predicate, at character {character}: {message}"))
}

/// All tokens of `text`, with `End` as the last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if matches!(first, '\'' | '"' | '`') {
            let (content, length) = quoted(text, at, first)?;
            let kind = if first == '\'' { TokenKind::Text(content) } else { TokenKind::Quoted(content) };
            (kind, length)
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let length = number_length(rest);
            if rest[length..].starts_with(is_word_part) {
                return Err(error_at(text, at, "a number runs into a name")
                    .hint("put a space after a number; a name that begins with a digit needs backticks"));
            }
            (TokenKind::Number(&rest[..length]), length)
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c| !is_word_part(c)).unwrap_or(rest.len());
            (TokenKind::Word(&rest[..length]), length)
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            (TokenKind::Symbol(symbol), symbol.len())
        } else {
            return Err(error_at(text, at, format_args!("`{first}` has no meaning here"))
                .hint("a column is compared with literals; arithmetic, functions and parameters are not supported"));
        };
        tokens.push(Token { kind, at });
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, at });
    Ok(tokens)
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The content between two `quote`s, a doubled one standing for itself, and its length with quotes.
fn quoted(text: &str, at: usize, quote: char) -> Result<(String, usize)> {
    let mut content = String::new();
    let mut rest = text[at + 1..].char_indices().peekable();
    while let Some((index, c)) = rest.next() {
        if c != quote {
            content.push(c);
        } else if rest.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            return Ok((content, index + 2));
        }
    }
    Err(error_at(text, at, format_args!("the quote {quote} is not closed"))
        .hint("texts are in single quotes, names in backticks or double quotes; a quote inside is doubled"))
}

/// How many bytes of `text` are a number such as `12`, `1.5`, `.5` or `1e-3`.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    if text[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['-', '+']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
