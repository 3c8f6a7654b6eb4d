//! Parses a predicate into a tree that knows no schema yet.

use super::expr::{Expr, ExprNode, Literal, Op};
use super::lexer::{Token, TokenKind, error_at, tokens};
use crate::{Error, Result};

/// Bytes of text. A predicate is judged once for every file.
const MAX_LENGTH: usize = 64 * 1024;
/// Parentheses in parentheses; bounds the recursion of all that walks the tree.
const MAX_DEPTH: usize = 64;

/// Words that need quotes to be a column.
const RESERVED: [&str; 10] = ["and", "or", "not", "in", "between", "is", "like", "null", "true", "false"];

pub(super) fn parse(text: &str) -> Result<Expr> {
    if text.len() > MAX_LENGTH {
        return Err(Error::invalid(format!("the predicate has {} bytes; at most {MAX_LENGTH} are read", text.len()))
            .hint("split a long IN list"));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0 };
    let expr = parser.or()?;
    if !parser.is_at(&TokenKind::End) {
        return Err(parser.unexpected("AND, OR or the end"));
    }
    Ok(expr)
}

struct Parser<'a> {
    text: &'a str,
    /// Ends with `End`, which is never passed.
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &TokenKind<'a> {
        self.tokens.get(self.next).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |token| token.at)
    }

    fn is_at(&self, kind: &TokenKind) -> bool {
        self.peek() == kind
    }

    fn is_at_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_at_word(word);
        self.next += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let found = self.is_at(&TokenKind::Symbol(symbol));
        self.next += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(format_args!("`{symbol}`"))) }
    }

    fn unexpected(&self, expected: impl std::fmt::Display) -> Error {
        let found = match self.peek() {
            TokenKind::Word(word) => format!("`{word}`"),
            TokenKind::Quoted(name) => format!("the name `{name}`"),
            TokenKind::Text(_) => "a text".to_owned(),
            TokenKind::Number(number) => format!("the number {number}"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::End => "the end".to_owned(),
        };
        error_at(self.text, self.at(), format_args!("expected {expected}, found {found}"))
    }

    fn or(&mut self) -> Result<Expr> {
        self.chain("or", Self::and, ExprNode::Or)
    }

    fn and(&mut self) -> Result<Expr> {
        self.chain("and", Self::not, ExprNode::And)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Expr>,
        join: fn(Vec<Expr>) -> ExprNode,
    ) -> Result<Expr> {
        let first = part(self)?;
        if !self.is_at_word(word) {
            return Ok(first);
        }
        let at = first.at;
        let mut parts = vec![first];
        while self.take_word(word) {
            parts.push(part(self)?);
        }
        Ok(Expr { node: join(parts), at })
    }

    fn not(&mut self) -> Result<Expr> {
        let at = self.at();
        let mut negated = false;
        while self.take_word("not") {
            negated = !negated;
        }
        let expr = self.comparison()?;
        Ok(if negated { Expr { node: ExprNode::Not(Box::new(expr)), at } } else { expr })
    }

    fn comparison(&mut self) -> Result<Expr> {
        let operand = self.operand()?;
        let at = operand.at;
        if let TokenKind::Symbol(symbol) = *self.peek()
            && let Some(op) = Op::from_symbol(symbol)
        {
            self.next += 1;
            let right = Box::new(self.operand()?);
            return Ok(Expr { node: ExprNode::Compare(Box::new(operand), op, right), at });
        }
        if self.take_word("is") {
            let negated = self.take_word("not");
            if !self.take_word("null") {
                return Err(self.unexpected("NULL"));
            }
            return Ok(negate_if(negated, Expr { node: ExprNode::IsNull(Box::new(operand)), at }));
        }
        let negated = self.take_word("not");
        let node = if self.take_word("in") {
            ExprNode::In(Box::new(operand), self.list()?)
        } else if self.take_word("between") {
            let low = Box::new(self.operand()?);
            if !self.take_word("and") {
                return Err(self.unexpected("AND between the two bounds"));
            }
            ExprNode::Between(Box::new(operand), low, Box::new(self.operand()?))
        } else if self.take_word("like") {
            let pattern = Box::new(self.operand()?);
            let escape = if self.take_word("escape") { Some(self.escape()?) } else { None };
            ExprNode::Like { operand: Box::new(operand), pattern, escape }
        } else if negated {
            return Err(self.unexpected("IN, BETWEEN or LIKE"));
        } else {
            return Ok(operand);
        };
        Ok(negate_if(negated, Expr { node, at }))
    }

    fn list(&mut self) -> Result<Vec<Expr>> {
        self.expect_symbol("(")?;
        let mut items = vec![self.operand()?];
        while self.take_symbol(",") {
            items.push(self.operand()?);
        }
        self.expect_symbol(")")?;
        Ok(items)
    }

    fn escape(&mut self) -> Result<char> {
        if let TokenKind::Text(text) = self.peek() {
            let mut chars = text.chars();
            if let (Some(escape), None) = (chars.next(), chars.next()) {
                self.next += 1;
                return Ok(escape);
            }
        }
        Err(self.unexpected("one character in quotes"))
    }

    fn operand(&mut self) -> Result<Expr> {
        let at = self.at();
        if self.take_symbol("(") {
            if self.depth == MAX_DEPTH {
                return Err(error_at(self.text, at, format_args!("more than {MAX_DEPTH} nested parentheses")));
            }
            self.depth += 1;
            let expr = self.or()?;
            self.depth -= 1;
            self.expect_symbol(")")?;
            return Ok(expr);
        }
        let node = match self.literal()? {
            Some(literal) => ExprNode::Literal(literal),
            None => ExprNode::Column(self.column()?),
        };
        Ok(Expr { node, at })
    }

    fn literal(&mut self) -> Result<Option<Literal>> {
        let literal = match self.peek() {
            TokenKind::Text(text) => Literal::Text(text.clone()),
            TokenKind::Number(number) => Literal::Number((*number).to_owned()),
            TokenKind::Symbol(sign @ ("-" | "+")) => {
                let sign = *sign;
                self.next += 1;
                let TokenKind::Number(number) = self.peek() else {
                    return Err(self.unexpected("a number"));
                };
                Literal::Number(format!("{sign}{number}"))
            }
            TokenKind::Word(word) => {
                let following = self.tokens.get(self.next + 1).map(|token| &token.kind);
                match (word.to_ascii_lowercase().as_str(), following) {
                    ("null", _) => Literal::Null,
                    ("true", _) => Literal::Boolean(true),
                    ("false", _) => Literal::Boolean(false),
                    // Without a text behind it, it is a column of that name.
                    (word @ ("date" | "timestamp"), Some(TokenKind::Text(text))) => {
                        let text = text.clone();
                        self.next += 1;
                        if word == "date" { Literal::Date(text) } else { Literal::Timestamp(text) }
                    }
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(literal))
    }

    fn column(&mut self) -> Result<Vec<String>> {
        let mut path = Vec::new();
        loop {
            match self.peek() {
                TokenKind::Quoted(name) => path.push(name.clone()),
                TokenKind::Word(word) if !RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) => {
                    path.push((*word).to_owned());
                }
                _ => return Err(self.unexpected("a column or a literal")),
            }
            self.next += 1;
            if self.is_at(&TokenKind::Symbol("(")) {
                return Err(self.unexpected("an operator").hint("functions are not supported in a predicate"));
            }
            if !self.take_symbol(".") {
                return Ok(path);
            }
        }
    }
}

fn negate_if(negated: bool, expr: Expr) -> Expr {
    let at = expr.at;
    if negated { Expr { node: ExprNode::Not(Box::new(expr)), at } } else { expr }
}
