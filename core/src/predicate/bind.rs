//! Binds a parsed predicate to a schema: NOT moves down to the leaves, columns get their physical
//! paths, literals their column's type.

use super::bound_column::{BoundColumn, is_ordered};
use super::coerce::{Value, coerce};
use super::expr::{Expr, ExprNode, Literal, Op};
use super::lexer::error_at;
use super::nan;
use crate::schema::{Column, DataType, Primitive, Schema};
use crate::{Error, Result};

/// A condition without NOT. A file is kept if the condition may be true for a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// May be true for any row.
    Always,
    /// True for no row.
    Never,
    All(Vec<Node>),
    Any(Vec<Node>),
    Leaf {
        column: usize,
        test: Test,
    },
}

/// What is asked of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Compare(Op, Value),
    /// The same, and the value is not NaN.
    CompareNumber(Op, Value),
    StartsWith(String),
    IsNull,
    /// Also the stand-in for all that only a value that is not null can make true.
    IsNotNull,
}

pub(super) fn bind(text: &str, schema: &Schema, expr: &Expr) -> Result<(Node, Vec<BoundColumn>)> {
    let mut binder = Binder { text, schema, columns: Vec::new() };
    let root = binder.condition(expr, false)?;
    Ok((root, binder.columns))
}

struct Binder<'a> {
    text: &'a str,
    schema: &'a Schema,
    columns: Vec<BoundColumn>,
}

impl<'a> Binder<'a> {
    fn condition(&mut self, expr: &Expr, negated: bool) -> Result<Node> {
        match &expr.node {
            ExprNode::Not(inner) => self.condition(inner, !negated),
            ExprNode::And(parts) => self.join(parts, negated, !negated),
            ExprNode::Or(parts) => self.join(parts, negated, negated),
            ExprNode::Compare(left, op, right) => {
                let node = self.compare(left, if negated { op.negated() } else { *op }, right)?;
                Ok(if negated { nan::let_in(node, &self.columns) } else { node })
            }
            ExprNode::In(operand, items) => {
                let op = if negated { Op::Ne } else { Op::Eq };
                let parts = items.iter().map(|item| self.compare(operand, op, item)).collect::<Result<_>>()?;
                Ok(if negated { nan::keep_out(parts) } else { Node::Any(parts) })
            }
            ExprNode::Between(operand, low, high) => {
                let (from, to) = if negated { (Op::Lt, Op::Gt) } else { (Op::Ge, Op::Le) };
                let parts = vec![self.compare(operand, from, low)?, self.compare(operand, to, high)?];
                Ok(if negated { Node::Any(parts) } else { nan::keep_out(parts) })
            }
            ExprNode::IsNull(operand) => self.is_null(operand, negated),
            ExprNode::Like { operand, pattern, escape } => self.like(operand, pattern, *escape, negated),
            ExprNode::Column(path) => {
                let column = self.find(path, expr.at)?;
                if column.field.data_type != DataType::Primitive(Primitive::Boolean) {
                    let message = format!("{} is {}, which is no condition", column.quoted(), column.field.data_type);
                    return Err(error_at(self.text, expr.at, message).hint("compare it with a literal"));
                }
                let value = Value::boolean(!negated);
                Ok(self.leaf(&column, Test::Compare(Op::Eq, value)))
            }
            ExprNode::Literal(Literal::Boolean(value)) => {
                Ok(if *value != negated { Node::Always } else { Node::Never })
            }
            ExprNode::Literal(Literal::Null) => Ok(Node::Never),
            ExprNode::Literal(_) => {
                Err(error_at(self.text, expr.at, "a literal alone is no condition").hint("compare a column with it"))
            }
        }
    }

    fn join(&mut self, parts: &[Expr], negated: bool, all: bool) -> Result<Node> {
        let mut parts = parts.iter().map(|part| self.condition(part, negated)).collect::<Result<Vec<_>>>()?;
        // What needs no statistics first: it may save reading them.
        parts.sort_by_key(|part| self.needs_stats(part));
        Ok(if all { nan::keep_out(parts) } else { Node::Any(parts) })
    }

    fn needs_stats(&self, node: &Node) -> bool {
        match node {
            Node::Always | Node::Never => false,
            Node::All(parts) | Node::Any(parts) => parts.iter().any(|part| self.needs_stats(part)),
            Node::Leaf { column, .. } => self.columns.get(*column).is_some_and(|column| !column.is_partition),
        }
    }

    fn compare(&mut self, left: &Expr, op: Op, right: &Expr) -> Result<Node> {
        match (&left.node, &right.node) {
            (ExprNode::Column(path), ExprNode::Literal(literal)) => {
                self.compare_with_literal(path, left.at, op, literal, right.at)
            }
            (ExprNode::Literal(literal), ExprNode::Column(path)) => {
                self.compare_with_literal(path, right.at, op.mirrored(), literal, left.at)
            }
            _ => self.either_unknown(left, right, matches!(op, Op::NullSafeEq | Op::NullSafeNe)),
        }
    }

    /// Two operands that statistics say nothing about together. Unless the condition accepts nulls,
    /// columns among them must not be null.
    fn either_unknown(&mut self, left: &Expr, right: &Expr, accepts_nulls: bool) -> Result<Node> {
        let mut parts = Vec::new();
        for operand in [left, right] {
            match &operand.node {
                ExprNode::Column(path) => {
                    let column = self.find(path, operand.at)?;
                    if !accepts_nulls {
                        parts.push(self.leaf(&column, Test::IsNotNull));
                    }
                }
                ExprNode::Literal(Literal::Null) if !accepts_nulls => parts.push(Node::Never),
                ExprNode::Literal(_) => {}
                // Only its names and literals are checked.
                _ => drop(self.condition(operand, false)?),
            }
        }
        Ok(Node::All(parts))
    }

    fn compare_with_literal(
        &mut self,
        path: &[String],
        at: usize,
        op: Op,
        literal: &Literal,
        literal_at: usize,
    ) -> Result<Node> {
        let column = self.find(path, at)?;
        if *literal == Literal::Null {
            return Ok(match op {
                Op::NullSafeEq => self.leaf(&column, Test::IsNull),
                Op::NullSafeNe => self.leaf(&column, Test::IsNotNull),
                _ => Node::Never,
            });
        }
        let value = match &column.field.data_type {
            DataType::Primitive(primitive) => coerce(literal, primitive).map_err(|wrong| {
                let data_type = &column.field.data_type;
                let message = format!("{} is {data_type}; {}", column.quoted(), wrong.what);
                error_at(self.text, literal_at, message).hint(wrong.hint)
            })?,
            data_type => {
                let message = format!("{} is {data_type}, which is compared with no literal", column.quoted());
                return Err(error_at(self.text, at, message).hint("name a field of a struct, or ask IS [NOT] NULL"));
            }
        };
        Ok(match (value, op) {
            (Some(value), op) if is_ordered(&column) => self.leaf(&column, Test::Compare(op, value)),
            (_, Op::NullSafeNe) => Node::Always,
            _ => self.leaf(&column, Test::IsNotNull),
        })
    }

    fn is_null(&mut self, operand: &Expr, negated: bool) -> Result<Node> {
        match &operand.node {
            ExprNode::Column(path) => {
                let column = self.find(path, operand.at)?;
                Ok(self.leaf(&column, if negated { Test::IsNotNull } else { Test::IsNull }))
            }
            ExprNode::Literal(literal) => {
                Ok(if (*literal == Literal::Null) != negated { Node::Always } else { Node::Never })
            }
            _ => {
                self.condition(operand, false)?;
                Ok(Node::Always)
            }
        }
    }

    fn like(&mut self, operand: &Expr, pattern: &Expr, escape: Option<char>, negated: bool) -> Result<Node> {
        let (ExprNode::Column(path), ExprNode::Literal(literal)) = (&operand.node, &pattern.node) else {
            return self.either_unknown(operand, pattern, false);
        };
        let column = self.find(path, operand.at)?;
        let text = match literal {
            Literal::Text(text) => text,
            Literal::Null => return Ok(Node::Never),
            _ => {
                return Err(error_at(self.text, pattern.at, "expected a text after LIKE").hint("write it as 'abc%'"));
            }
        };
        // A backslash is an escape in some engines and a character in others.
        let end = text.find(|c| matches!(c, '%' | '_' | '\\') || Some(c) == escape).unwrap_or(text.len());
        let prefix = &text[..end];
        let is_string = column.field.data_type == DataType::Primitive(Primitive::String) && is_ordered(&column);
        Ok(if negated || prefix.is_empty() || !is_string {
            self.leaf(&column, Test::IsNotNull)
        } else {
            self.leaf(&column, Test::StartsWith(prefix.to_owned()))
        })
    }

    fn find(&self, path: &[String], at: usize) -> Result<Column<'a>> {
        self.schema.column(path).map_err(|error| {
            let placed: Error = error_at(self.text, at, &error);
            match error.hint_text() {
                Some(hint) => placed.hint(hint),
                None => placed,
            }
        })
    }

    fn leaf(&mut self, column: &Column<'_>, test: Test) -> Node {
        let is_same =
            |known: &BoundColumn| known.physical == column.physical && known.data_type == column.field.data_type;
        let index = self.columns.iter().position(is_same).unwrap_or_else(|| {
            self.columns.push(BoundColumn::new(column));
            self.columns.len() - 1
        });
        // Where order means nothing, only nulls do.
        let test = match test {
            Test::Compare(..) | Test::StartsWith(_) if !is_ordered(column) => Test::IsNotNull,
            test => test,
        };
        Node::Leaf { column: index, test }
    }
}
