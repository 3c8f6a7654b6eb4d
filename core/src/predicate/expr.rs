//! A parsed predicate, before it meets a schema.

/// An expression and where it begins, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expr {
    pub(super) node: ExprNode,
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum ExprNode {
    Column(Vec<String>),
    Literal(Literal),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Op, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    IsNull(Box<Expr>),
    Like { operand: Box<Expr>, pattern: Box<Expr>, escape: Option<char> },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    /// As written, with its sign.
    Number(String),
    Text(String),
    Date(String),
    Timestamp(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `<=>`: equal, or both null.
    NullSafeEq,
    /// What NOT makes of `<=>`.
    NullSafeNe,
}

impl Op {
    pub(super) fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "=" | "==" => Op::Eq,
            "!=" | "<>" => Op::Ne,
            "<" => Op::Lt,
            "<=" => Op::Le,
            ">" => Op::Gt,
            ">=" => Op::Ge,
            "<=>" => Op::NullSafeEq,
            _ => return None,
        })
    }

    /// The operator that is true where this one is false, and null where it is null.
    pub(super) fn negated(self) -> Self {
        match self {
            Op::Eq => Op::Ne,
            Op::Ne => Op::Eq,
            Op::Lt => Op::Ge,
            Op::Le => Op::Gt,
            Op::Gt => Op::Le,
            Op::Ge => Op::Lt,
            Op::NullSafeEq => Op::NullSafeNe,
            Op::NullSafeNe => Op::NullSafeEq,
        }
    }

    /// The operator with its sides changed.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Op::Lt => Op::Gt,
            Op::Le => Op::Ge,
            Op::Gt => Op::Lt,
            Op::Ge => Op::Le,
            Op::Eq | Op::Ne | Op::NullSafeEq | Op::NullSafeNe => self,
        }
    }
}
