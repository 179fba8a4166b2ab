//! Masks that no lane can fail.

use std::cell::Cell;

use super::{Access, op_of, takes};
use crate::diag::{Diagnostic, Sink, lowering as codes};
use crate::ir::{Dim, Function, Op, OpId, Value};
use crate::ops::{BinaryOp, CompareOp};

/// The most ops that are looked at for one access.
const MAX_OPS: u32 = 500;

/// What is known of every element of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// No element is below.
    least: Option<i64>,
    /// No element is above.
    most: Most,
}

/// What no element is above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Most {
    Number(i64),
    /// One less than a scalar.
    Below(Value),
    Unknown,
}

const ANYTHING: Range = Range { least: None, most: Most::Unknown };

/// Warns of a mask that always holds.
pub(super) fn check(function: &Function, id: OpId, access: Access, sink: &mut Sink) {
    let Some(mask) = access.mask.filter(|mask| always(function, *mask, &Cell::new(MAX_OPS))) else {
        return;
    };
    let span = function.value_span(mask);
    let said = format!("the mask of this {} is never false", access.verb);
    let warning = Diagnostic::new(codes::MASK_ALWAYS_TRUE, said, span, "holds for every element")
        .because(function.spans[id], "it is the mask here")
        .help("compare with the number of elements that there are, or leave the mask out");
    sink.warning(warning);
}

/// Whether every element of a truth value is true, whatever a launch passes.
fn always(function: &Function, value: Value, left: &Cell<u32>) -> bool {
    let (Some(op), true) = (op_of(function, value), takes(left)) else { return false };
    if let Op::Broadcast(it) = op {
        return always(function, it.x, left);
    }
    if let Op::ExpandDims(it) = op {
        return always(function, it.x, left);
    }
    if let Op::Binary(it) = op {
        let mut both = [it.x, it.y].into_iter();
        return it.op == BinaryOp::BitAnd && both.all(|x| always(function, x, left));
    }
    let Op::Compare(it) = op else { return false };
    let of = |x: Value| range(function, x, left);
    match it.op {
        CompareOp::Lt => is_below(function, of(it.x), (it.y, of(it.y)), 0),
        CompareOp::Le => is_below(function, of(it.x), (it.y, of(it.y)), 1),
        CompareOp::Gt => is_below(function, of(it.y), (it.x, of(it.x)), 0),
        CompareOp::Ge => is_below(function, of(it.y), (it.x, of(it.x)), 1),
        CompareOp::Eq | CompareOp::Ne => false,
    }
}

/// Whether all of `x` is below `y`, or less than `slack` above what is below it.
fn is_below(function: &Function, x: Range, (value, y): (Value, Range), slack: i64) -> bool {
    match (x.most, y.least) {
        (Most::Number(most), Some(least)) => most.checked_sub(slack).is_some_and(|it| it < least),
        (Most::Below(bound), _) => root(function, value) == root(function, bound),
        (Most::Number(_) | Most::Unknown, _) => false,
    }
}

/// A scalar behind its conversions and repetitions.
fn root(function: &Function, value: Value) -> Value {
    let mut value = value;
    for _ in 0..MAX_OPS {
        value = match op_of(function, value) {
            Some(Op::Full(it)) => it.value,
            Some(Op::Cast(it)) => it.x,
            Some(Op::Broadcast(it)) => it.x,
            Some(_) | None => break,
        };
    }
    value
}

/// What is known of the elements of `value`.
fn range(function: &Function, value: Value, left: &Cell<u32>) -> Range {
    if let Some(number) = function.literal(value).and_then(|it| it.as_int()) {
        return Range { least: Some(number), most: Most::Number(number) };
    }
    let (Some(op), true) = (op_of(function, value), takes(left)) else { return ANYTHING };
    if let Op::Arange(it) = op {
        let extent = function.ty(value).tile().and_then(|tile| tile.dims.first().copied());
        let most = match extent {
            Some(Dim::Const(extent)) => Most::Number(it.start.saturating_add(extent - 1)),
            Some(Dim::Value(extent)) if it.start == 0 => Most::Below(extent),
            Some(Dim::Value(_)) | None => Most::Unknown,
        };
        return Range { least: Some(it.start), most };
    }
    if let Op::ProgramId(_) = op {
        return Range { least: Some(0), most: Most::Unknown };
    }
    if let Op::Full(it) = op {
        return range(function, it.value, left);
    }
    if let Op::Cast(it) = op {
        let exact = function.ty(value).dtype().is_int();
        return if exact { range(function, it.x, left) } else { ANYTHING };
    }
    if let Op::Broadcast(it) = op {
        return range(function, it.x, left);
    }
    if let Op::ExpandDims(it) = op {
        return range(function, it.x, left);
    }
    let Op::Binary(it) = op else { return ANYTHING };
    of_binary(it.op, [it.x, it.y].map(|x| range(function, x, left)))
}

/// Sums of numbers, and products of numbers that are not negative.
fn of_binary(op: BinaryOp, [x, y]: [Range; 2]) -> Range {
    let natural = x.least >= Some(0) && y.least >= Some(0);
    let combine: fn(i64, i64) -> Option<i64> = if op == BinaryOp::Add {
        i64::checked_add
    } else if op == BinaryOp::Mul && natural {
        i64::checked_mul
    } else {
        return ANYTHING;
    };
    let most = match (x.most, y.most) {
        (Most::Number(x), Most::Number(y)) => combine(x, y).map_or(Most::Unknown, Most::Number),
        _ => Most::Unknown,
    };
    let least = x.least.zip(y.least).and_then(|(x, y)| combine(x, y));
    Range { least, most }
}
