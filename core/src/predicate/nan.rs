//! NaN, which statistics leave out. To Spark, DuckDB and DataFusion it is larger than every number; to
//! others, such as Trino, it has no order and only `<>` is true for it.

use super::bind::{Node, Test};
use super::bound_column::BoundColumn;
use super::expr::Op;

/// A comparison that NOT has turned around, made true for NaN too: where NaN has no order,
/// `NOT x > 5` is true for it, as `x <= 5` is not.
pub(super) fn let_in(node: Node, columns: &[BoundColumn]) -> Node {
    match node {
        Node::Leaf { column, test: Test::Compare(Op::Lt | Op::Le, _) }
            if columns.get(column).is_some_and(BoundColumn::may_hold_nan) =>
        {
            Node::Leaf { column, test: Test::IsNotNull }
        }
        node => node,
    }
}

/// All of `parts`. Where `x < 4` is among them, NaN is out for `x > 3` as well.
pub(super) fn keep_out(mut parts: Vec<Node>) -> Node {
    let bounded: Vec<usize> = parts
        .iter()
        .filter_map(|part| match part {
            Node::Leaf { column, test: Test::Compare(Op::Lt | Op::Le | Op::Eq | Op::NullSafeEq, _) } => Some(*column),
            _ => None,
        })
        .collect();
    for part in &mut parts {
        if let Node::Leaf { column, test } = part
            && let Test::Compare(op @ (Op::Gt | Op::Ge), value) = &*test
            && bounded.contains(column)
        {
            *test = Test::CompareNumber(*op, value.clone());
        }
    }
    Node::All(parts)
}
